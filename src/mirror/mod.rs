//! Redis: the events' stream, hourly counters, intents and the event bus out; the bus's subscriptions in (`subscribe`).
//!
//! A follower of the store. It never asks the pipeline for anything and holds nothing of it up; while Redis is away the
//! store is the queue. Where it stands is found by looking at the streams (`events.rs`, `intents.rs`, `bus.rs`), the
//! position in the store is a hint that is saved now and then.

mod backoff;
mod batch;
mod bus;
mod condition;
mod connection;
mod counters;
mod cut;
mod encode;
mod events;
mod history;
mod intents;
mod place;
mod probe;
mod resp;
mod returned;
mod settings;
mod stats;
mod stream;
mod subscribe;
mod takeover;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

pub use self::history::{HistoryEntry, HistoryReader, Writer, predecessor_runs};
pub use self::probe::{Seen, Trouble as ProbeTrouble, probe};
pub use self::settings::{MirrorSettings, Timing};
pub use self::stats::MirrorStats;
pub use self::subscribe::{Arrival, Fate, Inlet, Standing, Subscriptions};

use self::backoff::Backoff;
use self::bus::Bus;
use self::condition::MirrorError;
use self::connection::Connection;
use self::events::Events;
use self::intents::Intents;
use self::place::Taken;
use self::returned::Returned;
use self::takeover::Quiet;
use crate::config::{MirrorMode, RedisAddress, RedisTarget};
use crate::domain::id::EventId;
use crate::domain::predecessor::UNITS;
use crate::domain::time::Micros;
use crate::observe::now;
use crate::observe::status::Reporter;
use crate::store::{EventFilter, FollowerPosition, Store, StoreError, WriteTxn};

/// The follower's name in the store.
pub const FOLLOWER: &str = "redis";

/// The row that says, in its note, that the stream was given back to the predecessor: the next mirror takes it over anew.
const GIVEN_BACK: &str = "redis-given-back";

/// Notes that the stream is given back. The mirror that runs meanwhile goes on until it is stopped.
pub fn give_back(txn: &WriteTxn) -> Result<(), StoreError> {
    txn.put_follower(GIVEN_BACK, &FollowerPosition { note: "yes".to_owned(), ..everything_sent() })
}

/// Whether the stream is given back, and no mirror has taken it over since.
pub fn is_given_back(store: &Store) -> Result<bool, StoreError> {
    Ok(!store.follower(GIVEN_BACK)?.note.is_empty())
}

/// A row that keeps no message of the outbox waiting.
fn everything_sent() -> FollowerPosition {
    FollowerPosition { event: EventId::ZERO, outbox: u64::MAX, note: String::new() }
}

/// The mirror, before it runs.
pub struct Mirror {
    store: Arc<Store>,
    settings: MirrorSettings,
    reporter: Reporter,
    stats: Arc<MirrorStats>,
    events: Events,
    intents: Intents,
    bus: Bus,
    /// Which Redis it is.
    server: String,
    /// The position as the store has it.
    saved: FollowerPosition,
    saved_at: Instant,
    /// Set once the stream is ours.
    taken: Option<Taken>,
    /// What fails although Redis answers: the counters, the intents or the bus, apart from the events.
    trouble: [Option<Trouble>; 3],
    counters_at: Instant,
    returned: Returned,
    /// Whether the next save is the first after a takeover.
    begins: bool,
}

/// A part that Redis refuses, and when it is tried again.
#[derive(Debug)]
struct Trouble {
    summary: String,
    remedy: String,
    again: Instant,
}

const INTENTS: usize = 0;
const COUNTERS: usize = 1;
const BUS: usize = 2;

/// The parts as health names them.
const PARTS: [&str; 3] = ["intents", "counters", "event bus"];

impl Mirror {
    /// A mirror of `store`. It reports to `reporter` and counts in `stats`.
    pub fn new(store: Arc<Store>, settings: MirrorSettings, reporter: Reporter, stats: Arc<MirrorStats>) -> Self {
        let events = Events::new(
            store.clone(),
            stats.clone(),
            settings.redis.stream.clone(),
            settings.redis.maxlen,
            settings.timing.answer,
        );
        let intents = Intents {
            store: store.clone(),
            stats: stats.clone(),
            key: settings.redis.intent_stream.clone(),
            consumer: settings.consumer.clone(),
            sent: 0,
        };
        let bus = Bus::new(store.clone(), stats.clone(), settings.timing.backoff_most);
        let server = RedisTarget::parse(&settings.redis.url).map(|target| target.place()).unwrap_or_default();
        let returned = Returned::new(store.clone(), settings.systemctl.clone(), settings.timing.predecessor);
        Self {
            store,
            settings,
            server,
            reporter,
            stats,
            events,
            intents,
            bus,
            saved: FollowerPosition::default(),
            saved_at: Instant::now(),
            taken: None,
            trouble: [None, None, None],
            counters_at: Instant::now(),
            returned,
            begins: false,
        }
    }

    /// Mirrors until `shutdown` becomes true: then it sends what is committed, as far as it gets within
    /// [`Timing::drain`], and saves its position.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let off = match self.settings.redis.mirror {
            MirrorMode::Off => Some("redis.mirror is off"),
            _ if self.settings.redis.url.is_empty() => Some("redis.url is empty"),
            _ => None,
        };
        if let Some(key) = off {
            self.reporter.off(format!("nothing is written to Redis: {key}"));
            stopped(&mut shutdown).await;
            return;
        }
        let mut backoff = Backoff::new(self.settings.timing.backoff_first, self.settings.timing.backoff_most);
        let drain = self.settings.timing.drain;
        loop {
            let mut signal = shutdown.clone();
            let given_up = async {
                stopped(&mut signal).await;
                sleep(drain).await;
            };
            let error = tokio::select! {
                ended = self.session(&mut shutdown, &mut backoff) => match ended {
                    Ok(()) => break,
                    Err(error) => error,
                },
                () = given_up => break,
            };
            self.stats.add_errors(1);
            let summary = error.summary();
            if matches!(&error, MirrorError::Refused(line) if line.starts_with("LOADING")) {
                self.reporter.warn(summary, error.remedy());
            } else {
                self.reporter.failed(summary, error.remedy());
            }
            self.show_lag().await;
            if is_stopping(&shutdown) {
                break;
            }
            tokio::select! {
                () = sleep(backoff.pause()) => {}
                () = stopped(&mut shutdown) => break,
            }
        }
        if let Err(error) = self.save().await {
            self.reporter.error(error.to_string());
        }
    }

    /// One connection, for as long as it lasts. `Ok` when the signal to stop came and everything is sent.
    async fn session(
        &mut self,
        shutdown: &mut watch::Receiver<bool>,
        backoff: &mut Backoff,
    ) -> Result<(), MirrorError> {
        self.events.doubt();
        self.load().await?;
        self.show_lag().await;
        let mut connection = Connection::open(&self.settings.redis, self.settings.timing.answer).await?;
        self.stats.add_connections(1);
        // What the last connection took may be lost with a Redis that was started again.
        self.store.counter_changes().all();
        self.trouble = [None, None, None];
        self.bus.doubt();
        self.counters_at = Instant::now();
        let Some(taken) = self.take_over(&mut connection, shutdown, backoff).await? else { return Ok(()) };
        let mut committed = self.store.committed();
        loop {
            let stopping = is_stopping(shutdown);
            committed.borrow_and_update();
            // Before the events: it is little, and says what is in production, also while a long catch-up is sent or the
            // events' own stream is refused.
            if self.may_try(BUS) {
                let sent = self.bus.send(&mut connection).await;
                self.part(BUS, sent.map(|()| false))?;
            }
            self.events.send(&mut connection, &taken, self.saved.event).await?;
            self.let_go();
            self.returned.look().await;
            self.show_lag().await;
            if self.may_try(INTENTS) {
                let sent = self.intents.send(&mut connection).await;
                if self.part(INTENTS, sent)? {
                    crate::failpoint!("mirror.intents.sent");
                    self.save().await?;
                }
            }
            if stopping || Instant::now() >= self.counters_at {
                if self.may_try(COUNTERS) {
                    let sent = counters::send(&mut connection, &self.store, &self.stats, now()).await;
                    self.part(COUNTERS, sent.map(|()| false))?;
                }
                self.counters_at = Instant::now() + self.settings.timing.counters;
            }
            backoff.reset();
            self.report(connection.at());
            if stopping {
                return Ok(());
            }
            if self.saved_at.elapsed() >= self.settings.timing.save {
                // A full disk is the store's news, not the mirror's.
                let _ = self.save().await;
            }
            let look = Instant::now() + self.settings.timing.look;
            tokio::select! {
                changed = committed.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = sleep_until(look.min(self.counters_at.max(Instant::now())).into()), if self.counters_wait() => {}
                () = sleep_until(look.into()) => {}
                () = stopped(shutdown) => {}
            }
        }
    }

    /// Whether counters changed that no round has taken yet.
    fn counters_wait(&self) -> bool {
        !self.store.counter_changes().is_empty() && self.trouble[COUNTERS].is_none()
    }

    /// Reads where it stands, the first time.
    async fn load(&mut self) -> Result<(), MirrorError> {
        if self.taken.is_some() {
            return Ok(());
        }
        self.bus.load().await?;
        let store = self.store.clone();
        self.events.backfilled = self.store.committed().borrow().backfilled;
        let (saved, sent, given_back) = tokio::task::spawn_blocking(move || {
            let saved = store.follower(FOLLOWER)?;
            let sent = place::ordinal(&store, saved.event)?;
            let given_back = is_given_back(&store)?;
            Ok::<_, StoreError>((saved, sent, given_back))
        })
        .await??;
        self.taken = Taken::of(&saved, &self.server, &self.settings.redis.stream).filter(|_| !given_back);
        self.events.sent = sent;
        self.intents.sent = saved.outbox;
        self.saved = saved;
        Ok(())
    }

    /// Waits until the stream is ours. `None` when the signal to stop came before.
    async fn take_over(
        &mut self,
        connection: &mut Connection,
        shutdown: &mut watch::Receiver<bool>,
        backoff: &mut Backoff,
    ) -> Result<Option<Taken>, MirrorError> {
        if let Some(taken) = &self.taken {
            return Ok(Some(taken.clone()));
        }
        let timing = self.settings.timing;
        let quiet = Quiet { stopped: timing.quiet_stopped, unknown: timing.quiet_unknown };
        let ending = loop {
            let ending = takeover::ending(connection, &self.settings.redis.stream).await?;
            if self.settings.redis.mirror == MirrorMode::On {
                break ending;
            }
            let systemctl = self.settings.systemctl.clone();
            let predecessor = tokio::task::spawn_blocking(move || takeover::predecessor(&systemctl)).await?;
            let (reason, remedy) = match takeover::reason(&predecessor, &ending, quiet) {
                Some(reason) => (
                    reason,
                    format!(
                        "stop the predecessor (systemctl disable --now {}), after which the mirror begins by itself, or set \
                         redis.mirror = \"on\"",
                        UNITS.join(" ")
                    ),
                ),
                None if self.is_past(ending.until).await? => break ending,
                None => (
                    "the journal is not read yet up to where the predecessor ended".to_owned(),
                    "nothing: the mirror begins by itself once it is".to_owned(),
                ),
            };
            backoff.reset();
            self.show_lag().await;
            self.reporter.warn(format!("holds: {reason}"), remedy);
            tokio::select! {
                () = sleep(timing.look) => {}
                () = stopped(shutdown) => return Ok(None),
            }
        };
        let (store, window) = (self.store.clone(), self.settings.redis.maxlen);
        let (from, held) = match ending.until {
            Some(_) => {
                // The predecessor sent its intents, too. What the bus tells is our registry's alone: nobody else has
                // sent it, so nothing of it is left out.
                self.intents.skip_to(self.store.committed().borrow().outbox);
                let places = history::places(connection, &self.settings.redis.stream).await?;
                tokio::task::spawn_blocking(move || place::after_predecessor(&store, window, places)).await??
            }
            None => (EventId::ZERO, BTreeMap::new()),
        };
        let taken = Taken { server: self.server.clone(), stream: self.settings.redis.stream.clone(), from, held };
        self.taken = Some(taken.clone());
        // What was sent to another stream or server says nothing of this one.
        self.saved.event = from;
        self.begins = true;
        // Before the first entry, so that no later look takes our own beginning for somebody else's.
        if let Err(error) = self.save().await {
            self.taken = None;
            return Err(error.into());
        }
        tracing::info!(stream = taken.stream, from = %taken.from, "the mirror writes to the stream from here on");
        Ok(Some(taken))
    }

    /// Whether the store has what the predecessor had sent, so that it shows where to begin behind it.
    async fn is_past(&self, until: Option<Micros>) -> Result<bool, StoreError> {
        let Some(until) = until.map(|until| until.min(now())) else { return Ok(true) };
        let feed = self.store.feed();
        if feed.position.map(|position| position.ts).max(feed.tick).is_some_and(|at| at >= until) {
            return Ok(true);
        }
        let store = self.store.clone();
        // A history that was taken in is the predecessor's own, to its end.
        let looking = move || {
            let newest = store.search(&EventFilter::default(), EventId::MAX, 1, 1)?.events;
            Ok(newest.get(0).is_some_and(|event| event.ts >= until))
        };
        match tokio::task::spawn_blocking(looking).await {
            Ok(past) => past,
            Err(error) => Err(StoreError::Panicked(error.to_string())),
        }
    }

    /// Forgets what the predecessor had sent once the mirror is behind it all, or the stream has lost it.
    fn let_go(&mut self) {
        let behind = self.events.position().unwrap_or_default();
        let over = |taken: &Taken| !taken.held.is_empty() && taken.held.values().all(|held| *held <= behind);
        if let Some(taken) = self.taken.as_mut().filter(|taken| over(taken) || self.events.emptied) {
            taken.held.clear();
        }
    }

    fn may_try(&self, part: usize) -> bool {
        self.trouble[part].as_ref().is_none_or(|trouble| Instant::now() >= trouble.again)
    }

    /// A part that Redis refuses (a key of another type, a right that is missing) does not keep the events waiting.
    fn part(&mut self, part: usize, result: Result<bool, MirrorError>) -> Result<bool, MirrorError> {
        match result {
            Err(error) if error.is_refusal() => {
                self.stats.add_errors(1);
                let again = Instant::now() + self.settings.timing.backoff_most;
                self.trouble[part] = Some(Trouble { summary: error.summary(), remedy: error.remedy(), again });
                Ok(false)
            }
            Err(error) => Err(error),
            Ok(moved) => {
                self.trouble[part] = None;
                Ok(moved)
            }
        }
    }

    fn report(&self, at: &RedisAddress) {
        let stream = &self.settings.redis.stream;
        let parts = PARTS.into_iter().zip(self.trouble.iter().map(Option::as_ref));
        let held = std::iter::once((PARTS[BUS], self.bus.trouble()));
        if let Some((name, trouble)) = parts.chain(held).find_map(|(name, trouble)| Some((name, trouble?))) {
            self.reporter.failed(format!("{name}: {}", trouble.summary), trouble.remedy.clone());
            return;
        }
        if let Some(unit) = &self.returned.unit {
            self.reporter.warn(
                format!("{unit} runs again and writes to {stream}, which was taken over from it"),
                format!(
                    "stop it: systemctl disable --now {unit}; its start has cleared {stream}, which is filled again by \
                     itself. To go back to it for good: quantum-clm takeover --undo"
                ),
            );
            return;
        }
        match self.events.foreign.filter(|foreign| foreign.seen.elapsed() < self.settings.timing.foreign_shown) {
            Some(foreign) => self.reporter.warn(
                format!(
                    "somebody else writes to {stream}, too: {} entries since the mirror writes, the last one {}",
                    foreign.entries, foreign.newest
                ),
                format!(
                    "find the writer (redis-cli CLIENT LIST, look for cmd=xadd; its entry: XRANGE {stream} {0} {0}) and \
                     stop it or send it to {stream}.in; our own events are complete",
                    foreign.newest
                ),
            ),
            None => self.reporter.ok(format!("mirrors to {stream} at {at}")),
        }
    }

    async fn show_lag(&self) {
        let committed = *self.store.committed().borrow();
        // What was put in front of others meanwhile waits for nobody.
        let behind = committed.backfilled.saturating_sub(self.events.backfilled);
        let lag = committed.events.saturating_sub(self.events.sent.saturating_add(behind));
        self.stats.set_lag(lag);
        self.reporter.figure("lag_events", lag);
        self.reporter.figure("sent_events", self.stats.events_sent());
        if self.stats.entries_removed() > 0 {
            self.reporter.figure("removed_entries", self.stats.entries_removed());
        }
        if let Some(position) = self.events.position() {
            self.reporter.figure("position_ms", position.ms());
        }
        // A data file that cannot be read is the store's news.
        if let Ok(waiting) = self.bus.waiting().await {
            self.stats.set_bus_waiting(waiting);
            self.reporter.figure("bus_waiting_events", waiting);
        }
    }

    /// Saves the position, if it moved on.
    async fn save(&mut self) -> Result<(), StoreError> {
        let Some(taken) = &self.taken else { return Ok(()) };
        let position = FollowerPosition {
            event: self.events.position().unwrap_or(self.saved.event),
            outbox: self.intents.sent,
            note: serde_json::to_string(taken).unwrap_or_default(),
        };
        self.saved_at = Instant::now();
        self.bus.save().await?;
        if position == self.saved {
            return Ok(());
        }
        let (store, row) = (self.store.clone(), position.clone());
        let begins = std::mem::take(&mut self.begins);
        let saving = move || {
            store.write::<_, StoreError>(|txn| {
                if begins {
                    txn.put_follower(GIVEN_BACK, &everything_sent())?;
                }
                txn.put_follower(FOLLOWER, &row)
            })
        };
        match tokio::task::spawn_blocking(saving).await {
            Ok(result) => result?,
            Err(error) => return Err(StoreError::Panicked(error.to_string())),
        }
        crate::failpoint!("mirror.saved");
        self.saved = position;
        Ok(())
    }
}

/// Waits for the signal to stop. Whoever held its other end and is gone has stopped as well.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn is_stopping(shutdown: &watch::Receiver<bool>) -> bool {
    *shutdown.borrow() || shutdown.has_changed().is_err()
}
