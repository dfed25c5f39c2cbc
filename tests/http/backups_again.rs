//! What is looked through, written down or sent again: damage that passed, looks that came to nothing, copies that were cut
//! off or cannot be made.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use quantum_clm::app::backups::{Asked, CopyFailure, Copying, Pauses, RemotePlace};
use quantum_clm::app::sample;
use quantum_clm::backup::{Place, Verifier};
use quantum_clm::domain::access::Grant;
use quantum_clm::domain::backup::{AttemptState, BackupId, Manifest};
use quantum_clm::domain::role::Role;
use quantum_clm::observe::now;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

use super::backups::Bed;

use AttemptState::{Done, Failed, Inconclusive};

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn data(bed: &Bed, id: &str) -> PathBuf {
    bed.appliance.app.config.backup.directory.join(id).join("quantum.redb")
}

async fn verify(bed: &Bed, id: &str) -> Vec<AttemptState> {
    let path = format!("/api/backups/{id}/verify");
    let answer = bed.appliance.send(&bed.operator, Method::POST, &path, &json!({})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let came = bed.carry_out();
    bed.backups.watch(now()).unwrap();
    came
}

fn ask(bed: &Bed) -> u64 {
    let asked = Asked {
        actor: crate::support::app::root(),
        grant: Grant::Role(Role::Operator),
        why: String::new(),
        to: None,
        key: None,
        now: now(),
    };
    bed.backups.make(&asked).unwrap().attempt
}

fn make(bed: &Bed) -> (String, Vec<AttemptState>) {
    let number = ask(bed);
    let came = bed.carry_out();
    bed.backups.watch(now()).unwrap();
    (bed.backups.attempt(number).unwrap().backup.unwrap().to_string(), came)
}

#[tokio::test]
async fn what_a_later_backup_mends_is_damaged_no_more() {
    let bed = Bed::new();
    sample::fill(&bed.appliance.app, now()).unwrap();
    let (first, second) = (make(&bed).0, make(&bed).0);
    let place = Place::new(&bed.appliance.app.config.backup.directory);
    let shelf = std::fs::read_dir(place.artifacts()).unwrap().next().unwrap().unwrap().path();
    let file = std::fs::read_dir(shelf).unwrap().next().unwrap().unwrap().path();
    flip(&file);
    for id in [&first, &second] {
        assert_eq!(verify(&bed, id).await, [Failed], "they share the file");
    }
    let told = |id: &String, resolved| ("backup.damaged".to_owned(), id.clone(), resolved, 1);
    assert_eq!(bed.intents(), [told(&first, false), told(&second, false)]);
    assert_eq!(make(&bed).1, [Done, Done, Done], "the file is put anew, and both are looked through");
    assert_eq!(bed.intents(), [told(&first, true), told(&second, true)]);
    assert!(bed.health("backups").0, "{:?}", bed.health("backups"));

    // What is damaged itself is not read each night.
    flip(&data(&bed, &second));
    assert_eq!(verify(&bed, &second).await, [Failed]);
    assert_eq!(make(&bed).1, [Done]);
    assert!(!bed.health("backups").0);
}

#[tokio::test]
async fn a_look_that_came_to_nothing_is_no_damage_and_is_taken_again() {
    let bed = Bed::new();
    let id = make(&bed).0;
    let held = File::open(data(&bed, &id)).unwrap();
    held.try_lock().unwrap();
    assert_eq!(verify(&bed, &id).await, [Inconclusive]);
    let whole = async |bed: &Bed| {
        let page = bed.get(&bed.viewer, "/api/backups").await.json();
        assert_eq!(page["backups"].as_array().unwrap().last().unwrap()["whole"], true, "{page}");
        assert_eq!(bed.intents(), []);
        assert!(bed.health("backups").0, "{:?}", bed.health("backups"));
    };
    whole(&bed).await;
    assert_eq!(make(&bed).1, [Done, Inconclusive], "it is tried again behind the next backup");
    drop(held);
    assert_eq!(make(&bed).1, [Done, Done]);
    let (id, came) = make(&bed);
    assert_eq!(came, [Done]);
    // A process that was killed has found nothing, either.
    let killed = bed.appliance.app.config.backup.directory.join("killed");
    std::fs::write(&killed, "#!/bin/sh\nkill -9 $$\n").unwrap();
    std::fs::set_permissions(&killed, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let backups = Bed::another(&bed.appliance).verified_by(Verifier::at(killed));
    let bed = Bed { backups, ..bed };
    assert_eq!(verify(&bed, &id).await, [Inconclusive]);
    whole(&bed).await;
}

type Answers = Vec<Box<dyn FnOnce() -> Copying<'static> + Send>>;

/// A store elsewhere that does what it is told, and then well; and notes what came.
#[derive(Default)]
struct Store {
    answers: Mutex<Answers>,
    came: Mutex<Vec<BackupId>>,
}

impl RemotePlace for Store {
    fn place(&self) -> String {
        "s3://backups/prod".to_owned()
    }

    fn check(&self, to: &str) -> Result<String, String> {
        Ok(to.to_owned())
    }

    fn copy<'a>(
        &'a self,
        _: &'a Place,
        manifest: &'a Manifest,
        _: &'a str,
        _: Option<&'a BTreeSet<BackupId>>,
    ) -> Copying<'a> {
        self.came.lock().unwrap().push(manifest.id);
        match self.answers.lock().unwrap().pop() {
            Some(answer) => answer(),
            None => Box::pin(async { Ok(()) }),
        }
    }
}

impl Store {
    fn next(&self, answer: impl FnOnce() -> Copying<'static> + Send + 'static) {
        self.answers.lock().unwrap().push(Box::new(answer));
    }

    fn came(&self) -> Vec<String> {
        std::mem::take(&mut *self.came.lock().unwrap()).iter().map(ToString::to_string).collect()
    }
}

fn bed_with_a_store() -> (Bed, Arc<Store>) {
    let (bed, store) = (Bed::new(), Arc::new(Store::default()));
    let backups = Bed::another(&bed.appliance).copied_by(&bed.appliance.app.board, store.clone(), Pauses(vec![]));
    (Bed { backups, ..bed }, store)
}

#[tokio::test]
async fn what_is_damaged_here_is_looked_through_and_not_sent_each_night() {
    let (bed, store) = bed_with_a_store();
    let first = make(&bed).0;
    flip(&data(&bed, &first));
    store.next(|| {
        let why = "it is not what it was when the backup was made".to_owned();
        Box::pin(async { Err(CopyFailure { why, may_pass: false, ours: true }) })
    });
    bed.backups.copy_to_remote(&now).await.unwrap();
    assert_eq!(store.came(), std::slice::from_ref(&first));
    assert_eq!(bed.carry_out(), [Failed], "it is looked through");
    let copy = |resolved| ("backup.copy".to_owned(), "none".to_owned(), resolved, 1);
    let damaged = ("backup.damaged".to_owned(), first.clone(), false, 1);
    assert_eq!(bed.intents(), [copy(false), damaged.clone()]);
    for _ in 0..2 {
        let next = make(&bed).0;
        bed.backups.copy_to_remote(&now).await.unwrap();
        assert_eq!(store.came(), [next], "the damaged one is not tried again");
        assert_eq!(bed.intents(), [copy(true), damaged.clone()]);
    }
}

#[tokio::test]
async fn the_newest_is_sent_first_and_what_retention_removed_is_missed_by_nobody() {
    let (bed, store) = bed_with_a_store();
    assert_eq!(bed.appliance.app.config.backup.keep_last, 3);
    let ids = [make(&bed).0, make(&bed).0, make(&bed).0, make(&bed).0];
    bed.backups.copy_to_remote(&now).await.unwrap();
    assert_eq!(store.came(), [&ids[3], &ids[2], &ids[1]].map(String::clone));
    assert!(bed.backups.attempt(1).unwrap().copies.is_empty());
    assert_eq!(bed.intents(), []);
    // The newest is another matter.
    let last = make(&bed).0;
    std::fs::remove_dir_all(data(&bed, &last).parent().unwrap()).unwrap();
    bed.backups.copy_to_remote(&now).await.unwrap();
    let intents = bed.intents();
    assert!(intents.len() == 1 && intents[0].0 == "backup.copy", "{intents:?}");
}

#[tokio::test]
async fn a_copy_that_nobody_ended_is_begun_again() {
    let (bed, store) = bed_with_a_store();
    let id = make(&bed).0;
    store.next(|| Box::pin(std::future::pending()));
    tokio::select! {
        biased;
        _ = bed.backups.copy_to_remote(&now) => panic!("it never ends"),
        () = async {
            while store.came.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert_eq!(bed.backups.attempt(1).unwrap().copies[0].state.as_str(), "running");
    bed.backups.copy_to_remote(&now).await.unwrap();
    assert_eq!(store.came(), [id.clone(), id]);
    assert_eq!(bed.backups.attempt(1).unwrap().copies[0].state.as_str(), "done");
}

const FULL: &str = "QUANTUM_CLM_TEST_FULL_DATA_DISK";

/// Lets no file grow beyond so many bytes, or any.
fn limit_files(bytes: Option<u64>) {
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = bytes.or(limit.maximum);
    setrlimit(Resource::Fsize, limit).unwrap();
}

/// Run in a process of its own, for which the data file's disk becomes full; nothing where nobody asks for it.
#[tokio::test]
async fn a_process_that_cannot_write_down_what_came_of_a_copy() {
    if std::env::var_os(FULL).is_none() {
        return;
    }
    let (bed, store) = bed_with_a_store();
    make(&bed);
    store.next(|| {
        limit_files(Some(64 << 10));
        Box::pin(async { Ok(()) })
    });
    let error = bed.backups.copy_to_remote(&now).await.unwrap_err();
    limit_files(None);
    assert!(error.is_full(), "{error:?}");
    let state = || bed.backups.attempt(1).unwrap().copies[0].state;
    assert_eq!(state().as_str(), "done", "whoever waits is told all the same");
    bed.backups.watch(now()).unwrap();
    let (well, words) = bed.health("backup-copy");
    assert!(!well && words.contains("cannot be written down"), "{words}");
    bed.backups.copy_to_remote(&now).await.unwrap();
    assert_eq!(store.came().len(), 1, "it is there, and is not sent again");
    assert_eq!(bed.appliance.app.store.backup_attempt(1).unwrap().unwrap().copies[0].state, state());
    bed.backups.watch(now()).unwrap();
    assert!(bed.health("backup-copy").0, "{:?}", bed.health("backup-copy"));
    println!("told");
}

#[test]
fn what_came_of_a_copy_is_written_down_when_there_is_room() {
    let output = Command::new("timeout")
        .args([&Duration::from_secs(120).as_secs().to_string(), "bash", "-c"])
        .args(["trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg("http::backups_again::a_process_that_cannot_write_down_what_came_of_a_copy")
        .env(FULL, "yes")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("told"), "{output:?}");
}
