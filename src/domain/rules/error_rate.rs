use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};

use super::{BadState, Finding, Raise, Rule, StateChange, unit_key};
use crate::domain::event::{EventRef, Level};
use crate::domain::intent::{IntentKey, Severity};
use crate::domain::time::{Hour, Micros};

/// How long after an hour's end its late events still count for the rule. Later ones are counted, but raise nothing.
pub const GRACE_MICROS: u64 = 5 * 60 * Micros::SECOND;

/// Hours a unit may have open at once: bounds the state when a unit's clock runs wild.
const MAX_HOURS: usize = 1_000;

pub(super) const NAME: &str = "error_rate";
const CLOSED_KEY: &str = "";

/// What makes a unit's errors too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Errors an hour that must be passed.
    pub threshold: u64,
    /// The least severity that counts as an error.
    pub least_severity: Level,
}

/// The hour and the unit that an intent of this rule is about.
pub fn about(key: &IntentKey) -> Option<(&str, Hour)> {
    if key.rule != NAME {
        return None;
    }
    Some((key.subject.unit()?, key.window.parse().ok()?))
}

/// Opens one intent a unit and UTC hour when the unit's errors pass the threshold; severity `medium` above it, `high`
/// above 1.5 times it. The first full hour after it that stays at or under the threshold resolves it.
pub struct ErrorRate {
    default: Limits,
    units: BTreeMap<String, Limits>,
    state: BTreeMap<String, UnitState>,
    /// Hours before this one are closed: a tick went past their end and the grace.
    closed: Hour,
    touched: BTreeMap<String, BTreeSet<Hour>>,
    closed_changed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct UnitState {
    /// Errors in each hour that is not closed, and when the last of them happened.
    hours: BTreeMap<Hour, (u64, Micros)>,
    /// Hours whose intent the rule has not resolved yet.
    open: BTreeSet<Hour>,
}

impl ErrorRate {
    /// The rule with `default` limits, and `units` that have their own.
    pub fn new(default: Limits, units: BTreeMap<String, Limits>) -> Self {
        Self {
            default,
            units,
            state: BTreeMap::new(),
            closed: Hour(0),
            touched: BTreeMap::new(),
            closed_changed: false,
        }
    }

    fn limits(&self, unit: &str) -> Limits {
        self.units.get(unit).copied().unwrap_or(self.default)
    }

    /// Pushes the figures that were put off; the units stay marked as changed.
    fn push_updates(&mut self, found: &mut Vec<Finding>) {
        for (unit, hours) in &mut self.touched {
            let threshold = self.units.get(unit).unwrap_or(&self.default).threshold;
            for hour in std::mem::take(hours) {
                if let Some((count, last)) = self.state.get(unit).and_then(|state| state.hours.get(&hour))
                    && let Some(severity) = severity(*count, threshold)
                {
                    found.push(raise(unit, hour, *count, *last, threshold, severity));
                }
            }
        }
    }
}

/// The severity that `count` errors have, if they pass the threshold.
fn severity(count: u64, threshold: u64) -> Option<Severity> {
    if count <= threshold {
        None
    } else if count.saturating_mul(2) > threshold.saturating_mul(3) {
        Some(Severity::High)
    } else {
        Some(Severity::Medium)
    }
}

fn raise(unit: &str, hour: Hour, count: u64, at: Micros, threshold: u64, severity: Severity) -> Finding {
    Finding::Raise(Raise {
        key: unit_key(NAME, unit, hour),
        severity,
        reason: format!("High error rate: {count} errors/hour"),
        suggested_action: "investigate".to_owned(),
        count,
        threshold,
        at,
    })
}

impl Rule for ErrorRate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), BadState> {
        let bad = |what: &dyn ToString| BadState { rule: NAME.into(), key: key.to_owned(), what: what.to_string() };
        let config = bincode::config::standard().with_limit::<{ 1 << 20 }>();
        if key == CLOSED_KEY {
            (self.closed, _) = bincode::decode_from_slice(value, config).map_err(|error| bad(&error))?;
        } else {
            let (state, _) = bincode::decode_from_slice(value, config).map_err(|error| bad(&error))?;
            self.state.insert(key.to_owned(), state);
        }
        Ok(())
    }

    fn event(&mut self, event: &EventRef<'_>, found: &mut Vec<Finding>) {
        let limits = self.limits(event.unit);
        let hour = event.ts.hour();
        if event.level > limits.least_severity || hour < self.closed {
            return;
        }
        if !self.state.contains_key(event.unit) {
            self.state.insert(event.unit.to_owned(), UnitState::default());
        }
        let Some(state) = self.state.get_mut(event.unit) else { return };
        if !state.hours.contains_key(&hour) && state.hours.len() >= MAX_HOURS {
            return;
        }
        let (count, last) = state.hours.entry(hour).or_default();
        let before = severity(*count, limits.threshold);
        *count += 1;
        *last = event.ts;
        let now = severity(*count, limits.threshold);
        if let Some(severity) = now
            && now != before
        {
            found.push(raise(event.unit, hour, *count, event.ts, limits.threshold, severity));
        }
        if now.is_some() {
            state.open.insert(hour);
        }
        match self.touched.get_mut(event.unit) {
            Some(hours) => {
                hours.insert(hour);
            }
            None => {
                self.touched.insert(event.unit.to_owned(), BTreeSet::from([hour]));
            }
        }
    }

    fn tick(&mut self, at: Micros, found: &mut Vec<Finding>) {
        let closed = at.minus(GRACE_MICROS).hour();
        if closed <= self.closed {
            // Ticks only go back when an earlier one was wrong: hours closed by it are open again.
            if closed.next() < self.closed {
                self.closed = closed;
                self.closed_changed = true;
            }
            return;
        }
        // An hour that closes takes its figure with it: what was put off reaches the intents first.
        self.push_updates(found);
        for (unit, state) in &mut self.state {
            let threshold = self.units.get(unit).unwrap_or(&self.default).threshold;
            let before = (state.hours.len(), state.open.len());
            // Only hours from the last closed one on can newly be quiet; earlier ones were judged before.
            while let Some(&first) = state.open.first() {
                let count = |hour: Hour| state.hours.get(&hour).map_or(0, |(count, _)| *count);
                let from = first.next().max(self.closed).0;
                let Some(quiet) = (from..closed.0).map(Hour).find(|&hour| count(hour) <= threshold) else { break };
                let why = format!("{} errors in the hour {quiet}, not more than {threshold}", count(quiet));
                let still_open = state.open.split_off(&quiet);
                for hour in std::mem::replace(&mut state.open, still_open) {
                    found.push(Finding::Clear { key: unit_key(NAME, unit, hour), why: why.clone(), at: quiet.end() });
                }
            }
            state.hours = state.hours.split_off(&closed);
            if (state.hours.len(), state.open.len()) != before {
                self.touched.entry(unit.clone()).or_default();
            }
        }
        self.closed = closed;
        self.closed_changed = true;
    }

    fn finish(&mut self, found: &mut Vec<Finding>, changed: &mut Vec<StateChange>) {
        let config = bincode::config::standard();
        self.push_updates(found);
        for unit in std::mem::take(&mut self.touched).into_keys() {
            let Some(state) = self.state.get(&unit) else { continue };
            let value = if *state == UnitState::default() {
                self.state.remove(&unit);
                None
            } else {
                bincode::encode_to_vec(state, config).ok()
            };
            changed.push(StateChange { rule: NAME, key: unit, value });
        }
        if std::mem::take(&mut self.closed_changed) {
            let value = bincode::encode_to_vec(self.closed, config).ok();
            changed.push(StateChange { rule: NAME, key: CLOSED_KEY.to_owned(), value });
        }
    }
}

#[cfg(test)]
mod tests;
