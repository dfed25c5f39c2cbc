//! What may be asked of the registry.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::answers::query::{filled, instant, written};
use crate::domain::model::{ModelId, ModelStatus, ModelType};
use crate::domain::time::Micros;

/// In which order models are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelSort {
    /// By id.
    #[default]
    Id,
    /// The best in production first; those without a score last.
    Score,
    /// What was promoted last first; what never was last.
    Promoted,
    /// The newest first.
    Created,
}

impl ModelSort {
    const ALL: [Self; 4] = [Self::Id, Self::Score, Self::Promoted, Self::Created];

    fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Score => "score",
            Self::Promoted => "promoted",
            Self::Created => "created",
        }
    }
}

/// A text that is no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use id, score, promoted or created")]
pub struct BadSort;

impl FromStr for ModelSort {
    type Err = BadSort;

    fn from_str(text: &str) -> Result<Self, BadSort> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).ok_or(BadSort)
    }
}

/// Which models, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelQuery {
    /// Only of this type.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub r#type: Option<ModelType>,
    /// Only those that have a version of this status.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub status: Option<ModelStatus>,
    /// Only of this symbol; `multi` for those of several.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub symbol: Option<String>,
    /// In which order; by id where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub sort: Option<ModelSort>,
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// A tag to find versions by: `team`, or `team=alpha`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagQuery {
    /// Its name.
    pub name: String,
    /// Its value, where that matters.
    pub value: Option<String>,
}

impl FromStr for TagQuery {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once('=') {
            Some((name, value)) => Self { name: name.to_owned(), value: Some(value.to_owned()) },
            None => Self { name: text.to_owned(), value: None },
        })
    }
}

impl fmt::Display for TagQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Serialize for TagQuery {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which versions, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VersionQuery {
    /// Only of this model.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub model: Option<ModelId>,
    /// Only of this type.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub r#type: Option<ModelType>,
    /// Only of this status.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub status: Option<ModelStatus>,
    /// Only those whose newest evaluation has at least this annual Sharpe ratio.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub min_sharpe: Option<f64>,
    /// Only those that were registered then or later. RFC 3339, or microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled", serialize_with = "written")]
    #[schemars(schema_with = "instant")]
    pub since: Option<Micros>,
    /// Only those that were registered before that.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled", serialize_with = "written")]
    #[schemars(schema_with = "instant")]
    pub until: Option<Micros>,
    /// Only those with this tag: `team`, or `team=alpha`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(with = "Option<String>")]
    pub tag: Option<TagQuery>,
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// Which part of a list, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartQuery {
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// At which instant, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AtQuery {
    /// The instant, RFC 3339, or microseconds since the epoch; now where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled", serialize_with = "written")]
    #[schemars(schema_with = "instant")]
    pub at: Option<Micros>,
}
