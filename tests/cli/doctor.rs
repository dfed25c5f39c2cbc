//! `doctor`, through the real binary.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use serde_json::Value;

use super::bed::Bed;
use crate::support::redis::RedisServer;

/// The state, the words and the remedy of the first check of this name.
fn check(answer: &Value, name: &str) -> (String, String, String) {
    let checks = answer["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {answer}"));
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("what"), text("remedy"))
}

fn examine(bed: &Bed) -> (i32, Value) {
    let (code, out, err) = bed.run(&["doctor", "--json"]);
    assert_eq!(err, "");
    (code, serde_json::from_str(&out).unwrap())
}

/// `check` is in this state, says this, and has a remedy with this in it.
#[track_caller]
fn assert_check(answer: &Value, name: &str, state: &str, what: &str, remedy: &str) {
    let found = check(answer, name);
    assert!(found.0 == state && found.1.contains(what) && found.2.contains(remedy), "{name}: {found:?}");
}

#[test]
fn a_running_daemon() {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    serving.is_healthy();
    let port = serving.tcp();
    let config = fs::read_to_string(bed.path().join("clm.toml")).unwrap().replace("127.0.0.1:0", &port.to_string());
    fs::write(bed.path().join("clm.toml"), config).unwrap();
    let (code, answer) = examine(&bed);
    assert_eq!((code, answer["ok"].as_bool()), (0, Some(true)), "{answer}");
    assert_check(&answer, "daemon", "ok", "healthy", "");
    assert_check(&answer, "data file", "ok", "in use by the running daemon", "");
    assert_check(&answer, "socket", "ok", "the daemon answers", "");
    assert_check(&answer, "listen", "ok", "the daemon answers", "");
    assert_check(&answer, "redis", "ok", "redis.url is empty", "");
    assert_check(&answer, "limits", "ok", "", "");
    let out = bed.out(&["doctor"]);
    assert!(out.starts_with("CHECK ") && !out.contains("fail"), "{out}");
}

#[test]
fn nothing_runs_and_nothing_is_changed() {
    let bed = Bed::for_daemon("");
    let before = bed.files();
    let (code, answer) = examine(&bed);
    assert_eq!(code, 0, "{answer}");
    assert_check(&answer, "daemon", "warn", "no daemon answers", "systemctl start quantum-clm");
    assert_check(&answer, "data file", "ok", "the first start makes it", "");
    assert_check(&answer, "socket", "ok", "can be made", "");
    assert_check(&answer, "listen", "ok", "is free", "");
    assert_eq!(bed.files(), before);
}

#[test]
fn open_to_others_without_a_name() {
    let bed = Bed::for_daemon("");
    let config = fs::read_to_string(bed.path().join("clm.toml")).unwrap().replace("127.0.0.1:0", "0.0.0.0:0");
    fs::write(bed.path().join("clm.toml"), &config).unwrap();
    let (_, answer) = examine(&bed);
    assert_check(&answer, "listen", "warn", "without TLS", "Behind a proxy");
    fs::write(bed.path().join("clm.toml"), format!("http.hosts = [\"quantum.example\"]\n{config}")).unwrap();
    let (_, answer) = examine(&bed);
    assert_check(&answer, "listen", "ok", "is free", "");
}

#[test]
fn what_is_in_the_way() {
    let bed = Bed::for_daemon("journal.directory = \"none\"\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = fs::read_to_string(bed.path().join("clm.toml")).unwrap();
    let config = config.replace("127.0.0.1:0", &listener.local_addr().unwrap().to_string());
    let config = config.replace("redis.url = \"\"", "redis.url = \"unix:///nowhere/redis.sock\"");
    fs::write(bed.path().join("clm.toml"), config).unwrap();
    fs::write(bed.data_file(), "something else").unwrap();
    let unix = UnixListener::bind(bed.socket()).unwrap();
    drop(unix);
    let before = bed.files();
    let (code, answer) = examine(&bed);
    assert_eq!((code, answer["ok"].as_bool()), (1, Some(false)));
    assert_check(&answer, "journal", "fail", "No such file", "create none or change journal.directory");
    assert_check(&answer, "data file", "fail", "is not a data file of quantum-clm", "set data_file");
    assert_check(&answer, "redis", "fail", "cannot be reached", "redis.url");
    assert_check(&answer, "socket", "ok", "left behind", "");
    assert_check(&answer, "listen", "fail", "in use by another program", "ss -ltnp");
    assert_eq!(bed.files(), before);
    let (code, out, _) = bed.run(&["doctor"]);
    assert!(code == 1 && out.contains("to do: create none"), "{out}");
}

#[test]
fn a_real_redis_and_a_wrong_password() {
    let redis = RedisServer::started(&["--requirepass", "s3cret"]);
    let bed = Bed::for_daemon("");
    let config = fs::read_to_string(bed.path().join("clm.toml")).unwrap();
    for (pass, state, what, remedy) in [
        ("s3cret", "ok", " answers at ", ""),
        ("wrong", "fail", "does not take the password", "redis.password_file"),
        ("", "fail", "wants a password", "redis.password_file"),
    ] {
        let url = format!("{}?pass={pass}", redis.url());
        fs::write(bed.path().join("clm.toml"), config.replace("redis.url = \"\"", &format!("redis.url = \"{url}\"")))
            .unwrap();
        let (_, answer) = examine(&bed);
        assert_check(&answer, "redis", state, what, remedy);
        assert!(pass.is_empty() || !answer.to_string().contains(pass), "{answer}");
    }
}

#[test]
fn a_wrong_configuration_is_a_finding() {
    let bed = Bed::with("data_fil = \"x\"\n");
    let (code, answer) = examine(&bed);
    assert_eq!(code, 1);
    assert_check(
        &answer,
        "configuration",
        "fail",
        "clm.toml:1:1: unknown key \"data_fil\": did you mean \"data_file\"?",
        "correct it",
    );
    assert_check(&answer, "clock", check(&answer, "clock").0.as_str(), "it is 2", "");
}
