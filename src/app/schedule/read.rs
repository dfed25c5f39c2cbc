use super::{Schedule, ScheduleError, Subject};
use crate::domain::job::JobId;
use crate::domain::model::{ModelId, ModelName, ModelType};
use crate::domain::schedule::{Cadence, Outlook, TriggerRecord, look};
use crate::domain::time::Micros;
use crate::store::Scheduled as _;

/// How it stands with a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub model: ModelId,
    /// What it is about.
    pub name: ModelName,
    /// Whether the registry has it.
    pub registered: bool,
    /// How often it is trained by the clock.
    pub cadence: Cadence,
    /// When it was last trained.
    pub last: Option<Micros>,
    /// What would be decided now, and when there is something to decide.
    pub outlook: Outlook,
    /// The training of it that is not over.
    pub open: Option<JobId>,
    /// Triggers that wait, oldest first.
    pub waiting: Vec<TriggerRecord>,
    /// The trigger that was last decided, while it is kept.
    pub decided: Option<TriggerRecord>,
    /// Trades since the last training.
    pub trades: u64,
}

/// A page of the schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Of these models.
    pub entries: Vec<Entry>,
    /// How many there are in all.
    pub total: usize,
    /// Behind which model the next page begins; none at the end.
    pub next: Option<ModelId>,
}

impl Schedule {
    /// How it stands with the models behind `after`, by id; of a type where one is named.
    pub fn plan(
        &self,
        kind: Option<ModelType>,
        after: Option<&ModelId>,
        limit: usize,
        now: Micros,
    ) -> Result<Plan, ScheduleError> {
        let workers = self.trainable()?;
        Ok(self.store.read(|txn| {
            let books = txn.books()?;
            let mut subjects = self.subjects(txn)?;
            subjects.retain(|subject| kind.is_none_or(|kind| subject.name.model_type == kind));
            let total = subjects.len();
            subjects.retain(|subject| after.is_none_or(|after| subject.id > *after));
            let next = subjects.get(limit.saturating_sub(1)).filter(|_| subjects.len() > limit);
            let next = next.map(|subject| subject.id.clone());
            let mut entries = Vec::new();
            for subject in subjects.into_iter().take(limit) {
                let mut looked = self.look(txn, &subject, &workers, now)?;
                let pending = looked.pending();
                let (outlook, _) = look(&self.rules, &looked.known, &mut looked.standing, &pending, &books, now);
                let decided = looked.standing.decided;
                let Subject { id, name, revision } = subject;
                entries.push(Entry {
                    cadence: self.rules.cadence(&id, name.model_type).clone(),
                    registered: revision > 0,
                    last: looked.known.trained,
                    outlook,
                    open: looked.known.open,
                    waiting: looked.waiting,
                    decided: decided.map(|number| txn.trigger(number)).transpose()?.flatten(),
                    trades: looked.standing.trades,
                    model: id,
                    name,
                });
            }
            Ok(Plan { entries, total, next })
        })?)
    }
}
