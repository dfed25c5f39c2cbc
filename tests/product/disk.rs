//! A data directory that fills up, and is freed.

use serde_json::Value;

use super::{Numbered, assert_mirrored, assert_stored, this_hour};
use crate::support::daemon::{Bed, Disk};
use crate::support::redis::RedisServer;
use crate::support::wait_for;

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
