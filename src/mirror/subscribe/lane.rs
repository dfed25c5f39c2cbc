//! One type that is subscribed to: what was handed out comes first, then what is new.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::super::Trouble;
use super::super::condition::MirrorError;
use super::super::connection::Connection;
use super::super::settings::Timing;
use super::super::stream::{Entry, EntryId};
use super::dead;
use super::group::{Group, State, Which};
use super::inlet::{Arrival, Fate, Inlet};
use crate::domain::bus_in::{DeadLetter, Topic};
use crate::store::StoreError;

/// Messages that are taken in by one commit.
const BATCH: usize = 100;

/// Batches of one type before the next type has its turn.
const BATCHES: usize = 20;

/// One type.
pub(super) struct Lane {
    pub(super) topic: Topic,
    group: Group,
    inlet: Arc<dyn Inlet>,
    timing: Timing,
    /// The newest message that somebody was handed, as far as we know; it outlives connections.
    position: Option<EntryId>,
    joined: bool,
    /// Whether our own messages that are not acknowledged are to be looked through: those of an earlier life.
    history: bool,
    /// Messages that failed, or whose letter could not be sent, and when they are tried again.
    failed: HashMap<EntryId, Instant>,
    claim_at: Instant,
    /// What keeps the whole type waiting.
    held: Option<Trouble>,
    /// What keeps its dead letters from their stream, and nothing else.
    unsent: Option<Trouble>,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// How the group stands.
    pub(super) state: State,
    /// Whether there is more to read at once.
    pub(super) more: bool,
}

impl Lane {
    pub(super) fn new(topic: Topic, consumer: &str, inlet: Arc<dyn Inlet>, timing: Timing) -> Self {
        Self {
            topic,
            group: Group::of(topic, consumer),
            inlet,
            timing,
            position: None,
            joined: false,
            history: true,
            failed: HashMap::new(),
            claim_at: Instant::now(),
            held: None,
            unsent: None,
        }
    }

    /// A new connection: what was handed out on the last one may have been acknowledged or not.
    pub(super) fn doubt(&mut self) {
        self.joined = false;
        self.history = true;
        self.failed.clear();
        self.claim_at = Instant::now();
        self.held = None;
        self.unsent = None;
    }

    /// Why the type, or its dead letters, do not get on.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.held.as_ref().or(self.unsent.as_ref())
    }

    /// What to wait for, unless the type is held up.
    pub(super) fn waits_behind(&self) -> Option<(String, EntryId)> {
        match self.held {
            None => Some((self.group.stream.clone(), self.position?)),
            Some(_) => None,
        }
    }

    /// When something is due whether or not anything comes.
    pub(super) fn due(&self) -> Instant {
        let again = self.held.as_ref().map(|held| held.again);
        again.unwrap_or_else(|| self.failed.values().copied().min().map_or(self.claim_at, |at| at.min(self.claim_at)))
    }

    /// Takes in what is there. `None` while the type is held up: by a key that holds something else, or that we may not
    /// use. Any other error is the connection's.
    pub(super) async fn round(&mut self, connection: &mut Connection) -> Result<Option<Round>, MirrorError> {
        if self.held.as_ref().is_some_and(|held| held.again > Instant::now()) {
            return Ok(None);
        }
        let mut turned = self.turn(connection).await;
        if let Err(MirrorError::Refused(line)) = &turned
            && line.starts_with("NOGROUP")
        {
            // Somebody removed the group or the stream, or Redis was emptied.
            self.joined = false;
            turned = self.turn(connection).await;
        }
        match turned {
            Ok(round) => {
                self.held = None;
                Ok(Some(round))
            }
            Err(error) if error.is_of_one_key() => {
                self.held = Some(self.trouble_with(&self.group.stream, &error));
                self.joined = false;
                self.history = true;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn trouble_with(&self, key: &str, error: &MirrorError) -> Trouble {
        let again = Instant::now() + self.timing.backoff_most;
        Trouble { summary: format!("{key}: {}", error.summary()), remedy: error.remedy(), again }
    }

    async fn turn(&mut self, connection: &mut Connection) -> Result<Round, MirrorError> {
        if !self.joined {
            if self.group.join(connection, self.position).await? {
                tracing::info!(stream = self.group.stream, group = self.group.name, "a new consumer group");
            }
            self.joined = true;
        }
        let now = Instant::now();
        if self.history || self.failed.values().any(|again| *again <= now) {
            self.look_through_own(connection).await?;
        }
        if self.claim_at <= now {
            self.claim(connection).await?;
            self.claim_at = Instant::now() + self.timing.claim;
        }
        let mut more = true;
        for _ in 0..BATCHES {
            let entries = self.group.read(connection, Which::New, BATCH).await?;
            more = entries.len() >= BATCH;
            self.take(connection, entries).await?;
            if !more {
                break;
            }
        }
        // Gone between two commands: the next round makes it anew.
        let Some(state) = self.group.state(connection).await? else {
            self.joined = false;
            return Ok(Round { state: State::default(), more: true });
        };
        self.position = Some(state.delivered);
        Ok(Round { state, more })
    }

    /// Our own messages that are not acknowledged: those of an earlier life, and those whose time has come again.
    async fn look_through_own(&mut self, connection: &mut Connection) -> Result<(), MirrorError> {
        let mut after = EntryId::default();
        loop {
            let mut entries = self.group.read(connection, Which::OwnAfter(after), BATCH).await?;
            let Some(last) = entries.last() else { break };
            after = last.id;
            let now = Instant::now();
            entries.retain(|entry| self.failed.get(&entry.id).is_none_or(|again| *again <= now));
            self.take(connection, entries).await?;
        }
        // What the group does not know any more was acknowledged by somebody, or is gone with it.
        let now = Instant::now();
        self.failed.retain(|_, again| *again > now);
        self.history = false;
        Ok(())
    }

    /// What lies with consumers that do nothing any more: the predecessor, or we under another host's name.
    async fn claim(&mut self, connection: &mut Connection) -> Result<(), MirrorError> {
        let mut after = EntryId::default();
        loop {
            let (entries, more) = self.group.claim(connection, after, self.timing.claim_idle, BATCH).await?;
            if !entries.is_empty() {
                tracing::info!(
                    stream = self.group.stream,
                    messages = entries.len(),
                    "taken over from another consumer"
                );
            }
            self.take(connection, entries).await?;
            match more {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    /// Takes messages in, and acknowledges those that are over.
    async fn take(&mut self, connection: &mut Connection, entries: Vec<Entry>) -> Result<(), MirrorError> {
        let (mut over, mut arrivals) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = entry.id;
            match entry.into_fields() {
                Some(fields) => arrivals.push(Arrival { entry: id, fields }),
                None => {
                    tracing::warn!(stream = self.group.stream, entry = %id, "it was removed from its stream before it was taken in");
                    over.push(id);
                }
            }
        }
        let mut letters: Vec<(Box<DeadLetter>, bool)> = Vec::new();
        if !arrivals.is_empty() {
            let (inlet, topic) = (self.inlet.clone(), self.topic);
            let taking = move || {
                let fates = inlet.take(topic, &arrivals)?;
                Ok::<_, StoreError>((arrivals, fates))
            };
            let (arrivals, fates) = tokio::task::spawn_blocking(taking).await??;
            crate::failpoint!("subscriptions.taken");
            for (arrival, fate) in arrivals.into_iter().zip(fates) {
                self.failed.remove(&arrival.entry);
                match fate {
                    Fate::Taken => over.push(arrival.entry),
                    Fate::Failed { tries } => {
                        let pause = self.timing.retry * 2_u32.saturating_pow(tries.clamp(1, 8) - 1);
                        self.failed.insert(arrival.entry, Instant::now() + pause);
                    }
                    Fate::Dead { letter, again } => letters.push((letter, again)),
                }
            }
        }
        self.group.acknowledge(connection, &over).await?;
        self.bury(connection, letters).await
    }

    /// Sends letters to where dead ones go, and acknowledges their messages. They are in the data file already; where
    /// their stream does not take them, the type goes on without.
    async fn bury(
        &mut self,
        connection: &mut Connection,
        letters: Vec<(Box<DeadLetter>, bool)>,
    ) -> Result<(), MirrorError> {
        if letters.is_empty() {
            return Ok(());
        }
        let borrowed: Vec<(&DeadLetter, bool)> = letters.iter().map(|(letter, again)| (&**letter, *again)).collect();
        let entries: Vec<EntryId> = letters.iter().map(|(letter, _)| letter.entry).collect();
        match dead::send(connection, self.topic, &borrowed).await {
            Ok(()) => {
                crate::failpoint!("subscriptions.buried");
                self.unsent = None;
                self.group.acknowledge(connection, &entries).await
            }
            Err(error) if error.is_of_one_key() => {
                let trouble = self.trouble_with(&self.topic.dead_letters(), &error);
                self.failed.extend(entries.into_iter().map(|entry| (entry, trouble.again)));
                self.unsent = Some(trouble);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
