//! Migration: an older schema is copied whole to `pre-v<N>.redb` (or the next free `pre-v<N>-<number>.redb`) beside the file, then moved on one version at a time.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
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

/// The name of the copy of that number from before the file became one of schema `to`. A restored backup of an older
/// version is migrated once more, and what was kept before is not its to overwrite.
fn copy_of(path: &Path, to: u32, number: u32) -> PathBuf {
    let number = if number == 1 { String::new() } else { format!("-{number}") };
    path.with_file_name(format!("pre-v{to}{number}.redb"))
}

/// The copies from before migrations to schema `to`, the newest first.
pub(super) fn copies_of(path: &Path, to: u32) -> Vec<PathBuf> {
    let numbered = (1..).map(|number| copy_of(path, to, number));
    let mut copies: Vec<PathBuf> = numbered.take_while(|copy| copy.symlink_metadata().is_ok()).collect();
    copies.reverse();
    copies
}

/// Copies the file to the next name. A migration that fails is tried at every start: the copy that it has made before is
/// enough, where it is the same.
fn keep(path: &Path, database: &Database, to: u32) -> Result<PathBuf, (PathBuf, StoreError)> {
    let copies = copies_of(path, to);
    let copy = copy_of(path, to, copies.len() as u32 + 1);
    copy::copy_file(database, &copy).map_err(|source| (copy.clone(), source))?;
    match copies.into_iter().next() {
        Some(before) if are_same(&before, &copy).unwrap_or(false) => {
            let removed = std::fs::remove_file(&copy);
            Ok(if removed.is_ok() { before } else { copy })
        }
        _ => Ok(copy),
    }
}

fn are_same(one: &Path, other: &Path) -> io::Result<bool> {
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let count = left.len().min(right.len());
        if count == 0 {
            return Ok(left.len() == right.len());
        }
        if left[..count] != right[..count] {
            return Ok(false);
        }
        one.consume(count);
        other.consume(count);
    }
}

fn run(path: &Path, database: Database, schema: u32, steps: &[Step]) -> Result<Database, OpenError> {
    let failed = |(copy, source)| OpenError::Migration { path: path.to_owned(), from: schema, copy, source };
    let copy = keep(path, &database, steps.len() as u32 + 1).map_err(failed)?;
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
    migrated.map_err(|source| failed((copy.clone(), source)))?;
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
    #[test]
    fn an_earlier_copy_is_never_overwritten_and_the_same_one_is_not_made_twice() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("q.redb");
        Store::open(&path).expect("a new file").close();
        let nothing: Step = |_| Ok(());
        let fail: Step = |_| Err(StoreError::Damaged { what: "test", why: "on purpose".into() });
        let names = || -> Vec<String> {
            let copies = copies_of(&path, 2);
            copies.iter().map(|copy| copy.file_name().expect("a name").to_string_lossy().into_owned()).collect()
        };
        for _ in 0..3 {
            run(&path, Database::open(&path).expect("open"), 1, &[fail]).expect_err("a step failed");
            assert_eq!(names(), ["pre-v2.redb"], "each start keeps another copy of the same file");
        }
        let first = std::fs::read(directory.path().join("pre-v2.redb")).expect("the copy");
        // Another file in its place, as a restore puts it there.
        std::fs::remove_file(&path).expect("a removal");
        let store = Store::open(&path).expect("a new file");
        let entry = AuditEntry::done(crate::domain::time::Micros(1), &Actor::local("root"), "user.add", "user x", "");
        store.write(|txn| txn.audit(entry)).unwrap_or_else(|error: StoreError| panic!("{error}"));
        store.close();
        run(&path, Database::open(&path).expect("open"), 1, &[nothing]).expect("a migration");
        assert_eq!(names(), ["pre-v2-2.redb", "pre-v2.redb"]);
        assert!(std::fs::read(directory.path().join("pre-v2.redb")).expect("the copy") == first, "it was overwritten");
    }
}
