//! A worker that cannot work says what is wrong, where, and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::bed::Scene;
use crate::support::receiver::write_secret;
use crate::support::wait_for;

/// Runs a worker for one job, which it never gets to; what it says has all of `parts`.
#[track_caller]
fn assert_refuses(scene: &Scene, name: &str, parts: &[&str]) {
    let (code, log) = scene.run(name, &["--once", "--wait", "0"]);
    assert_eq!(code, Some(2), "{log}");
    for part in parts {
        assert!(log.contains(part), "{part} is not in: {log}");
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_asked_for() {
    let scene = Scene::new(&[]);
    scene.configure_types("no-adapters", &[], "");
    assert_refuses(&scene, "no-adapters", &["there is nothing to run", "[adapters.<type>]", "docs/ADAPTERS.md"]);

    scene.configure("no-place", &[], "");
    fs::write(scene.place("no-place"), "").unwrap();
    assert_refuses(&scene, "no-place", &["no-place", "set worker.directory"]);

    scene.configure("second", &[], "");
    let first = scene.start("second", &[]);
    wait_for("the first one's directory", || first.log().contains("begins, for the daemon"));
    let (code, log) = scene.run("second", &[]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("another worker uses ") && log.contains("set worker.directory, and worker.name"), "{log}");
}

#[test]
fn a_daemon_that_refuses_is_named_with_what_to_do() {
    let scene = Scene::new(&[]);
    let url = scene.daemon().url();
    let token = scene.directory().join("token");
    let lines = format!("url = \"{url}\"\ntoken_file = \"{}\"", token.display());
    scene.configure("no-token", &[], &lines);
    assert_refuses(&scene, "no-token", &[token.to_str().unwrap(), "worker.token_file"]);
    write_secret(&token, "qct_wrong");
    scene.configure("bad-token", &[], &lines);
    assert_refuses(&scene, "bad-token", &[&url, "worker.token_file", "quantum-clm token create"]);
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    scene.configure("open-token", &[], &lines);
    assert_refuses(&scene, "open-token", &[token.to_str().unwrap(), "chmod"]);
    scene.configure("no-word", &[], &format!("url = \"{url}\""));
    assert_refuses(&scene, "no-word", &[&url, "worker.token_file", "quantum-clm token create"]);
    // One that goes on says the same, and works as soon as it is right.
    write_secret(&token, "qct_wrong");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    scene.configure("mended", &[], &lines);
    let worker = scene.start("mended", &[]);
    wait_for("the worker complains", || worker.log().contains("worker.token_file"));
    fs::copy(scene.token("mended-now"), &token).unwrap();
    let id = scene.train("BTCUSDT");
    scene.wait_state(&id, "completed");
}

#[test]
fn a_daemon_that_is_not_there_is_named_with_what_to_do() {
    let scene = Scene::new(&[]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    scene.configure("wrong-url", &[], &format!("url = \"http://{nobody}\""));
    let worker = scene.start("wrong-url", &[]);
    wait_for("the worker complains", || worker.log().contains("cannot be reached"));
    let log = worker.log();
    assert!(log.contains(&nobody.to_string()) && log.contains("worker.url"), "{log}");
    drop(worker);
    let text = fs::read_to_string(scene.configuration("wrong-url")).unwrap();
    fs::write(scene.configuration("wrong-url"), text.replace("run/api.sock", "run/none.sock")).unwrap();
    let text = fs::read_to_string(scene.configuration("wrong-url")).unwrap();
    fs::write(scene.configuration("wrong-url"), text.replace("url = \"http", "# url = \"http")).unwrap();
    let worker = scene.start("wrong-url", &[]);
    wait_for("the worker complains", || worker.log().contains("no daemon answers at"));
    assert!(worker.log().contains("run/none.sock"), "{}", worker.log());
    assert!(worker.log().contains("systemctl start quantum-clm"), "{}", worker.log());
}

#[test]
fn programs_that_cannot_be_run_are_named_and_nothing_is_taken_for_them() {
    let scene = Scene::new(&[]);
    let secret = scene.directory().join("exchange.key");
    let lines = format!("secrets = {{ EXCHANGE_KEY = \"{}\" }}", secret.display());
    scene.configure_types("worker-a", &[("other", &[], &lines)], "");
    assert_refuses(&scene, "worker-a", &["the secret EXCHANGE_KEY", secret.to_str().unwrap(), "No such file"]);
    let worker = scene.start("worker-a", &[]);
    let id = scene.train("BTCUSDT");
    wait_for("the worker complains", || worker.log().matches("the secret EXCHANGE_KEY").count() > 1);
    let job = scene.wait(&id, "waiting", |job| job["waiting"]["reason"] == "no_worker");
    assert_eq!(job["epoch"], 0, "{job:#}");
    // As soon as it is there, it is worked.
    write_secret(&secret, "word");
    scene.wait_state(&id, "completed");
    assert!(!scene.log_of(&id).contains("word"));
}
