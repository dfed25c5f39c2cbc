//! Backups that the daemon made while lines came in: each of them comes back, and the journal gives the rest.

use serde_json::Value;

use super::restored;
use crate::product::{Numbered, assert_counted, assert_each_once, number_of, stored, this_hour};
use crate::support::daemon::Bed;
use crate::support::wait_for;

#[test]
fn each_backup_that_was_made_under_load() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\"", "backup.keep_last = 10"]);
    let mut journal = Numbered::new(&bed, this_hour());
    let daemon = bed.start();
    let mut taken = Vec::new();
    for _ in 0..3 {
        // Nobody waits for these lines: some are in, some are not.
        journal.append(3_000);
        let said = bed.run(&["backup", "--json"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        taken.push(said.json()["attempt"]["backup"].as_str().expect("a backup").to_owned());
    }
    journal.writer.sync();
    daemon.stop();

    for id in [&taken[1], &taken[0], &taken[2]] {
        let said = restored(&bed, std::path::Path::new(id), &[]);
        assert_eq!(said["backup"], **id);
        let mut daemon = bed.start();
        daemon.wait_events(journal.next + 1);
        // The file holds that this backup was being made, and nobody is called for that.
        let (_, attempts) = daemon.ask("GET", "/api/backups", &Value::Null);
        assert!(!attempts.to_string().contains("interrupted"), "{attempts}");
        wait_for("health speaks of the restore", || {
            let (_, health) = daemon.ask("GET", "/api/health", &Value::Null);
            health["components"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "restore"))
        });
        daemon.stop();
        let numbers: Vec<u64> = stored(&bed).iter().filter_map(|(.., message)| number_of(message)).collect();
        assert_each_once("the store", &numbers, journal.next);
        assert_counted(&bed, &journal);
    }
}
