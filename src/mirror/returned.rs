//! Whether the predecessor came back after the takeover: what health says then, and the intent that somebody looks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::takeover::{self, Predecessor};
use crate::domain::id::IntentId;
use crate::domain::intent::{IntentKey, IntentState, Severity, Subject};
use crate::domain::predecessor::UNITS;
use crate::domain::rules::{Finding, Raise};
use crate::domain::time::Micros;
use crate::observe::now;
use crate::store::{Store, StoreError};

/// What opens the intent.
const RULE: &str = "takeover";

/// Open intents of a unit among which ours is looked for.
const OPEN: usize = 1_000;

/// Looks now and then.
pub(super) struct Returned {
    store: Arc<Store>,
    systemctl: PathBuf,
    every: Duration,
    next: Instant,
    /// The unit that runs.
    pub(super) unit: Option<String>,
    /// Whether what an earlier process opened was looked at.
    tidied: bool,
}

impl Returned {
    pub(super) fn new(store: Arc<Store>, systemctl: PathBuf, every: Duration) -> Self {
        Self { store, systemctl, every, next: Instant::now(), unit: None, tidied: false }
    }

    /// Looks, if it is time to. A data file that does not take the intent is its own news; health says what is here.
    pub(super) async fn look(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + self.every;
        let systemctl = self.systemctl.clone();
        let Ok(seen) = tokio::task::spawn_blocking(move || takeover::predecessor(&systemctl)).await else { return };
        let unit = match seen {
            Predecessor::Runs(unit) => Some(unit),
            Predecessor::Stopped => None,
            // Nobody to ask is no answer.
            Predecessor::Unknown => return,
        };
        let changed = self.unit != unit;
        self.unit = unit.clone();
        if !changed && self.tidied {
            return;
        }
        let store = self.store.clone();
        let written = tokio::task::spawn_blocking(move || tell(&store, unit.as_deref(), now())).await;
        self.tidied = matches!(written, Ok(Ok(())));
    }
}

/// Opens the intent of the unit that runs, and resolves those of units that do not.
fn tell(store: &Store, unit: Option<&str>, now: Micros) -> Result<(), StoreError> {
    let mut findings = Vec::new();
    for other in UNITS.into_iter().filter(|other| unit != Some(*other)) {
        for state in [IntentState::Open, IntentState::Acknowledged] {
            let open = store.intents(Some(state), Some(other), IntentId(u64::MAX), OPEN)?;
            findings.extend(open.into_iter().filter(|intent| intent.key.rule == RULE).map(|intent| Finding::Clear {
                key: intent.key,
                why: format!("{other} does not run any more"),
                at: now,
            }));
        }
    }
    if let Some(unit) = unit {
        let subject = Subject::Unit(unit.to_owned());
        // One a day: who resolves it by hand and leaves the unit running is reminded tomorrow.
        let window = now.rfc3339().chars().take(10).collect();
        findings.push(Finding::Raise(Raise {
            key: IntentKey { rule: RULE.to_owned(), subject, window },
            severity: Severity::High,
            reason: format!("{unit} runs again beside quantum-clm, which has taken over its stream"),
            suggested_action: "investigate".to_owned(),
            count: 1,
            threshold: 0,
            at: now,
        }));
    }
    if findings.is_empty() {
        return Ok(());
    }
    store.write(|txn| txn.apply_findings(&findings, now))
}
