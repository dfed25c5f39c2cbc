use super::change::Who;
use super::request::object;
use super::{EVIDENCE_BYTES, JobError, Jobs, hook};
use crate::app::change::once;
use crate::app::intents::WHY_BYTES;
use crate::app::registry::Ask;
use crate::domain::account::hex;
use crate::domain::audit::AuditEntry;
use crate::domain::bus::BusEvent;
use crate::domain::job::{Cancel, Job, JobId, JobKind, JobState, MOST_SPAN_DAYS, NewJob, Refusal, Training};
use crate::domain::model::ModelId;
use crate::store::{OutboxKind, WriteTxn, fingerprint};

impl Jobs {
    /// Makes a job: its row, its audit record, its message to the bus and its key in one transaction.
    pub fn create(&self, ask: &Ask, new: NewJob) -> Result<Job, JobError> {
        let job = self.store.write(|txn| self.create_in(txn, ask, new))?;
        self.announce(&job);
        Ok(job)
    }

    /// The same in the caller's transaction, after whose commit [`Jobs::announce`] is called.
    pub fn create_in(&self, txn: &WriteTxn, ask: &Ask, new: NewJob) -> Result<Job, JobError> {
        let request = format!("job.create {}", hex(&fingerprint(format!("{new:?}").as_bytes())));
        self.once(txn, ask, &request, || {
            check(txn, &new)?;
            let job = Job::new(self.place(txn, &new.model, &new.kind)?, new.clone(), &ask.actor.name, ask.now);
            self.put_new(txn, ask, &job, "job.create", &job.evidence)?;
            Ok(job)
        })
    }

    /// Does a failed or cancelled job again: a new one, which takes over what was finished and goes on behind it. Each is
    /// done again once, so that a chain of retries has one end, and one at a time works in its directory.
    pub fn retry(&self, ask: &Ask, id: JobId) -> Result<Job, JobError> {
        let job = self.store.write(|txn| {
            self.once(txn, ask, &format!("job.retry {id}"), || {
                let failed = txn.job(id)?.ok_or(JobError::NoJob(id))?;
                if !matches!(failed.state, JobState::Failed | JobState::Cancelled) {
                    let why = "only what failed or was cancelled is done again";
                    return Err(Refusal::State { job: id, state: failed.state, why }.into());
                }
                if let JobKind::Hook(run) = &failed.kind {
                    hook::may_run_again(txn, run, &failed)?;
                }
                if let Some(by) = txn.done_again(&failed)? {
                    return Err(JobError::Again { job: id, by });
                }
                let mut job = failed.again(self.place(txn, &failed.model, &failed.kind)?, &ask.actor.name, ask.now);
                if self.has_results(txn, &failed)? {
                    self.take_over_results(txn, &failed, &job)?;
                } else {
                    // What the programs answered is kept no longer, and without it nothing can go on behind them.
                    (job.steps, job.version) = (Vec::new(), None);
                }
                self.put_new(txn, ask, &job, "job.retry", &job.evidence)?;
                if let JobKind::Hook(run) = &job.kind {
                    hook::follow(txn, run, &job, ask.now)?;
                }
                Ok(job)
            })
        })?;
        self.announce(&job);
        Ok(job)
    }

    /// Calls a job off: a pending one is cancelled at once, one that a worker has when its processes are gone.
    pub fn cancel(&self, ask: &Ask, id: JobId, why: &str) -> Result<Job, JobError> {
        let why = why.trim();
        if why.is_empty() || why.len() > WHY_BYTES {
            return Err(JobError::bad("why", format!("say why, in at most {WHY_BYTES} bytes")));
        }
        let (job, ()) = self.change(id, Who::Other, |txn, job| {
            let cancel = Cancel { by: ask.actor.name.clone(), why: why.to_owned(), at: ask.now };
            let had = job.cancel.clone();
            job.call_off(cancel)?;
            if job.cancel != had {
                let subject = format!("job {id}");
                txn.audit(AuditEntry::done(ask.now, &ask.actor, "job.cancel", subject, why))?;
            }
            Ok(())
        })?;
        Ok(job)
    }

    /// The number of a new job, if there is a place for it.
    fn place(&self, txn: &WriteTxn, model: &ModelId, kind: &JobKind) -> Result<JobId, JobError> {
        if let (JobKind::Training(_), Some(open)) = (kind, txn.open_training(model)?) {
            return Err(JobError::Open(open));
        }
        // A hook is asked for by a promotion, which must not fail because trainings wait.
        let is_full = txn.count_open_jobs()? >= u64::from(self.config.waiting);
        if is_full && matches!(kind, JobKind::Training(_)) {
            return Err(JobError::Full(self.config.waiting));
        }
        Ok(txn.new_job()?)
    }

    fn put_new(&self, txn: &WriteTxn, ask: &Ask, job: &Job, action: &str, why: &str) -> Result<(), JobError> {
        txn.put_job(job)?;
        let subject = format!("job {} of {}", job.id, job.model);
        txn.audit(AuditEntry::done(ask.now, &ask.actor, action, subject, why))?;
        if let JobKind::Training(training) = &job.kind {
            let event = BusEvent::job_created(job.id, training.name.model_type, job.trigger, job.created_at);
            txn.put_out(OutboxKind::Bus, ask.now, serde_json::to_string(&event)?)?;
        }
        Ok(())
    }

    /// Makes a job, or finds the one that was made under the same key.
    fn once(
        &self,
        txn: &WriteTxn,
        ask: &Ask,
        request: &str,
        make: impl FnOnce() -> Result<Job, JobError>,
    ) -> Result<Job, JobError> {
        // What is kept under the key is the job's id: the job itself changes.
        let mut made = None;
        let id = once(txn, ask.key.as_ref(), request, ask.now, || {
            let job = make()?;
            let id = job.id;
            made = Some(job);
            Ok::<JobId, JobError>(id)
        })?;
        match made {
            Some(job) => Ok(job),
            None => Ok(txn.job(id)?.ok_or(JobError::NoJob(id))?.as_made()),
        }
    }
}

fn check(txn: &WriteTxn, new: &NewJob) -> Result<(), JobError> {
    let plain = |text: &str, most| text.len() <= most && !text.chars().any(|c| c.is_control() && c != '\n');
    if !plain(&new.evidence, EVIDENCE_BYTES) {
        return Err(JobError::bad(
            "evidence",
            format!("use at most {EVIDENCE_BYTES} bytes without control characters"),
        ));
    }
    if new.triggered_by.as_ref().is_some_and(|by| by.trim().is_empty() || !plain(by, 256)) {
        return Err(JobError::bad("triggered_by", "use 1 to 256 bytes without control characters"));
    }
    let JobKind::Training(training) = &new.kind else { return Ok(()) };
    let Training { name, span_days, params, feature_config, parent, candidate } = training.as_ref();
    if !(1..=MOST_SPAN_DAYS).contains(span_days) {
        return Err(JobError::bad("dataset_span_days", format!("must be from 1 to {MOST_SPAN_DAYS}")));
    }
    object("training_params", params.as_ref())?;
    object("feature_config", feature_config.as_ref())?;
    if candidate.as_ref().is_some_and(|id| id.trim().is_empty() || !plain(id, 128)) {
        return Err(JobError::bad("strategy_candidate_id", "use 1 to 128 bytes without control characters"));
    }
    // A model that was imported keeps its id, which need not follow from what it is about.
    if name.id() != new.model && txn.model(&new.model)?.is_none_or(|model| model.name != *name) {
        return Err(JobError::bad(
            "model_id",
            format!("there is no model {} of that type, symbol and timeframe", new.model),
        ));
    }
    if let Some(parent) = parent
        && txn.version(&new.model, parent)?.is_none_or(|version| version.deleted.is_some())
    {
        return Err(JobError::bad("parent_version", format!("there is no version {parent} of {}", new.model)));
    }
    Ok(())
}
