use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A type of event that is subscribed to (SPEC §4.4). The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Topic {
    /// The predictions or the data of a model moved.
    DriftDetected,
    /// A model's figures fell.
    PerformanceDegraded,
    /// Somebody wants a model trained.
    TrainingRequested,
    /// The market is another one.
    RegimeChanged,
    /// A trade is over. It is counted, and nothing else.
    TradeClosed,
}

impl Topic {
    /// Every one, in the order in which they are asked for.
    pub const ALL: [Self; 5] = [
        Self::TrainingRequested,
        Self::DriftDetected,
        Self::PerformanceDegraded,
        Self::RegimeChanged,
        Self::TradeClosed,
    ];

    /// As the bus writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DriftDetected => "model.drift_detected",
            Self::PerformanceDegraded => "performance.degraded",
            Self::TrainingRequested => "manual.training_requested",
            Self::RegimeChanged => "market.regime_changed",
            Self::TradeClosed => "trade.closed",
        }
    }

    /// The stream that its messages come on.
    pub fn stream(self) -> String {
        format!("quantum:stream:{self}")
    }

    /// Our consumer group there, named as the predecessor's was, which is thereby continued.
    pub fn group(self) -> String {
        format!("quantum:group:clm_service:{self}")
    }

    /// Where messages go that come to nothing.
    pub fn dead_letters(self) -> String {
        format!("quantum:dlq:{self}")
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no type that is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "use manual.training_requested, model.drift_detected, performance.degraded, market.regime_changed or trade.closed"
)]
pub struct BadTopic;

impl FromStr for Topic {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text).ok_or(BadTopic)
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Topic {
    fn schema_name() -> Cow<'static, str> {
        "Topic".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "enum": Self::ALL.map(Self::as_str),
            "description": "A type of event that is subscribed to.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_bus() {
        let topic: Topic = "model.drift_detected".parse().expect("a topic");
        assert_eq!(topic.stream(), "quantum:stream:model.drift_detected");
        assert_eq!(topic.group(), "quantum:group:clm_service:model.drift_detected");
        assert_eq!(topic.dead_letters(), "quantum:dlq:model.drift_detected");
        assert!(Topic::ALL.iter().all(|topic| topic.as_str().parse() == Ok(*topic)));
        assert_eq!("clm.model_trained".parse::<Topic>(), Err(BadTopic));
    }
}
