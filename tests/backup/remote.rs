//! What the daemon and the commands make of a store elsewhere.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::daemon::{Bed, Said};
use crate::support::journal::JournalWriter;
use crate::support::receiver::write_secret;
use crate::support::s3::Moto;

const UNIT: &str = "quantum-execution.service";

/// A bed that copies its backups to the bucket `safe` of that server.
fn bed(directory: &Path, moto: &Moto) -> Bed {
    write_secret(&directory.join("secret"), "testing");
    Bed::new(
        "",
        &[
            &format!("backup.s3.url = \"{}\"", moto.url()),
            "backup.s3.bucket = \"safe\"",
            "backup.s3.access_key_id = \"testing\"",
            &format!("backup.s3.secret_access_key_file = \"{}\"", directory.join("secret").display()),
        ],
    )
}

#[track_caller]
fn told(said: &Said, code: i32) -> Value {
    assert_eq!(said.code, Some(code), "{said:?}");
    said.json()
}

/// Directories of backups that were fetched and have not gone.
fn left(bed: &Bed) -> Vec<String> {
    let entries = fs::read_dir(bed.data_file().parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("fetched")).collect()
}

#[test]
fn from_the_daemon_to_the_store_and_onto_another_machine() {
    let (moto, here, there) = (Moto::start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    moto.make_bucket("safe");
    let (from, to) = (bed(here.path(), &moto), bed(there.path(), &moto));
    let mut journal = JournalWriter::new(&from.journal());
    journal.number(UNIT, 0..100);
    journal.sync();
    let mut daemon = from.start();
    daemon.wait_events(100);
    let made = told(&from.run(&["backup", "--json"]), 0);
    let id = made["attempt"]["backup"].as_str().expect("an id").to_owned();
    let copy = &made["attempt"]["copies"][0];
    assert_eq!((&copy["state"], &copy["to"]), (&"done".into(), &"s3://safe/quantum-clm".into()), "{made}");
    let again = told(&from.run(&["backup", "--to", "s3://safe/by-hand", "--json"]), 0);
    assert_eq!(again["attempt"]["copies"][1]["to"], "s3://safe/by-hand");
    daemon.stop();

    // Nothing here has a daemon any more: what there is, the store is asked.
    let listed = told(&to.run(&["backup", "list", "s3", "--json"]), 0);
    let place = format!("s3://safe/quantum-clm/{id}");
    let backups = listed["backups"].as_array().unwrap();
    assert_eq!(backups.len(), 2, "what goes to another place goes to the usual one, too: {listed}");
    assert_eq!((&backups[1]["place"], &backups[1]["whole"]), (&place.as_str().into(), &true.into()), "{listed}");
    let by_hand = to.run(&["backup", "list", "s3://safe/by-hand"]);
    assert!(by_hand.code == Some(0) && by_hand.out.contains("s3://safe/by-hand/"), "{by_hand:?}");

    let verified = told(&to.run(&["verify", &place, "--json"]), 0);
    assert_eq!((&verified["whole"], &verified["events"]), (&true.into(), &100.into()), "{verified}");

    let key = format!("quantum-clm/{id}/quantum.redb");
    let whole = moto.object("safe", &key);
    moto.damage("safe", &key);
    let verified = told(&to.run(&["verify", &place, "--json"]), 1);
    assert!(verified["findings"][0]["why"].as_str().unwrap().contains("damaged where it lies"), "{verified}");
    let refused = to.run(&["restore", &place]);
    assert!(refused.code == Some(2) && refused.err.contains("damaged where it lies"), "{refused:?}");
    assert!(!to.data_file().exists());
    moto.put("safe", &key, &whole);

    let restored = told(&to.run(&["restore", &place, "--json"]), 0);
    assert_eq!(restored["backup"], id.as_str(), "{restored}");
    assert_eq!(left(&to), Vec::<String>::new());
    let mut daemon = to.start();
    daemon.wait_events(100);
    daemon.stop();
}

#[test]
fn a_copy_that_fails_is_a_failure_of_its_own() {
    let (moto, here) = (Moto::start(), tempfile::tempdir().unwrap());
    let from = bed(here.path(), &moto);
    let daemon = from.start();
    let said = from.run(&["backup"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("is whole") && said.out.contains("no bucket \"safe\""), "{said:?}");
    daemon.stop();
    for (arguments, part) in [
        (["backup", "list", "s3://safe"], "no bucket \"safe\""),
        (["backup", "list", "elsewhere"], "s3://bucket/prefix"),
    ] {
        let said = from.run(&arguments);
        assert!(said.code == Some(2) && said.err.contains(part), "{said:?}");
    }
    let nameless = from.run(&["restore", "s3://safe/quantum-clm"]);
    assert!(nameless.code == Some(2) && nameless.err.contains("names no backup"), "{nameless:?}");
    let nowhere = Bed::new("", &[]);
    let said = nowhere.run(&["backup", "list", "s3"]);
    assert!(said.code == Some(2) && said.err.contains("set backup.s3.bucket"), "{said:?}");
}
