//! Jobs, their results, the queue and the scheduler.

use std::collections::BTreeMap;

use super::super::StoreError;
use super::super::jobs::{self, JobCounts};
use super::super::schedule::BOOKS;
use super::super::schema::{JOB_RESULTS, JOBS, MODEL_JOBS, OPEN_JOBS, SCHEDULE, TRIGGERS};
use super::walk::{Fault, Walk, decode, must, plain, refers};
use crate::domain::backup::Part;
use crate::domain::job::{Job, JobKind, OpenJob, Program};
use crate::domain::schedule::{Books, Standing, TriggerRecord};

/// What was seen of jobs, to be compared.
#[derive(Default)]
pub(super) struct Seen {
    /// Number → model, whether it is a hook's, and whether it is over.
    jobs: BTreeMap<u64, (String, bool, bool)>,
    counts: JobCounts,
    /// What is on record of all of them.
    said: Option<JobCounts>,
}

impl Seen {
    pub(super) fn said(&mut self, counts: JobCounts) {
        self.said = Some(counts);
    }
}

pub(super) fn jobs(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let Seen { jobs, counts, said } = seen;
    walk.each("jobs", JOBS, |number, row| {
        let job: Job = decode(row)?;
        must(job.id.0 == number, "the record is that of another job")?;
        counts.count(&job, job.state, 1);
        counts.last = counts.last.max(number);
        let is_hook = matches!(job.kind, JobKind::Hook(_));
        jobs.insert(number, (job.model.as_str().to_owned(), is_hook, job.state.is_over()));
        Ok(())
    })?;
    // Numbers go on where they were when the newest job has been trimmed.
    let said = said.unwrap_or_default();
    if said.last < counts.last || !said.counts_as(counts) {
        walk.fault(Part::References, "meta", "jobs", "it does not count the jobs that are there");
    }
    Ok(())
}

pub(super) fn open_jobs(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let table = walk.open(JOBS)?;
    let mut open: BTreeMap<u64, ()> =
        seen.jobs.iter().filter(|(_, (.., over))| !over).map(|(number, _)| (*number, ())).collect();
    walk.each("open_jobs", OPEN_JOBS, |number, row| {
        let line: OpenJob = decode(row)?;
        open.remove(&number);
        let job = match &table {
            Some(table) => table.get(number).map_err(Fault::record)?,
            None => None,
        };
        let job: Option<Job> = job.map(|row| decode(row.value())).transpose()?;
        let fits = job.is_some_and(|job| !job.state.is_over() && OpenJob::from(&job) == line);
        refers(fits, || "it does not say what its job says".to_owned())
    })?;
    for number in open.into_keys() {
        walk.fault(Part::References, "jobs", &number.to_string(), "it is not over, and the queue does not have it");
    }
    Ok(())
}

pub(super) fn model_jobs(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut missing = seen.jobs.clone();
    walk.each("model_jobs", MODEL_JOBS, |(model, number), is_hook| {
        let job = missing.remove(&number);
        refers(job.is_some_and(|(of, hook, _)| of == model && hook == is_hook), || {
            "it does not say what its job says".to_owned()
        })
    })?;
    for number in missing.into_keys() {
        walk.fault(Part::References, "jobs", &number.to_string(), "its model's list does not have it");
    }
    Ok(())
}

pub(super) fn results(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("job_results", JOB_RESULTS, |(number, program), row| {
        jobs::unpack(row).map_err(|error| Fault::record(plain(error)))?;
        must(Program::ALL.iter().any(|known| *known as u8 == program), "its program is unknown")?;
        refers(seen.jobs.contains_key(&number), || format!("there is no job {number}"))
    })
}

pub(super) fn schedule(walk: &mut Walk<'_>, _: &mut Seen) -> Result<(), StoreError> {
    walk.each("schedule", SCHEDULE, |model, row| {
        if model == BOOKS { decode::<Books>(row).map(drop) } else { decode::<Standing>(row).map(drop) }
    })
}

pub(super) fn triggers(walk: &mut Walk<'_>, _: &mut Seen) -> Result<(), StoreError> {
    walk.each("triggers", TRIGGERS, |number, row| {
        let record: TriggerRecord = decode(row)?;
        must(record.number == number, "the record is that of another number")
    })
}
