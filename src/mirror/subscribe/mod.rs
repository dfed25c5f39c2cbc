//! Redis in: what other programs tell over the bus.
//!
//! Each type has a stream and a consumer group (`lane.rs`). A message is handed to the [`Inlet`], which commits what
//! follows from it together with a note that it came, and is acknowledged behind that: a death in between makes it come
//! again, and the note makes that harmless. Groups differ from type to type, so no single `XREADGROUP` can wait for all of
//! them. Each group is read without waiting, and one `XREAD` waits for all streams behind what their groups were handed,
//! on a connection that does nothing else.

mod dead;
mod group;
mod inlet;
mod lane;
mod rewind;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::sleep;

pub use self::inlet::{Arrival, Fate, Inlet, Standing};

use self::lane::Lane;
use super::backoff::Backoff;
use super::condition::MirrorError;
use super::connection::Connection;
use super::place::Taken;
use super::settings::MirrorSettings;
use super::{FOLLOWER, is_stopping, stopped};
use crate::config::{MirrorMode, RedisTarget};
use crate::domain::bus_in::{MESSAGE_BYTES, Topic};
use crate::observe::status::Reporter;
use crate::store::{Store, StoreError};

/// The subscriptions, before they run.
pub struct Subscriptions {
    store: Arc<Store>,
    settings: MirrorSettings,
    reporter: Reporter,
    standing: Arc<Standing>,
    lanes: Vec<Lane>,
    server: String,
}

impl Subscriptions {
    /// Subscriptions to every type. Messages go to `inlet`; how it gets on to `reporter` and into `standing`.
    pub fn new(
        store: Arc<Store>,
        settings: MirrorSettings,
        inlet: Arc<dyn Inlet>,
        reporter: Reporter,
        standing: Arc<Standing>,
    ) -> Self {
        let lane = |topic| Lane::new(topic, &settings.consumer, inlet.clone(), settings.timing);
        let lanes = Topic::ALL.map(lane).into();
        let server = RedisTarget::parse(&settings.redis.url).map(|target| target.place()).unwrap_or_default();
        Self { store, settings, reporter, standing, lanes, server }
    }

    /// Takes messages in until `shutdown` becomes true.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let off = match self.settings.redis.mirror {
            MirrorMode::Off => Some("redis.mirror is off"),
            _ if self.settings.redis.url.is_empty() => Some("redis.url is empty"),
            _ => None,
        };
        if let Some(key) = off {
            self.reporter.off(format!("nothing is read from the event bus: {key}"));
            stopped(&mut shutdown).await;
            return;
        }
        let mut backoff = Backoff::new(self.settings.timing.backoff_first, self.settings.timing.backoff_most);
        loop {
            let error = match self.session(&mut shutdown, &mut backoff).await {
                Ok(()) => return,
                Err(error) => error,
            };
            let (summary, remedy) = (error.summary(), error.remedy());
            if matches!(&error, MirrorError::Refused(line) if line.starts_with("LOADING")) {
                self.reporter.warn(summary, remedy);
            } else {
                self.reporter.failed(summary, remedy);
            }
            tokio::select! {
                () = sleep(backoff.pause()) => {}
                () = stopped(&mut shutdown) => return,
            }
        }
    }

    /// One connection, for as long as it lasts. `Ok` when the signal to stop came.
    async fn session(
        &mut self,
        shutdown: &mut watch::Receiver<bool>,
        backoff: &mut Backoff,
    ) -> Result<(), MirrorError> {
        if !self.wait_for_the_takeover(shutdown).await? {
            return Ok(());
        }
        let timing = self.settings.timing;
        // One byte more than is read, so that what is too large is seen to be.
        let connection = Connection::open(&self.settings.redis, timing.answer).await?;
        let mut connection = connection.cutting(MESSAGE_BYTES + 1);
        rewind::set_back(self.store.clone(), &mut connection, &self.settings.consumer).await?;
        self.lanes.iter_mut().for_each(Lane::doubt);
        loop {
            let mut more = false;
            for lane in &mut self.lanes {
                if is_stopping(shutdown) {
                    return Ok(());
                }
                if let Some(round) = lane.round(&mut connection).await? {
                    self.standing.set(lane.topic, round.state.pending, round.state.lag);
                    more |= round.more;
                }
            }
            backoff.reset();
            self.report(&connection);
            if more {
                continue;
            }
            let due = self.lanes.iter().map(Lane::due).min().unwrap_or_else(Instant::now);
            let patience = due.saturating_duration_since(Instant::now()).min(timing.block).min(timing.answer / 2);
            let streams: Vec<_> = self.lanes.iter().filter_map(Lane::waits_behind).collect();
            let waiting = async {
                if streams.is_empty() {
                    sleep(patience).await;
                    return Ok(());
                }
                match group::wait(&mut connection, &streams, patience).await {
                    // The next round finds out which stream it is, and holds that one up alone.
                    Err(error) if error.is_of_one_key() => {
                        sleep(timing.backoff_first).await;
                        Ok(())
                    }
                    other => other,
                }
            };
            tokio::select! {
                waited = waiting => waited?,
                // Dropped in the middle of an answer, which leaves a connection that nobody uses again.
                () = stopped(shutdown) => return Ok(()),
            }
        }
    }

    /// Holds as the mirror holds: while the predecessor runs, its messages are the predecessor's. `false` when the signal
    /// to stop came before.
    async fn wait_for_the_takeover(&self, shutdown: &mut watch::Receiver<bool>) -> Result<bool, MirrorError> {
        while self.settings.redis.mirror != MirrorMode::On && !self.is_taken_over().await? {
            self.reporter.warn(
                "holds until the mirror has taken the streams over: until then, messages are the predecessor's",
                "see the component `mirror` for what it waits for",
            );
            tokio::select! {
                () = sleep(self.settings.timing.look) => {}
                () = stopped(shutdown) => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn is_taken_over(&self) -> Result<bool, MirrorError> {
        let store = self.store.clone();
        let position = tokio::task::spawn_blocking(move || store.follower(FOLLOWER)).await?;
        let position = position.map_err(|error: StoreError| MirrorError::Store(error))?;
        Ok(Taken::of(&position, &self.server, &self.settings.redis.stream).is_some())
    }

    fn report(&self, connection: &Connection) {
        let standing = self.standing.all();
        self.reporter.figure("pending_messages", standing.values().map(|(pending, _)| pending).sum());
        self.reporter.figure("lag_messages", standing.values().map(|(_, lag)| lag).sum());
        match self.lanes.iter().find_map(Lane::trouble) {
            Some(trouble) => self.reporter.failed(trouble.summary.clone(), trouble.remedy.clone()),
            None => self.reporter.ok(format!("subscribes to {} types at {}", self.lanes.len(), connection.at())),
        }
    }
}
