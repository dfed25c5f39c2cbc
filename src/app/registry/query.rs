use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::answers::QueryError;
use crate::app::answers::query::{filled, instant, written};
use crate::domain::model::{Model, ModelId, ModelStatus, ModelType};
use crate::domain::time::Micros;
use crate::store::{Place, VersionLine};

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page goes on; none at the end.
    pub next: Option<String>,
}

/// The order of models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelSort {
    /// By id.
    #[default]
    Id,
    /// What changed last comes first.
    Changed,
    /// The best score in production comes first; what has none comes last.
    Score,
}

impl ModelSort {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::Id, Self::Changed, Self::Score];

    /// As queries write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Changed => "changed",
            Self::Score => "score",
        }
    }
}

/// A word that is no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use id, changed or score")]
pub struct BadSort;

impl FromStr for ModelSort {
    type Err = BadSort;

    fn from_str(text: &str) -> Result<Self, BadSort> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).ok_or(BadSort)
    }
}

impl fmt::Display for ModelSort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which models, as a query says it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelQuery {
    /// Of this type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub model_type: Option<ModelType>,
    /// With a version of this status.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub status: Option<ModelStatus>,
    /// For this symbol; `multi` for models of several.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub symbol: Option<String>,
    /// In this order; by id where nothing is said.
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

impl ModelQuery {
    /// Whether a model fits.
    pub(super) fn fits(&self, model: &Model) -> bool {
        let symbol = |symbol: &String| model.name.symbol.as_deref().unwrap_or("multi").eq_ignore_ascii_case(symbol);
        self.model_type.is_none_or(|kind| model.name.model_type == kind)
            && self.status.is_none_or(|status| model.count(status) > 0)
            && self.symbol.as_ref().is_none_or(symbol)
    }
}

/// Which versions, as a query says it; the newest first.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VersionQuery {
    /// Of this model.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub model: Option<ModelId>,
    /// Of models of this type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub model_type: Option<ModelType>,
    /// With this status.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub status: Option<ModelStatus>,
    /// With at least this annual Sharpe ratio.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub min_sharpe: Option<f64>,
    /// Registered not before this instant: RFC 3339, or microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub since: Option<Micros>,
    /// Registered before this instant, likewise.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub until: Option<Micros>,
    /// With this tag: `name`, or `name=value`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub tag: Option<String>,
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

impl VersionQuery {
    /// Whether a version of `model` fits.
    pub(super) fn fits(&self, model: &Model, name: &str, line: &VersionLine) -> bool {
        let current = model.production.as_ref().is_some_and(|production| production.as_str() == name);
        let tagged = |tag: &String| match tag.split_once('=') {
            Some((name, value)) => line.tags.get(name).is_some_and(|had| had == value),
            None => line.tags.contains_key(tag),
        };
        self.model_type.is_none_or(|kind| model.name.model_type == kind)
            && self.status.is_none_or(|status| line.stage.status(current) == status)
            && self.min_sharpe.is_none_or(|least| line.sharpe.is_some_and(|sharpe| sharpe >= least))
            && self.tag.as_ref().is_none_or(tagged)
    }
}

/// Which entries of a history, as a query says it; the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryQuery {
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// A cursor of the list of versions: the place of the last one that was shown.
pub(super) fn written_place((at, model, name): &Place) -> String {
    format!("{}/{model}/{name}", at.0)
}

/// The place that a cursor names.
pub(super) fn read_place(cursor: &str) -> Result<Place, QueryError> {
    let mut parts = cursor.splitn(3, '/');
    let mut next = || parts.next().ok_or_else(QueryError::cursor);
    let (at, model, name) = (next()?, next()?, next()?);
    let at = at.parse().map(Micros).map_err(|_| QueryError::cursor())?;
    let model = model.parse().map_err(|_| QueryError::cursor())?;
    Ok((at, model, name.parse().map_err(|_| QueryError::cursor())?))
}
