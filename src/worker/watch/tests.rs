use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::*;
use crate::http::client::Client;
use crate::worker::Beats;

/// A daemon, or somebody else, who answers everything alike; how often it was asked.
fn answers(directory: &tempfile::TempDir, status: &str, body: &str) -> (Daemon, Arc<AtomicU32>) {
    let socket = directory.path().join("api.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let counts = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut heard = Vec::new();
            let mut piece = [0; 4096];
            // Its body follows the empty line, and ends with the outer brace.
            while !(heard.windows(4).any(|four| four == b"\r\n\r\n") && heard.ends_with(b"}")) {
                match stream.read(&mut piece) {
                    Ok(read @ 1..) => heard.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            counts.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (Daemon::new(Client::new(socket)), asked)
}

/// Waits, and keeps this thread, until `done`.
#[track_caller]
fn wait(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn beats_wait_for_nothing_else_that_a_worker_does() {
    let directory = tempfile::tempdir().unwrap();
    let (daemon, asked) = answers(&directory, "200 OK", r#"{"cancelled": null, "lease_seconds": 1}"#);
    let (_beats, beats) = Beats::start().unwrap();
    let watch = Watch::start(&beats, daemon, JobId(7), 1, 1);
    // This thread is the only one of the runtime that all the rest runs on.
    wait("the fourth beat", || asked.load(Ordering::SeqCst) > 3);
    assert_eq!(*watch.word().borrow(), Word::Go);
}

#[tokio::test]
async fn a_proxy_that_knows_no_way_takes_no_job_away() {
    let directory = tempfile::tempdir().unwrap();
    let (daemon, asked) = answers(&directory, "404 Not Found", "<h1>404 page not found</h1>");
    let (_beats, beats) = Beats::start().unwrap();
    let watch = Watch::start(&beats, daemon, JobId(7), 1, 1);
    wait("the third beat", || asked.load(Ordering::SeqCst) > 2);
    assert_eq!(*watch.word().borrow(), Word::Unasked);
}

#[tokio::test]
async fn the_daemon_itself_does_and_nothing_begins_then() {
    let directory = tempfile::tempdir().unwrap();
    let (daemon, _) = answers(&directory, "409 Conflict", r#"{"detail": "it is another's", "code": "stale"}"#);
    let (_beats, beats) = Beats::start().unwrap();
    let watch = Watch::start(&beats, daemon, JobId(7), 1, 1);
    let (mut word, (_end, mut ends)) = (watch.word(), watch::channel(false));
    let waiting = async {
        tokio::select! {
            _ = watch.fresh() => panic!("it is fresh"),
            halt = crate::worker::program::halted(&mut word, &mut ends) => halt,
        }
    };
    let halt = tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("whoever waits for it is told");
    assert_eq!(halt, crate::worker::program::Halt::Stale("it is another's".to_owned()));
}
