use std::collections::BTreeSet;

use redb::{ReadableTable, ReadableTableMetadata as _};

use super::codec::{self, records};
use super::schema::{JOB_RESULTS, JOBS, META, MODEL_JOBS, OPEN_JOBS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::job::{Finished, Job, JobId, JobKind, JobState, OpenJob, Program, Trigger};
use crate::domain::model::{ModelId, ModelType};
use crate::domain::time::Micros;

/// What programs answer is text.
const LEVEL: i32 = 3;

/// The largest answer, unpacked: what a damaged row claims allocates no more than this.
const RESULT_BYTES: usize = 64 << 20;

/// Rows that one page may look at: a filter with few hits answers with where it stands.
const A_PAGE: usize = 2_000;

/// Jobs that one transaction looks at for their age.
const A_TRIM: usize = 1_000;

/// The row of [`META`] that holds the number given last, and how many jobs there are.
pub(super) const NUMBERS: &str = "jobs";

/// What is counted of all jobs that are kept, and the number given last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct JobCounts {
    /// The newest job's number.
    pub last: u64,
    by_state: [u64; JobState::ALL.len()],
    hooks: [u64; JobState::ALL.len()],
}

impl JobCounts {
    /// How many stand there.
    pub fn of(&self, state: JobState) -> u64 {
        self.by_state[state as usize]
    }

    /// How many trainings stand there.
    pub fn trainings(&self, state: JobState) -> u64 {
        self.of(state).saturating_sub(self.hooks[state as usize])
    }

    /// All that are kept.
    pub fn total(&self) -> u64 {
        self.by_state.iter().sum()
    }

    /// Whether both count the same jobs, whatever numbers were given.
    pub(super) fn counts_as(&self, other: &Self) -> bool {
        (self.by_state, self.hooks) == (other.by_state, other.hooks)
    }

    /// One more, or one less, stands there.
    pub(super) fn count(&mut self, job: &Job, state: JobState, step: i64) {
        let counts = std::iter::once(&mut self.by_state);
        for counts in counts.chain(matches!(job.kind, JobKind::Hook(_)).then_some(&mut self.hooks)) {
            let count = &mut counts[state as usize];
            *count = count.saturating_add_signed(step);
        }
    }
}

records! {
    Job = 1, "job";
    OpenJob = 1, "open job";
    JobCounts = 1, "jobs' numbers";
}

/// Which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In one of these states; any where empty.
    pub states: Vec<JobState>,
    /// Of this model.
    pub model: Option<ModelId>,
    /// Of this model type.
    pub model_type: Option<ModelType>,
    /// Asked for upon this.
    pub trigger: Option<Trigger>,
    /// Only trainings.
    pub trainings: bool,
}

impl JobFilter {
    fn fits(&self, job: &Job) -> bool {
        let kind = match &job.kind {
            JobKind::Training(training) => Some(training.name.model_type),
            JobKind::Hook(_) => None,
        };
        (self.states.is_empty() || self.states.contains(&job.state))
            && self.model.as_ref().is_none_or(|model| job.model == *model)
            && self.model_type.is_none_or(|wanted| kind == Some(wanted))
            && self.trigger.is_none_or(|trigger| job.trigger == trigger)
            && (kind.is_some() || !self.trainings)
    }

    fn is_open(&self) -> bool {
        !self.states.is_empty() && self.states.iter().all(|state| !state.is_over())
    }

    fn is_over(&self) -> bool {
        !self.states.is_empty() && self.states.iter().all(|state| state.is_over())
    }
}

/// What retention removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrimmedJobs {
    /// Jobs, with everything that is kept of them here; their logs are to follow.
    pub jobs: Vec<JobId>,
    /// Where to go on, if there may be more.
    pub next: Option<JobId>,
}

impl Store {
    /// One job.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.read(|txn| get(&txn.txn.open_table(JOBS)?, id))
    }

    /// Jobs with numbers below `before` that fit, newest first; and where to go on, if there may be more.
    pub fn jobs(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        let before = before.map_or(u64::MAX, |id| id.0);
        self.read(|ReadTxn { txn }| {
            let jobs = txn.open_table(JOBS)?;
            let mut page = Page { filter, limit, found: Vec::new(), looked: 0, passed_over: BTreeSet::new() };
            // A long queue stands before everything that is over.
            if filter.is_over() {
                for row in txn.open_table(OPEN_JOBS)?.iter()? {
                    page.passed_over.insert(row?.0.value());
                }
            }
            // The table with the fewest rows that can fit says which ones are read in full.
            let next = if filter.is_open() {
                let open = txn.open_table(OPEN_JOBS)?;
                page.walk(&jobs, open.range(..before)?.rev().map(|row| Ok(row?.0.value())))
            } else if let Some(model) = &filter.model {
                let of_model = txn.open_table(MODEL_JOBS)?;
                let range = of_model.range((model.as_str(), 0)..(model.as_str(), before))?;
                page.walk(&jobs, range.rev().map(|row| Ok(row?.0.value().1)))
            } else {
                page.walk(&jobs, jobs.range(..before)?.rev().map(|row| Ok(row?.0.value())))
            }?;
            Ok((page.found, next))
        })
    }

    /// What the queue needs of every job that is not over, by number.
    pub fn open_jobs(&self) -> Result<Vec<OpenJob>, StoreError> {
        self.read(|txn| open_jobs(&txn.txn.open_table(OPEN_JOBS)?))
    }

    /// How many jobs stand where.
    pub fn job_counts(&self) -> Result<JobCounts, StoreError> {
        self.read(|txn| counts(&txn.txn.open_table(META)?))
    }

    /// What a program of a job answered.
    pub fn job_result(&self, job: JobId, program: Program) -> Result<Option<Finished>, StoreError> {
        self.read(|txn| {
            let table = txn.txn.open_table(JOB_RESULTS)?;
            table.get((job.0, program as u8))?.map(|row| unpack(row.value())).transpose()
        })
    }

    /// Which programs of a job answered, and the bytes that each answer takes here.
    pub fn job_results(&self, job: JobId) -> Result<Vec<(Program, u64)>, StoreError> {
        self.read(|txn| {
            let table = txn.txn.open_table(JOB_RESULTS)?;
            let mut sizes = Vec::new();
            for program in Program::ALL {
                sizes.extend(table.get((job.0, program as u8))?.map(|row| (program, row.value().len() as u64)));
            }
            Ok(sizes)
        })
    }

    /// Jobs of a model that were asked for after `after`, oldest first.
    pub fn jobs_after(&self, model: &ModelId, after: JobId, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let jobs = txn.open_table(JOBS)?;
            let of_model = txn.open_table(MODEL_JOBS)?;
            let mut found = Vec::new();
            for row in of_model.range((model.as_str(), after.0 + 1)..=(model.as_str(), u64::MAX))?.take(limit) {
                found.extend(get(&jobs, JobId(row?.0.value().1))?);
            }
            Ok(found)
        })
    }

    /// Removes jobs that were over before `before`, and answers of programs of those that were over before
    /// `results_before`: a part of them at once, from `from` on.
    pub fn trim_jobs(&self, before: Micros, results_before: Micros, from: JobId) -> Result<TrimmedJobs, StoreError> {
        self.write(|txn| txn.trim_jobs(before, results_before, from))
    }
}

/// A page that is being filled.
struct Page<'a> {
    filter: &'a JobFilter,
    limit: usize,
    found: Vec<Job>,
    looked: usize,
    /// Numbers of jobs that cannot fit.
    passed_over: BTreeSet<u64>,
}

impl Page<'_> {
    /// Looks at the jobs of these numbers until the page is full; where to go on.
    fn walk(
        &mut self,
        jobs: &impl ReadableTable<u64, &'static [u8]>,
        numbers: impl Iterator<Item = Result<u64, StoreError>>,
    ) -> Result<Option<JobId>, StoreError> {
        for number in numbers {
            let number = number?;
            if self.passed_over.contains(&number) {
                continue;
            }
            if self.found.len() >= self.limit || self.looked >= A_PAGE {
                return Ok(Some(JobId(number + 1)));
            }
            self.looked += 1;
            self.found.extend(get(jobs, JobId(number))?.filter(|job| self.filter.fits(job)));
        }
        Ok(None)
    }
}

fn get(table: &impl ReadableTable<u64, &'static [u8]>, id: JobId) -> Result<Option<Job>, StoreError> {
    table.get(id.0)?.map(|row| codec::decode(row.value())).transpose()
}

fn open_jobs(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<Vec<OpenJob>, StoreError> {
    table.iter()?.map(|row| codec::decode(row?.1.value())).collect()
}

fn counts(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<JobCounts, StoreError> {
    Ok(table.get(NUMBERS)?.map(|row| codec::decode(row.value())).transpose()?.unwrap_or_default())
}

fn pack(finished: &Finished) -> Result<Vec<u8>, StoreError> {
    let unwritable = |why: String| StoreError::Unwritable { what: "program's answer", why };
    let json = serde_json::to_vec(finished).map_err(|error| unwritable(error.to_string()))?;
    if json.len() > RESULT_BYTES {
        return Err(unwritable(format!("it has {} bytes, and may have {RESULT_BYTES}", json.len())));
    }
    zstd::bulk::compress(&json, LEVEL).map_err(|error| unwritable(error.to_string()))
}

pub(super) fn unpack(row: &[u8]) -> Result<Finished, StoreError> {
    let damaged = |why: String| StoreError::Damaged { what: "program's answer", why };
    let json = zstd::bulk::decompress(row, RESULT_BYTES).map_err(|error| damaged(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))
}

impl WriteTxn {
    /// One job, as this transaction sees it.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        get(&self.txn.open_table(JOBS)?, id)
    }

    /// The number of the next job, given once.
    pub fn new_job(&self) -> Result<JobId, StoreError> {
        let mut last = 0;
        self.count_jobs(|counts| {
            counts.last += 1;
            last = counts.last;
        })?;
        Ok(JobId(last))
    }

    /// Gives no number up to `last` to a job any more.
    pub fn skip_jobs(&self, last: u64) -> Result<(), StoreError> {
        self.count_jobs(|counts| counts.last = counts.last.max(last))
    }

    /// Stores a job as it now is, and what lists and queue know of it.
    pub fn put_job(&self, job: &Job) -> Result<(), StoreError> {
        let mut jobs = self.txn.open_table(JOBS)?;
        let before = get(&jobs, job.id)?.map(|job| job.state);
        jobs.insert(job.id.0, codec::encode(job)?.as_slice())?;
        let mut open = self.txn.open_table(OPEN_JOBS)?;
        if job.state.is_over() {
            open.remove(job.id.0)?;
        } else {
            open.insert(job.id.0, codec::encode(&OpenJob::from(job))?.as_slice())?;
        }
        if before.is_none() {
            let is_hook = matches!(job.kind, JobKind::Hook(_));
            self.txn.open_table(MODEL_JOBS)?.insert((job.model.as_str(), job.id.0), is_hook)?;
        }
        if before != Some(job.state) {
            self.count_jobs(|counts| {
                if let Some(before) = before {
                    counts.count(job, before, -1);
                }
                counts.count(job, job.state, 1);
            })?;
        }
        Ok(())
    }

    /// As [`Store::open_jobs`], as this transaction sees it.
    pub fn open_jobs(&self) -> Result<Vec<OpenJob>, StoreError> {
        open_jobs(&self.txn.open_table(OPEN_JOBS)?)
    }

    /// How many jobs are not over.
    pub fn count_open_jobs(&self) -> Result<u64, StoreError> {
        Ok(self.txn.open_table(OPEN_JOBS)?.len()?)
    }

    /// The training of a model that is not over. There is never more than one, and none is asked for before it is over: so
    /// it is the newest, if any.
    pub fn open_training(&self, model: &ModelId) -> Result<Option<JobId>, StoreError> {
        let of_model = self.txn.open_table(MODEL_JOBS)?;
        for row in of_model.range((model.as_str(), 0)..=(model.as_str(), u64::MAX))?.rev() {
            let (key, is_hook) = row?;
            if !is_hook.value() {
                let newest = key.value().1;
                return Ok(self.txn.open_table(OPEN_JOBS)?.get(newest)?.map(|_| JobId(newest)));
            }
        }
        Ok(None)
    }

    /// The job that does this one again, if any.
    pub fn done_again(&self, job: &Job) -> Result<Option<JobId>, StoreError> {
        let jobs = self.txn.open_table(JOBS)?;
        let of_model = self.txn.open_table(MODEL_JOBS)?;
        for row in of_model.range((job.model.as_str(), job.id.0 + 1)..=(job.model.as_str(), u64::MAX))? {
            let later = get(&jobs, JobId(row?.0.value().1))?;
            if let Some(later) = later.filter(|later| later.retry_of == Some(job.id)) {
                return Ok(Some(later.id));
            }
        }
        Ok(None)
    }

    /// What a program of a job answered, as this transaction sees it.
    pub fn job_result(&self, job: JobId, program: Program) -> Result<Option<Finished>, StoreError> {
        let table = self.txn.open_table(JOB_RESULTS)?;
        table.get((job.0, program as u8))?.map(|row| unpack(row.value())).transpose()
    }

    /// Keeps what a program of a job answered.
    pub fn put_job_result(&self, job: JobId, program: Program, finished: &Finished) -> Result<(), StoreError> {
        let row = pack(finished)?;
        self.txn.open_table(JOB_RESULTS)?.insert((job.0, program as u8), row.as_slice())?;
        Ok(())
    }

    fn trim_jobs(&self, before: Micros, results_before: Micros, from: JobId) -> Result<TrimmedJobs, StoreError> {
        let mut jobs = self.txn.open_table(JOBS)?;
        let mut results = self.txn.open_table(JOB_RESULTS)?;
        let mut trimmed = TrimmedJobs::default();
        let mut old = Vec::new();
        for (looked, row) in jobs.range(from.0..)?.enumerate() {
            let job: Job = codec::decode(row?.1.value())?;
            if looked >= A_TRIM {
                trimmed.next = Some(job.id);
                break;
            }
            if job.created_at >= before.max(results_before) {
                break;
            }
            let over = |cutoff| job.ended_at.is_some_and(|at| at < cutoff);
            if over(results_before) || over(before) {
                results.retain_in((job.id.0, 0)..=(job.id.0, u8::MAX), |_, _| false)?;
            }
            if over(before) {
                old.push(job);
            }
        }
        for job in &old {
            jobs.remove(job.id.0)?;
            self.txn.open_table(MODEL_JOBS)?.remove((job.model.as_str(), job.id.0))?;
            self.count_jobs(|counts| counts.count(job, job.state, -1))?;
        }
        trimmed.jobs = old.into_iter().map(|job| job.id).collect();
        Ok(trimmed)
    }

    fn count_jobs(&self, change: impl FnOnce(&mut JobCounts)) -> Result<(), StoreError> {
        let mut meta = self.txn.open_table(META)?;
        let mut numbers = counts(&meta)?;
        change(&mut numbers);
        meta.insert(NUMBERS, codec::encode(&numbers)?.as_slice())?;
        Ok(())
    }
}
