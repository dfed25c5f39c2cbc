use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quantum_clm::domain::id::EventId;
use quantum_clm::store::Store;

use super::bed::{ALL, Bed, append, look, make};
use crate::support::feed::number_of;

/// Lines a second, and in a commit.
const PACE: u64 = 5_000;
const A_COMMIT: u64 = 100;

#[test]
fn backups_under_load_are_whole_and_hold_what_was_there() {
    let of = |name, usual| std::env::var(name).map_or(usual, |number| number.parse().expect("a number"));
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
                let due = Duration::from_micros(sent * 1_000_000 / PACE);
                thread::sleep(due.saturating_sub(began.elapsed()));
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

/// How many lines there are: all from the first on, without a hole.
fn numbers(store: &Store) -> u64 {
    let (mut after, mut next) = (EventId::ZERO, 0);
    loop {
        let events = store.events_after(after, 10_000).expect("events");
        for event in events.iter() {
            assert_eq!(number_of(event.message), next, "a prefix has no hole");
            next += 1;
            after = event.id;
        }
        if events.is_empty() {
            return next;
        }
    }
}
