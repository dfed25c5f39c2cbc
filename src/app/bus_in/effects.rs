use std::sync::Arc;

use crate::app::jobs::JobError;
use crate::app::schedule::{Recorded, Schedule, ScheduleError, Trades};
use crate::domain::bus_in::Message;
use crate::domain::job::Trigger;
use crate::domain::schedule::{NewTrigger, Target, TriggerRecord};
use crate::domain::time::Micros;
use crate::store::{StoreError, WriteTxn};

/// Why nothing follows from a message now.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// In words; the message is tried again, and given up in the end.
    #[error("{0}")]
    Because(String),
    /// The data file, which is not the message's fault: it waits until that works.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ScheduleError> for Refusal {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Store(error) | ScheduleError::Job(JobError::Store(error)) => Self::Store(error),
            ScheduleError::Job(error) => Self::Because(error.to_string()),
        }
    }
}

/// What followed from a message.
#[derive(Debug, Default)]
pub struct Followed {
    /// In words.
    pub told: String,
    /// What was written down, for [`Effects::committed`].
    pub recorded: Recorded,
}

/// What follows from messages.
pub trait Effects: Send + Sync {
    /// What a message asks for, within the transaction that takes it in. What it wrote is undone where it refuses.
    fn act(&self, txn: &WriteTxn, message: &Message, now: Micros) -> Result<Followed, Refusal>;

    /// Counts closed trades, within the transaction that takes them in.
    fn count_trades(&self, txn: &WriteTxn, trades: &[Trades<'_>], now: Micros) -> Result<(), Refusal>;

    /// The transaction is committed.
    fn committed(&self, recorded: &Recorded);
}

/// The scheduler: a message is a trigger, decided at once.
pub struct Scheduled(pub Arc<Schedule>);

impl Effects for Scheduled {
    fn act(&self, txn: &WriteTxn, message: &Message, now: Micros) -> Result<Followed, Refusal> {
        let recorded = self.0.trigger(txn, &trigger(message, now), now)?;
        let said: Vec<String> = recorded.triggers.iter().map(told).collect();
        Ok(Followed { told: said.join("; "), recorded })
    }

    fn count_trades(&self, txn: &WriteTxn, trades: &[Trades<'_>], now: Micros) -> Result<(), Refusal> {
        Ok(self.0.count_trades(txn, trades, now)?)
    }

    fn committed(&self, recorded: &Recorded) {
        self.0.announce(recorded);
    }
}

fn told(trigger: &TriggerRecord) -> String {
    let decision = trigger.decision.words();
    trigger.model.as_ref().map_or(decision.clone(), |model| format!("{model}: {decision}"))
}

/// What a message is to the scheduler.
fn trigger(message: &Message, now: Micros) -> NewTrigger {
    let by = message.topic().to_string();
    let evidence = message.told();
    match message {
        Message::DriftDetected { about, drift_score, detected_at } => NewTrigger {
            target: Target::Model(about.model.to_string()),
            reason: Trigger::DriftDetected,
            figure: Some(*drift_score),
            evidence,
            by,
            at: *detected_at,
        },
        Message::PerformanceDegraded { about, sharpe_ratio, detected_at } => NewTrigger {
            target: Target::Model(about.model.to_string()),
            reason: Trigger::PerformanceDegraded,
            figure: Some(*sharpe_ratio),
            evidence,
            by,
            at: *detected_at,
        },
        Message::TrainingRequested { name, requested_by } => NewTrigger {
            target: Target::Named(name.clone()),
            reason: Trigger::Manual,
            figure: None,
            evidence,
            by: requested_by.clone(),
            at: now,
        },
        Message::RegimeChanged { old_regime, new_regime, affected_models, detected_at } => NewTrigger {
            target: Target::Regime {
                old: old_regime.clone(),
                new: new_regime.clone(),
                affected: affected_models.iter().map(ToString::to_string).collect(),
            },
            reason: Trigger::RegimeChange,
            figure: None,
            evidence,
            by,
            at: *detected_at,
        },
    }
}
