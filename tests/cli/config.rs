//! `quantum-clm config` and what is common to all commands, through the real binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::bed::{Bed, told};

#[test]
fn a_mistake_is_one_line_with_its_place_and_the_remedy() {
    let bed = Bed::with("[redis]\nstrem = \"x\"\nmaxlen = \"many\"\n");
    for arguments in [&["config", "check"][..], &["config", "show"], &["config", "check", "--config", "clm.toml"]] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""));
        assert_eq!(
            err,
            "quantum-clm: clm.toml:2:1: unknown key \"redis.strem\": did you mean \"redis.stream\"?\n\
             quantum-clm: clm.toml:3:10: redis.maxlen: expected a whole number, found text\n"
        );
    }
    let (code, out, _) = bed.run(&["config", "check", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, answer["ok"].as_bool(), answer["errors"].as_array().unwrap().len()), (2, Some(false), 2));
}

#[test]
fn a_sound_file_and_none() {
    let bed = Bed::with("[redis]\nmaxlen = 5\n");
    assert_eq!(bed.run(&["config", "check"]), (0, "clm.toml: no mistake found\n".into(), String::new()));
    let (code, _, err) = bed.run(&["config", "check", "--config", "none.toml"]);
    assert_eq!(code, 2);
    assert!(err.starts_with("quantum-clm: cannot read the configuration none.toml: No such file"), "{err}");
}

#[test]
fn every_value_says_where_it_comes_from() {
    let bed = Bed::with("[redis]\nmaxlen = 5\nurl = \"redis://u:s3cret@h:1/2\"\n");
    fs::write(bed.path().join("utf.env"), "UTF_STREAM=of-utf\nUTF_POLL_SEC=2\n").unwrap();
    let (code, out, err) = told(
        bed.command(&["config", "show", "--data-file", "d.redb"])
            .env("QUANTUM_CLM_HTTP_LISTEN", "127.0.0.1:0")
            .output()
            .unwrap(),
    );
    assert_eq!(code, 0, "{err}");
    let lines: Vec<String> = out.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let utf_env = bed.path().join("utf.env");
    for line in [
        "KEY VALUE FROM",
        "data_file \"d.redb\" --data-file",
        "http.listen \"127.0.0.1:0\" QUANTUM_CLM_HTTP_LISTEN",
        "redis.maxlen 5 clm.toml:2",
        "redis.url \"redis://u:***@h:1/2\" clm.toml:3",
        &format!("redis.stream \"of-utf\" {}:1 UTF_STREAM", utf_env.display()),
        "events.retention_bytes \"8GiB\" default",
    ] {
        assert!(lines.iter().any(|other| other == line), "{line} is not in\n{out}");
    }
    assert!(err.contains("UTF_POLL_SEC has no effect"), "{err}");
    assert!(!out.contains('\x1b') && !out.contains("s3cret"), "{out}");
}

#[test]
fn show_as_json() {
    let bed = Bed::with("[redis]\nurl = \"redis://u:s3cret@h\"\n[journal.sources]\n\"a.service\" = \"a\"\n");
    fs::set_permissions(bed.path().join("clm.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, out, _) = bed.run(&["--json", "config", "show"]);
    assert_eq!(code, 0);
    assert!(!out.contains("s3cret"));
    let mut answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    let notices = answer["notices"].take();
    assert!(notices[0].as_str().unwrap().contains("chmod o= clm.toml"), "{notices}");
    insta::assert_json_snapshot!(answer);
}

#[test]
fn secrets_are_looked_at() {
    let bed = Bed::new();
    let secret = bed.path().join("password");
    fs::write(bed.path().join("clm.toml"), format!("redis.password_file = {secret:?}\n")).unwrap();
    let check = || bed.run(&["config", "check"]);

    assert!(check().2.contains("cannot read the secret file"), "{:?}", check());
    fs::write(&secret, "word\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, err) = check();
    assert_eq!(code, 2);
    assert_eq!(
        err,
        format!(
            "quantum-clm: clm.toml:1: redis.password_file: the secret file {0} can be used by everybody (mode 644): \
             chmod o= {0}\n",
            secret.display()
        )
    );
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(check().0, 0);
}

#[test]
fn the_secrets_of_webhooks_are_looked_at_and_nothing_of_them_is_shown() {
    let bed = Bed::new();
    let secret = bed.path().join("ops");
    let url = "https://ops.example/hook?key=k3y";
    let toml = format!("[notify.webhooks.ops]\nurl = \"{url}\"\nsecret_file = {secret:?}\n");
    fs::write(bed.path().join("clm.toml"), toml).unwrap();
    let check = || bed.run(&["config", "check"]);
    assert!(check().2.contains("clm.toml:1: notify.webhooks.ops.secret_file: cannot read"), "{:?}", check());
    fs::write(&secret, "s3cret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, _, err) = check();
    assert!(code == 2 && err.contains("shorter than 24 bytes") && !err.contains("s3cret"), "{err}");
    fs::write(&secret, "s3cret, and so long that nobody guesses it\n").unwrap();
    assert_eq!(check().0, 0);
    let (_, out, _) = bed.run(&["config", "show"]);
    assert!(out.contains("https://ops.example/hook?***"), "{out}");
    assert!(!out.contains("k3y") && !out.contains("s3cret"), "{out}");
}

#[test]
fn wrong_usage_is_one_line() {
    let bed = Bed::new();
    for arguments in [&[][..], &["evnts"], &["events", "--since", "whenever"], &["config"], &["intents", "ack", "1"]] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.starts_with("quantum-clm: ") && err.lines().count() == 1, "{arguments:?}: {err}");
    }
}

#[test]
fn version_with_the_commit() {
    let (code, out, _) = Bed::new().run(&["--version"]);
    assert_eq!(code, 0);
    let commit = out.strip_prefix(concat!("quantum-clm ", env!("CARGO_PKG_VERSION"), " (")).unwrap();
    let commit = commit.strip_suffix(")\n").unwrap();
    assert!(commit == "unknown" || commit.len() >= 7, "{out}");
}

#[test]
fn completions_and_manual_pages() {
    let bed = Bed::new();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = bed.run(&["completions", shell]);
        assert!(code == 0 && out.contains("quantum-clm"), "{shell}");
    }
    let (code, out, _) = bed.run(&["man"]);
    assert!(code == 0 && out.contains(".TH"), "{out}");
    assert_eq!(bed.run(&["man", "--out", "pages"]).0, 0);
    for page in ["quantum-clm.1", "quantum-clm-events.1", "quantum-clm-config-show.1", "quantum-clm-intents-ack.1"] {
        assert!(bed.path().join("pages").join(page).exists(), "{page}");
    }
}

#[test]
fn a_closed_pipe_is_silent() {
    let bed = Bed::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bed.command(&["config", "show"]).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let (code, _, err) = told(output.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
}
