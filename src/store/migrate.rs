//! Migration: an older schema is copied whole to `pre-v<N>.redb` beside the file, then moved on one version at a time.

use std::path::{Path, PathBuf};

use redb::Database;

use super::open::OpenError;
use super::schema::SCHEMA_VERSION;
use super::{StoreError, copy};

/// One step: from the schema of its index plus one to the next, in one transaction.
type Step = fn(&redb::WriteTransaction) -> Result<(), StoreError>;

/// `STEPS[n]` takes schema `n + 1` to `n + 2`. Tables that are new need no step: opening makes them.
const STEPS: &[Step] = &[super::audit::chain, tables_only, tables_only, tables_only];

/// Schema 3 has the registry's tables, schema 4 those of jobs, schema 5 that of backups, which opening makes.
fn tables_only(_: &redb::WriteTransaction) -> Result<(), StoreError> {
    Ok(())
}

const _: () = assert!(STEPS.len() + 1 == SCHEMA_VERSION as usize, "every schema but the first has its step");

/// Takes `database` from `schema` to the present one.
pub(super) fn migrate(path: &Path, database: Database, schema: u32) -> Result<Database, OpenError> {
    run(path, database, schema, STEPS)
}

/// Where the file is copied to before it becomes one of schema `to`.
pub(super) fn copy_of(path: &Path, to: u32) -> PathBuf {
    path.with_file_name(format!("pre-v{to}.redb"))
}

fn run(path: &Path, database: Database, schema: u32, steps: &[Step]) -> Result<Database, OpenError> {
    let copy = copy_of(path, steps.len() as u32 + 1);
    let failed = |source| OpenError::Migration { path: path.to_owned(), from: schema, copy: copy.clone(), source };
    copy::copy_file(&database, &copy).map_err(failed)?;
    let migrated = super::guard::catch(|| {
        let txn = database.begin_write()?;
        for step in &steps[(schema as usize).saturating_sub(1)..] {
            step(&txn)?;
        }
        // In the same transaction: a step must never meet what it has already changed.
        super::open::identify(&txn, steps.len() as u32 + 1)?;
        txn.commit()?;
        Ok(())
    });
    migrated.map_err(failed)?;
    tracing::info!(from = schema, to = steps.len() + 1, copy = %copy.display(), "the data file was migrated");
    Ok(database)
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase as _, ReadableTableMetadata as _, TableHandle as _};

    use super::*;
    use crate::domain::access::Actor;
    use crate::domain::audit::AuditEntry;
    use crate::store::schema::META;
    use crate::store::{AuditFilter, Inspected, Store};

    /// A file that the version with schema 1 wrote, with intents that somebody acknowledged and resolved.
    #[test]
    fn a_file_of_schema_1_becomes_one_of_today() {
        let packed = include_bytes!("../../tests/fixtures/schema-1.redb.zst");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("q.redb");
        std::fs::write(&path, zstd::decode_all(&packed[..]).expect("the fixture")).expect("a file");
        assert_eq!(Store::inspect(&path).expect("a look"), Inspected::Sound { schema: 1 });
        let store = Store::open(&path).expect("a migration");

        let (mut records, _) = store.audit(&AuditFilter::default(), u64::MAX, 100).expect("the log");
        records.reverse();
        let told: Vec<_> = records
            .iter()
            .map(|r| (r.seq, r.by.as_str(), r.address.as_str(), r.action.as_str(), r.subject.as_str(), r.why.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (1, "root", "", "intent.acknowledge", "intent 1", "exchange maintenance 1"),
                (2, "root", "", "intent.acknowledge", "intent 2", "exchange maintenance 2"),
                (3, "root", "", "intent.acknowledge", "intent 3", "exchange maintenance 3"),
                (4, "root", "", "intent.resolve", "intent 1", "back again"),
            ]
        );
        assert_eq!(store.verify_audit().expect("a look").expect("a whole chain").count, 4);
        assert!(store.feed().events > 1_000, "the events are gone");
        let actor = Actor::local("root");
        let entry = AuditEntry::done(crate::domain::time::Micros(1), &actor, "user.add", "user x", "");
        store.write(|txn| txn.audit(entry)).unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(store.verify_audit().expect("a look").expect("a whole chain").count, 5);
        store.close();
        // Once is enough, and the copy is what the old program can open.
        Store::open(&path).expect("no second migration").close();
        let copy = directory.path().join("pre-v5.redb");
        assert_eq!(Store::inspect(&copy).expect("a look"), Inspected::Sound { schema: 1 });
        let copy = Database::open(copy).expect("the copy").begin_read().expect("a snapshot");
        assert!(!copy.list_tables().expect("its tables").any(|table| table.name() == "users"));
        let rows = copy.open_table(crate::store::schema::AUDIT).expect("its log").len().expect("its length");
        assert_eq!(rows, 4);
    }

    /// A file like those of `schema`, without `tables`, with one record in its log; and its store once it was migrated, which
    /// has the record.
    fn migrated_without(directory: &Path, schema: u32, tables: &[&str]) -> (PathBuf, Store) {
        let path = directory.join("q.redb");
        let store = Store::open(&path).expect("a new file");
        let actor = Actor::local("root");
        let entry = AuditEntry::done(crate::domain::time::Micros(1), &actor, "user.add", "user x", "");
        store.write(|txn| txn.audit(entry)).unwrap_or_else(|error: StoreError| panic!("{error}"));
        store.close();
        let database = Database::open(&path).expect("open");
        let txn = database.begin_write().expect("a transaction");
        let names: Vec<_> = txn.list_tables().expect("its tables").collect();
        for table in names.into_iter().filter(|table| tables.contains(&table.name())) {
            assert!(txn.delete_table(table).expect("a deletion"));
        }
        super::super::open::identify(&txn, schema).expect("an identity");
        txn.commit().expect("a commit");
        drop(database);
        assert_eq!(Store::inspect(&path).expect("a look"), Inspected::Sound { schema });
        let store = Store::open(&path).expect("a migration");
        assert_eq!(store.verify_audit().expect("a look").expect("a whole chain").count, 1);
        (path, store)
    }

    /// Schema 2 is schema 3 without the registry's tables: a file is made that way, as the program before this one left it.
    #[test]
    fn a_file_of_schema_2_gets_the_registrys_tables_and_keeps_the_rest() {
        const NEW: [&str; 13] = [
            "models",
            "versions",
            "version_list",
            "verdicts",
            "production",
            "model_history",
            "evaluations",
            "first_evaluations",
            "evaluation_series",
            "approvals",
            "artifacts",
            "hooks",
            "deliveries",
        ];
        let directory = tempfile::tempdir().expect("a directory");
        let (path, store) = migrated_without(directory.path(), 2, &NEW);
        assert_eq!(store.models().expect("a look"), []);
        store.close();
        assert_eq!(Store::inspect(&path).expect("a look"), Inspected::Sound { schema: SCHEMA_VERSION });
        let copy = directory.path().join("pre-v5.redb");
        assert_eq!(Store::inspect(&copy).expect("a look"), Inspected::Sound { schema: 2 });
        let copy = Database::open(copy).expect("the copy").begin_read().expect("a snapshot");
        assert!(!copy.list_tables().expect("its tables").any(|table| NEW.contains(&table.name())));
    }

    /// Schema 5 is schema 4 with one more table.
    #[test]
    fn a_file_of_schema_4_gets_the_table_of_backups_and_keeps_the_rest() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_, store) = migrated_without(directory.path(), 4, &[crate::store::schema::BACKUPS.name()]);
        assert_eq!(store.backup_attempts(u64::MAX, 9).expect("a look"), []);
        store.close();
        let copy = directory.path().join("pre-v5.redb");
        assert_eq!(Store::inspect(&copy).expect("a look"), Inspected::Sound { schema: 4 });
    }

    #[test]
    fn a_migration_copies_first_and_a_failing_step_changes_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("q.redb");
        Store::open(&path).expect("a new file").close();
        let mark: Step = |txn| {
            txn.open_table(META)?.insert("mark", &b"x"[..])?;
            Ok(())
        };
        let fail: Step = |_| Err(StoreError::Damaged { what: "test", why: "on purpose".into() });
        let marked = |database: &Database| {
            let txn = database.begin_read().expect("a snapshot");
            txn.open_table(META).expect("meta").get("mark").expect("a look").is_some()
        };
        let error = run(&path, Database::open(&path).expect("open"), 1, &[mark, fail]).expect_err("a step failed");
        assert!(matches!(error, OpenError::Migration { from: 1, .. }), "{error}");
        assert!(!marked(&Database::open(&path).expect("open")), "half a migration was committed");
        let migrated = run(&path, Database::open(&path).expect("open"), 1, &[mark]).expect("a migration");
        assert!(marked(&migrated), "the step did not reach the file");
        let before = Database::open(directory.path().join("pre-v2.redb")).expect("the copy");
        assert!(!marked(&before), "the copy was made after the step");
    }
}
