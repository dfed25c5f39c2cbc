use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::misfit::Misfits;

/// How far a program is (`progress.json`). Written as often as it likes; each time it changes is a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub progress: Option<f32>,
    /// In words, for people: `round 120 of 400`.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub message: Option<String>,
    /// Whatever else: it is not looked at, but a change of it is a sign of life too.
    #[serde(default)]
    pub extra: Option<Value>,
}

impl Progress {
    pub(super) fn check(self) -> Result<Self, Misfits> {
        let mut misfits = Misfits::default();
        if self.progress.is_some_and(|progress| !(0.0..=1.0).contains(&progress)) {
            misfits.add("/progress", "must be from 0 to 1");
        }
        if self.message.as_ref().is_some_and(|message| message.len() > 1_000) {
            misfits.add("/message", "must have at most 1000 bytes");
        }
        misfits.none(self)
    }
}
