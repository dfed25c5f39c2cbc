use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::domain::batch::EventBatch;
use crate::domain::id::EventId;
use crate::domain::time::Micros;
use crate::domain::trade_path::{Summary, TradePath};
use crate::store::{EventFilter, Store, StoreError};

/// Events that one step reads of what is new.
const EVENTS: usize = 4_096;

/// How often old figures are merged and dropped.
const AGE_EVERY: u64 = 60 * Micros::SECOND;

/// Reasons that the page shows.
const REASONS: usize = 20;

/// A window of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last hour.
    Hour,
    /// The last six.
    SixHours,
    /// The last day.
    Day,
    /// The last week.
    Week,
}

impl Window {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hour, Self::SixHours, Self::Day, Self::Week];

    /// As addresses write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// The window that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.word() == word)
    }

    fn length(self) -> u64 {
        match self {
            Self::Hour => Micros::HOUR,
            Self::SixHours => 6 * Micros::HOUR,
            Self::Day => Micros::DAY,
            Self::Week => 7 * Micros::DAY,
        }
    }
}

/// The figures behind the Trade path page. They are kept in memory, made from the stored events once somebody looks:
/// what is new as it is committed, and history backwards, the last hour first.
#[derive(Debug)]
pub struct TradePathMemory {
    state: Mutex<Option<State>>,
    wanted: watch::Sender<bool>,
}

impl Default for TradePathMemory {
    fn default() -> Self {
        Self { state: Mutex::new(None), wanted: watch::Sender::new(false) }
    }
}

#[derive(Debug)]
struct State {
    path: TradePath,
    /// Everything up to here and from where it began is in.
    newest: EventId,
    /// Everything from here on is in; `None` once history is in as a whole.
    oldest: Option<EventId>,
    /// The earliest time in the last piece of history.
    back_to: Micros,
    aged: Micros,
}

/// The page.
#[derive(Clone, Debug)]
pub struct TradePathView {
    /// The figures, of what has been counted.
    pub summary: Summary,
    /// Hundredths of the window that have been counted.
    pub counted: u8,
}

impl TradePathMemory {
    /// The figures of a window that ends now. Whoever asks first starts the counting.
    pub fn summary(&self, window: Window, symbol: Option<&str>, now: Micros) -> TradePathView {
        self.wanted.send_replace(true);
        let since = now.minus(window.length());
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = state.as_ref() else {
            return TradePathView { summary: TradePath::default().summary(since, symbol, REASONS), counted: 0 };
        };
        let counted = match state.oldest {
            Some(_) if state.back_to > since => {
                let share = now.0.saturating_sub(state.back_to.0) * 100 / (now.0 - since.0).max(1);
                u8::try_from(share.min(99)).unwrap_or(99)
            }
            _ => 100,
        };
        TradePathView { summary: state.path.summary(since, symbol, REASONS), counted }
    }

    /// Tells when somebody wants the figures.
    pub fn wanted(&self) -> watch::Receiver<bool> {
        self.wanted.subscribe()
    }

    /// Takes in what is new and one piece of history; whether there is more to do at once.
    pub fn step(&self, store: &Store, now: Micros) -> Result<bool, StoreError> {
        let (newest, oldest) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let state = state.get_or_insert_with(|| {
                let last = store.committed().borrow().last;
                let path = TradePath::default();
                State { path, newest: last, oldest: Some(last.next()), back_to: now, aged: Micros(0) }
            });
            if now.0.saturating_sub(state.aged.0) >= AGE_EVERY {
                state.path.age(now);
                state.aged = now;
            }
            (state.newest, state.oldest)
        };
        // Read without the lock: the disk may be slow, and the page must not wait for it.
        let fresh = store.events_after(newest, EVENTS)?;
        self.with(|state| state.take_new(&fresh));
        let Some(before) = oldest else { return Ok(fresh.len() >= EVENTS) };
        let filter = EventFilter { since: Some(TradePath::oldest(now)), ..EventFilter::default() };
        let history = store.search(&filter, before, usize::MAX, 1)?;
        self.with(|state| state.take_old(&history.events, history.next));
        Ok(true)
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.state.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            change(state);
        }
    }
}

impl State {
    fn take_new(&mut self, events: &EventBatch) {
        for event in events.iter() {
            self.newest = event.id;
            self.path.fold(&event);
        }
    }

    fn take_old(&mut self, events: &EventBatch, next: Option<EventId>) {
        self.oldest = next;
        for event in events.iter() {
            self.back_to = self.back_to.min(event.ts);
            self.path.fold(&event);
        }
    }
}
