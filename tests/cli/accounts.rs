//! Users, tokens, sessions and the audit log by the commands, which go through a real daemon's socket.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use quantum_clm::app::accounts::{Accounts, SignInError};
use quantum_clm::config::Auth;
use quantum_clm::store::Store;
use redb::{Database, TableDefinition};
use serde_json::Value;

use super::bed::{Bed, told};
use crate::support::wait_for_some;

const PASSWORD: &str = "correct horse battery";

/// Runs a command with this on its standard input.
fn with_input(bed: &Bed, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = bed.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end without having read all of it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    told(child.wait_with_output().unwrap())
}

#[track_caller]
fn add(bed: &Bed, name: &str, role: &str) {
    let (code, out, err) =
        with_input(bed, &["user", "add", name, "--role", role, "--password-stdin"], &format!("{PASSWORD}\n"));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

/// What differs from run to run, made the same.
fn scrubbed(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| {
            *value = match (key.as_str(), value.as_str()) {
                ("hash" | "head", Some(_)) => "HASH".into(),
                ("prefix" | "text", Some(_)) => "TOKEN".into(),
                ("by" | "created_by", Some(_)) => "ME".into(),
                ("why", Some(why)) if why.contains("until 2") => "until TIME".into(),
                (key, Some(_)) if key.ends_with("at") => "TIME".into(),
                _ => scrubbed(value.take()),
            }
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| *item = scrubbed(item.take())),
        _ => {}
    }
    value
}

#[test]
fn users_tokens_and_the_log() {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    assert!(serving.log().contains("no user can sign in yet: as root, quantum-clm user add NAME --role admin"));
    let (code, out, err) = bed.run(&["user", "list"]);
    assert_eq!((code, out.lines().count()), (0, 1), "{out}");
    assert!(err.contains("user add NAME --role admin"), "{err}");

    add(&bed, "ada", "admin");
    add(&bed, "otto", "operator");
    assert_eq!(bed.out(&["user", "role", "otto", "viewer"]), "user otto has its role (viewer)\n");
    assert_eq!(bed.out(&["user", "disable", "otto"]), "user otto can sign in no more (viewer, disabled)\n");
    insta::assert_json_snapshot!("users", scrubbed(bed.json(&["user", "list"])));
    assert!(bed.out(&["user"]).starts_with("NAME"));
    assert_eq!(bed.out(&["user", "enable", "otto"]), "user otto can sign in (viewer)\n");
    let (code, out, err) = with_input(&bed, &["user", "password", "otto", "--password-stdin"], "another password");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "user otto has a new password (viewer)\n", ""));
    assert_eq!(bed.out(&["user", "delete", "otto"]), "user otto was deleted (viewer)\n");

    let (code, text, err) = bed.run(&["token", "create", "feed", "--scope", "publish"]);
    assert!(code == 0 && text.len() == 49 && text.starts_with("qclm_"), "{text} {err}");
    assert!(err.contains("token 1 (feed), publish until 2") && !err.contains(text.trim()), "{err}");
    let made = bed.json(&["token", "create", "night shift", "--role", "viewer", "--days", "7"]);
    insta::assert_json_snapshot!("token", scrubbed(made));
    insta::assert_json_snapshot!("tokens", scrubbed(bed.json(&["token", "list"])));
    assert!(bed.out(&["token"]).starts_with("ID"));
    assert_eq!(bed.out(&["token", "revoke", "1"]), "token 1 (feed) is revoked\n");

    assert!(bed.out(&["session"]).starts_with("ID"));
    assert_eq!(bed.json(&["session", "list"])["sessions"], serde_json::json!([]));
    assert_eq!(bed.out(&["session", "revoke", "--user", "ada"]), "ada is not signed in\n");

    insta::assert_json_snapshot!("audit", scrubbed(bed.json(&["audit"])));
    assert!(bed.out(&["audit", "--action", "user.", "-n", "2"]).lines().count() == 3);
    insta::assert_json_snapshot!("verified", scrubbed(bed.json(&["audit", "verify"])));
    assert!(bed.out(&["audit", "verify"]).starts_with("whole: 10 records\n"));

    for (arguments, line) in [
        (&["user", "delete", "ada"][..], "the last admin who can sign in is ada: make another one first"),
        (&["user", "disable", "ada"], "the last admin who can sign in is ada: make another one first"),
        (&["user", "delete", "nobody"], "there is no user nobody"),
        (&["token", "revoke", "1"], "there is no token 1"),
        (
            &["token", "create", "night shift", "--role", "viewer"],
            "there is a token night shift already, number 2: revoke it first",
        ),
        (&["session", "revoke", "7"], "there is no session 7"),
        (&["session", "revoke", "--user", "nobody"], "there is no user nobody"),
    ] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str(), err), (2, "", format!("quantum-clm: {line}\n")), "{arguments:?}");
    }
    for arguments in [
        &["user", "add", "Ada", "--role", "admin"][..],
        &["user", "add", "ada"],
        &["user", "add", "ada", "--role", "open"],
        &["token", "create", "x"],
        &["token", "create", "x", "--role", "viewer", "--scope", "publish"],
        &["token", "create", "<b>", "--role", "viewer"],
        &["session", "revoke"],
    ] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
    }
    serving.stop();
    let log = fs::read_to_string(bed.path().join("log")).unwrap();
    assert!(!log.contains(PASSWORD) && !log.contains(text.trim()), "{log}");
    assert_eq!(bed.json(&["user", "list", "--data-file", "d.redb"])["users"].as_array().unwrap().len(), 1);
    // The two refusals of the last admin came before the stop, which writes what waits.
    let refused = bed.json(&["audit", "--refused", "--data-file", "d.redb"]);
    let actions: Vec<_> =
        refused["records"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions.len(), 2, "{refused}");
}

#[test]
fn passwords_that_do_not_do() {
    let bed = Bed::for_daemon("");
    let arguments = ["user", "add", "ada", "--role", "admin"];
    let (code, _, err) = bed.run(&arguments);
    assert!(code == 2 && err.contains("no daemon answers"), "asked for a password in vain: {err}");
    let serving = bed.serve(&["serve", "--demo"]);
    let (code, _, err) = bed.run(&arguments);
    assert_eq!(
        (code, err.as_str()),
        (2, "quantum-clm: there is no terminal to type a password on: use --password-stdin\n")
    );
    for (input, expected) in [
        ("", "a password has at least 12 characters"),
        ("short\n", "a password has at least 12 characters"),
        ("with\ttabulator\n", "a password holds no control characters"),
        (&"x1".repeat(65), "a password has at most 128 characters"),
        ("aaaaaaaaaaaaaaaa\n", "one character repeated"),
    ] {
        let (code, out, err) = with_input(&bed, &[&arguments[..], &["--password-stdin"]].concat(), input);
        assert_eq!((code, out.as_str()), (2, ""), "{input:?}");
        assert!(err.contains(expected) && err.lines().count() == 1, "{input:?}: {err}");
    }
    assert_eq!(bed.json(&["user", "list"])["users"], serde_json::json!([]));
    serving.stop();
}

/// Types at a command's prompts on a terminal, which script(1) makes; what the terminal showed, and the exit code.
fn on_a_terminal(bed: &Bed, command: &str, answers: &[(&str, &str)]) -> (String, i32) {
    let program = env!("CARGO_BIN_EXE_quantum-clm");
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{program} {command}"), "/dev/null"]).current_dir(bed.path()).env_clear();
    script.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("QUANTUM_CLM_CONFIG", "clm.toml");
    script.env("QUANTUM_CLM_PREDECESSOR_DIR", bed.path());
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script(1), of bsdutils");
    let (mut keyboard, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut screen = BufReader::new(screen);
    let mut shown = String::new();
    for (prompt, answer) in answers {
        // What is typed before the prompt would be thrown away.
        while !shown.ends_with(prompt) {
            let mut byte = [0];
            assert_eq!(screen.read(&mut byte).unwrap(), 1, "it ended before {prompt:?}: {shown:?}");
            shown.push(char::from(byte[0]));
        }
        keyboard.write_all(answer.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    }
    screen.read_to_string(&mut shown).unwrap();
    (shown, child.wait().unwrap().code().unwrap())
}

#[test]
fn a_password_is_typed_twice_and_never_seen() {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    let (first, again) = ("Password for ada: ", "The same again: ");
    let typed = format!("{PASSWORD}\r");
    let slips = format!("nonsense\u{15}{PASSWORD}x\u{7f}\r");
    let add = "user add ada --role admin";
    for (answers, code, told) in [
        (
            &[(first, typed.as_str()), (again, "something else\r")][..],
            2,
            "the two are not the same: nothing was changed",
        ),
        (&[(first, "short\r")], 2, "a password has at least 12 characters"),
        (&[(first, "\u{3}")], 2, "given up: nothing was changed"),
        (&[(first, &typed), (again, &slips)], 0, "user ada was added (admin)"),
    ] {
        let (shown, ended) = on_a_terminal(&bed, add, answers);
        assert_eq!(ended, code, "{shown}");
        assert!(shown.contains(told), "{told:?} is not in {shown:?}");
        for secret in [PASSWORD, "something else", "nonsense", "correct"] {
            assert!(!shown.contains(secret), "{secret:?} was seen: {shown:?}");
        }
    }
    serving.stop();
    let accounts = Accounts::new(Arc::new(Store::open(&bed.data_file()).unwrap()), Auth::default());
    accounts.sign_in("ada", PASSWORD, "10.0.0.1", "").unwrap();
}

const AUDIT: TableDefinition<u64, &[u8]> = TableDefinition::new("audit");

#[test]
fn verify_names_the_first_record_that_somebody_changed() {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    for name in ["ada", "bob", "cleo"] {
        add(&bed, name, "admin");
    }
    let whole = bed.json(&["audit", "verify"]);
    serving.stop();
    let verify = || bed.run(&["audit", "verify", "--data-file", "d.redb"]);
    let offline = bed.json(&["audit", "verify", "--data-file", "d.redb"]);
    assert_eq!(offline, whole, "the head is another without the daemon");
    assert_eq!(verify().0, 0);

    let row = |seq: u64| {
        let database = Database::open(bed.data_file()).unwrap();
        let txn = redb::ReadableDatabase::begin_read(&database).unwrap();
        txn.open_table(AUDIT).unwrap().get(seq).unwrap().unwrap().value().to_vec()
    };
    let put = |seq: u64, row: Option<&[u8]>| {
        let database = Database::open(bed.data_file()).unwrap();
        let txn = database.begin_write().unwrap();
        {
            let mut table = txn.open_table(AUDIT).unwrap();
            match row {
                Some(row) => drop(table.insert(seq, row).unwrap()),
                None => drop(table.remove(seq).unwrap()),
            }
        }
        txn.commit().unwrap();
    };
    let (second, third) = (row(2), row(3));
    let mut flipped = second.clone();
    let at = memchr::memmem::find(&second, b"user bob").unwrap();
    flipped[at + 5] ^= 1;
    for (what, changes, first) in [
        ("a flipped bit", &[(2, Some(flipped.as_slice()))][..], 2),
        ("a dropped record", &[(2, None)], 2),
        ("two in each other's place", &[(2, Some(third.as_slice())), (3, Some(second.as_slice()))], 2),
        ("the end cut off", &[(3, None)], 3),
    ] {
        changes.iter().for_each(|(seq, row)| put(*seq, *row));
        let (code, out, err) = verify();
        assert_eq!((code, err.as_str()), (1, ""), "{what}: {out}");
        assert!(out.starts_with(&format!("BROKEN at record {first}: ")), "{what}: {out}");
        put(2, Some(&second));
        put(3, Some(&third));
    }
    assert_eq!(verify().0, 0);
}

#[test]
fn the_demo_has_an_admin_with_a_new_password_each_time() {
    let bed = Bed::new();
    let demo = || {
        let mut command = bed.command(&["demo"]);
        command.env("QUANTUM_CLM_HTTP_LISTEN", "127.0.0.1:0");
        let serving = bed.start(command);
        let told = wait_for_some(
            || serving.log().split_once("/ as demo with the password ").map(|(_, rest)| rest.to_owned()),
            || format!("it says how to sign in: {}", serving.log()),
        );
        let password = told.split_whitespace().next().unwrap().to_owned();
        let file = serving.log().split_once("demo: data file ").unwrap().1.lines().next().unwrap().to_owned();
        serving.stop();
        (password, file)
    };
    let sign_in = |file: &str, password: &str| {
        let accounts = Accounts::new(Arc::new(Store::open(file.as_ref()).unwrap()), Auth::default());
        accounts.sign_in("demo", password, "10.0.0.1", "").map(|session| session.role.as_str())
    };
    let (first, file) = demo();
    assert_eq!(sign_in(&file, &first).unwrap(), "admin");
    let (second, _) = demo();
    assert!(matches!(sign_in(&file, &first), Err(SignInError::Wrong { .. })), "the old password still does");
    assert_eq!(sign_in(&file, &second).unwrap(), "admin");
}
