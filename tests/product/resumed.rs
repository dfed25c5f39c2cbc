//! Uploads that the daemon's death interrupts: they go on where they were.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::uploads::{MIB, Sending, artifacts, bed, contents, names, piece};
use crate::support::ask::{Answer, ask};
use crate::support::daemon::{Bed, Daemon};
use crate::support::models::{MODEL, file, registered};
use crate::support::{wait_for, wait_for_some};

const PIECES: u64 = 64;

fn large() -> (Vec<u8>, String) {
    let content: Vec<u8> = (0..PIECES).flat_map(piece).collect();
    let digest = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    (content, digest)
}

fn partial(bed: &Bed) -> Option<PathBuf> {
    let incoming = artifacts(bed).join("incoming");
    let name = names(&incoming).into_iter().find(|name| name.ends_with(".partial"))?;
    Some(incoming.join(name))
}

fn partial_bytes(bed: &Bed) -> u64 {
    partial(bed).and_then(|path| std::fs::metadata(path).ok()).map_or(0, |metadata| metadata.len())
}

/// What the process has written to files in its life.
fn written(daemon: &Daemon) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", daemon.id())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

fn rest(digest: &str) -> String {
    format!("/api/models/{MODEL}/versions/v1/uploads/m?sha256={digest}")
}

fn patch(bed: &Bed, digest: &str, offset: u64, body: &[u8]) -> Answer {
    let offset = offset.to_string();
    let headers =
        [("content-type", "application/partial-upload"), ("upload-offset", offset.as_str()), ("upload-complete", "?1")];
    ask(&bed.socket(), "PATCH", &rest(digest), &headers, body).expect("an answer")
}

/// How much of it the daemon says that it has.
fn reached(bed: &Bed, digest: &str) -> u64 {
    let answer = ask(&bed.socket(), "HEAD", &rest(digest), &[], "").expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    answer.header("upload-offset").unwrap().parse().unwrap()
}

/// An upload of which 40 of the 64 MiB are on the disk.
fn interrupted(bed: &Bed, content: &[u8], digest: &str) -> Sending {
    let mut sending = Sending::begin(bed, &format!("{}?sha256={digest}", file("v1", "m")), Some(PIECES * MIB));
    assert!(sending.send(&content[..40 << 20]), "the daemon left");
    wait_for("it is on the disk", || partial_bytes(bed) == 40 * MIB);
    sending
}

#[test]
fn killed_in_the_middle_the_daemon_takes_the_rest() {
    let (content, digest) = large();
    let bed = bed();
    registered(&bed, &["v1"]);
    let daemon = bed.start();
    let sending = interrupted(&bed, &content, &digest);
    daemon.kill();
    drop(sending);
    let path = partial(&bed).expect("what came is kept");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "for nobody else");
    let daemon = bed.start();
    assert_eq!(contents(&bed), [""; 0], "it is no artifact");
    let offset = reached(&bed, &digest);
    assert_eq!(offset, 40 * MIB);
    let answer = patch(&bed, &digest, offset, &content[offset as usize..]);
    assert_eq!((answer.status, &answer.json()["sha256"]), (201, &Value::from(digest.as_str())), "{answer:?}");
    let since = written(&daemon);
    assert!(since < 32 * MIB, "{since} bytes were written after the restart, of {}", PIECES * MIB);
    assert_eq!((contents(&bed).len(), partial(&bed)), (1, None));
    daemon.stop();
}

#[test]
fn what_the_death_damaged_is_begun_anew() {
    let (content, digest) = large();
    let bed = bed();
    registered(&bed, &["v1"]);
    let daemon = bed.start();
    let sending = interrupted(&bed, &content, &digest);
    daemon.kill();
    drop(sending);
    // As after a power cut: the length is there, and not all of the bytes.
    let path = partial(&bed).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(20 << 20)..(20 << 20) + 4096].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let daemon = bed.start();
    let answer = patch(&bed, &digest, 40 * MIB, &content[40 << 20..]);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!((contents(&bed).len(), partial(&bed), reached(&bed, &digest)), (0, None, 0));
    let sending = Sending::begin(&bed, &format!("{}?sha256={digest}", file("v1", "m")), Some(PIECES * MIB));
    assert_eq!(sending.sent(&content), 201);
    daemon.stop();
}

#[test]
fn the_same_upload_over_several_connections() {
    let (content, digest) = large();
    let bed = bed();
    registered(&bed, &["v1", "v2"]);
    let daemon = bed.start();
    let first = interrupted(&bed, &content, &digest);
    // Somebody sends the same in one go meanwhile: each is for itself.
    let whole = Sending::begin(&bed, &format!("{}?sha256={digest}", file("v2", "m")), Some(PIECES * MIB));
    assert_eq!(whole.sent(&content), 201);
    // The sender asks over a new connection; the old one is ended, so what it is told stays so.
    assert_eq!(reached(&bed, &digest), 40 * MIB);
    let (status, answer) = first.answer();
    assert_eq!(status, 503, "{answer}");
    assert_eq!(patch(&bed, &digest, 40 * MIB, &content[40 << 20..]).status, 201);
    let found = daemon.ask("POST", &format!("/api/models/{MODEL}/versions/v1/verify"), &Value::Null).1;
    assert_eq!(found["sound"], true, "{found}");
    daemon.stop();
}

#[test]
fn models_register_goes_on_over_a_death_of_the_daemon() {
    let (content, _) = large();
    let bed = bed();
    let path = bed.path().join("model.bin");
    std::fs::write(&path, &content).unwrap();
    let daemon = bed.start();
    let arguments = [
        "models",
        "register",
        "--type",
        "xgboost",
        "--symbol",
        "BTCUSDT",
        "--timeframe",
        "1h",
        "--name",
        "v1",
        "--job",
        "job-1",
        "--data-from",
        "2026-01-01T00:00:00Z",
        "--data-until",
        "2026-01-02T00:00:00Z",
        "--features",
        "49",
        path.to_str().unwrap(),
    ];
    let register = bed.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("some of it is on the disk", || partial_bytes(&bed) >= 4 * MIB);
    daemon.kill();
    let kept = partial_bytes(&bed);
    assert!(kept >= 4 * MIB, "it was whole before the daemon died");
    let daemon = bed.start();
    let output = register.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("model.bin goes on once the daemon is back"), "{said}");
    let since = written(&daemon);
    assert!(since < PIECES * MIB, "{since} bytes were written after the restart, although {kept} were there");
    let name = wait_for_some(|| contents(&bed).pop(), || format!("nothing is there: {said}"));
    assert_eq!(name.len(), 62);
    daemon.stop();
}
