//! After a restore the journal is read on: every line once, and Redis holds what the data file holds.

use std::path::Path;

use quantum_clm::domain::id::EventId;
use serde_json::Value;

use super::{backup, kept, restored};
use crate::product::{
    Numbered, STREAM, assert_counted, assert_counters_mirrored, assert_each_once, number_of, stored, this_hour,
};
use crate::support::daemon::Bed;
use crate::support::redis::RedisServer;
use crate::support::wait_for;

fn bed(redis: &RedisServer) -> Bed {
    Bed::new(&redis.url(), &["events.commit_interval = \"50ms\"", "redis.mirror = \"on\""])
}

/// Reads what was written, with one daemon from its start to its end, until it has so many events and Redis the same.
#[track_caller]
fn read(bed: &Bed, journal: &mut Numbered, redis: &mut RedisServer, events: u64) {
    journal.writer.sync();
    let mut daemon = bed.start();
    daemon.wait_events(events);
    wait_for("Redis has what the data file has", || {
        let newest: Vec<(String, Vec<String>)> = redis.run(&["XREVRANGE", STREAM, "+", "-", "COUNT", "1"]);
        let newest = newest.first().map(|(id, _)| id.as_str());
        let status = daemon.status();
        status.is_some_and(|status| status["last_event_id"].as_str() == newest)
            && redis.run::<u64>(&["XLEN", STREAM]) == events
    });
    daemon.stop();
}

/// Every line of the journal once, `told` events of our own, and the same in Redis, entry by entry.
#[track_caller]
fn assert_whole(bed: &Bed, redis: &mut RedisServer, journal: &Numbered, told: usize) {
    let events = stored(bed);
    let numbers: Vec<u64> = events.iter().filter_map(|(.., message)| number_of(message)).collect();
    assert_each_once("the store", &numbers, journal.next);
    assert!(events.is_sorted_by(|a, b| a.0 < b.0), "ids that do not rise");
    let own: Vec<_> = events.iter().filter(|(.., message)| number_of(message).is_none()).collect();
    assert_eq!(own.len(), told, "{own:?}");
    assert!(own.iter().all(|(_, _, message)| message.starts_with("[quantum-clm] restored: ")), "{own:?}");
    let entries: Vec<(EventId, String)> = redis
        .entries(STREAM, "event")
        .into_iter()
        .map(|(_, event)| {
            // A stream takes no id below one that it ever had, so after a later backup the entries' own ids are higher.
            let event: Value = serde_json::from_str(&event.expect("an event")).unwrap();
            let id = event["id"].as_str().unwrap().parse().unwrap();
            (id, event["message"].as_str().unwrap().chars().take(40).collect())
        })
        .collect();
    let expected: Vec<(EventId, String)> =
        events.into_iter().map(|(id, _, message)| (id, message.chars().take(40).collect())).collect();
    assert_eq!(entries.len(), expected.len(), "entries in the stream and events in the store");
    assert_eq!(entries.iter().zip(&expected).find(|(entry, event)| entry != event), None);
    assert_counted(bed, journal);
    assert_counters_mirrored(redis, journal);
}

fn events_of(value: &Value) -> (u64, u64) {
    let events = &value["difference"]["events"];
    (events["then"].as_u64().unwrap(), events["now"].as_u64().unwrap())
}

/// A bed that has read so many lines, a backup of it, and the journal.
fn backed_up(redis: &mut RedisServer, lines: u64) -> (Bed, tempfile::TempDir, std::path::PathBuf, Numbered) {
    let bed = bed(redis);
    let backups = tempfile::tempdir().unwrap();
    let mut journal = Numbered::new(&bed, this_hour());
    journal.append(lines);
    read(&bed, &mut journal, redis, lines);
    let taken = backup(&bed, backups.path(), &[]);
    (bed, backups, taken, journal)
}

#[test]
fn every_line_once_and_redis_as_the_store() {
    let mut redis = RedisServer::started(&[]);
    let (bed, _backups, taken, mut journal) = backed_up(&mut redis, 700);
    journal.append(900);
    read(&bed, &mut journal, &mut redis, 1_600);
    journal.append(50);

    let said = restored(&bed, &taken, &[]);
    assert_eq!(events_of(&said), (700, 1_600));
    assert_eq!(said["kept"], kept(&bed).to_str().unwrap());
    read(&bed, &mut journal, &mut redis, 1_651);
    assert_whole(&bed, &mut redis, &journal, 1);

    // Noted once: the next start says nothing anew.
    journal.append(10);
    read(&bed, &mut journal, &mut redis, 1_661);
    assert_whole(&bed, &mut redis, &journal, 1);
}

#[test]
fn health_audit_and_the_stream_say_that_it_was_restored() {
    let mut redis = RedisServer::started(&[]);
    let (bed, _backups, taken, mut journal) = backed_up(&mut redis, 100);
    journal.append(20);
    read(&bed, &mut journal, &mut redis, 120);
    restored(&bed, &taken, &[]);

    let id = taken.file_name().unwrap().to_str().unwrap();
    let mut daemon = bed.start();
    daemon.wait_events(121);
    let component = |name: &str| -> Option<Value> {
        let (_, health) = daemon.ask("GET", "/api/health", &Value::Null);
        health["components"].as_array()?.iter().find(|component| component["name"] == name).cloned()
    };
    wait_for("health says so", || component("restore").is_some_and(|restore| restore["state"] == "warn"));
    let restore = component("restore").unwrap();
    assert!(restore["summary"].as_str().unwrap().contains(&format!("backup {id} of fixture")), "{restore}");
    assert!(restore["remedy"].as_str().unwrap().contains("quantum.redb.pre-restore"), "{restore}");
    wait_for("the mirror tells how many entries it removed", || {
        component("mirror").is_some_and(|mirror| mirror["figures"]["removed_entries"] == 20)
    });
    let (_, audit) = daemon.ask("GET", "/api/audit?action=data_file.restore", &Value::Null);
    let record = &audit["records"][0];
    assert_eq!(record["subject"], format!("backup {id}"), "{audit}");
    assert!(record["why"].as_str().unwrap().contains("what happened since then is gone"), "{record}");
    assert!(daemon.log().contains("programs may have read them"), "nothing is said of readers");
    assert_eq!(bed.run(&["audit", "verify"]).code, Some(0), "the chain goes on");
    daemon.stop();
}

#[test]
fn each_of_several_backups_can_be_restored() {
    let mut redis = RedisServer::started(&[]);
    let bed = bed(&redis);
    let backups = tempfile::tempdir().unwrap();
    let mut journal = Numbered::new(&bed, this_hour());
    let mut taken = Vec::new();
    for round in 1..=4 {
        journal.append(500);
        read(&bed, &mut journal, &mut redis, round * 500);
        taken.push((backup(&bed, backups.path(), &[]), round * 500));
    }
    // Not in the order of time: forward as well as back.
    for (restores, at) in [2, 0, 3, 1].into_iter().enumerate() {
        let (path, events): &(_, u64) = &taken[at];
        let path: &Path = path;
        let said = restored(&bed, path, &[]);
        assert_eq!(events_of(&said).0, *events, "{said}");
        journal.append(10);
        // The note of this restore is the only one: those before it went with their files.
        let events = journal.next + 1;
        read(&bed, &mut journal, &mut redis, events);
        assert_whole(&bed, &mut redis, &journal, 1);
        let name = if restores == 0 { String::new() } else { format!("-{}", restores + 1) };
        let kept = bed.data_file().with_file_name(format!("quantum.redb.pre-restore{name}"));
        assert!(kept.exists(), "{} is not there", kept.display());
    }
}

#[test]
fn what_the_journal_has_no_more_is_a_gap() {
    let mut redis = RedisServer::started(&[]);
    let (bed, _backups, taken, mut journal) = backed_up(&mut redis, 100);
    journal.writer.rotate();
    journal.append(100);
    journal.writer.rotate();
    journal.append(100);
    read(&bed, &mut journal, &mut redis, 300);
    restored(&bed, &taken, &[]);
    journal.writer.vacuum(2);

    let mut daemon = bed.start();
    // A hundred of before, the note, the gap, and the hundred that are left.
    daemon.wait("a gap", |status| status["gaps"] == 1 && status["events"].as_u64() >= Some(202));
    daemon.stop();
    let numbers: Vec<u64> = stored(&bed).iter().filter_map(|(.., message)| number_of(message)).collect();
    assert!(numbers == (0..100).chain(200..300).collect::<Vec<_>>(), "other lines than those that are there");
}
