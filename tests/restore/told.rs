//! What a restore says of what goes back in time.

use serde_json::{Value, json};

use super::{backup, data, everything, kept, restore, restored};
use crate::support::daemon::Bed;

const PASSWORD: &str = "correct horse battery\n";

#[track_caller]
fn done(bed: &Bed, arguments: &[&str], input: &str) -> String {
    let said = bed.run_with(arguments, input);
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
    said.out
}

#[test]
fn users_tokens_and_roles_by_name() {
    let bed = Bed::new("", &[]);
    let backups = tempfile::tempdir().unwrap();
    let add = |name: &str, role: &str| {
        done(&bed, &["user", "add", name, "--role", role, "--password-stdin"], PASSWORD);
    };
    let daemon = bed.start();
    add("anna", "admin");
    add("bert", "viewer");
    add("carl", "operator");
    done(&bed, &["token", "create", "feed", "--scope", "publish"], "");
    daemon.stop();
    let taken = backup(&bed, backups.path(), &[]);
    let daemon = bed.start();
    done(&bed, &["user", "delete", "bert"], "");
    done(&bed, &["user", "role", "carl", "admin"], "");
    done(&bed, &["user", "disable", "anna"], "");
    add("dora", "viewer");
    done(&bed, &["token", "revoke", "1"], "");
    done(&bed, &["token", "create", "newer", "--scope", "worker"], "");
    daemon.stop();

    // First it is only asked.
    let before = everything(data(&bed));
    let said = restore(&bed, &taken, &["--dry-run"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let would = said.json();
    assert!(everything(data(&bed)) == before, "a dry run changed something");
    let expected = json!({
        "then": ["anna", "bert", "carl"], "come_back": ["bert"], "gone": ["dora"],
        "roles": [{ "user": "carl", "then": "operator", "now": "admin" }],
        "enabled": ["anna"], "disabled": [], "passwords": [],
    });
    assert_eq!(would["difference"]["users"], expected);
    let expected = json!({
        "then": 1,
        "alive_again": [{ "number": 1, "name": "feed", "grant": "publish" }],
        "gone": [{ "number": 2, "name": "newer", "grant": "worker" }],
    });
    assert_eq!(would["difference"]["tokens"], expected);
    assert_eq!((&would["dry_run"], &would["kept"], &would["not_compared"]), (&true.into(), &Value::Null, &Value::Null));

    let words = bed.run(&["restore", taken.to_str().unwrap(), "--dry-run"]).out;
    for said in [
        "would be that of backup",
        "nothing was changed",
        "deleted since, and back: bert",
        "added since, and gone: dora",
        "carl is operator again, not admin",
        "revoked since, and VALID AGAIN: revoke them once more: 1 \"feed\" (publish)",
    ] {
        assert!(words.contains(said), "{said:?} is not in\n{words}");
    }

    // Then it is done, and says the same.
    let is = restored(&bed, &taken, &[]);
    assert_eq!(is["difference"], would["difference"]);
    assert!(kept(&bed).exists());
    let daemon = bed.start();
    let users: Vec<String> = bed.run(&["user", "list", "--json"]).json()["users"]
        .as_array()
        .expect("users")
        .iter()
        .map(|user| format!("{} {}", user["name"].as_str().unwrap(), user["role"].as_str().unwrap()))
        .collect();
    assert_eq!(users, ["anna admin", "bert viewer", "carl operator"]);
    daemon.stop();
}

#[test]
fn a_file_that_a_crash_left_is_compared_and_one_that_is_damaged_is_replaced() {
    let bed = Bed::new("", &[]);
    let backups = tempfile::tempdir().unwrap();
    let daemon = bed.start();
    done(&bed, &["user", "add", "anna", "--role", "admin", "--password-stdin"], PASSWORD);
    daemon.stop();
    let taken = backup(&bed, backups.path(), &[]);
    let daemon = bed.start();
    done(&bed, &["user", "add", "bert", "--role", "admin", "--password-stdin"], PASSWORD);
    daemon.kill();
    let before = everything(data(&bed));
    let would = restore(&bed, &taken, &["--dry-run"]).json();
    assert_eq!((&would["difference"]["users"]["gone"], &would["not_compared"]), (&json!(["bert"]), &Value::Null));
    assert!(everything(data(&bed)) == before, "a dry run changed something");

    let mut bytes = std::fs::read(bed.data_file()).unwrap();
    bytes[..512].fill(7);
    std::fs::write(bed.data_file(), &bytes).unwrap();
    let said = restored(&bed, &taken, &[]);
    assert!(said["not_compared"].as_str().is_some_and(|why| why.contains("is not a data file")), "{said}");
    assert!(std::fs::read(kept(&bed)).unwrap() == bytes, "the damaged file is not kept as it was");
    bed.start().stop();
}
