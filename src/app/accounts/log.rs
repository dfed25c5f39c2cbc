use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountError, Accounts};
use crate::app::answers::QueryError;
use crate::app::answers::query::{filled, instant, limit, written};
use crate::domain::audit::{AuditRecord, Outcome};
use crate::domain::time::{Micros, rfc3339};
use crate::store::{AuditFilter, Store};

/// Which audit records, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// Of this user or token.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub by: Option<String>,
    /// Of actions that begin with this: `user.` is everything about users.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub action: Option<String>,
    /// About this: `user anna`, `intent 7`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub subject: Option<String>,
    /// `done` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub outcome: Option<Outcome>,
    /// Not before this instant: RFC 3339, or microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub since: Option<Micros>,
    /// Before this instant, likewise.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub until: Option<Micros>,
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// One record of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRow {
    /// Its number.
    pub seq: u64,
    /// When; of several attempts, the last.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// Who.
    pub by: String,
    /// From where.
    pub address: String,
    /// What was done or asked for.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Why.
    pub why: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// Attempts that it stands for.
    pub times: u64,
    /// Its SHA-256, which the next record holds.
    pub hash: String,
}

impl From<AuditRecord> for AuditRow {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord { seq, at, by, address, action, subject, why, outcome, times, hash, .. } = record;
        Self { seq, at, by, address, action, subject, why, outcome, times, hash: hash.to_string() }
    }
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// The records.
    pub records: Vec<AuditRow>,
    /// Where the next page goes on; null at the end. A page may be short of its limit before that.
    pub next: Option<String>,
}

impl AuditPage {
    /// The most records of a page.
    pub const MAX_LIMIT: usize = 1_000;

    /// From the data file alone.
    pub fn find(store: &Store, query: &AuditQuery) -> Result<Self, QueryError> {
        let before = match &query.cursor {
            None => u64::MAX,
            Some(cursor) => cursor.parse().map_err(|_| QueryError::cursor())?,
        };
        let filter = AuditFilter {
            by: query.by.clone(),
            action: query.action.clone(),
            subject: query.subject.clone(),
            outcome: query.outcome,
            since: query.since,
            until: query.until,
        };
        let limit = limit(query.limit, Self::MAX_LIMIT)?;
        let (records, next) = store.audit(&filter, before, limit)?;
        let records = records.into_iter().map(AuditRow::from).collect();
        Ok(Self { records, next: next.map(|next| next.to_string()) })
    }
}

/// What came of going along the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Whether every record is what was written, in its place.
    pub whole: bool,
    /// Records up to the log's end.
    pub records: u64,
    /// The hash of the last one. Noted elsewhere, it shows later that nobody has written the log anew.
    pub head: Option<String>,
    /// The first record that is not what was written.
    pub broken: Option<BrokenRow>,
}

/// The first record that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokenRow {
    /// Its number.
    pub seq: u64,
    /// What is wrong.
    pub why: String,
}

impl Verified {
    /// From the data file alone.
    pub fn read(store: &Store) -> Result<Self, AccountError> {
        Ok(match store.verify_audit()? {
            Ok(head) => Self { whole: true, records: head.count, head: Some(head.hash.to_string()), broken: None },
            Err(broken) => {
                let records = broken.seq - 1;
                Self { whole: false, records, head: None, broken: Some(BrokenRow { seq: broken.seq, why: broken.why }) }
            }
        })
    }
}

impl Accounts {
    /// A page of the audit log. What was refused in the last seconds is in it soon.
    pub fn audit(&self, query: &AuditQuery) -> Result<AuditPage, QueryError> {
        AuditPage::find(&self.store, query)
    }

    /// Goes along the log's whole chain.
    pub fn verify_audit(&self) -> Result<Verified, AccountError> {
        Verified::read(&self.store)
    }
}
