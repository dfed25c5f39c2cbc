use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::misfit::Misfits;

/// What the hook answers, if anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookResult {
    /// What people should know.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    pub message: Option<String>,
    /// Whatever else it wants to say.
    #[serde(default)]
    pub extra: Option<Value>,
}

impl HookResult {
    pub(super) fn check(self) -> Result<Self, Misfits> {
        let mut misfits = Misfits::default();
        if let Some(message) = &self.message {
            misfits.word("/message", message, 1_000);
        }
        misfits.none(self)
    }
}
