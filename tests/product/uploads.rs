//! Files of versions sent to the real binary: large ones, several at once, ones that break off, and a disk that is full.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Barrier;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::ask::ask;
use crate::support::daemon::{Bed, Daemon, Disk};
use crate::support::models::{MODEL, file, registered};
use crate::support::{DEADLINE, Random, wait_for};

pub(super) const MIB: u64 = 1 << 20;

/// How much a large file may cost in memory.
const MEMORY_MIB: u64 = 32;

pub(super) fn bed() -> Bed {
    Bed::new("", &[])
}

/// An upload under way.
pub(super) struct Sending(UnixStream);

impl Sending {
    /// `size` without one: in chunks of HTTP.
    pub(super) fn begin(bed: &Bed, path: &str, size: Option<u64>) -> Self {
        let mut stream = UnixStream::connect(bed.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let length = size.map_or("transfer-encoding: chunked".to_owned(), |size| format!("content-length: {size}"));
        write!(stream, "PUT {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{length}\r\n\r\n").unwrap();
        Self(stream)
    }

    /// Whether the daemon still wants it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    fn send_chunk(&mut self, bytes: &[u8]) -> bool {
        self.send(format!("{:x}\r\n", bytes.len()).as_bytes()) && self.send(bytes) && self.send(b"\r\n")
    }

    /// Sends the rest of it; the status.
    pub(super) fn sent(mut self, bytes: &[u8]) -> u16 {
        self.send(bytes);
        self.answer().0
    }

    /// Status and body.
    pub(super) fn answer(mut self) -> (u16, Value) {
        let mut text = String::new();
        let _ = self.0.read_to_string(&mut text);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

/// A part of the content that nothing compresses and no two places of the file share.
pub(super) fn piece(number: u64) -> Vec<u8> {
    let mut random = Random(number);
    (0..MIB / 8).flat_map(|_| random.next().to_le_bytes()).collect()
}

/// The most memory that the daemon has had so far, in MiB.
fn peak(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

pub(super) fn names(directory: &Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(directory).map_or(Vec::new(), |entries| entries.map(|entry| entry.unwrap()).collect());
    entries.iter().map(|entry| entry.file_name().into_string().unwrap()).collect()
}

pub(super) fn artifacts(bed: &Bed) -> std::path::PathBuf {
    bed.data_file().parent().unwrap().join("artifacts")
}

/// Names of all content.
pub(super) fn contents(bed: &Bed) -> Vec<String> {
    let shelves = artifacts(bed).join("sha256");
    names(&shelves).iter().flat_map(|shelf| names(&shelves.join(shelf))).collect()
}

#[test]
fn a_large_file_takes_no_memory_either_way() {
    const PIECES: u64 = 256;
    let bed = bed();
    registered(&bed, &["v1"]);
    let daemon = bed.start();
    // What any request costs once.
    assert_eq!(Sending::begin(&bed, &file("v1", "small"), Some(1)).sent(b"x"), 201);
    let before = peak(&daemon);
    let mut sending = Sending::begin(&bed, &file("v1", "large"), Some(PIECES * MIB));
    let mut hash = Sha256::new();
    for number in 0..PIECES {
        let piece = piece(number);
        hash.update(&piece);
        assert!(sending.send(&piece), "the daemon left");
    }
    let (status, answer) = sending.answer();
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((status, answer["sha256"].as_str()), (201, Some(digest.as_str())), "{answer}");
    let taken = peak(&daemon);
    assert!(taken < before + MEMORY_MIB, "taking 256 MiB in cost {} MiB of memory", taken - before);

    let mut stream = UnixStream::connect(bed.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let path = file("v1", "large");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let (mut hash, mut head, mut chunk, mut size) = (Sha256::new(), Vec::new(), vec![0; 64 << 10], 0);
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    loop {
        let read = stream.read(&mut chunk).unwrap();
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
        size += read as u64;
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((size, found), (PIECES * MIB, digest));
    let given = peak(&daemon);
    assert!(given < before + MEMORY_MIB, "handing 256 MiB out cost {} MiB of memory", given - before);
    daemon.stop();
}

#[test]
fn what_breaks_off_leaves_nothing() {
    let bed = bed();
    registered(&bed, &["v1"]);
    let daemon = bed.start();
    let mut sending = Sending::begin(&bed, &file("v1", "m"), Some(4 * MIB));
    assert!(sending.send(&piece(1)));
    let incoming = artifacts(&bed).join("incoming");
    wait_for("the upload has begun", || names(&incoming).len() == 1);
    drop(sending);
    wait_for("nothing is left of it", || names(&incoming).is_empty());
    assert_eq!(contents(&bed), [""; 0]);
    let manifest = daemon.ask("GET", &format!("/api/models/{MODEL}/versions/v1/artifacts"), &Value::Null).1;
    assert_eq!(manifest["files"].as_array().unwrap().len(), 0, "{manifest}");
    // And one that dies with the daemon.
    let mut sending = Sending::begin(&bed, &file("v1", "m"), Some(4 * MIB));
    assert!(sending.send(&piece(1)));
    wait_for("the upload has begun", || names(&incoming).len() == 1);
    daemon.kill();
    assert_eq!(names(&incoming).len(), 1);
    let daemon = bed.start();
    assert_eq!(names(&incoming), [""; 0]);
    assert_eq!(Sending::begin(&bed, &file("v1", "m"), Some(3)).sent(b"abc"), 201);
    daemon.stop();
}

#[test]
fn several_files_at_once_and_the_same_content_twice() {
    const EACH: usize = 4;
    let bed = bed();
    registered(&bed, &["v1", "v2"]);
    let daemon = bed.start();
    let begin = Barrier::new(2 * EACH);
    let (begin, bed_at) = (&begin, &bed);
    std::thread::scope(|scope| {
        for version in ["v1", "v2"] {
            for number in 0..EACH {
                scope.spawn(move || {
                    let content = piece(number as u64 / 2);
                    let mut sending = Sending::begin(bed_at, &file(version, &format!("part{number}")), Some(MIB));
                    assert!(sending.send(&content[..1_000]));
                    begin.wait();
                    assert_eq!(sending.sent(&content[1_000..]), 201, "{version} {number}");
                });
            }
        }
    });
    assert_eq!((contents(&bed).len(), names(&artifacts(&bed).join("incoming")).len()), (EACH / 2, 0));
    for version in ["v1", "v2"] {
        let path = format!("/api/models/{MODEL}/versions/{version}/verify");
        let (status, found) = daemon.ask("POST", &path, &Value::Null);
        assert_eq!((status, &found["sound"], found["files"].as_array().unwrap().len()), (200, &true.into(), EACH));
    }
    daemon.stop();
}

#[test]
fn a_full_disk_refuses_and_the_feed_goes_on() {
    let bed = bed();
    let _disk = Disk::over(&bed, 96);
    registered(&bed, &["v1"]);
    let daemon = bed.start();
    // Said beforehand, it is refused beforehand.
    let (status, answer) = Sending::begin(&bed, &file("v1", "m"), Some(90 * MIB)).answer();
    assert_eq!(status, 503, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("is full"), "{answer}");
    assert!(!artifacts(&bed).join("incoming").exists() || names(&artifacts(&bed).join("incoming")).is_empty());
    // Not said, it is refused on the way.
    let mut sending = Sending::begin(&bed, &file("v1", "m"), None);
    let wanted = (0..90).take_while(|number| sending.send_chunk(&piece(*number))).count();
    let (status, answer) = sending.answer();
    assert_eq!(status, 503, "{answer}, after {wanted} MiB");
    assert!(answer["detail"].as_str().unwrap().contains("is full"), "{answer}");
    wait_for("nothing is left of it", || names(&artifacts(&bed).join("incoming")).is_empty());
    // The data file has still room to work with.
    let event = r#"{"unit": "u", "message": "BUY INJUSDT"}"#;
    let published = ask(&bed.socket(), "POST", "/api/events", &[("content-type", "application/json")], event);
    assert_eq!(published.expect("an answer").status, 202);
    assert_eq!(Sending::begin(&bed, &file("v1", "m"), Some(3)).sent(b"abc"), 201);
    daemon.stop();
}

#[cfg(feature = "failpoints")]
#[test]
fn a_death_between_the_place_and_the_manifest_leaves_nothing() {
    let bed = bed();
    registered(&bed, &["v1"]);
    let mut daemon = bed.spawn("artifacts.placed=return");
    daemon.wait("an answer", |_| true);
    let mut sending = Sending::begin(&bed, &file("v1", "m"), Some(3));
    sending.send(b"abc");
    daemon.wait_end();
    drop(sending);
    assert_eq!((contents(&bed).len(), names(&artifacts(&bed).join("incoming")).len()), (1, 1));
    let daemon = bed.start();
    assert_eq!((contents(&bed).len(), names(&artifacts(&bed).join("incoming")).len()), (0, 0));
    assert_eq!(Sending::begin(&bed, &file("v1", "m"), Some(3)).sent(b"abc"), 201);
    let content = artifacts(&bed).join("sha256/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(std::fs::metadata(content).unwrap().mode() & 0o777, 0o440);
    daemon.stop();
}
