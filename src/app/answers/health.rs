use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::feed::Gap;
use crate::domain::health::{Component, Health};
use crate::domain::id::EventId;
use crate::store::StoredGap;

/// One gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GapAnswer {
    /// The id of its event.
    pub id: EventId,
    /// One sentence.
    pub summary: String,
    /// What is known of it; instants in microseconds since the epoch.
    pub gap: Gap,
}

impl From<StoredGap> for GapAnswer {
    fn from(stored: StoredGap) -> Self {
        Self { id: stored.id, summary: stored.gap.to_string(), gap: stored.gap }
    }
}

/// Health with everything an operator may see.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthAnswer {
    /// The predecessor's lines (SPEC §4.5).
    pub lines: Vec<String>,
    /// The verdict.
    #[serde(flatten)]
    pub health: Health,
    /// Every component.
    pub components: Vec<Component>,
    /// The newest gap, if there ever was one.
    pub last_gap: Option<GapAnswer>,
}
