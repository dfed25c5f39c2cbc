//! Backups over the API and on their page: who may do what, and what follows from what came of them. What is carried out
//! by a task of the daemon is done here by hand, with the clock that a test wants.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use quantum_clm::app::backups::{Backups, CopyFailure, Copying, Pauses, RemotePlace};
use quantum_clm::backup::{Place, Verifier};
use quantum_clm::domain::access::Grant;
use quantum_clm::domain::backup::{AttemptState, BackupId, Manifest, RemoteCopy, START, STOP};
use quantum_clm::domain::id::IntentId;
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::now;
use serde_json::{Value, json};

use crate::support::app::{Answer, Appliance, As};

const BINARY: &str = env!("CARGO_BIN_EXE_quantum-clm");

pub(super) struct Bed {
    pub(super) appliance: Appliance,
    pub(super) backups: Backups,
    pub(super) viewer: As,
    pub(super) operator: As,
    pub(super) admin: As,
}

impl Bed {
    pub(super) fn new() -> Self {
        let appliance = Appliance::new();
        let token = |role| appliance.token(Grant::Role(role), "backups");
        let (viewer, operator, admin) = (token(Role::Viewer), token(Role::Operator), token(Role::Admin));
        let backups = Self::another(&appliance);
        Self { appliance, backups, viewer, operator, admin }
    }

    /// Backups of the same data file, as another process would have them.
    pub(super) fn another(appliance: &Appliance) -> Backups {
        let app = &appliance.app;
        Backups::new(app.store.clone(), &app.config.backup, &app.board, app.metrics.clone())
            .verified_by(Verifier::at(BINARY))
    }

    /// Carries out everything that was asked for; how each came out.
    pub(super) fn carry_out(&self) -> Vec<AttemptState> {
        let mut came = Vec::new();
        while let Some(number) = self.backups.begin(now()).unwrap() {
            let finished = self.backups.carry(number, &now);
            self.backups.finish(&finished).unwrap();
            came.push(self.backups.attempt(number).unwrap().state);
        }
        came
    }

    async fn ask(&self) -> Value {
        let answer =
            self.appliance.send(&self.operator, Method::POST, "/api/backups", &json!({ "why": "a test" })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()
    }

    /// A backup that was made.
    pub(super) async fn made(&self) -> String {
        let attempt = self.ask().await["attempt"].as_u64().unwrap();
        assert_eq!(self.carry_out(), [AttemptState::Done]);
        self.backups.attempt(attempt).unwrap().backup.unwrap().to_string()
    }

    pub(super) async fn get(&self, who: &As, path: &str) -> Answer {
        self.appliance.get(who, path).await
    }

    /// Rule, window, whether it is resolved, and the figure of each intent.
    pub(super) fn intents(&self) -> Vec<(String, String, bool, u64)> {
        let intents = self.appliance.app.store.intents(None, None, IntentId(u64::MAX), 100).unwrap();
        let told = |intent: quantum_clm::domain::intent::Intent| {
            (intent.key.rule, intent.key.window, intent.resolved.is_some(), intent.count)
        };
        let mut told: Vec<_> = intents.into_iter().map(told).collect();
        told.reverse();
        told
    }

    /// What health says of backups, and whether it is well.
    pub(super) fn health(&self, component: &str) -> (bool, String) {
        let all = self.appliance.app.board.all();
        let found = all.into_iter().find(|known| known.name == component).expect("the component");
        (found.state == quantum_clm::observe::status::State::Ok, found.summary)
    }

    fn break_directory(&self) {
        let directory = &self.appliance.app.config.backup.directory;
        std::fs::write(directory, "in the way").unwrap();
    }

    fn mend_directory(&self) {
        std::fs::remove_file(&self.appliance.app.config.backup.directory).unwrap();
    }
}

#[tokio::test]
async fn an_operator_asks_a_viewer_looks_and_an_admin_takes_it_away() {
    let bed = Bed::new();
    let none = bed.get(&bed.viewer, "/api/backups").await.json();
    assert_eq!((&none["backups"], &none["stale"], &none["failing"]), (&json!([]), &json!(false), &Value::Null));
    let refused = bed.appliance.send(&bed.viewer, Method::POST, "/api/backups", &json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let first = bed.ask().await;
    assert_eq!((&first["state"], &first["joined"]), (&json!("waiting"), &json!(false)), "{first}");
    let second = bed.ask().await;
    assert_eq!((&second["attempt"], &second["joined"]), (&first["attempt"], &json!(true)), "one at a time: {second}");
    assert_eq!(bed.carry_out(), [AttemptState::Done]);

    let attempt = bed.get(&bed.viewer, "/api/backups/attempts/1").await.json();
    let id = attempt["backup"].as_str().expect("a backup");
    assert_eq!(
        (&attempt["state"], &attempt["why"], &attempt["step"]),
        (&json!("done"), &json!("a test"), &json!("prune"))
    );
    let page = bed.get(&bed.viewer, "/api/backups").await.json();
    assert_eq!((&page["backups"][0]["id"], &page["backups"][0]["whole"]), (&json!(id), &json!(true)), "{page}");
    let one = bed.get(&bed.viewer, &format!("/api/backups/{id}")).await.json();
    assert_eq!(one["contents"]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(bed.get(&bed.viewer, "/api/backups/2020-01-01T000000Z").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bed.get(&bed.viewer, "/api/backups/nothing").await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let file = format!("/api/backups/{id}/files/quantum.redb");
    assert_eq!(
        bed.get(&bed.operator, &file).await.status,
        StatusCode::FORBIDDEN,
        "it holds what passwords are checked with"
    );
    let taken = bed.get(&bed.admin, &file).await;
    let size =
        std::fs::metadata(bed.appliance.app.config.backup.directory.join(id).join("quantum.redb")).unwrap().len();
    assert_eq!(taken.status, StatusCode::OK);
    assert_eq!(taken.headers["content-length"].to_str().unwrap(), size.to_string());
    let sha256 = one["contents"]["sha256"].as_str().unwrap();
    assert_eq!(taken.headers["etag"].to_str().unwrap(), format!("\"{sha256}\""));
    let part = bed.appliance.ask(&bed.admin, Method::GET, &file, "", &[("range", "bytes=-10")]).await;
    assert_eq!((part.status, part.headers["content-length"].to_str().unwrap()), (StatusCode::PARTIAL_CONTENT, "10"));
    for (name, status) in [("manifest.json", 200), ("SHA256SUMS", 200), (".lock", 404), ("..%2f..%2fq.redb", 400)] {
        let answer = bed.get(&bed.admin, &format!("/api/backups/{id}/files/{name}")).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
    }
    let none = format!("/api/backups/{id}/artifacts/{}", "0".repeat(64));
    assert_eq!(bed.get(&bed.admin, &none).await.status, StatusCode::NOT_FOUND);

    let log: Vec<_> = bed.appliance.log().into_iter().map(|record| record.action).collect();
    let ours: Vec<_> = log.iter().filter(|action| action.starts_with("backup.")).map(String::as_str).collect();
    assert_eq!(ours, ["backup.create", "backup.join", "backup.made", "backup.download", "backup.download"]);
}

#[tokio::test]
async fn asked_twice_under_one_key_it_is_made_once() {
    let bed = Bed::new();
    let ask = |why: &'static str| {
        let body = json!({ "why": why }).to_string();
        let (appliance, operator) = (&bed.appliance, &bed.operator);
        async move { appliance.ask(operator, Method::POST, "/api/backups", &body, &[("idempotency-key", "night 7")]).await }
    };
    let first = ask("the night's").await;
    assert_eq!(bed.carry_out(), [AttemptState::Done]);
    let second = ask("the night's").await;
    assert_eq!((second.status, second.json()), (first.status, first.json()));
    assert_eq!(bed.carry_out(), [], "it was made once more");
    assert_eq!(ask("another").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let bed = Bed::new();
    for (body, status, part) in [
        (json!({ "to": "s3://elsewhere/x" }), 422, "[backup.s3]"),
        (json!({ "why": "x".repeat(1_001) }), 422, "1000 bytes"),
        (json!({ "too": "s3://elsewhere/x" }), 422, "too"),
    ] {
        let answer = bed.appliance.send(&bed.admin, Method::POST, "/api/backups", &body).await;
        assert!(answer.status.as_u16() == status && answer.body.contains(part), "{body}: {answer:?}");
    }
    let verify =
        bed.appliance.send(&bed.admin, Method::POST, "/api/backups/2020-01-01T000000Z/verify", &json!({})).await;
    assert_eq!(verify.status, StatusCode::NOT_FOUND);
    assert_eq!(bed.carry_out(), []);
}

#[tokio::test]
async fn a_backup_that_fails_is_told_once_and_the_next_good_one_resolves_it() {
    let bed = Bed::new();
    let good = bed.made().await;
    let aside = bed.appliance.app.config.backup.directory.with_extension("aside");
    std::fs::rename(&bed.appliance.app.config.backup.directory, &aside).unwrap();
    bed.break_directory();
    for _ in 0..3 {
        bed.ask().await;
        assert_eq!(bed.carry_out(), [AttemptState::Failed]);
        bed.backups.watch(now()).unwrap();
    }
    let failed = ("backup.failed".to_owned(), good.clone(), false, 3);
    assert_eq!(bed.intents(), std::slice::from_ref(&failed), "one, with the number of failures");
    let (well, words) = bed.health("backups");
    assert!(!well && words.contains("the last backup failed"), "{words}");
    let list = bed.get(&bed.viewer, "/api/backups").await;
    assert_eq!(list.status, StatusCode::SERVICE_UNAVAILABLE, "nobody knows which there are: {list:?}");
    assert_eq!(bed.appliance.app.metrics.backups.failures.get(), 3);

    bed.mend_directory();
    std::fs::rename(&aside, &bed.appliance.app.config.backup.directory).unwrap();
    let page = bed.get(&bed.viewer, "/api/backups").await.json();
    assert_eq!(page["failing"]["attempt"], 4, "{page}");
    bed.made().await;
    bed.backups.watch(now()).unwrap();
    assert_eq!(bed.intents(), [(failed.0, failed.1, true, 3)]);
    assert!(bed.health("backups").0, "{:?}", bed.health("backups"));
}

#[tokio::test]
async fn nobody_hears_of_an_old_backup_twice() {
    let bed = Bed::new();
    let start = now();
    let after = |hours: u64| start.plus(hours * Micros::HOUR);
    for hours in [0, 35] {
        bed.backups.watch(after(hours)).unwrap();
        assert_eq!(bed.intents(), [], "{hours} hours after the first start");
    }
    let stale = |window: &str, resolved| ("backup.stale".to_owned(), window.to_owned(), resolved, 36);
    // Another process sees the same, and the same later.
    let restarted = Bed::another(&bed.appliance);
    for (backups, hours) in [(&bed.backups, 37), (&bed.backups, 40), (&restarted, 41), (&restarted, 1_000)] {
        backups.watch(after(hours)).unwrap();
        assert_eq!(bed.intents(), [stale("none", false)], "{hours} hours after the first start");
    }
    assert!(!bed.health("backups").0);
    let first = bed.made().await;
    bed.backups.watch(after(1)).unwrap();
    assert_eq!(bed.intents(), [stale("none", true)]);
    assert!(bed.health("backups").0);
    // The next time it grows old is another one.
    bed.backups.watch(after(40)).unwrap();
    assert_eq!(bed.intents(), [stale("none", true), stale(&first, false)]);
    // The clock was wrong: it is set right, and nothing is old any more.
    bed.backups.watch(after(2)).unwrap();
    assert_eq!(bed.intents(), [stale("none", true), stale(&first, true)]);
}

#[tokio::test]
async fn a_backup_from_the_future_switches_no_alarm_off() {
    let bed = Bed::new();
    bed.ask().await;
    let ahead = || now().plus(3_650 * Micros::DAY);
    let number = bed.backups.begin(now()).unwrap().unwrap();
    let finished = bed.backups.carry(number, &ahead);
    bed.backups.finish(&finished).unwrap();
    let future = bed.backups.attempt(number).unwrap().backup.unwrap();
    bed.backups.watch(now()).unwrap();
    let (well, words) = bed.health("backups");
    assert!(!well && words.contains(&format!("{future} is from the future")), "{words}");
    assert_eq!(bed.appliance.app.metrics.backups.kept.get(), 0, "it does not count");
    let good = bed.made().await;
    let later = now().plus(40 * Micros::HOUR);
    bed.backups.watch(later).unwrap();
    assert_eq!(bed.intents(), [("backup.stale".to_owned(), good, false, 36)]);
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_looking_again_and_told() {
    let bed = Bed::new();
    let id = bed.made().await;
    let data = bed.appliance.app.config.backup.directory.join(&id).join("quantum.redb");
    let sound = std::fs::read(&data).unwrap();
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let verify = async |content: &[u8], expected| {
        std::fs::write(&data, content).unwrap();
        let path = format!("/api/backups/{id}/verify");
        let answer = bed.appliance.send(&bed.operator, Method::POST, &path, &json!({})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        assert_eq!(bed.carry_out(), [expected]);
        bed.backups.watch(now()).unwrap();
    };
    verify(&flipped, AttemptState::Failed).await;
    let told = |resolved| ("backup.damaged".to_owned(), id.clone(), resolved, 1);
    assert_eq!(bed.intents(), [told(false)]);
    let (well, words) = bed.health("backups");
    assert!(!well && words.contains("cannot be relied on"), "{words}");
    let page = bed.get(&bed.viewer, "/api/backups").await.json();
    assert_eq!(page["backups"][0]["whole"], false, "{page}");
    verify(&sound, AttemptState::Done).await;
    assert_eq!(bed.intents(), [told(true)]);
    assert!(bed.health("backups").0);
}

#[tokio::test]
async fn a_backup_that_is_known_to_be_damaged_takes_no_good_ones_place() {
    let bed = Bed::new();
    let flip = |id: &str| {
        let data = bed.appliance.app.config.backup.directory.join(id).join("quantum.redb");
        let mut bytes = std::fs::read(&data).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&data, bytes).unwrap();
    };
    let kept = async || -> Vec<String> {
        let page = bed.get(&bed.viewer, "/api/backups").await.json();
        let backups = page["backups"].as_array().unwrap();
        backups.iter().rev().map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(bed.appliance.app.config.backup.keep_last, 3);
    let (first, second, third) = (bed.made().await, bed.made().await, bed.made().await);
    // Found by somebody who looked.
    flip(&third);
    let path = format!("/api/backups/{third}/verify");
    bed.appliance.send(&bed.operator, Method::POST, &path, &json!({})).await;
    assert_eq!(bed.carry_out(), [AttemptState::Failed]);
    let fourth = bed.made().await;
    assert_eq!(
        kept().await,
        [&first, &second, &third, &fourth].map(String::clone),
        "three good ones, and the damaged one"
    );
    // Found by retention, which reads the one that is to stand in: a look of its own says what is wrong with it.
    flip(&second);
    bed.ask().await;
    assert_eq!(bed.carry_out(), [AttemptState::Done, AttemptState::Failed]);
    assert!(kept().await.contains(&first), "the oldest is good, and the one that stood in for it is not");
    let told = |id: &String| ("backup.damaged".to_owned(), id.clone(), false, 1);
    assert_eq!(bed.intents(), [told(&third), told(&second)]);
    // With enough good ones it goes, and the damaged ones stay to be seen.
    let newest = bed.made().await;
    let left = kept().await;
    assert!(!left.contains(&first) && left.contains(&second) && left.contains(&newest), "{left:?}");
}

#[tokio::test]
async fn what_the_end_of_the_daemon_interrupted_is_made_once_more() {
    let bed = Bed::new();
    bed.ask().await;
    assert_eq!(bed.backups.begin(now()).unwrap(), Some(1));
    let restarted = Bed { backups: Bed::another(&bed.appliance), ..bed };
    restarted.backups.recover(now()).unwrap();
    let interrupted = restarted.backups.attempt(1).unwrap();
    assert_eq!(interrupted.state, AttemptState::Interrupted);
    assert_eq!(restarted.intents(), [], "it is made once more: nobody has to be told yet");
    // Where that does not end either, somebody is.
    assert_eq!(restarted.backups.begin(now()).unwrap(), Some(2));
    let again = Bed { backups: Bed::another(&restarted.appliance), ..restarted };
    again.backups.recover(now()).unwrap();
    assert_eq!(again.intents(), [("backup.failed".to_owned(), "none".to_owned(), false, 2)]);
    assert_eq!(again.carry_out(), [], "it is not made again and again");
}

#[tokio::test]
async fn a_backup_that_was_whole_when_the_daemon_ended_counts() {
    let bed = Bed::new();
    bed.ask().await;
    let number = bed.backups.begin(now()).unwrap().unwrap();
    let unwritten = bed.backups.carry(number, &now);
    drop(unwritten);
    let restarted = Bed { backups: Bed::another(&bed.appliance), ..bed };
    restarted.backups.recover(now()).unwrap();
    let attempt = restarted.backups.attempt(number).unwrap();
    assert_eq!(attempt.state, AttemptState::Done);
    assert!(attempt.backup.is_some());
    assert_eq!(restarted.carry_out(), []);
}

#[tokio::test]
async fn a_backup_of_another_machine_is_not_the_one_that_was_under_way() {
    let bed = Bed::new();
    let id = bed.made().await;
    let directory = bed.appliance.app.config.backup.directory.clone();
    bed.ask().await;
    let number = bed.backups.begin(now().minus(Micros::DAY)).unwrap().unwrap();
    // Brought here meanwhile, by a copy of the disk of another one: the same but for the host.
    let text = std::fs::read_to_string(directory.join(&id).join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    let foreign = BackupId::at(now().plus(60 * Micros::SECOND)).to_string();
    manifest["host"] = json!("another");
    manifest["id"] = json!(foreign);
    let path = directory.join(&foreign);
    std::fs::create_dir(&path).unwrap();
    std::fs::copy(directory.join(&id).join("quantum.redb"), path.join("quantum.redb")).unwrap();
    std::fs::write(path.join("manifest.json"), format!("{manifest:#}\n")).unwrap();
    let sums = std::process::Command::new("sha256sum")
        .args(["quantum.redb", "manifest.json"])
        .current_dir(&path)
        .output()
        .unwrap();
    std::fs::write(path.join("SHA256SUMS"), sums.stdout).unwrap();
    let found = quantum_clm::backup::list(&Place::new(&directory)).unwrap();
    assert!(found.iter().all(quantum_clm::backup::Found::is_readable), "{found:?}");

    let restarted = Bed { backups: Bed::another(&bed.appliance), ..bed };
    restarted.backups.recover(now()).unwrap();
    let attempt = restarted.backups.attempt(number).unwrap();
    assert_eq!((attempt.state, attempt.backup), (AttemptState::Interrupted, None), "{attempt:?}");
}

type Damaged<'a> = Option<&'a BTreeSet<BackupId>>;

/// A store elsewhere that fails as often as it is told to.
struct Store {
    answers: Mutex<Vec<Result<(), CopyFailure>>>,
}

impl RemotePlace for Store {
    fn place(&self) -> String {
        "s3://backups/prod".to_owned()
    }

    fn check(&self, to: &str) -> Result<String, String> {
        if to.starts_with("s3://") { Ok(to.to_owned()) } else { Err("is no place".to_owned()) }
    }

    fn copy<'a>(&'a self, from: &'a Place, manifest: &'a Manifest, _: &'a str, _: Damaged<'a>) -> Copying<'a> {
        assert!(from.backup(manifest.id).join("SHA256SUMS").exists(), "the backup is whole before it is copied");
        Box::pin(async { self.answers.lock().unwrap().pop().unwrap_or(Ok(())) })
    }
}

fn failure(may_pass: bool) -> Result<(), CopyFailure> {
    Err(CopyFailure { why: "the bucket is gone".to_owned(), may_pass, ours: false })
}

#[tokio::test]
async fn a_store_elsewhere_that_is_switched_off_leaves_nothing_open() {
    let bed = Bed::new();
    let store = Arc::new(Store { answers: Mutex::new(vec![failure(false)]) });
    let backups = Bed::another(&bed.appliance).copied_by(&bed.appliance.app.board, store, Pauses(vec![]));
    let bed = Bed { backups, ..bed };
    let ask = || {
        let asked = quantum_clm::app::backups::Asked {
            actor: crate::support::app::root(),
            grant: Grant::Role(Role::Operator),
            why: String::new(),
            to: None,
            key: None,
            now: now(),
        };
        bed.backups.make(&asked).unwrap();
    };
    ask();
    assert_eq!(bed.carry_out(), [AttemptState::Done]);
    bed.backups.copy_to_remote(&now).await.unwrap();
    assert_eq!(bed.intents(), [("backup.copy".to_owned(), "none".to_owned(), false, 1)]);
    ask();
    assert_eq!(bed.carry_out(), [AttemptState::Done]);
    // Restarted without [backup.s3], while a copy waits.
    let off = Bed { backups: Bed::another(&bed.appliance), ..bed };
    off.backups.recover(now()).unwrap();
    off.backups.copy_to_remote(&now).await.unwrap();
    let copy = only(off.backups.attempt(2).unwrap().copies);
    assert!(copy.state.as_str() == "failed" && copy.error.unwrap().contains("[backup.s3]"));
    off.backups.watch(now()).unwrap();
    assert_eq!(off.intents(), [("backup.copy".to_owned(), "none".to_owned(), true, 1)]);
}

fn only(copies: Vec<RemoteCopy>) -> RemoteCopy {
    assert_eq!(copies.len(), 1, "{copies:?}");
    copies.into_iter().next().unwrap()
}

#[tokio::test]
async fn who_joins_with_a_place_of_their_own_takes_the_usual_one_from_nobody() {
    let bed = Bed::new();
    let store = Arc::new(Store { answers: Mutex::default() });
    let with_store =
        |bed: &Bed| Bed::another(&bed.appliance).copied_by(&bed.appliance.app.board, store.clone(), Pauses(vec![]));
    let backups = with_store(&bed);
    let bed = Bed { backups, ..bed };
    let ask = |bed: &Bed, to: Option<&str>| {
        let asked = quantum_clm::app::backups::Asked {
            actor: crate::support::app::root(),
            grant: Grant::Role(Role::Admin),
            why: String::new(),
            to: to.map(str::to_owned),
            key: None,
            now: now(),
        };
        bed.backups.make(&asked).unwrap().attempt
    };
    let places = |bed: &Bed, number| -> Vec<String> {
        bed.backups.attempt(number).unwrap().copies.into_iter().map(|copy| copy.to).collect()
    };
    for to in [Some("s3://mine/x"), None, Some("s3://mine/y"), Some("s3://mine/x")] {
        assert_eq!(ask(&bed, to), 1, "it is that one");
    }
    let all = ["s3://backups/prod", "s3://mine/x", "s3://mine/y"];
    assert_eq!(places(&bed, 1), all);
    // The daemon ends in the middle: what is made once more goes to the same places.
    bed.backups.begin(now()).unwrap();
    let backups = with_store(&bed);
    let bed = Bed { backups, ..bed };
    bed.backups.recover(now()).unwrap();
    assert_eq!(places(&bed, 2), all);
}

#[tokio::test]
async fn a_copy_to_remote_is_tried_again_and_its_failure_is_its_own() {
    let bed = Bed::new();
    let store = Arc::new(Store { answers: Mutex::default() });
    let pauses = Pauses(vec![Duration::from_millis(1); 2]);
    let backups = Bed::another(&bed.appliance).copied_by(&bed.appliance.app.board, store.clone(), pauses);
    let bed = Bed { backups, ..bed };
    let make = async |grant, to: Option<&str>, answers: Vec<Result<(), CopyFailure>>| {
        *store.answers.lock().unwrap() = answers;
        let asked = quantum_clm::app::backups::Asked {
            actor: crate::support::app::root(),
            grant: Grant::Role(grant),
            why: String::new(),
            to: to.map(str::to_owned),
            key: None,
            now: now(),
        };
        let attempt = bed.backups.make(&asked).map_err(|error| error.to_string())?.attempt;
        assert_eq!(bed.carry_out(), [AttemptState::Done]);
        bed.backups.copy_to_remote(&now).await.unwrap();
        bed.backups.watch(now()).unwrap();
        Ok::<_, String>(bed.backups.attempt(attempt).unwrap().copies)
    };
    let copy = only(make(Role::Operator, None, vec![Ok(()), failure(true), failure(true)]).await.unwrap());
    assert_eq!((copy.state.as_str(), copy.tries), ("done", 3), "{copy:?}");
    assert!(bed.health("backup-copy").0);
    let first: BackupId = bed.backups.attempt(1).unwrap().backup.unwrap();

    for round in 0..2 {
        let copy = only(make(Role::Operator, None, vec![failure(true), failure(true), failure(true)]).await.unwrap());
        assert_eq!((copy.state.as_str(), copy.tries), ("failed", 3), "round {round}: {copy:?}");
    }
    let not_copied = |resolved| ("backup.copy".to_owned(), first.to_string(), resolved, 2);
    assert_eq!(bed.intents(), [not_copied(false)], "the local backup counts: nothing else is wrong");
    assert!(bed.health("backups").0, "{:?}", bed.health("backups"));
    let (well, words) = bed.health("backup-copy");
    assert!(!well && words.contains("the bucket is gone"), "{words}");
    let copy = only(make(Role::Operator, None, vec![Ok(()), failure(false)]).await.unwrap());
    assert_eq!((copy.state.as_str(), copy.tries), ("failed", 1), "what does not pass is not tried again");
    make(Role::Operator, None, vec![]).await.unwrap();
    assert!(bed.intents().iter().all(|intent| intent.2), "{:?}", bed.intents());
    assert!(bed.health("backup-copy").0);
    let copied: Vec<_> = (2..=5).map(|number| bed.backups.attempt(number).unwrap().copies[0].state.as_str()).collect();
    assert_eq!(copied, ["failed", "done", "done", "done"], "those that are still here are sent behind the good one");

    // Another place is for admins, and whoever names one is told what came of it; nobody else is.
    let refused = make(Role::Operator, Some("s3://mine/x"), vec![]).await.unwrap_err();
    assert!(refused.contains("only an admin"), "{refused}");
    let copies = make(Role::Admin, Some("s3://mine/x"), vec![failure(false), Ok(())]).await.unwrap();
    let states: Vec<_> = copies.iter().map(|copy| (copy.to.as_str(), copy.state.as_str())).collect();
    assert_eq!(states, [("s3://backups/prod", "done"), ("s3://mine/x", "failed")], "it is at the usual place, too");
    assert!(bed.intents().iter().all(|intent| intent.2), "{:?}", bed.intents());
}

#[tokio::test]
async fn the_page_shows_what_there_is_and_offers_what_one_may() {
    const HOSTILE: &str = "<script>alert(1)</script>";
    let bed = Bed::new();
    let sign_in = |role| {
        bed.appliance.add_user(role);
        bed.appliance.session(role)
    };
    let (viewer, operator, admin) = (sign_in(Role::Viewer), sign_in(Role::Operator), sign_in(Role::Admin));
    let page = bed.get(&viewer, "/backups").await.body;
    assert!(page.contains("There is no backup") && !page.contains("<button class=\"primary\">Back up now"), "{page}");
    let form = async |who: &As, path: &str, more: &str| {
        let As::Session { csrf, .. } = who else { panic!("a form is sent by somebody who is signed in") };
        let body = format!("csrf={csrf}{more}");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        bed.appliance.ask(who, Method::POST, path, &body, &kind).await
    };
    assert_eq!(form(&viewer, "/backups", "").await.status, StatusCode::FORBIDDEN);
    let why = HOSTILE.replace('<', "%3C").replace('>', "%3E").replace('/', "%2F");
    let asked = form(&operator, "/backups", &format!("&why={why}")).await;
    assert_eq!(asked.headers["location"], "/backups?done=backup-asked", "{asked:?}");
    assert_eq!(form(&operator, "/backups", "").await.headers["location"], "/backups?done=backup-joined");
    assert!(bed.get(&viewer, "/backups").await.body.contains("Under way"));
    assert_eq!(bed.carry_out(), [AttemptState::Done]);
    let id = bed.backups.attempt(1).unwrap().backup.unwrap();
    let page = bed.get(&operator, "/backups?done=backup-asked").await.body;
    assert!(page.contains(&format!("href=\"/backups/{id}\"")) && page.contains("A backup is being made."), "{page}");
    assert!(!page.contains(HOSTILE), "{page}");
    for (who, verify, download) in [(&viewer, false, false), (&operator, true, false), (&admin, true, true)] {
        let page = bed.get(who, &format!("/backups/{id}")).await.body;
        let restore = format!("{STOP}\nquantum-clm restore {id} --dry-run\nquantum-clm restore {id}\n{START}");
        assert!(page.contains(&restore) && !page.contains(HOSTILE), "{page}");
        assert_eq!(page.contains("Verify again"), verify, "{page}");
        assert_eq!(page.contains(&format!("/api/backups/{id}/files/quantum.redb")), download, "{page}");
    }
    // OPERATIONS says the same, in the same order.
    let (_, operations) = include_str!("../../docs/OPERATIONS.md").split_once("\n## Restore\n").expect("the chapter");
    let block = operations.split("```").nth(1).expect("the commands");
    let places = [STOP, "quantum-clm restore --dry-run ", "quantum-clm restore \"", START].map(|line| block.find(line));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {block}");
    let done = form(&operator, &format!("/backups/{id}/verify"), "").await;
    assert_eq!(done.headers["location"].to_str().unwrap(), format!("/backups/{id}?done=backup-verifying"));
    assert_eq!(bed.carry_out(), [AttemptState::Done]);
}
