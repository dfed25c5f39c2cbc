use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::EventId;
use crate::domain::time::{Micros, rfc3339_option};
use crate::store::FeedHistory;

/// What was taken in of the predecessor's stream, or would be.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct HistoryAnswer {
    /// Address and database of the Redis.
    pub server: String,
    /// The stream.
    pub stream: String,
    /// Whether it was only told, not done.
    pub dry_run: bool,
    /// Entries that were looked at, by this and earlier imports.
    pub entries: u64,
    /// Events that were taken in.
    pub taken: u64,
    /// Entries that were left, by reason: `stored` (the journal gave the same line), `ours`, `old`, `twice`, `no_time`,
    /// `sequence_too_large`, `not_before`, `unreadable`.
    pub left: BTreeMap<String, u64>,
    /// The first hundred entries that are not as they should be.
    pub odd: Vec<OddEntry>,
    /// The oldest event that was taken in.
    pub first: Option<EventId>,
    /// The newest one.
    pub last: Option<EventId>,
    /// Whether the journal begins where the history ends, because nothing was stored before.
    pub journal_follows: bool,
    /// When the end was reached, RFC 3339; null before.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub finished: Option<Micros>,
}

/// An entry that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OddEntry {
    /// Its id in the stream.
    pub id: String,
    /// Why it was left.
    pub why: String,
}

impl HistoryAnswer {
    /// What a row says.
    pub fn of(row: &FeedHistory, dry_run: bool) -> Self {
        let odd = row.odd.iter().map(|(id, why)| OddEntry { id: id.to_string(), why: why.clone() });
        Self {
            server: row.server.clone(),
            stream: row.stream.clone(),
            dry_run,
            entries: row.entries,
            taken: row.taken,
            left: row.left.clone(),
            odd: odd.collect(),
            first: row.first,
            last: row.first.map(|_| row.last),
            journal_follows: row.leads,
            finished: row.finished,
        }
    }
}
