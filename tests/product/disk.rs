//! A data directory that fills up, and is freed.

use serde_json::{Value, json};

use super::{Numbered, assert_mirrored, assert_stored, this_hour};
use crate::support::ask::ask;
use crate::support::daemon::{Bed, Disk, UNITS};
use crate::support::journal::{JournalWriter, Line};
use crate::support::redis::RedisServer;
use crate::support::work::{Trainer, record};
use crate::support::{Random, wait_for};

fn component(health: &Value, name: &str) -> Value {
    let components = health["components"].as_array().unwrap();
    components.iter().find(|component| component["name"] == name).expect(name).clone()
}

#[test]
fn ingestion_stops_says_so_and_goes_on() {
    let mut redis = RedisServer::started(&[]);
    let bed = Bed::new(&redis.url(), &["events.commit_interval = \"50ms\""]);
    let disk = Disk::over(&bed, 64);
    let mut journal = Numbered::new(&bed, this_hour());
    let mut daemon = bed.start();
    journal.append(5_000);
    daemon.wait_events(5_000);
    for round in 0..3_u64 {
        disk.fill();
        journal.append(20_000);
        wait_for("health says that the disk is full", || {
            let said = bed.run(&["health", "--json"]);
            let store = component(&said.json(), "store");
            said.code == Some(1) && store["state"] == "failed"
        });
        let said = bed.run(&["health", "--json"]);
        let store = component(&said.json(), "store");
        assert!(store["summary"].as_str().unwrap().contains("is full"), "{store}");
        assert!(store["remedy"].as_str().unwrap().contains("free space"), "{store}");
        let said = bed.run(&["health"]);
        assert!(said.out.contains("=== OVERALL: DEGRADED ==="), "{said:?}");
        // It answers with what it has.
        let said = bed.run(&["events", "--json", "--limit", "3"]);
        assert_eq!((said.code, said.json()["events"].as_array().unwrap().len()), (Some(0), 3), "{said:?}");
        assert!(!daemon.has_ended());
        if round == 2 {
            // As if the machine was switched off: the next life begins on a full disk.
            daemon.kill();
            disk.free();
            daemon = bed.start();
        } else {
            disk.free();
        }
        daemon.wait_events(journal.next);
        wait_for("health is good again", || bed.run(&["health"]).code == Some(0));
    }
    daemon.stop();
    assert_stored(&bed, &journal);
    assert_mirrored(&bed, &mut redis, &journal);
}

/// A line of which zstd saves little.
fn noise(random: &mut Random) -> Line {
    let text: String = (0..8_000).map(|_| char::from(b'!' + random.below(90) as u8)).collect();
    Line::new(UNITS[0], text)
}

#[test]
fn a_disk_that_the_data_file_fills_is_left_again_by_a_lower_retention() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let _disk = Disk::over(&bed, 64);
    let mut writer = JournalWriter::new(&bed.journal());
    writer.clock = this_hour();
    let mut random = Random(7);
    let daemon = bed.start();
    let mut written = 0;
    loop {
        writer.append((0..200).map(|_| noise(&mut random)));
        written += 200;
        assert!(written < 20_000, "the disk is never full");
        let mut full = false;
        wait_for("all is stored, or the disk is full", || {
            let said = bed.run(&["health", "--json"]);
            full = component(&said.json(), "store")["state"] == "failed";
            full || daemon.events() >= Some(written)
        });
        if full {
            let said = component(&bed.run(&["health", "--json"]).json(), "store");
            assert!(said["remedy"].as_str().unwrap().contains("lower events.retention_bytes"), "{said}");
            break;
        }
    }
    daemon.stop();

    bed.set("events.retention_bytes = \"4MiB\"");
    let mut daemon = bed.start();
    daemon.wait_events(written);
    writer.append((0..500).map(|_| noise(&mut random)));
    daemon.wait_events(written + 500);
    wait_for("health is good again", || {
        let health = bed.run(&["health", "--json"]).json();
        ["store", "disk"].iter().all(|name| component(&health, name)["state"] != "failed")
    });
    daemon.stop();
}

#[test]
fn logs_of_jobs_leave_a_part_of_the_disk_to_the_data_file() {
    let bed = Bed::new("", &[]);
    let _disk = Disk::over(&bed, 128);
    let daemon = bed.start();
    let trainer = Trainer::new(&bed.socket());
    trainer.say("/clm/train", &json!({ "model_type": "xgboost", "symbol": "BTCUSDT" }));
    let job = trainer.lease()["job"].as_str().unwrap().to_owned();
    let at = trainer.write(&job, 1, 0, &record("there is room"));
    // Of a small disk it is 32 MiB, of which the data file still may use a half.
    let directory = bed.data_file().parent().unwrap();
    let disk = rustix::fs::statvfs(directory).unwrap();
    let filler = directory.join("half");
    let most = disk.f_bavail * disk.f_frsize - (26 << 20);
    std::fs::write(&filler, vec![0; usize::try_from(most).unwrap()]).unwrap();
    let path = format!("/api/work/jobs/{job}/log?epoch=1&offset={at}");
    let headers = [("content-type", "application/octet-stream")];
    let refused = ask(&bed.socket(), "POST", &path, &headers, record("there is none")).expect("an answer");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(trainer.write(&job, 1, at, ""), at, "nothing of it was kept, and it can be asked how far it is");
    let (status, answer) = daemon.ask("POST", "/clm/train", &json!({ "model_type": "xgboost", "symbol": "ETHUSDT" }));
    assert_eq!(status, 200, "the data file has room: {answer}");
    std::fs::remove_file(filler).unwrap();
    assert!(trainer.write(&job, 1, at, &record("there is again")) > at);
    daemon.stop();
}
