//! Commands that read the data file themselves.

use std::os::unix::fs::PermissionsExt as _;

use super::bed::Bed;
use crate::support::wait_for_some;

#[test]
fn a_file_is_read_offline_and_never_while_a_daemon_owns_it() {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    let events = || bed.json(&["status"])["events"].as_u64().unwrap();
    wait_for_some(|| (events() >= 1_200).then_some(()), || "the demo's history is stored".to_owned());
    for command in
        ["events", "counters", "intents", "models", "schedule", "status", "user", "token", "session", "audit"]
    {
        let (code, out, err) = bed.run(&[command, "--data-file", "d.redb"]);
        assert_eq!((code, out.as_str()), (2, ""), "{command}");
        assert_eq!(err, "quantum-clm: d.redb is in use by another quantum-clm: stop it, or ask it over its socket\n");
    }
    let before = events();
    serving.stop();

    let file = bed.data_file();
    let bytes = std::fs::read(&file).unwrap();
    let mut nobody_writes = std::fs::metadata(&file).unwrap().permissions();
    nobody_writes.set_mode(0o400);
    std::fs::set_permissions(&file, nobody_writes).unwrap();
    let status = bed.json(&["status", "--data-file", "d.redb"]);
    assert!(status["events"].as_u64().unwrap() >= before && status["started"].is_null(), "{status}");
    assert!(bed.out(&["status", "--data-file", "d.redb"]).contains("not running"));
    assert_eq!(bed.json(&["events", "--data-file", "d.redb", "-n", "7"])["events"].as_array().unwrap().len(), 7);
    assert!(!bed.json(&["counters", "--data-file", "d.redb"])["counters"].as_array().unwrap().is_empty());
    assert!(bed.json(&["intents", "--data-file", "d.redb"])["intents"].is_array());
    assert!(std::fs::read(&file).unwrap() == bytes, "who looks changed a byte");
    for arguments in [&["events", "--follow"][..], &["intents", "ack", "1", "--why", "x"], &["token", "revoke", "1"]] {
        let (code, out, err) = bed.run(&[arguments, &["--data-file", "d.redb"]].concat());
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
        assert!(err.contains("running daemon"), "{err}");
    }
}

#[test]
fn who_only_asks_makes_no_file() {
    let bed = Bed::for_daemon("");
    let before = bed.files();
    for command in
        ["events", "counters", "intents", "models", "schedule", "status", "user", "token", "session", "audit"]
    {
        let (code, out, err) = bed.run(&[command, "--data-file", "none.redb"]);
        assert_eq!(
            (code, out.as_str(), err.as_str()),
            (2, "", "quantum-clm: none.redb: No such file or directory (os error 2)\n")
        );
    }
    assert_eq!(bed.files(), before);
}

#[test]
fn a_file_that_was_not_closed_in_order_is_left_as_it_is() {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    let events = || bed.json(&["status"])["events"].as_u64().unwrap();
    wait_for_some(|| (events() >= 1_200).then_some(()), || "the demo's history is stored".to_owned());
    // As somebody does who does not know better: a copy of what is being written.
    let copy = bed.path().join("copy.redb");
    std::fs::copy(bed.data_file(), &copy).unwrap();
    serving.stop();
    let bytes = std::fs::read(&copy).unwrap();
    let (code, out, err) = bed.run(&["events", "--data-file", "copy.redb"]);
    assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{err}");
    assert!(err.contains("copy.redb cannot be read as it is") && err.contains("start quantum-clm on it"), "{err}");
    assert!(std::fs::read(&copy).unwrap() == bytes, "who looks changed a byte");
}
