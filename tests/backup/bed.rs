use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use quantum_clm::app::{App, sample};
use quantum_clm::backup::seal::Recipient;
use quantum_clm::backup::{BackupError, Created, Found, Place, Plan, Verifier, create, list, verify_backup};
use quantum_clm::config::Config;
use quantum_clm::domain::backup::{Keep, ProgramId, Report, Stage};
use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::now;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::{Store, StoreError};

use crate::support::feed::line;

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_quantum-clm");

/// All are kept.
pub(super) const ALL: Keep = Keep { last: 1_000, daily: 0, weekly: 0, monthly: 0 };

/// A data file with events, models and their files, and a place for backups.
pub(super) struct Bed {
    pub(super) directory: tempfile::TempDir,
}

impl Bed {
    /// With so many events; a registry with files comes with them.
    pub(super) fn new(events: u64) -> Self {
        let bed = Self { directory: tempfile::tempdir().expect("a directory") };
        let app = bed.app();
        sample::fill(&app, now()).expect("a sample");
        sample::fill_jobs(&app, now()).expect("jobs");
        for first in (0..events).step_by(4_000) {
            append(&app.store, first, 4_000.min(events - first));
        }
        app.close();
        bed
    }

    pub(super) fn data_file(&self) -> PathBuf {
        self.directory.path().join("quantum.redb")
    }

    pub(super) fn app(&self) -> App {
        let config = Config { data_file: self.data_file(), ..Config::default() };
        let store = Store::open(&config.data_file).expect("a data file");
        let board = StatusBoard::new();
        let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", now());
        App::new(config, store, board, metrics, now())
    }

    pub(super) fn place(&self) -> Place {
        Place::new(self.directory.path().join("backups"))
    }

    /// Makes a backup of the closed data file.
    pub(super) fn backup(&self) -> Created {
        let app = self.app();
        let created = make(&app.store, &self.place(), &ALL, &|_| {}).unwrap_or_else(|error| panic!("{error}"));
        app.close();
        created
    }

    /// What is in the place and is not a backup: leftovers, if they are named like some.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.place().directory).expect("the place");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        names.filter(|name| name.starts_with('.') && name != ".lock").collect()
    }

    pub(super) fn found(&self) -> Vec<Found> {
        list(&self.place()).expect("a list")
    }
}

pub(super) fn make(
    store: &Store,
    place: &Place,
    keep: &Keep,
    progress: &dyn Fn(Stage),
) -> Result<Created, BackupError> {
    make_with(store, place, keep, progress, &Verifier::at(BINARY))
}

pub(super) fn make_with(
    store: &Store,
    place: &Place,
    keep: &Keep,
    progress: &dyn Fn(Stage),
    verifier: &Verifier,
) -> Result<Created, BackupError> {
    make_sealed(store, place, keep, progress, verifier, &[])
}

pub(super) fn make_sealed(
    store: &Store,
    place: &Place,
    keep: &Keep,
    progress: &dyn Fn(Stage),
    verifier: &Verifier,
    recipients: &[Recipient],
) -> Result<Created, BackupError> {
    let program = ProgramId { version: "1.2.3".into(), revision: "abcdef".into() };
    let damaged = &BTreeSet::new();
    let plan = Plan { store, place, keep, damaged, recipients, host: "test", program, verifier };
    create(&plan, now(), progress)
}

/// Appends numbered lines in one commit.
pub(super) fn append(store: &Store, first: u64, count: u64) {
    let mut batch = EventBatch::new();
    for number in first..first + count {
        let message = format!("line {number} ");
        batch.push(line(number, &message));
    }
    let at: Micros = now();
    store
        .write::<_, StoreError>(|txn| {
            batch.number(txn.feed().last.first_at(at));
            txn.append(&batch)?;
            txn.finish_feed(None)
        })
        .expect("a commit");
}

#[track_caller]
pub(super) fn look(path: &Path, deep: bool) -> Report {
    verify_backup(path, deep, None, &Verifier::at(BINARY)).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
pub(super) fn assert_whole(path: &Path) {
    let report = look(path, true);
    assert!(report.is_whole(), "{}: {:?}", path.display(), report.findings);
}

pub(super) fn verify_command(path: &Path, options: &[&str]) -> Output {
    Command::new(BINARY).env_clear().arg("verify").args(options).arg(path).output().expect("the binary")
}

/// Every file below `directory`, sorted.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}
