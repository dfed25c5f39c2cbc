use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::StoreError;

/// The version of the tables and records below. An older file is migrated, a newer one refused.
pub const SCHEMA_VERSION: u32 = 5;

/// Whether to go on with something long.
pub(crate) type GoOn<'a> = dyn Fn() -> Result<(), StoreError> + 'a;

/// Rows between two questions: of the largest ones, some megabytes.
const A_STRETCH: u64 = 256;

/// One table as the registry knows it.
pub(crate) struct TableInfo {
    pub(crate) name: &'static str,
    /// Creates the table where it is missing, with its types; an existing one of other types is an error.
    pub(crate) create: fn(&WriteTransaction) -> Result<(), StoreError>,
    /// Copies every row of one open file's snapshot into another; the number of rows. Asks every now and then whether to
    /// go on.
    pub(crate) copy: fn(&ReadTransaction, &WriteTransaction, &GoOn<'_>) -> Result<u64, StoreError>,
    /// Makes something else of the first row's value; whether there is one.
    #[cfg(test)]
    pub(crate) spoil: fn(&WriteTransaction) -> Result<bool, StoreError>,
}

macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident: $name:literal, $key:ty => $value:ty;)*) => {
        $($(#[$doc])* pub(crate) const $table: TableDefinition<$key, $value> = TableDefinition::new($name);)*

        /// Every table of the file, in one place: copy, verify and open walk it, and refuse a file with another.
        pub(crate) const TABLES: &[TableInfo] = &[$(TableInfo {
            name: $name,
            create: |txn| {
                txn.open_table($table)?;
                Ok(())
            },
            copy: |from, to, go_on| {
                let source = from.open_table($table)?;
                let mut target = to.open_table($table)?;
                let mut rows = 0;
                for row in source.iter()? {
                    let (key, value) = row?;
                    target.insert(key.value(), value.value())?;
                    rows += 1;
                    if rows % A_STRETCH == 0 {
                        go_on()?;
                    }
                }
                Ok(rows)
            },
            #[cfg(test)]
            spoil: |txn| super::verify::spoil::first(txn, $table),
        },)*];
    };
}

tables! {
    /// Single rows: the file's identity, the feed's state.
    META: "meta", &'static str => &'static [u8];
    /// Small runs of the newest events, one a commit: the id of the first event → header and block.
    TAIL: "tail", u64 => &'static [u8];
    /// Blocks of events in parts: the id of the first event, and the part.
    BLOCKS: "blocks", (u64, u16) => &'static [u8];
    /// What a query reads before a block: the id of its first event → header.
    HEADERS: "headers", u64 => &'static [u8];
    /// Filters of the correlation ids in a block: the id of its first event → Bloom filter.
    CORRELATION: "correlation", u64 => &'static [u8];
    /// Hourly counters: hour, kind, name.
    COUNTERS: "counters", (u32, u8, &'static str) => &'static [u8];
    /// Rows of the rules: rule, key.
    RULES: "rules", (&'static str, &'static str) => &'static [u8];
    /// Ticks of time: the last event before it, and the instant.
    TICKS: "ticks", (u64, u64) => ();
    /// Intents by number.
    INTENTS: "intents", u64 => &'static [u8];
    /// The number of the intent of a key.
    INTENT_KEYS: "intent_keys", &'static [u8] => u64;
    /// What followers send on: sequence → message.
    OUTBOX: "outbox", u64 => &'static [u8];
    /// Lost stretches of the journal: the id of the gap's event.
    GAPS: "gaps", u64 => &'static [u8];
    /// How far each follower has come: its name.
    FOLLOWERS: "followers", &'static str => &'static [u8];
    /// Users by name.
    USERS: "users", &'static str => &'static [u8];
    /// Who is signed in: the fingerprint of the cookie's secret.
    SESSIONS: "sessions", &'static [u8] => &'static [u8];
    /// Credentials of programs: the fingerprint of the token's text.
    TOKENS: "tokens", &'static [u8] => &'static [u8];
    /// What was done and refused, in order; each record chained to the one before.
    AUDIT: "audit", u64 => &'static [u8];
    /// Requests that were carried out: key → answer.
    IDEMPOTENCY: "idempotency", &'static str => &'static [u8];
    /// What programs published under keys of theirs: day, digest of the key → ids.
    PUBLICATIONS: "publications", (u32, &'static [u8]) => &'static [u8];
    /// Models by id: which version is in production stands here and nowhere else.
    MODELS: "models", &'static str => &'static [u8];
    /// Versions by model and name; those that were deleted stay as tombstones.
    VERSIONS: "versions", (&'static str, &'static str) => &'static [u8];
    /// What lists show of living versions, in the order of time: registered when, model, name.
    VERSION_LIST: "version_list", (u64, &'static str, &'static str) => &'static [u8];
    /// What the gates said of a version when it was last evaluated: model and name.
    VERDICTS: "verdicts", (&'static str, &'static str) => &'static [u8];
    /// How much each feature of a version counts: model and name.
    IMPORTANCES: "importances", (&'static str, &'static str) => &'static [u8];
    /// What was in production since when: model, instant, number of the history's entry → version.
    PRODUCTION: "production", (&'static str, u64, u64) => &'static str;
    /// What happened to a model: its id, and the number of the entry.
    MODEL_HISTORY: "model_history", (&'static str, u64) => &'static [u8];
    /// Evaluations: model and number.
    EVALUATIONS: "evaluations", (&'static str, u64) => &'static [u8];
    /// The first evaluation of a version: model and version → its number.
    FIRST_EVALUATIONS: "first_evaluations", (&'static str, &'static str) => u64;
    /// What evaluations rest on (returns a day, trades, calibration): the evaluation's number.
    EVALUATION_SERIES: "evaluation_series", u64 => &'static [u8];
    /// Files of the predecessor's registry that were taken: model, and path below its directory.
    IMPORTS: "imports", (&'static str, &'static str) => &'static [u8];
    /// Promotions that wait for a second person: model and version.
    APPROVALS: "approvals", (&'static str, &'static str) => &'static [u8];
    /// Files that were taken in: digest → size, and how many versions use it.
    ARTIFACTS: "artifacts", &'static [u8] => &'static [u8];
    /// What is to be run, or was, after a change of production: number.
    HOOKS: "hooks", u64 => &'static [u8];
    /// What was delivered to a webhook, or was not: its name, and the number of the attempt.
    DELIVERIES: "deliveries", (&'static str, u64) => &'static [u8];
    /// Jobs: number.
    JOBS: "jobs", u64 => &'static [u8];
    /// Jobs that are not over: number → what the queue needs of them.
    OPEN_JOBS: "open_jobs", u64 => &'static [u8];
    /// The jobs of a model: its id, and the job's number → whether it is a hook's.
    MODEL_JOBS: "model_jobs", (&'static str, u64) => bool;
    /// What the programs of a job answered: its number, and the program's → JSON, compressed.
    JOB_RESULTS: "job_results", (u64, u8) => &'static [u8];
    /// Where the scheduler stands with a model: its id.
    SCHEDULE: "schedule", &'static str => &'static [u8];
    /// What set a training off, or would have: number.
    TRIGGERS: "triggers", u64 => &'static [u8];
    /// Messages of the bus that were taken in: stream, and the entry's id.
    INBOX: "inbox", (&'static str, u64, u64) => &'static [u8];
    /// Messages of the bus that nobody could make sense of: number.
    DEAD_LETTERS: "dead_letters", u64 => &'static [u8];
    /// Backups that were to be made, and looks at those that are there: number.
    BACKUPS: "backups", u64 => &'static [u8];
}
