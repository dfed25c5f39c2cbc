//! Migration: an older schema is copied whole to `pre-v<N>.redb` beside the file, then moved on one version at a time.

use std::path::Path;

use redb::Database;

use super::open::OpenError;
use super::schema::SCHEMA_VERSION;
use super::{StoreError, copy};

/// One step: from the schema of its index plus one to the next, in one transaction.
type Step = fn(&redb::WriteTransaction) -> Result<(), StoreError>;

/// `STEPS[n]` takes schema `n + 1` to `n + 2`. Tables that are new need no step: opening makes them.
const STEPS: &[Step] = &[super::audit::chain];

const _: () = assert!(STEPS.len() + 1 == SCHEMA_VERSION as usize, "every schema but the first has its step");

/// Takes `database` from `schema` to the present one.
pub(super) fn migrate(path: &Path, database: Database, schema: u32) -> Result<Database, OpenError> {
    run(path, database, schema, STEPS)
}

fn run(path: &Path, database: Database, schema: u32, steps: &[Step]) -> Result<Database, OpenError> {
    let copy = path.with_file_name(format!("pre-v{}.redb", steps.len() + 1));
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
    use redb::ReadableDatabase as _;

    use super::*;
    use crate::store::Store;
    use crate::store::schema::META;

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
