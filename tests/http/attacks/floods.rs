use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

/// Lets this process hold so many sockets.
fn allow(files: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        let wanted = Rlimit { current: Some(files), maximum: limit.maximum };
        let allowed = setrlimit(Resource::Nofile, wanted);
        assert!(allowed.is_ok(), "this test holds {files} files open: raise the hard limit (ulimit -Hn): {allowed:?}");
    }
}

/// Connections that send `start` and then nothing. Those that the server has closed already are kept like the others.
fn hold(target: &Target, count: usize, start: &str) -> Vec<TcpStream> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = target.connect();
        let _ = stream.write_all(start.as_bytes());
        held.push(stream);
    }
    held
}

fn resident_kib(target: &Target) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", target.daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn open_files(target: &Target) -> usize {
    fs::read_dir(format!("/proc/{}/fd", target.daemon.id())).unwrap().count()
}

/// Nobody had to wait until the idle ones ended by themselves.
#[track_caller]
fn assert_made_room(target: &Target) {
    let evicted = target.daemon.metric("quantum_clm_connections_evicted_total");
    assert!(evicted > Some(0), "no connection made room: {evicted:?}");
}

#[test]
fn ten_thousand_idle_connections_lock_nobody_out() {
    allow(10_500);
    let target = Target::new(&[]);
    target.answers();
    let before = resident_kib(&target);
    let mut held = Vec::new();
    let half_a_head = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nX: ", target.at);
    for start in ["", "G", &half_a_head, "\r\n"] {
        held.extend(hold(&target, 2_500, start));
        // In the middle of it, too, and more than once.
        for _ in 0..5 {
            target.answers();
        }
    }
    assert_eq!(held.len(), 10_000);
    let (after, files) = (resident_kib(&target), open_files(&target));
    assert_made_room(&target);
    eprintln!("10,000 idle connections: resident {before} KiB before, {after} KiB after; {files} files open");
    assert!(files < 1_300, "{files} files are open");
    assert!(after.saturating_sub(before) < 64 << 10, "resident: {before} KiB before, {after} KiB after");
    drop(held);
    target.answers();
}

#[test]
fn a_connection_that_asks_now_and_then_outlives_those_that_do_not() {
    allow(4_000);
    let target = Target::new(&[]);
    let mut regular = target.connect();
    let ask = |stream: &mut TcpStream| {
        write!(stream, "GET /nothing HTTP/1.1\r\nHost: {}\r\n\r\n", target.at).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).expect("an answer over the connection that asks");
            assert!(read > 0, "the connection that asks was closed");
            answer.extend_from_slice(&bytes[..read]);
        }
    };
    let mut held = Vec::new();
    // Often enough that a loaded machine does not make it one that is silent for long.
    for _ in 0..60 {
        ask(&mut regular);
        held.extend(hold(&target, 50, ""));
    }
    ask(&mut regular);
}

#[test]
fn slow_bodies_in_all_places_lock_nobody_out() {
    allow(4_000);
    let target = Target::new(&[]);
    // Each would have ten seconds; nobody else is to wait for that.
    let start = format!("POST /csp-report HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n\r\n{{", target.at);
    let _held = hold(&target, 2_000, &start);
    let mut stream = target.connect();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", target.at).unwrap();
    assert_eq!(read(&mut stream).status(), 200);
    target.answers();
    assert_made_room(&target);
}

#[test]
fn a_crowd_on_the_socket_does_not_touch_the_network_and_the_other_way_round() {
    let target = Target::new(&[]);
    let _crowd: Vec<_> = (0..200).map(|_| UnixStream::connect(target.bed.socket()).unwrap()).collect();
    target.answers();
}
