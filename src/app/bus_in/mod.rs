//! What other programs tell over the bus, taken in; and what people do with messages that came to nothing.
//!
//! Everything here blocks. What follows from a message commits together with the note that it came, so a message that is
//! handed over again does nothing again.

mod effects;
mod letters;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::effects::{Effects, Followed, Refusal, Scheduled};
pub use self::letters::{LetterError, LetterMove};

use crate::app::schedule::{Recorded, Trades};
use crate::domain::bus_in::{DeadLetter, InboxRow, InboxState, LetterState, Message, TRIES, Topic, Trade};
use crate::domain::time::Micros;
use crate::mirror::{Arrival, Fate, Inlet};
use crate::observe::metrics::Metrics;
use crate::observe::now;
use crate::store::{Store, StoreError, WriteTxn};

/// Takes messages in.
pub struct BusIn {
    store: Arc<Store>,
    metrics: Metrics,
    effects: Arc<dyn Effects>,
}

/// What became of a message, for the metrics; the words are labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    /// Its effect is in the file.
    Taken,
    /// It came again.
    Repeated,
    /// It failed, and is tried again.
    Failed,
    /// It was given up.
    Dead,
    /// A trade that names nothing: nobody could do anything about it.
    Unreadable,
}

impl Count {
    fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Repeated => "repeated",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why a transaction with messages does not commit.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// What followed from one of them is refused, and must leave nothing behind.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Because(why) => Self::Refused(why),
            Refusal::Store(error) => Self::Store(error),
        }
    }
}

/// What one message came to, and what is to be announced of it behind the commit.
struct Outcome {
    fate: Fate,
    count: Count,
    recorded: Recorded,
}

impl Outcome {
    fn new(fate: Fate, count: Count) -> Self {
        Self { fate, count, recorded: Recorded::default() }
    }
}

impl BusIn {
    /// Messages go into `store`, what they ask for to `effects`.
    pub fn new(store: Arc<Store>, metrics: Metrics, effects: Arc<dyn Effects>) -> Self {
        Self { store, metrics, effects }
    }

    /// Takes in what asks for something. Nearly always one transaction will do; where something is refused, each message
    /// gets one of its own, so that a refusal costs nobody else anything.
    fn take_messages(&self, topic: Topic, arrivals: &[Arrival], now: Micros) -> Result<Vec<Outcome>, StoreError> {
        let all = |txn: &WriteTxn| arrivals.iter().map(|arrival| self.take_one(txn, topic, arrival, now)).collect();
        match self.store.write::<_, Stop>(all) {
            Ok(outcomes) => return Ok(outcomes),
            Err(Stop::Store(error)) => return Err(error),
            Err(Stop::Refused(_)) => {}
        }
        let mut outcomes = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            let outcome = match self.store.write(|txn| self.take_one(txn, topic, arrival, now)) {
                Ok(outcome) => outcome,
                Err(Stop::Store(error)) => return Err(error),
                Err(Stop::Refused(why)) => {
                    self.store.write::<_, StoreError>(|txn| fail(txn, topic, arrival, why, now))?
                }
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn take_one(&self, txn: &WriteTxn, topic: Topic, arrival: &Arrival, now: Micros) -> Result<Outcome, Stop> {
        let digest = arrival.fields.digest();
        match txn.inbox(topic, arrival.entry, digest)?.map(|row| row.state) {
            Some(InboxState::Taken) => return Ok(Outcome::new(Fate::Taken, Count::Repeated)),
            Some(InboxState::Dead(number)) => {
                let fate = match txn.dead_letter(number)? {
                    Some(letter) => Fate::Dead { letter: Box::new(letter), again: true },
                    None => Fate::Taken,
                };
                return Ok(Outcome::new(fate, Count::Repeated));
            }
            Some(InboxState::Failed(_)) | None => {}
        }
        match Message::read(topic, &arrival.fields) {
            Err(malformed) => Ok(fail(txn, topic, arrival, malformed.to_string(), now)?),
            Ok(message) => {
                let followed = self.effects.act(txn, &message, now)?;
                txn.put_inbox(topic, arrival.entry, &InboxRow { at: now, digest, state: InboxState::Taken })?;
                tracing::info!(topic = topic.as_str(), entry = %arrival.entry, "a message of the bus: {}", followed.told);
                Ok(Outcome { recorded: followed.recorded, ..Outcome::new(Fate::Taken, Count::Taken) })
            }
        }
    }

    /// Counts trades. One that cannot be read is counted as such and is over: it asks for nothing, so there is nothing
    /// that anybody could try again.
    fn take_trades(&self, topic: Topic, arrivals: &[Arrival], now: Micros) -> Result<Vec<Outcome>, StoreError> {
        let counted = self.store.write::<_, Stop>(|txn| {
            let mut trades: BTreeMap<Trade, u64> = BTreeMap::new();
            let mut outcomes = Vec::with_capacity(arrivals.len());
            for arrival in arrivals {
                let digest = arrival.fields.digest();
                let count = match Trade::read(&arrival.fields) {
                    Err(_) => Count::Unreadable,
                    Ok(_) if txn.inbox(topic, arrival.entry, digest)?.is_some() => Count::Repeated,
                    Ok(trade) => {
                        txn.put_inbox(topic, arrival.entry, &InboxRow { at: now, digest, state: InboxState::Taken })?;
                        *trades.entry(trade).or_default() += 1;
                        Count::Taken
                    }
                };
                outcomes.push(Outcome::new(Fate::Taken, count));
            }
            if !trades.is_empty() {
                let trades: Vec<Trades<'_>> = trades.iter().map(|(trade, count)| alike(trade, *count)).collect();
                self.effects.count_trades(txn, &trades, now)?;
            }
            Ok(outcomes)
        });
        match counted {
            Ok(outcomes) => Ok(outcomes),
            Err(Stop::Store(error)) => Err(error),
            // Nothing that a trade says is refused, so it is something of ours; the trades come again.
            Err(Stop::Refused(why)) => Err(StoreError::Unwritable { what: "counted trades", why }),
        }
    }
}

impl Inlet for BusIn {
    fn take(&self, topic: Topic, arrivals: &[Arrival]) -> Result<Vec<Fate>, StoreError> {
        let now = now();
        let outcomes = match topic {
            Topic::TradeClosed => self.take_trades(topic, arrivals, now)?,
            _ => self.take_messages(topic, arrivals, now)?,
        };
        for Outcome { fate, count, recorded } in &outcomes {
            if !recorded.triggers.is_empty() || !recorded.jobs.is_empty() {
                self.effects.committed(recorded);
            }
            self.metrics.bus_message(topic.as_str(), count.as_str());
            if let (Fate::Dead { letter, .. }, Count::Dead) = (fate, count) {
                tracing::warn!(
                    topic = topic.as_str(),
                    entry = %letter.entry,
                    letter = letter.number,
                    "a message of the bus was given up after {} tries: {}",
                    letter.tries,
                    letter.error
                );
            }
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.fate).collect())
    }
}

fn alike(trade: &Trade, count: u64) -> Trades<'_> {
    Trades { model: trade.model.as_ref(), symbol: trade.symbol.as_deref(), count }
}

/// Notes a try in vain; the last one makes the message a dead letter.
fn fail(txn: &WriteTxn, topic: Topic, arrival: &Arrival, error: String, now: Micros) -> Result<Outcome, StoreError> {
    let digest = arrival.fields.digest();
    let tries = txn.inbox(topic, arrival.entry, digest)?.map_or(0, |row| row.tries()) + 1;
    let put = |state| txn.put_inbox(topic, arrival.entry, &InboxRow { at: now, digest, state });
    if tries < TRIES {
        put(InboxState::Failed(tries))?;
        return Ok(Outcome::new(Fate::Failed { tries }, Count::Failed));
    }
    let number = txn.next_dead_letter()?;
    let (fields, cut) = arrival.fields.kept();
    let state = LetterState::Waiting;
    let letter = DeadLetter { number, topic, entry: arrival.entry, at: now, tries, error, fields, cut, state };
    txn.put_dead_letter(&letter)?;
    put(InboxState::Dead(number))?;
    Ok(Outcome::new(Fate::Dead { letter: Box::new(letter), again: false }, Count::Dead))
}

#[cfg(test)]
mod tests;
