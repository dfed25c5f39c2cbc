//! What became of the signals of a window, stage by stage.
//!
//! A signal is everything that carries one correlation id. It has been *seen* at a stage when an event of the stage's
//! source carries its id; it *stopped* at the last stage at which it was seen. It belongs to the time of its first event
//! and, by its first decision, to those that want to trade (BUY, SELL) or to the rest (HOLD, none). Decisions besides
//! are counted by event, whether or not they carry an id.
//!
//! The fold takes events in any order, so history can be read backwards while new events come in: what it keeps of a
//! signal are minima, maxima and a set, and a signal whose picture changes is taken out of the figures and put in anew.

/// What a stage said, so that equal reasons are counted together.
pub mod reason;
/// The figures of a window.
mod summary;

use std::borrow::Borrow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

pub use self::summary::{Reason, StageFlow, Summary};
use super::event::{Decision, EventRef};
use super::id::EventId;
use super::stage::Stage;
use super::time::Micros;

/// The finest piece of time that windows are made of.
pub const SLOT: u64 = Micros::HOUR / SLOTS_AN_HOUR as u64;
const SLOTS_AN_HOUR: u32 = 6;

/// Slots older than this are merged into hours: the longest window that begins between hours is 6 h.
const FINE: u64 = 7 * Micros::HOUR;

/// What is kept at all: the longest window.
pub const KEPT: u64 = 7 * Micros::DAY;

/// Bounds on what a service that logs nonsense can make us keep. Beyond them figures go to "other" and signals are
/// forgotten, which counts what still comes of them as another signal.
const MAX_SYMBOLS: usize = 256;
const MAX_REASONS: usize = 1_000;
const MAX_BLOCKED: usize = 50_000;
const MAX_SIGNALS: usize = 32_768;

/// Sources whose decisions are counted: the stages, and all others together.
pub const SOURCES: usize = Stage::ALL.len() + 1;

/// Sets of stages.
const SETS: usize = 1 << Stage::ALL.len();

/// Place of the symbols, or reasons, that are not told apart.
const OTHER: u16 = 0;

/// The figures of one slot and symbol.
#[derive(Clone, Debug)]
struct Row {
    decisions: [[u32; 3]; SOURCES],
    /// Signals by the set of stages at which they were seen: those that want to trade, and the rest.
    signals: [[u32; SETS]; 2],
}

impl Default for Row {
    fn default() -> Self {
        Self { decisions: [[0; 3]; SOURCES], signals: [[0; SETS]; 2] }
    }
}

/// What is known of one signal.
#[derive(Clone, Copy, Debug)]
struct Signal {
    first: (EventId, Micros),
    symbol: Option<(EventId, u16)>,
    decision: Option<(EventId, Decision)>,
    /// Bit n: seen at stage n.
    seen: u8,
    /// The last event at the last stage, and what it says.
    last: (Stage, EventId),
    reason: u16,
}

impl Signal {
    fn wants_to_trade(&self) -> bool {
        matches!(self.decision, Some((_, Decision::Buy | Decision::Sell)))
    }

    fn is_blocked(&self) -> bool {
        self.wants_to_trade() && self.last.0 != Stage::Execution
    }
}

/// Names as small numbers; [`OTHER`] once there are too many.
#[derive(Debug)]
struct Names<K> {
    numbers: HashMap<K, u16>,
    list: Vec<K>,
}

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), list: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash> Names<K> {
    fn number<Q>(&mut self, name: &Q, most: usize) -> u16
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if self.list.len() >= most {
            return OTHER;
        }
        let name = name.to_owned();
        self.list.push(name.clone());
        let number = self.list.len() as u16;
        self.numbers.insert(name, number);
        number
    }

    fn name(&self, number: u16) -> Option<&K> {
        self.list.get(usize::from(number).checked_sub(1)?)
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct TradePath {
    symbols: Names<String>,
    reasons: Names<(Stage, String)>,
    /// The newest event of each reason, by its number.
    examples: Vec<EventId>,
    rows: BTreeMap<(u32, u16), Row>,
    blocked: BTreeMap<(u32, u16, u16), u32>,
    /// Signals by a hash of their id, in two generations: the older goes when the younger is full.
    young: HashMap<u64, Signal>,
    old: HashMap<u64, Signal>,
    hasher: RandomState,
    /// Slots before this one are merged into hours.
    fine_from: u32,
}

impl TradePath {
    /// Takes one event in. Each must be given once.
    pub fn fold(&mut self, event: &EventRef<'_>) {
        if event.is_own() {
            return;
        }
        let stage = Stage::of_event(event);
        if stage.is_none() && event.decision.is_none() {
            return;
        }
        let symbol = event.symbol.map(|symbol| self.symbols.number(symbol, MAX_SYMBOLS));
        if let Some(decision) = event.decision {
            let place = (self.slot(event.ts), symbol.unwrap_or(OTHER));
            let source = stage.map_or(SOURCES - 1, Stage::index);
            self.rows.entry(place).or_default().decisions[source][index(decision)] += 1;
        }
        if let (Some(stage), Some(id)) = (stage, event.correlation_id) {
            self.signal(self.hasher.hash_one(id), stage, symbol, event);
        }
    }

    fn signal(&mut self, key: u64, stage: Stage, symbol: Option<u16>, event: &EventRef<'_>) {
        let known = self.young.remove(&key).or_else(|| self.old.remove(&key));
        if let Some(known) = &known {
            self.weigh(known, false);
        }
        let mut signal = known.unwrap_or(Signal {
            first: (event.id, event.ts),
            symbol: None,
            decision: None,
            seen: 0,
            last: (stage, EventId::ZERO),
            reason: OTHER,
        });
        signal.first = signal.first.min((event.id, event.ts));
        let earlier = |had: Option<EventId>| had.is_none_or(|had| event.id < had);
        if let Some(symbol) = symbol.filter(|_| earlier(signal.symbol.map(|(id, _)| id))) {
            signal.symbol = Some((event.id, symbol));
        }
        if let Some(decision) = event.decision.filter(|_| earlier(signal.decision.map(|(id, _)| id))) {
            signal.decision = Some((event.id, decision));
        }
        signal.seen |= 1 << stage.index();
        if (stage, event.id) > signal.last || signal.last.1 == EventId::ZERO {
            signal.last = (stage, event.id);
            signal.reason = self.reason(stage, event);
        }
        self.weigh(&signal, true);
        if self.young.len() >= MAX_SIGNALS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, signal);
    }

    fn reason(&mut self, stage: Stage, event: &EventRef<'_>) -> u16 {
        // What execution says ends no signal.
        if stage == Stage::Execution {
            return OTHER;
        }
        let number = self.reasons.number(&(stage, reason::of(event)), MAX_REASONS);
        let at = usize::from(number);
        if self.examples.len() <= at {
            self.examples.resize(at + 1, EventId::ZERO);
        }
        self.examples[at] = self.examples[at].max(event.id);
        number
    }

    /// Puts a signal into the figures, or takes it out.
    fn weigh(&mut self, signal: &Signal, put: bool) {
        let add = |figure: &mut u32| *figure = if put { *figure + 1 } else { figure.saturating_sub(1) };
        let (slot, symbol) = (self.slot(signal.first.1), signal.symbol.map_or(OTHER, |(_, symbol)| symbol));
        let row = self.rows.entry((slot, symbol)).or_default();
        add(&mut row.signals[usize::from(!signal.wants_to_trade())][usize::from(signal.seen)]);
        if signal.is_blocked() {
            let place = (slot, symbol, signal.reason);
            // Where there is no room for another line, the reason becomes "other", on its way out as on its way in.
            let room = self.blocked.contains_key(&place) || (put && self.blocked.len() < MAX_BLOCKED);
            let place = if room { place } else { (slot, symbol, OTHER) };
            let figure = self.blocked.entry(place).or_default();
            add(figure);
            if *figure == 0 {
                self.blocked.remove(&place);
            }
        }
    }

    fn slot(&self, ts: Micros) -> u32 {
        let slot = u32::try_from(ts.0 / SLOT).unwrap_or(u32::MAX);
        if slot < self.fine_from { slot - slot % SLOTS_AN_HOUR } else { slot }
    }

    /// Merges what is no longer looked at finely, and drops what is past the longest window.
    pub fn age(&mut self, now: Micros) {
        let hour = |micros: u64| now.minus(micros).hour().0.saturating_mul(SLOTS_AN_HOUR);
        let fine_from = hour(FINE).max(self.fine_from);
        let oldest = hour(KEPT);
        let merged: Vec<(u32, u16)> =
            self.rows.range((self.fine_from, 0)..(fine_from, 0)).map(|(place, _)| *place).collect();
        let counted: Vec<(u32, u16, u16)> =
            self.blocked.range((self.fine_from, 0, 0)..(fine_from, 0, 0)).map(|(place, _)| *place).collect();
        self.fine_from = fine_from;
        let whole = |slot: u32| slot - slot % SLOTS_AN_HOUR;
        for (slot, symbol) in merged.into_iter().filter(|(slot, _)| whole(*slot) != *slot) {
            if let Some(row) = self.rows.remove(&(slot, symbol)) {
                self.rows.entry((whole(slot), symbol)).or_default().add(&row);
            }
        }
        for (slot, symbol, reason) in counted.into_iter().filter(|(slot, ..)| whole(*slot) != *slot) {
            if let Some(count) = self.blocked.remove(&(slot, symbol, reason)) {
                *self.blocked.entry((whole(slot), symbol, reason)).or_default() += count;
            }
        }
        self.rows = self.rows.split_off(&(oldest, 0));
        self.blocked = self.blocked.split_off(&(oldest, 0, 0));
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        let figures = self.decisions.iter_mut().flatten().zip(other.decisions.iter().flatten());
        figures.for_each(|(one, other)| *one += other);
        let figures = self.signals.iter_mut().flatten().zip(other.signals.iter().flatten());
        figures.for_each(|(one, other)| *one += other);
    }
}

fn index(decision: Decision) -> usize {
    match decision {
        Decision::Buy => 0,
        Decision::Sell => 1,
        Decision::Hold => 2,
    }
}

#[cfg(test)]
mod tests;
