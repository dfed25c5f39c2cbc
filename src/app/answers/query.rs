//! What queries have in common: values that may be left empty, as forms do, and pages.

use std::fmt::Display;
use std::str::FromStr;

use chrono::SecondsFormat;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::event::Level;
use crate::domain::time::Micros;
use crate::store::StoreError;

/// The most rows of a page, unless the resource says otherwise.
pub const MAX_LIMIT: usize = 1_000;

/// Rows of a page where nobody says how many.
const DEFAULT_LIMIT: usize = 50;

/// A query that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A value.
    #[error("{field}: {why}")]
    Bad {
        /// Which.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl QueryError {
    /// A cursor that no answer gave.
    pub(crate) fn cursor() -> Self {
        Self::Bad { field: "cursor", why: "not the `next` of an answer".into() }
    }
}

/// A value of a query string; an empty one says nothing.
pub(crate) fn filled<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(de::Error::custom) }
}

/// An instant in a query that we write: RFC 3339, with as many digits as it has.
pub(crate) fn written<S: Serializer>(at: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true)).serialize(serializer)
}

/// The schema of an instant in a query.
pub(crate) fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "pattern": "^[0-9]{1,17}$" }],
    })
}

/// The schema of a severity in a query.
pub(crate) fn level(generator: &mut SchemaGenerator) -> Schema {
    let name = generator.subschema_for::<Level>();
    json_schema!({ "anyOf": [name, { "type": "string", "pattern": "^[0-7]$" }] })
}

/// How many rows, at most `most`.
pub(crate) fn limit(asked: Option<usize>, most: usize) -> Result<usize, QueryError> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT.min(most));
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(QueryError::Bad { field: "limit", why: format!("use a number from 1 to {most}") })
    }
}
