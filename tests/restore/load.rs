//! Backups that are taken while events come in: each holds a moment, and comes back as that moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::id::EventId;
use quantum_clm::observe::now;
use quantum_clm::store::{Store, StoreError};

use super::{backup_of, restored};
use crate::support::daemon::Bed;
use crate::support::feed::{line, number_of};
use crate::support::wait_for;

/// Commits numbered events until it is told to end.
fn write(store: &Store, written: &AtomicU64, ended: &AtomicBool) {
    let mut number = 0;
    while !ended.load(Ordering::Relaxed) {
        let mut batch = EventBatch::new();
        for _ in 0..50 {
            batch.push(line(number, &format!("line {number} ")));
            number += 1;
        }
        let stored = store.write::<_, StoreError>(|txn| {
            batch.number(txn.feed().last.first_at(now()));
            txn.append(&batch)?;
            txn.finish_feed(None)
        });
        stored.expect("a commit");
        written.store(number, Ordering::Relaxed);
    }
}

/// Ends the writer also when the test fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn each_backup_of_a_busy_file_comes_back_as_its_moment() {
    let bed = Bed::new("", &[]);
    let backups = tempfile::tempdir().unwrap();
    let store = Store::open(bed.data_file()).expect("a new file");
    let (written, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut taken = Vec::new();
    std::thread::scope(|threads| {
        let ending = Ending(&ended);
        threads.spawn(|| write(&store, &written, &ended));
        for round in 1..=5 {
            wait_for("events come in", || written.load(Ordering::Relaxed) >= round * 500);
            let before = written.load(Ordering::Relaxed);
            let path = backup_of(&store, backups.path(), &[]);
            taken.push((path, before, written.load(Ordering::Relaxed)));
        }
        drop(ending);
    });
    store.close();

    for (path, before, after) in taken {
        let said = restored(&bed, &path, &[]);
        let store = Store::open(bed.data_file()).expect("a whole file");
        let mut numbers = Vec::new();
        let mut last = EventId::ZERO;
        loop {
            let events = store.events_after(last, 10_000).expect("events");
            let Some(end) = events.len().checked_sub(1).and_then(|at| events.get(at)) else { break };
            last = end.id;
            numbers.extend(events.iter().map(|event| number_of(event.message)));
        }
        store.close();
        let count = numbers.len() as u64;
        assert!(numbers == (0..count).collect::<Vec<_>>(), "{} has not each line once", path.display());
        // A commit may be told of only after the backup has begun.
        assert!(before <= count && count <= after + 50, "{count} events of a moment between {before} and {after}");
        assert_eq!(said["difference"]["events"]["then"], count);
    }
}
