//! Rules: pure folds over what is committed.
//!
//! A rule sees every committed event and every committed tick, in order, and nothing else: no clock, no storage. Its
//! state is rows of bytes that commit with the batch that changed them, so a replay of the same events and ticks gives
//! the same findings wherever the batches ended. A tick says that everything written before its instant was delivered.

/// Too many errors of a unit in an hour (SPEC C1).
pub mod error_rate;

use super::batch::EventBatch;
use super::event::EventRef;
use super::intent::{IntentKey, Severity, Subject};
use super::time::Micros;

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Something that somebody should look at: opens the intent of this key, or updates it.
    Raise(Raise),
    /// It is over: resolves the intent of this key, if it is still unresolved.
    Clear {
        /// Which.
        key: IntentKey,
        /// Why it is over.
        why: String,
        /// When it was over, by event time.
        at: Micros,
    },
}

/// The contents of a [`Finding::Raise`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// Rule, subject and window.
    pub key: IntentKey,
    /// How bad.
    pub severity: Severity,
    /// One sentence with the figures.
    pub reason: String,
    /// What to do.
    pub suggested_action: String,
    /// The figure.
    pub count: u64,
    /// What it had to pass.
    pub threshold: u64,
    /// The event that made it so, by its own time.
    pub at: Micros,
}

/// A row of a rule's state that changed; `None` removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The rule.
    pub rule: &'static str,
    /// The row's key within the rule.
    pub key: String,
    /// The row.
    pub value: Option<Vec<u8>>,
}

/// A stored row that its rule cannot read.
#[derive(Debug, thiserror::Error)]
#[error("rule {rule}: the stored state of {key:?} cannot be read: {what}")]
pub struct BadState {
    /// The rule.
    pub rule: String,
    /// The row's key.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

/// The names of all rules. docs/OPERATIONS.md has a section for each.
pub const NAMES: [&str; 1] = [error_rate::NAME];

/// One rule. C2–C7 plug in here.
pub trait Rule: Send {
    /// Its name, as intents and stored rows carry it.
    fn name(&self) -> &'static str;

    /// Takes a stored row back, before the first event.
    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), BadState>;

    /// Folds one event. Findings that a reader of the stream must see are pushed at once; mere updates wait for
    /// [`Rule::finish`].
    fn event(&mut self, event: &EventRef<'_>, found: &mut Vec<Finding>);

    /// Folds one tick: everything before `at` was delivered.
    fn tick(&mut self, at: Micros, found: &mut Vec<Finding>);

    /// Ends a batch: pushes the updates that were put off, and the rows that changed.
    fn finish(&mut self, found: &mut Vec<Finding>, changed: &mut Vec<StateChange>);
}

/// What a batch made of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// In the order found.
    pub findings: Vec<Finding>,
    /// Rows to store.
    pub changes: Vec<StateChange>,
}

/// All rules, folded together.
pub struct RuleSet {
    rules: Vec<Box<dyn Rule>>,
    found: Vec<Finding>,
}

impl RuleSet {
    /// The set of these rules, without state.
    pub fn new(rules: Vec<Box<dyn Rule>>) -> Self {
        Self { rules, found: Vec::new() }
    }

    /// Takes a stored row back. Rows of rules that are no longer in the set are left alone: they may come back.
    pub fn restore(&mut self, rule: &str, key: &str, value: &[u8]) -> Result<(), BadState> {
        self.rules.iter_mut().filter(|known| known.name() == rule).try_for_each(|known| known.restore(key, value))
    }

    /// Folds the events of a batch, except the appliance's own.
    pub fn events(&mut self, batch: &EventBatch) {
        for event in batch.iter().filter(|event| !event.is_own()) {
            for rule in &mut self.rules {
                rule.event(&event, &mut self.found);
            }
        }
    }

    /// Folds a tick.
    pub fn tick(&mut self, at: Micros) {
        for rule in &mut self.rules {
            rule.tick(at, &mut self.found);
        }
    }

    /// Ends the batch.
    pub fn finish(&mut self) -> Outcome {
        let mut outcome = Outcome { findings: std::mem::take(&mut self.found), changes: Vec::new() };
        for rule in &mut self.rules {
            rule.finish(&mut outcome.findings, &mut outcome.changes);
        }
        outcome
    }
}

/// The key of an intent about a unit.
pub(crate) fn unit_key(rule: &str, unit: &str, window: impl ToString) -> IntentKey {
    IntentKey { rule: rule.to_owned(), subject: Subject::Unit(unit.to_owned()), window: window.to_string() }
}
