//! Looks at everything in a data file: its pages, every record of every table, what records say of each other, the audit
//! log's chain. Not a byte of the file is changed. redb may panic or worse on pages that make no sense, so a process of its
//! own does this (`crate::backup`).

mod events;
mod models;
mod overlay;
mod people;
mod rest;
mod walk;
mod work;
#[cfg(test)]
pub(crate) mod spoil;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, ReadTransaction, ReadableDatabase as _, TableHandle as _};

use self::overlay::Overlay;
use self::walk::{Walk, plain};
use super::open::{check_identity, check_magic, refused};
use super::schema::{SCHEMA_VERSION, TABLES};
use super::{CACHE_BYTES, OpenError, StoreError, guard};
use crate::domain::backup::{Looked, Part};

/// What was seen in one table and is compared with others.
#[derive(Default)]
struct Ledger {
    events: events::Seen,
    models: models::Seen,
    work: work::Seen,
    people: people::Seen,
    /// The encoded key of each intent → its number.
    intents: BTreeMap<Vec<u8>, u64>,
}

type Check = fn(&mut Walk<'_>, &mut Ledger) -> Result<(), StoreError>;

/// One check a table, in an order in which each finds what it compares with. A test holds it against the registry of
/// tables, so that a table without a check does not pass.
const CHECKS: &[(&str, Check)] = &[
    ("meta", rest::meta),
    ("blocks", |walk, ledger| events::blocks(walk, &mut ledger.events)),
    ("headers", |walk, ledger| events::headers(walk, &mut ledger.events)),
    ("correlation", |walk, ledger| events::correlation(walk, &mut ledger.events)),
    ("tail", |walk, ledger| events::tail(walk, &mut ledger.events)),
    ("ticks", |walk, ledger| events::ticks(walk, &mut ledger.events)),
    ("gaps", |walk, ledger| events::gaps(walk, &mut ledger.events)),
    ("counters", |walk, ledger| events::counters(walk, &mut ledger.events)),
    ("rules", rest::rules),
    ("intents", rest::intents),
    ("intent_keys", rest::intent_keys),
    ("outbox", rest::outbox),
    ("followers", rest::followers),
    ("users", |walk, ledger| people::users(walk, &mut ledger.people)),
    ("sessions", |walk, ledger| people::sessions(walk, &mut ledger.people)),
    ("tokens", |walk, ledger| people::tokens(walk, &mut ledger.people)),
    ("audit", |walk, ledger| people::audit(walk, &mut ledger.people)),
    ("idempotency", rest::idempotency),
    ("publications", rest::publications),
    ("models", |walk, ledger| models::models(walk, &mut ledger.models)),
    ("versions", |walk, ledger| models::versions(walk, &mut ledger.models)),
    ("version_list", |walk, ledger| models::version_list(walk, &mut ledger.models)),
    ("verdicts", |walk, ledger| models::verdicts(walk, &mut ledger.models)),
    ("importances", |walk, ledger| models::importances(walk, &mut ledger.models)),
    ("model_history", |walk, ledger| models::history(walk, &mut ledger.models)),
    ("production", |walk, ledger| models::production(walk, &mut ledger.models)),
    ("evaluations", |walk, ledger| models::evaluations(walk, &mut ledger.models)),
    ("first_evaluations", |walk, ledger| models::first_evaluations(walk, &mut ledger.models)),
    ("evaluation_series", |walk, ledger| models::series(walk, &mut ledger.models)),
    ("imports", |walk, ledger| models::imports(walk, &mut ledger.models)),
    ("approvals", |walk, ledger| models::approvals(walk, &mut ledger.models)),
    ("artifacts", |walk, ledger| models::artifacts(walk, &mut ledger.models)),
    ("hooks", |walk, ledger| models::hooks(walk, &mut ledger.models)),
    ("deliveries", rest::deliveries),
    ("jobs", |walk, ledger| work::jobs(walk, &mut ledger.work)),
    ("open_jobs", |walk, ledger| work::open_jobs(walk, &mut ledger.work)),
    ("model_jobs", |walk, ledger| work::model_jobs(walk, &mut ledger.work)),
    ("job_results", |walk, ledger| work::results(walk, &mut ledger.work)),
    ("schedule", |walk, ledger| work::schedule(walk, &mut ledger.work)),
    ("triggers", |walk, ledger| work::triggers(walk, &mut ledger.work)),
    ("inbox", rest::inbox),
    ("dead_letters", rest::letters),
    ("backups", rest::backups),
];

/// Looks at everything in the data file at `path`. A damaged file is a report with findings; an error says that it could
/// not be looked at: it is not there, or somebody writes to it.
pub fn verify(path: &Path) -> Result<Looked, OpenError> {
    let mut looked = Looked::default();
    match look(path, &mut looked) {
        Ok(()) => Ok(looked),
        Err(OpenError::Damaged { why, .. }) => {
            looked.report.add(Part::Structure, "pages", why);
            Ok(looked)
        }
        Err(error @ (OpenError::Foreign { .. } | OpenError::Newer { .. } | OpenError::Migration { .. })) => {
            looked.report.add(Part::Structure, "identity", error.to_string());
            Ok(looked)
        }
        Err(error) => Err(error),
    }
}

fn look(path: &Path, looked: &mut Looked) -> Result<(), OpenError> {
    let damaged = |error: StoreError| OpenError::Damaged { path: path.to_owned(), why: plain(error) };
    if !check_magic(path, false)? {
        return Err(OpenError::Damaged { path: path.to_owned(), why: "there is nothing in it".to_owned() });
    }
    let repaired = Arc::new(AtomicBool::new(false));
    let opened = guard::catch(|| {
        let (mut builder, noted) = (Database::builder(), Arc::clone(&repaired));
        builder.set_cache_size(CACHE_BYTES).set_repair_callback(move |_| noted.store(true, Ordering::Relaxed));
        Ok(Overlay::open(path).and_then(|overlay| builder.create_with_backend(overlay)))
    });
    let mut database = opened.map_err(damaged)?.map_err(refused(path))?;
    let schema = check_identity(path, &database)?;
    looked.report.schema = Some(schema);
    if repaired.load(Ordering::Relaxed) {
        looked.report.notes.push(
            "it was not closed in order, as after a crash: the next start repairs it, and it was looked at as it is after that"
                .to_owned(),
        );
    }
    let sound = guard::catch(|| Ok(database.check_integrity())).map_err(damaged)?;
    match sound {
        Ok(true) => {}
        Ok(false) => looked.report.add(Part::Structure, "pages", "which pages are free is not what the file says"),
        Err(error) => looked.report.add(Part::Structure, "pages", error.to_string()),
    }
    guard::catch(|| tables(&database.begin_read()?, schema, looked)).map_err(damaged)
}

fn tables(txn: &ReadTransaction, schema: u32, looked: &mut Looked) -> Result<(), StoreError> {
    let there: BTreeSet<String> = txn.list_tables()?.map(|table| table.name().to_owned()).collect();
    let Looked { report, artifacts, users, tokens, in_place } = looked;
    for name in there.iter().filter(|name| !TABLES.iter().any(|table| table.name == name.as_str())) {
        report.add(Part::Structure, name.as_str(), "there is no such table in this version");
    }
    if schema < SCHEMA_VERSION {
        report
            .notes
            .push(format!("it has schema {schema}: the next start moves it on to {SCHEMA_VERSION}, after a copy"));
    } else {
        for table in TABLES.iter().filter(|table| !there.contains(table.name)) {
            report.add(Part::Structure, table.name, "the table is missing");
        }
    }
    let mut ledger = Ledger::default();
    let mut walk = Walk::new(txn, report, there);
    for (name, check) in CHECKS {
        if schema == 1 && *name == "audit" {
            walk.report.notes.push("the audit log of schema 1 has no chain, and was not looked into".to_owned());
            continue;
        }
        // One table that cannot be read does not keep the others from being looked at.
        if let Err(error) = guard::catch(|| check(&mut walk, &mut ledger)) {
            walk.fault(Part::Structure, name, "", plain(error));
        }
    }
    walk.finish();
    *artifacts = ledger.models.artifacts;
    *in_place = ledger.models.in_place;
    (*users, *tokens) = ledger.people.names();
    Ok(())
}
