use super::{Job, JobId, JobKind, JobState, JobStep, Priority, StepRecord, Trigger};
use crate::domain::model::ModelId;
use crate::domain::time::Micros;

/// A job that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// For which model: the id that follows from a training's name, or that of a model which is there under another one.
    pub model: ModelId,
    /// What it does.
    pub kind: JobKind,
    /// Why.
    pub trigger: Trigger,
    /// In whose name, where that is not who asks: a message of the bus says whom it speaks for.
    pub triggered_by: Option<String>,
    /// What it is asked for upon, in words.
    pub evidence: String,
    /// What goes first.
    pub priority: Priority,
}

impl Job {
    /// One that nobody has begun.
    pub fn new(id: JobId, new: NewJob, by: &str, now: Micros) -> Self {
        Self {
            id,
            kind: new.kind,
            model: new.model,
            priority: new.priority,
            trigger: new.trigger,
            triggered_by: new.triggered_by.unwrap_or_else(|| by.to_owned()),
            evidence: new.evidence,
            created_at: now,
            retry_of: None,
            root: id,
            state: JobState::Pending,
            epoch: 0,
            lease: None,
            setbacks: 0,
            not_before: None,
            cancel: None,
            steps: Vec::new(),
            version: None,
            started_at: None,
            ended_at: None,
            failure: None,
        }
    }

    /// One that does `self` again, and takes over what was finished.
    pub fn again(&self, id: JobId, by: &str, now: Micros) -> Self {
        let new = NewJob {
            model: self.model.clone(),
            kind: self.kind.clone(),
            trigger: Trigger::Manual,
            triggered_by: None,
            evidence: format!("{} again", self.id),
            priority: self.priority,
        };
        let newest =
            |at: usize, record: &StepRecord| !self.steps[at + 1..].iter().any(|later| later.step == record.step);
        // A version that was registered is not registered again because its files were still on their way.
        let counts = |record: &StepRecord| record.is_done() || record.step == Some(JobStep::Register);
        let taken = self.steps.iter().enumerate().filter(|(at, record)| counts(record) && newest(*at, record));
        let steps = taken.map(|(_, record)| StepRecord { epoch: 0, ..record.clone() }).collect();
        Self {
            retry_of: Some(self.id),
            root: self.root,
            version: self.version.clone(),
            steps,
            ..Self::new(id, new, by, now)
        }
    }

    /// As it was when it was made: the answer to a request that is repeated under its key.
    pub fn as_made(self) -> Self {
        Self {
            state: JobState::Pending,
            epoch: 0,
            lease: None,
            setbacks: 0,
            not_before: None,
            cancel: None,
            started_at: None,
            ended_at: None,
            failure: None,
            version: self.retry_of.and(self.version),
            steps: self.steps.into_iter().filter(|record| record.epoch == 0).collect(),
            ..self
        }
    }
}
