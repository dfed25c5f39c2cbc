use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::feed::PublishedIds;
use crate::domain::id::EventId;

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublishAnswer {
    /// The ids of the events, in the order in which they were sent.
    pub ids: Vec<EventId>,
}

impl From<PublishedIds> for PublishAnswer {
    fn from(ids: PublishedIds) -> Self {
        Self { ids: ids.iter().collect() }
    }
}
