use redb::{ReadableTable as _, ReadableTableMetadata as _};

use super::codec::{self, records};
use super::schema::{INTENTS, JOBS, MODEL_JOBS, MODELS, OPEN_JOBS, SCHEDULE, TRIGGERS, VERSIONS};
use super::{Evaluations, ReadTxn, StoreError, WriteTxn};
use crate::domain::intent::Intent;
use crate::domain::job::{Job, JobId, JobState};
use crate::domain::model::{Model, ModelId, Version};
use crate::domain::schedule::{Books, Standing, TriggerRecord};
use crate::domain::time::Micros;

/// The key of what the scheduler knows over all models: no model's id.
pub(super) const BOOKS: &str = "";

records! {
    Books = 1, "books of the scheduler";
    Standing = 1, "standing in the schedule";
    TriggerRecord = 1, "trigger";
}

/// The trainings of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trainings {
    /// The newest job.
    pub newest: Option<JobId>,
    /// The one that is not over: there is never more than one, and it is the newest.
    pub open: Option<JobId>,
    /// When the last one ended that was completed or failed.
    pub ended: Option<Micros>,
    /// How many jobs are not over, of all models.
    pub all_open: u64,
}

/// What the scheduler reads, as a transaction sees it, whether it reads or writes.
pub trait Scheduled: Evaluations {
    /// What the scheduler knows over all models.
    fn books(&self) -> Result<Books, StoreError>;

    /// Where it stands with a model; none before its first look.
    fn standing(&self, model: &ModelId) -> Result<Option<Standing>, StoreError>;

    /// The ids of models for which triggers wait.
    fn awaited(&self) -> Result<Vec<String>, StoreError>;

    /// One trigger.
    fn trigger(&self, number: u64) -> Result<Option<TriggerRecord>, StoreError>;

    /// The trainings of a model.
    fn trainings(&self, model: &ModelId) -> Result<Trainings, StoreError>;

    /// Every model, by id.
    fn every_model(&self) -> Result<Vec<Model>, StoreError>;

    /// One model.
    fn one_model(&self, model: &ModelId) -> Result<Option<Model>, StoreError>;

    /// When the newest version of a model was made, also of one that was deleted since.
    fn newest_made(&self, model: &ModelId) -> Result<Option<Micros>, StoreError>;

    /// Intents behind this number, oldest first.
    fn intents_after(&self, number: u64, limit: usize) -> Result<Vec<Intent>, StoreError>;

    /// The newest intent's number; 0 where there is none.
    fn last_intent(&self) -> Result<u64, StoreError>;
}

macro_rules! scheduled {
    ($($txn:ty),*) => {
        $(impl Scheduled for $txn {
            fn books(&self) -> Result<Books, StoreError> {
                let row = self.txn.open_table(SCHEDULE)?;
                row.get(BOOKS)?.map_or_else(|| Ok(Books::default()), |row| codec::decode(row.value()))
            }

            fn standing(&self, model: &ModelId) -> Result<Option<Standing>, StoreError> {
                self.txn.open_table(SCHEDULE)?.get(model.as_str())?.map(|row| codec::decode(row.value())).transpose()
            }

            fn awaited(&self) -> Result<Vec<String>, StoreError> {
                let mut awaited = Vec::new();
                for row in self.txn.open_table(SCHEDULE)?.iter()? {
                    let (key, row) = row?;
                    if key.value() == BOOKS {
                        continue;
                    }
                    let standing: Standing = codec::decode(row.value())?;
                    if !standing.waiting.is_empty() {
                        awaited.push(key.value().to_owned());
                    }
                }
                Ok(awaited)
            }

            fn trigger(&self, number: u64) -> Result<Option<TriggerRecord>, StoreError> {
                self.txn.open_table(TRIGGERS)?.get(number)?.map(|row| codec::decode(row.value())).transpose()
            }

            fn trainings(&self, model: &ModelId) -> Result<Trainings, StoreError> {
                let (of_model, open) = (self.txn.open_table(MODEL_JOBS)?, self.txn.open_table(OPEN_JOBS)?);
                let jobs = self.txn.open_table(JOBS)?;
                let mut trainings = Trainings { all_open: open.len()?, ..Trainings::default() };
                for row in of_model.range((model.as_str(), 0)..=(model.as_str(), u64::MAX))?.rev() {
                    let (key, is_hook) = row?;
                    if is_hook.value() {
                        continue;
                    }
                    let number = key.value().1;
                    if trainings.newest.is_none() {
                        trainings.newest = Some(JobId(number));
                        trainings.open = open.get(number)?.map(|_| JobId(number));
                    }
                    let job: Option<Job> = jobs.get(number)?.map(|row| codec::decode(row.value())).transpose()?;
                    let was_tried = |job: &Job| matches!(job.state, JobState::Completed | JobState::Failed);
                    if let Some(ended) = job.filter(was_tried).and_then(|job| job.ended_at) {
                        trainings.ended = Some(ended);
                        break;
                    }
                }
                Ok(trainings)
            }

            fn every_model(&self) -> Result<Vec<Model>, StoreError> {
                self.txn.open_table(MODELS)?.iter()?.map(|row| codec::decode(row?.1.value())).collect()
            }

            fn one_model(&self, model: &ModelId) -> Result<Option<Model>, StoreError> {
                self.model(model)
            }

            fn newest_made(&self, model: &ModelId) -> Result<Option<Micros>, StoreError> {
                let mut newest = None;
                for row in self.txn.open_table(VERSIONS)?.range((model.as_str(), "")..)? {
                    let (key, row) = row?;
                    if key.value().0 != model.as_str() {
                        break;
                    }
                    let version: Version = codec::decode(row.value())?;
                    newest = newest.max(Some(version.created_at));
                }
                Ok(newest)
            }

            fn intents_after(&self, number: u64, limit: usize) -> Result<Vec<Intent>, StoreError> {
                let table = self.txn.open_table(INTENTS)?;
                table.range(number.saturating_add(1)..)?.take(limit).map(|row| codec::decode(row?.1.value())).collect()
            }

            fn last_intent(&self) -> Result<u64, StoreError> {
                Ok(self.txn.open_table(INTENTS)?.last()?.map_or(0, |(number, _)| number.value()))
            }
        })*
    };
}
scheduled!(ReadTxn, WriteTxn);

impl WriteTxn {
    /// Stores what the scheduler knows over all models.
    pub fn put_books(&self, books: &Books) -> Result<(), StoreError> {
        self.txn.open_table(SCHEDULE)?.insert(BOOKS, codec::encode(books)?.as_slice())?;
        Ok(())
    }

    /// Stores where the scheduler stands with a model.
    pub fn put_standing(&self, model: &ModelId, standing: &Standing) -> Result<(), StoreError> {
        self.txn.open_table(SCHEDULE)?.insert(model.as_str(), codec::encode(standing)?.as_slice())?;
        Ok(())
    }
}
