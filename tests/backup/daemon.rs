//! Backups by the real daemon: asked for over its socket while lines come in, refused by a directory, cut off in the middle.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::bed::verify_command;
use crate::support::daemon::{Bed, Daemon, UNITS};
use crate::support::journal::{JournalWriter, Line};
use crate::support::{wait_for, wait_for_some};

pub(super) const QUICK: &str = "events.commit_interval = \"50ms\"";

pub(super) fn get(daemon: &Daemon, path: &str) -> Value {
    let read = || serde_json::from_str(&daemon.get(path)?).ok();
    wait_for_some(read, || format!("no answer to {path}"))
}

/// The attempt once it is over.
pub(super) fn over(daemon: &Daemon, attempt: u64) -> Value {
    let path = format!("/api/backups/attempts/{attempt}");
    let over = || {
        let answer = get(daemon, &path);
        let waits = ["waiting", "running"].map(Value::from).contains(&answer["state"]);
        (!waits).then_some(answer)
    };
    wait_for_some(over, || format!("attempt {attempt} does not end: {}", get(daemon, &path)))
}

pub(super) fn ask(daemon: &Daemon) -> Value {
    let (status, answer) = daemon.ask("POST", "/api/backups", &json!({ "why": "a test" }));
    assert_eq!(status, 202, "{answer}");
    answer
}

pub(super) fn intents(daemon: &Daemon) -> Vec<(String, String)> {
    let list = get(daemon, "/api/intents");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list["intents"].as_array().unwrap().iter().map(|one| (text(&one["rule"]), text(&one["state"]))).collect()
}

#[track_caller]
fn assert_whole(path: &Path) {
    let output = verify_command(path, &[]);
    assert!(output.status.success(), "{}: {output:?}", path.display());
}

#[test]
fn made_and_taken_away_while_lines_come_in() {
    let bed = Bed::new("", &[QUICK]);
    let mut journal = JournalWriter::new(&bed.journal());
    let mut daemon = bed.start();
    let mut lines = 0;
    let mut write = |count: u64| {
        journal.append((0..count).map(|number| Line::new(UNITS[0], format!("line {}", lines + number))));
        lines += count;
        lines
    };
    let before = write(500);
    daemon.wait_events(before);
    let first = ask(&daemon);
    // Whoever asks meanwhile gets that one.
    let joined = ask(&daemon);
    if joined["joined"] == true {
        assert_eq!(joined["attempt"], first["attempt"]);
    }
    let meanwhile = write(500);
    let made = over(&daemon, first["attempt"].as_u64().unwrap());
    assert_eq!(made["state"], "done", "{made}");
    assert!(made["events"].as_u64() >= Some(before), "{made}");
    over(&daemon, joined["attempt"].as_u64().unwrap());
    daemon.wait_events(meanwhile);
    assert_whole(&bed.backups().join(made["backup"].as_str().unwrap()));

    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("taken");
    let said = bed.run(&["backup", "--to", to.to_str().unwrap(), "--why", "to take home", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let taken = said.json();
    let id = taken["attempt"]["backup"].as_str().unwrap().to_owned();
    assert_eq!(taken["taken"]["path"], to.join(&id).to_str().unwrap(), "{taken}");
    assert_whole(&to.join(&id));
    let mode = fs::metadata(to.join(&id).join("quantum.redb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds what passwords are checked with");
    let said = bed.run(&["backup", "--to", to.to_str().unwrap()]);
    assert!(said.code == Some(0) && said.out.contains("and whole there"), "{said:?}");
    let said = bed.run(&["backup", "list", "--json"]);
    let listed = said.json();
    assert!(listed["backups"].as_array().unwrap().iter().any(|backup| backup["id"] == id.as_str()), "{listed}");
    let said = bed.run(&["backup", "list"]);
    assert!(said.code == Some(0) && said.out.contains(&id) && said.out.contains("whole"), "{said:?}");
    // What it cannot do is a failure of the command, not of the backup.
    let said = bed.run(&["backup", "--to", "/proc/nowhere"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let said = bed.run(&["backup", "--to", "s3://bucket/x"]);
    assert!(said.code == Some(2) && said.err.contains("[backup.s3]"), "{said:?}");
    daemon.stop();
}

#[test]
fn a_directory_that_refuses_raises_an_intent_until_a_backup_is_made() {
    let bed = Bed::new("", &[QUICK]);
    fs::write(bed.backups(), "in the way").unwrap();
    let daemon = bed.start();
    for _ in 0..2 {
        let said = bed.run(&["backup"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains("the backup came to nothing"), "{said:?}");
    }
    assert_eq!(intents(&daemon), [("backup.failed".to_owned(), "open".to_owned())]);
    assert_eq!(daemon.metric("quantum_clm_backup_failures_total"), Some(2));
    wait_for("health says so", || {
        let health = get(&daemon, "/api/health");
        let components = health["components"].as_array().unwrap();
        components.iter().any(|component| component["name"] == "backups" && component["state"] == "warn")
    });
    fs::remove_file(bed.backups()).unwrap();
    let said = bed.run(&["backup"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(intents(&daemon), [("backup.failed".to_owned(), "resolved".to_owned())]);
    daemon.stop();
}

/// Waits until the daemon stands at the failpoint, in the middle of its first backup.
#[cfg(feature = "failpoints")]
fn stopped_in_the_middle(bed: &Bed) -> Daemon {
    let mut daemon = bed.spawn("backup::copied=pause");
    daemon.wait("an answer", |_| true);
    let attempt = ask(&daemon)["attempt"].as_u64().unwrap();
    assert_eq!(attempt, 1);
    wait_for("the copy is there", || {
        let entries = fs::read_dir(bed.backups()).into_iter().flatten().flatten();
        let partial = entries.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains(".partial-"));
        partial.is_some_and(|partial| partial.join("quantum.redb").exists())
    });
    daemon
}

/// The backup that was asked for before the end, made by the next daemon.
#[cfg(feature = "failpoints")]
fn made_by_the_next_one(bed: &Bed) {
    let daemon = bed.start();
    assert_eq!(over(&daemon, 1)["state"], "interrupted");
    let again = over(&daemon, 2);
    assert_eq!((&again["state"], &again["by"]), (&json!("done"), &json!("quantum-clm:backups")), "{again}");
    assert_whole(&bed.backups().join(again["backup"].as_str().unwrap()));
    let left: Vec<_> = fs::read_dir(bed.backups()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".partial-")), "{left:?}");
    assert_eq!(intents(&daemon), [], "nobody has to be told");
    daemon.stop();
}

#[cfg(feature = "failpoints")]
#[test]
fn killed_in_the_middle_the_next_daemon_makes_it() {
    let bed = Bed::new("", &[QUICK]);
    stopped_in_the_middle(&bed).kill();
    made_by_the_next_one(&bed);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_stop_waits_for_no_backup_and_closes_the_data_file_in_order() {
    let bed = Bed::new("", &[QUICK]);
    let mut daemon = stopped_in_the_middle(&bed);
    daemon.terminate();
    assert!(daemon.wait_end().success());
    // A file that was not closed in order is none that a command can read.
    let said = bed.run(&["status", "--data-file", bed.data_file().to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    made_by_the_next_one(&bed);
}
