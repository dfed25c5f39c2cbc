use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::model::{ModelId, ModelName, VersionName};

/// A JSON value as it was sent, kept as its text: the data file's format knows no such values.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct JsonText(String);

impl JsonText {
    /// Of a value.
    pub fn new(value: &Value) -> Self {
        Self(value.to_string())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value. What was not JSON when it was stored is null, which [`JsonText::new`] rules out.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// The longest span of data that a training may ask for, in days.
pub const MOST_SPAN_DAYS: u32 = 36_500;

/// What is to be trained.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Training {
    /// What the model is about; its id follows from that ([`ModelName::id`]) but for imported ones.
    pub name: ModelName,
    /// Days of data.
    pub span_days: u32,
    /// The program's parameters, an object.
    pub params: Option<JsonText>,
    /// Which features, in the program's terms.
    pub feature_config: Option<JsonText>,
    /// The version that it goes on from.
    pub parent: Option<VersionName>,
    /// The candidate of the strategies' evolution that it tries.
    pub candidate: Option<String>,
}

/// What the hook tells of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct HookRun {
    /// The row of the hook.
    pub number: u64,
    /// The model.
    pub model: ModelId,
    /// What went into production.
    pub version: VersionName,
    /// What was in production until then.
    pub previous: Option<VersionName>,
}

/// What a job does. The stored form is the variant's number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum JobKind {
    /// Trains a version, evaluates it and applies the gates.
    Training(Box<Training>),
    /// Runs the promotion hook.
    Hook(HookRun),
}
