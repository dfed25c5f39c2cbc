//! Each number once, in order, in store and stream, whatever dies in between.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Numbered, assert_mirrored, assert_stored, intent_messages, this_hour};
use crate::support::daemon::{Bed, Daemon, UNITS};
use crate::support::redis::RedisServer;
use crate::support::{Random, wait_for};

/// How far the journal may grow, and how far it has.
struct Ground {
    marks: Mutex<Marks>,
    moved: Condvar,
}

#[derive(Clone, Copy)]
struct Marks {
    allowed: u64,
    written: u64,
    ended: bool,
}

impl Ground {
    fn allow(&self, more: u64) {
        self.marks.lock().unwrap().allowed += more;
        self.moved.notify_all();
    }

    fn marks(&self) -> Marks {
        *self.marks.lock().unwrap()
    }
}

/// Ends the writer also when the test fails: a scope waits for its threads.
struct Ending<'a>(&'a Ground);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.marks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).ended = true;
        self.0.moved.notify_all();
    }
}

/// Writes up to what is allowed, in pieces, and rotates now and then, beside the daemon.
fn write(journal: &mut Numbered, ground: &Ground, mut random: Random, total: u64) {
    loop {
        let marks = ground
            .moved
            .wait_while(ground.marks.lock().unwrap(), |marks| marks.written >= marks.allowed && !marks.ended);
        let marks = *marks.unwrap();
        if marks.written >= marks.allowed {
            return;
        }
        let piece = (random.below(400) + 1).min(marks.allowed - marks.written);
        journal.append(piece);
        // Each third of the run happens in an hour of its own.
        if journal.next / (total / 3) != (journal.next - piece) / (total / 3) && journal.next < total {
            journal.writer.clock += super::HOUR;
        }
        if random.below(12) == 0 {
            journal.writer.rotate();
        }
        ground.marks.lock().unwrap().written = journal.next;
    }
}

/// When the daemon is killed. The moments are random within a phase; that is what is tested.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Within a moment after its start: while it opens the file, looks for its place, binds.
    Start,
    /// After some events of what was written while it was away.
    CatchUp,
    /// At the end of the journal, after some events of what is written just then.
    Follow,
    /// Just when the data file changes.
    Commit,
}

const PHASES: [Phase; 4] = [Phase::Start, Phase::CatchUp, Phase::Follow, Phase::Commit];

struct Run<'a> {
    bed: &'a Bed,
    ground: &'a Ground,
    random: Random,
    /// Events known to be stored.
    stored: u64,
}

impl Run<'_> {
    /// Starts the daemon, lets `share` more lines be written, and kills it somewhere in `phase`.
    fn round(&mut self, phase: Phase, share: u64) {
        match phase {
            Phase::Start => {
                self.ground.allow(share);
                let daemon = self.bed.spawn("");
                // The random delay is the moment of death itself.
                std::thread::sleep(Duration::from_micros(self.random.below(120_000)));
                daemon.kill();
            }
            Phase::CatchUp => {
                self.ground.allow(share);
                wait_for("the journal grows", || {
                    let marks = self.ground.marks();
                    marks.written >= marks.allowed
                });
                let mut daemon = self.bed.start();
                let from = daemon.events().unwrap_or(self.stored);
                let left = self.ground.marks().allowed.saturating_sub(from).max(1);
                let until = from + self.random.below(left);
                daemon.wait_events(until);
                self.end(daemon);
            }
            Phase::Follow => {
                let mut daemon = self.bed.start();
                daemon.wait_events(self.ground.marks().written);
                let from = self.ground.marks().allowed;
                self.ground.allow(share);
                let until = from + self.random.below(share);
                daemon.wait_events(until);
                self.end(daemon);
            }
            Phase::Commit => {
                let mut daemon = self.bed.start();
                daemon.wait_events(self.stored);
                let changed = || std::fs::metadata(self.bed.data_file()).unwrap().modified().unwrap();
                let before: SystemTime = changed();
                self.ground.allow(share);
                let commits = self.random.below(3) + 1;
                let mut seen = (before, 0);
                // All of it may be in the first commit: then there is no third to wait for.
                wait_for("a commit, or all of it stored", || {
                    let now = changed();
                    if now != seen.0 {
                        seen = (now, seen.1 + 1);
                    }
                    seen.1 >= commits || daemon.events().is_some_and(|events| events >= self.ground.marks().allowed)
                });
                daemon.kill();
            }
        }
    }

    fn end(&mut self, daemon: Daemon) {
        self.stored = daemon.events().unwrap_or(self.stored);
        daemon.kill();
    }
}

#[test]
fn every_number_once_in_store_and_stream() {
    let kills: u64 = std::env::var("QUANTUM_CLM_SOAK_KILLS").map_or(25, |kills| kills.parse().expect("a number"));
    let seed = std::env::var("QUANTUM_CLM_SOAK_SEED")
        .map_or_else(|_| quantum_clm::observe::now().0, |seed| seed.parse().expect("a number"));
    // Shown when the test fails.
    println!("QUANTUM_CLM_SOAK_SEED={seed} QUANTUM_CLM_SOAK_KILLS={kills}");
    let mut random = Random(seed);
    let total = 50_000.max(kills * 200);
    let redis_restarts = 5.max(kills / 5);

    let mut redis = RedisServer::started(&[]);
    let bed = Bed::new(
        &redis.url(),
        &["events.commit_interval = \"50ms\"", &format!("redis.maxlen = {}", (total * 2).max(200_000))],
    );
    // Two hours ago, one hour ago, this hour.
    let mut journal = Numbered::new(&bed, this_hour() - 2 * super::HOUR);
    let ground = Ground { marks: Mutex::new(Marks { allowed: 0, written: 0, ended: false }), moved: Condvar::new() };
    std::thread::scope(|threads| {
        let ending = Ending(&ground);
        let writes = Random(random.next());
        let (writer_journal, writer_ground) = (&mut journal, &ground);
        threads.spawn(move || write(writer_journal, writer_ground, writes, total));

        // A first life until Redis has something: what is killed later has a past.
        ground.allow(1_000);
        let mut daemon = bed.start();
        daemon.wait_events(1_000);
        daemon.kill();
        let mut run = Run { bed: &bed, ground: &ground, random: Random(random.next()), stored: 1_000 };
        let share = (total - 1_000) / kills;
        let mut restarts = 0;
        for kill in 1..=kills {
            // Every few rounds Redis restarts, in order or not, before the round or behind its back.
            let restart = restarts < kill * redis_restarts / kills;
            let save = random.below(2) == 0;
            let away = random.below(2) == 0;
            if restart {
                restarts += 1;
                if save {
                    redis.stop(true)
                } else {
                    redis.kill()
                }
                if !away {
                    redis.start();
                }
            }
            run.round(PHASES[random.below(4) as usize], share);
            if restart && away {
                redis.start();
            }
        }
        assert!(restarts >= 5, "Redis restarted {restarts} times only");
        ground.allow(total - ground.marks().allowed);
        drop(ending);
    });
    journal.writer.sync();
    assert_eq!(journal.next, total);

    let mut daemon = bed.start();
    daemon.wait_events(total);
    wait_for("Redis has all events", || redis.run::<u64>(&["XLEN", super::STREAM]) >= total);
    let status = daemon.status().unwrap();
    assert_eq!((&status["gaps"], &status["events"]), (&0.into(), &total.into()), "gaps, events");
    daemon.stop();

    assert_stored(&bed, &journal);
    assert_mirrored(&bed, &mut redis, &journal);
    // An intent's message may go with a Redis that was killed, but it is never there twice.
    let mut intents: Vec<String> = intent_messages(&mut redis).iter().map(ToString::to_string).collect();
    let all = intents.len();
    intents.sort();
    intents.dedup();
    assert_eq!(intents.len(), all, "an intent's message twice");
    let listed = bed.run(&["intents", "--json", "--data-file", bed.data_file().to_str().unwrap()]).json();
    let hour = super::hour_of(this_hour()).to_string();
    for unit in UNITS {
        let intents = listed["intents"].as_array().unwrap();
        let of_unit = |intent: &&Value| intent["subject"] == unit && intent["severity"] == "high";
        assert!(
            intents.iter().any(|intent| of_unit(&intent)),
            "no intent of {unit}, whose errors in {hour} are too many"
        );
    }
}
