use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::now;
pub use crate::domain::health::{Component, LastError, State};

/// The states of all components, shared by those who report and those who show. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct StatusBoard {
    components: Arc<Mutex<BTreeMap<String, Component>>>,
}

impl StatusBoard {
    /// A board without components.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a component, in state `Starting`, and gives the handle through which it reports.
    pub fn reporter(&self, name: &str) -> Reporter {
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        components.entry(name.to_owned()).or_insert_with(|| Component {
            name: name.to_owned(),
            state: State::Starting,
            since: now(),
            summary: "starting".to_owned(),
            remedy: None,
            last_error: None,
            restarts: 0,
            figures: BTreeMap::new(),
        });
        Reporter { name: name.to_owned(), board: self.clone() }
    }

    /// All components as they are now.
    pub fn all(&self) -> Vec<Component> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A component's own handle on the board. A change of state is logged once, here; repeating a state is silent.
#[derive(Clone, Debug)]
pub struct Reporter {
    name: String,
    board: StatusBoard,
}

impl Reporter {
    /// It works.
    pub fn ok(&self, summary: impl Into<String>) {
        self.set(State::Ok, summary.into(), None, None);
    }

    /// It is switched off.
    pub fn off(&self, summary: impl Into<String>) {
        self.set(State::Off, summary.into(), None, None);
    }

    /// It works or waits, but an operator should know; `remedy` says what to do.
    pub fn warn(&self, summary: impl Into<String>, remedy: impl Into<String>) {
        self.set(State::Warn, summary.into(), Some(remedy.into()), None);
    }

    /// It does not do its work. `summary` names the failure (and becomes the last error), `remedy` says what to do.
    pub fn failed(&self, summary: impl Into<String>, remedy: impl Into<String>) {
        let summary = summary.into();
        self.set(State::Failed, summary.clone(), Some(remedy.into()), Some(summary));
    }

    /// It works again, if it had failed or was starting; whatever else it said about itself stays.
    pub fn recovered(&self, summary: impl Into<String>) {
        let state = self.with(|component| component.state);
        if matches!(state, Some(State::Failed | State::Starting)) {
            self.set(State::Ok, summary.into(), None, None);
        }
    }

    /// Remembers an error without a change of state.
    pub fn error(&self, text: impl Into<String>) {
        let text = text.into();
        self.with(|component| component.last_error = Some(LastError { at: now(), text }));
    }

    /// It was started again.
    pub fn restarted(&self) {
        self.with(|component| component.restarts += 1);
    }

    /// Sets a figure.
    pub fn figure(&self, name: &str, value: u64) {
        self.with(|component| match component.figures.get_mut(name) {
            Some(figure) => *figure = value,
            None => {
                component.figures.insert(name.to_owned(), value);
            }
        });
    }

    fn set(&self, state: State, summary: String, remedy: Option<String>, error: Option<String>) {
        let changed = self.with(|component| {
            let changed = component.state != state;
            if changed {
                component.since = now();
            }
            component.state = state;
            component.summary.clone_from(&summary);
            component.remedy.clone_from(&remedy);
            if let Some(text) = error {
                component.last_error = Some(LastError { at: now(), text });
            }
            changed
        });
        if changed == Some(true) {
            let remedy = remedy.as_deref().unwrap_or_default();
            match state {
                State::Failed => tracing::error!(component = self.name, remedy, "{summary}"),
                State::Warn => tracing::warn!(component = self.name, remedy, "{summary}"),
                State::Ok | State::Off | State::Starting => tracing::info!(component = self.name, "{summary}"),
            }
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Component) -> T) -> Option<T> {
        let mut components = self.board.components.lock().unwrap_or_else(PoisonError::into_inner);
        components.get_mut(&self.name).map(change)
    }
}
