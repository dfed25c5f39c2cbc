use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quantum_clm::domain::id::EventId;
use quantum_clm::store::Store;

use super::bed::{ALL, Bed, append, look, make, verify_command};
use super::daemon::{ask, over};
use crate::support::daemon::{self, UNITS};
use crate::support::feed::number_of;
use crate::support::journal::JournalWriter;

/// Lines a second, and in a commit.
const PACE: u64 = 5_000;
const A_COMMIT: u64 = 100;
/// Lines that journald shows at once, four times a second.
const A_BURST: u64 = PACE / 4;

fn of(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |number| number.parse().expect("a number"))
}

/// Waits until `sent` things are due.
fn pace(began: Instant, sent: u64) {
    let due = Duration::from_micros(sent * 1_000_000 / PACE);
    thread::sleep(due.saturating_sub(began.elapsed()));
}

#[test]
fn backups_under_load_are_whole_and_hold_what_was_there() {
    let (rounds, events) = (of("QUANTUM_CLM_SOAK_BACKUPS", 8), of("QUANTUM_CLM_SOAK_EVENTS", 20_000));
    let bed = Bed::new(events);
    let app = bed.app();
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(events));
    let store: &Arc<Store> = &app.store;
    thread::scope(|scope| {
        let feed = scope.spawn(|| {
            let began = Instant::now();
            let mut sent = 0;
            while !stop.load(Ordering::SeqCst) {
                append(store, written.load(Ordering::SeqCst), A_COMMIT);
                written.fetch_add(A_COMMIT, Ordering::SeqCst);
                sent += A_COMMIT;
                pace(began, sent);
            }
            (sent, began.elapsed())
        });
        for round in 0..rounds {
            let before = written.load(Ordering::SeqCst);
            let began = Instant::now();
            let created = make(store, &bed.place(), &ALL, &|_| {}).unwrap_or_else(|error| panic!("{round}: {error}"));
            let took = began.elapsed();
            let after = written.load(Ordering::SeqCst) + A_COMMIT;
            let path = bed.place().backup(created.manifest.id);
            let report = look(&path, true);
            assert!(report.is_whole(), "{round}: {:?}", report.findings);
            let copy = Store::open_for_reading(&path.join("quantum.redb")).expect("a data file");
            let held = numbers(&copy);
            assert!((before..=after).contains(&held), "{round}: {held} of {before} to {after}");
            assert_eq!((copy.feed().events, created.manifest.feed.events), (held, held), "{round}");
            copy.close();
            let size = created.manifest.data.size;
            let file = std::fs::metadata(bed.data_file()).expect("a file").len();
            println!("{round}: {held} events, {size} bytes in {took:?}; the data file has {file}");
            if round % 5 == 4 {
                // What was looked at makes room.
                std::fs::remove_dir_all(&path).expect("a removal");
            }
        }
        stop.store(true, Ordering::SeqCst);
        let (sent, took) = feed.join().expect("the feed");
        println!("{sent} events in {took:?}");
    });
    app.close();
}

#[test]
fn backups_by_the_daemon_while_the_journal_fills_hold_what_was_there() {
    let (rounds, at_first) = (of("QUANTUM_CLM_SOAK_BACKUPS", 3), of("QUANTUM_CLM_SOAK_EVENTS", 20_000));
    let bed = daemon::Bed::new("", &["backup.keep_last = 1000", "events.retention_days = 3650"]);
    let mut journal = JournalWriter::new(&bed.journal());
    journal.number(UNITS[0], 0..at_first);
    let mut daemon = bed.start();
    daemon.wait_events(at_first);
    let stop = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let feed = scope.spawn(|| {
            let (began, mut written) = (Instant::now(), at_first);
            while !stop.load(Ordering::SeqCst) {
                journal.number(UNITS[0], written..written + A_BURST);
                written += A_BURST;
                pace(began, written - at_first);
            }
            println!("{written} lines in {:?}", began.elapsed());
            written
        });
        let finished = StopAtEnd(&stop);
        for round in 0..rounds {
            let before = daemon.events().expect("a number of events");
            let began = Instant::now();
            let made = over(&daemon, ask(&daemon)["attempt"].as_u64().expect("an attempt"));
            let took = began.elapsed();
            assert_eq!(made["state"], "done", "{round}: {made}");
            let path = bed.backups().join(made["backup"].as_str().expect("a backup"));
            let output = verify_command(&path, &[]);
            assert!(output.status.success(), "{round}: {output:?}");
            let copy = Store::open_for_reading(&path.join("quantum.redb")).expect("a data file");
            let held = numbers(&copy);
            assert_eq!(Some(copy.feed().events), made["events"].as_u64(), "{round}: {made}");
            copy.close();
            assert!(made["events"].as_u64() >= Some(before), "{round}: {before} events were there before: {made}");
            println!("{round}: {held} lines in {took:?}, {} events stored", daemon.events().unwrap_or_default());
            if rounds > 10 && round % 10 != 9 {
                std::fs::remove_dir_all(&path).expect("a removal");
            }
        }
        drop(finished);
        feed.join().expect("the feed")
    });
    journal.sync();
    daemon.wait("every line", |status| status["events"].as_u64() >= Some(written));
    daemon.stop();
    let store = Store::open_for_reading(bed.data_file()).expect("a data file");
    assert_eq!(numbers(&store), written, "lines in the end");
}

/// Ends the feed also where a test fails, which would otherwise wait for it for ever.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How many lines there are: all from the first on, without a hole. What the program says of itself does not count.
fn numbers(store: &Store) -> u64 {
    let (mut after, mut next) = (EventId::ZERO, 0);
    loop {
        let events = store.events_after(after, 10_000).expect("events");
        for event in events.iter() {
            if event.source != "quantum_clm" {
                assert_eq!(number_of(event.message), next, "a prefix has no hole");
                next += 1;
            }
            after = event.id;
        }
        if events.is_empty() {
            return next;
        }
    }
}
