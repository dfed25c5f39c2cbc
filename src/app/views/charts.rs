use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::counter::{Counter, CounterKind};
use crate::domain::hourly::{Figures, Series, Steps};
use crate::domain::time::{Hour, Micros};
use crate::store::{CounterFilter, Store, StoreError};

/// Names with a line of their own.
const LINES: usize = 6;

/// Counters of these last hours are read each time. Those before it change only with events that come late, so their sums
/// are kept for a while: thirty days of a few hundred symbols are 150,000 counters.
const FRESH_HOURS: u32 = 2;
const KEPT_FOR: u64 = 10 * 60 * Micros::SECOND;

/// How far back a chart goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// 24 hours, by the hour.
    Day,
    /// 7 days, by 4 hours.
    Week,
    /// 30 days, by the day.
    Month,
}

impl Window {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As addresses write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The window that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.word() == word)
    }

    /// What one figure of its charts is of.
    pub fn each(self) -> &'static str {
        match self {
            Self::Day => "an hour",
            Self::Week => "in 4 hours",
            Self::Month => "a day",
        }
    }

    fn steps(self, now: Micros) -> Steps {
        match self {
            Self::Day => Steps::until(now.hour(), 1, 24),
            Self::Week => Steps::until(now.hour(), 4, 42),
            Self::Month => Steps::until(now.hour(), 24, 30),
        }
    }
}

/// The charts of a window.
#[derive(Clone, Debug)]
pub struct Charts {
    /// Their steps.
    pub steps: Steps,
    /// Events by unit.
    pub units: Vec<Series>,
    /// Errors by unit.
    pub errors: Vec<Series>,
    /// Events by symbol.
    pub symbols: Vec<Series>,
    /// All events, and all errors.
    pub totals: (u64, u64),
}

/// Sums of the hours that hardly change any more, by window.
#[derive(Debug, Default)]
pub struct ChartMemory {
    older: Mutex<HashMap<Window, Older>>,
}

#[derive(Clone, Debug)]
struct Older {
    steps: Steps,
    until: Hour,
    made: Micros,
    figures: Figures,
}

impl Charts {
    /// Looks them up.
    pub fn find(store: &Store, memory: &ChartMemory, window: Window, now: Micros) -> Result<Self, StoreError> {
        let steps = window.steps(now);
        let older = memory.get(store, window, steps, now)?;
        let mut figures = older.figures;
        for counter in counters(store, older.until, steps.end())? {
            figures.add(&steps, &counter);
        }
        Ok(Self {
            steps,
            units: figures.series(CounterKind::Unit, LINES),
            errors: figures.series(CounterKind::Errors, LINES),
            symbols: figures.series(CounterKind::Symbol, LINES),
            totals: (figures.total(CounterKind::Unit), figures.total(CounterKind::Errors)),
        })
    }
}

impl ChartMemory {
    fn get(&self, store: &Store, window: Window, steps: Steps, now: Micros) -> Result<Older, StoreError> {
        let known = self.older.lock().unwrap_or_else(PoisonError::into_inner).get(&window).cloned();
        let fresh = |known: &Older| known.steps == steps && now.0.saturating_sub(known.made.0) < KEPT_FOR;
        if let Some(known) = known.filter(fresh) {
            return Ok(known);
        }
        // Two who come at once both read: that is cheaper than a lock that is held while the disk is slow.
        let until = Hour(now.hour().0.saturating_sub(FRESH_HOURS)).max(steps.first);
        let mut made = Older { steps, until, made: now, figures: Figures::default() };
        for counter in counters(store, steps.first, until)? {
            made.figures.add(&steps, &counter);
        }
        self.older.lock().unwrap_or_else(PoisonError::into_inner).insert(window, made.clone());
        Ok(made)
    }
}

fn counters(store: &Store, since: Hour, until: Hour) -> Result<Vec<Counter>, StoreError> {
    let filter = CounterFilter { since: Some(since), until: Some(until), ..CounterFilter::default() };
    store.counters(&filter, usize::MAX)
}

/// Events, or errors, of one unit by the hour.
pub fn of_unit(store: &Store, kind: CounterKind, unit: &str, steps: &Steps) -> Result<Vec<u64>, StoreError> {
    let filter = CounterFilter {
        kind: Some(kind),
        name: Some(unit.to_owned()),
        since: Some(steps.first),
        until: Some(steps.end()),
        ..CounterFilter::default()
    };
    let mut figures = Figures::default();
    store.counters(&filter, usize::MAX)?.iter().for_each(|counter| figures.add(steps, counter));
    let series = figures.series(kind, 1).into_iter().next();
    Ok(series.map_or_else(|| vec![0; steps.count], |series| series.counts))
}
