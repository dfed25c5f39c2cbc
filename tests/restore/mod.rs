//! A backup takes the data file's place: the real binary, a real journal, a real Redis, and the real program age.

mod age;
mod bus_in;
mod daemon;
#[cfg(feature = "failpoints")]
mod deaths;
mod jobs;
mod journal;
mod links;
mod load;
mod machine;
mod refused;
mod rotten;
mod told;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use quantum_clm::backup::seal::Recipient;
use quantum_clm::backup::{BackupError, Created, Place, Plan, Verifier, create};
use quantum_clm::domain::backup::{Keep, ProgramId};
use quantum_clm::observe::now;
use quantum_clm::store::Store;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::daemon::{Bed, Said};

const BINARY: &str = env!("CARGO_BIN_EXE_quantum-clm");

/// A backup of the data file of a bed, which no daemon has just then; its directory.
#[track_caller]
fn backup(bed: &Bed, directory: &Path, recipients: &[Recipient]) -> PathBuf {
    let store = Store::open(bed.data_file()).expect("the data file");
    let path = backup_of(&store, directory, recipients);
    store.close();
    path
}

/// A backup of an open data file.
#[track_caller]
fn backup_of(store: &Store, directory: &Path, recipients: &[Recipient]) -> PathBuf {
    let created = made(store, directory, recipients).expect("a backup");
    Place::new(directory).backup(created.manifest.id)
}

fn made(store: &Store, directory: &Path, recipients: &[Recipient]) -> Result<Created, BackupError> {
    let (place, keep) = (Place::new(directory), Keep { last: 1_000, daily: 0, weekly: 0, monthly: 0 });
    let plan = Plan {
        store,
        place: &place,
        keep: &keep,
        damaged: &std::collections::BTreeSet::new(),
        recipients,
        host: "fixture",
        program: ProgramId { version: "0.1.0".into(), revision: "test".into() },
        verifier: &Verifier::at(BINARY),
    };
    create(&plan, now(), &|_| {})
}

/// A plain one, or why there is none.
fn try_backup_of(store: &Store, directory: &Path) -> Result<Created, BackupError> {
    made(store, directory, &[])
}

/// Runs the command.
fn restore(bed: &Bed, backup: &Path, more: &[&str]) -> Said {
    let mut arguments = vec!["restore", backup.to_str().unwrap(), "--json"];
    arguments.extend(more);
    bed.run(&arguments)
}

/// Runs the command, which has to do it.
#[track_caller]
fn restored(bed: &Bed, backup: &Path, more: &[&str]) -> Value {
    let said = restore(bed, backup, more);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.json()
}

/// Every file below a directory with the digest of its content, to see that nothing was changed.
fn everything(directory: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(directory: &Path, into: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                let digest = Sha256::digest(fs::read(&path).expect("a file"));
                into.insert(path, digest.iter().map(|byte| format!("{byte:02x}")).collect());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(directory, &mut found);
    found
}

/// The data directory of a bed.
fn data(bed: &Bed) -> &Path {
    bed.data_file().parent().expect("a directory")
}

/// The data file of before, beside it.
fn kept(bed: &Bed) -> PathBuf {
    bed.data_file().with_file_name("quantum.redb.pre-restore")
}
