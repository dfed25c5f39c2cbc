//! The sample is a data file in which nearly every table has rows: what a look at everything has to find.

use super::*;
use crate::config::Config;
use crate::domain::batch::EventBatch;
use crate::domain::event::{EventRef, Level};
use crate::domain::id::EventId;
use crate::observe::metrics::Metrics;
use crate::observe::status::StatusBoard;
use crate::store::{self, Store, StoreError};

#[test]
fn the_samples_file_is_whole_and_no_spoiled_row_of_any_table_is_missed() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = Config { data_file: directory.path().join("q.redb"), ..Config::default() };
    let path = config.data_file.clone();
    let store = Store::open(&path).expect("a data file");
    let (board, now) = (StatusBoard::new(), Micros(1_795_000_000_000_000));
    let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", now);
    let app = App::new(config, store, board, metrics, now);
    fill(&app, now).expect("a sample");
    fill_jobs(&app, now).expect("a sample of jobs");
    for round in 0..5 {
        append(&app.store, now.plus(round * Micros::SECOND));
    }
    app.close();

    let looked = store::verify(&path).expect("a look");
    assert!(looked.report.is_whole(), "{:?}", looked.report.findings);
    assert_eq!((looked.report.events, looked.report.notes.len()), (5_000, 0), "{:?}", looked.report.notes);
    assert!(!looked.artifacts.is_empty() && looked.report.audit.is_some());

    let passed = store::spoil(&path, |table, spoiled| {
        let report = store::verify(spoiled).expect("a look").report;
        let told = report.findings.iter().any(|finding| finding.what.starts_with(table));
        assert!(told, "{table}: {:?}", report.findings);
    });
    let empty = [
        "rules",
        "ticks",
        "intents",
        "intent_keys",
        "gaps",
        "followers",
        "users",
        "sessions",
        "tokens",
        "idempotency",
        "publications",
        "imports",
        "approvals",
        "hooks",
        "deliveries",
        "open_jobs",
        "schedule",
        "triggers",
        "inbox",
        "dead_letters",
        "backups",
    ];
    assert_eq!(passed, empty, "tables of which the sample has no row that could be spoiled");
}

fn append(store: &Store, now: Micros) {
    let mut batch = EventBatch::new();
    for number in 0..1_000_u64 {
        batch.push(EventRef {
            id: EventId::ZERO,
            ts: now.plus(number),
            unit: "quantum-ai-engine.service",
            source: "ai_engine",
            host: "host",
            level: Level::INFO,
            message: "a line",
            symbol: None,
            correlation_id: (number % 3 == 0).then_some("60965827-3887-45f4-9153-cca5cf1c301f"),
            decision: None,
            confidence: None,
            fields: None,
        });
    }
    store
        .write::<_, StoreError>(|txn| {
            batch.number(txn.feed().last.first_at(now));
            txn.append(&batch)
        })
        .expect("a commit");
}
