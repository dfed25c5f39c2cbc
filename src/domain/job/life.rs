//! What may happen to a job. Each transition is a method, and everything else is refused.

use super::{
    Beat, Cancel, Ending, Failure, FailureKind, Job, JobId, JobState, JobStep, Lease, Patience, Resources, StepOutcome,
    StepRecord,
};
use crate::domain::time::Micros;

/// Why a job stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever speaks does not have the job, or no longer.
    #[error("{job} is {state} under lease {epoch}, and you speak of lease {said}: end its processes, and drop it")]
    Stale {
        /// The job.
        job: JobId,
        /// The lease that was named.
        said: u64,
        /// The newest lease.
        epoch: u64,
        /// Where it stands.
        state: JobState,
    },
    /// It does not fit where the job stands.
    #[error("{job} is {state}: {why}")]
    State {
        /// The job.
        job: JobId,
        /// Where it stands.
        state: JobState,
        /// What does not fit.
        why: &'static str,
    },
}

/// To whom a job is given.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The worker's name.
    pub worker: &'a str,
    /// Which worker of that name.
    pub instance: &'a str,
    /// Its machine.
    pub host: &'a str,
    /// How long it may go on without a word of ours.
    pub seconds: u32,
}

impl Job {
    /// A worker gets it: pending becomes leased, under the next epoch.
    pub fn lease(&mut self, holder: Holder<'_>, now: Micros) -> Result<u64, Refusal> {
        if self.state != JobState::Pending {
            return Err(self.refusal("only a pending one is given to a worker"));
        }
        self.epoch += 1;
        self.state = JobState::Leased;
        self.not_before = None;
        self.started_at.get_or_insert(now);
        self.lease = Some(Lease {
            worker: holder.worker.to_owned(),
            instance: holder.instance.to_owned(),
            host: holder.host.to_owned(),
            seconds: holder.seconds,
            at: now,
            heard_at: now,
            progress: None,
            message: String::new(),
            moved_at: now,
            lost_at: None,
        });
        Ok(self.epoch)
    }

    /// Its worker is heard of: leased and lost become running. One that was merely cut off goes on as if nothing had been.
    pub fn hear(&mut self, epoch: u64, now: Micros) -> Result<(), Refusal> {
        self.held_under(epoch)?;
        self.state = JobState::Running;
        if let Some(lease) = &mut self.lease {
            lease.heard_at = now;
            lease.lost_at = None;
        }
        Ok(())
    }

    /// Its worker says how far it is, and is told how long it may go on now.
    pub fn beat(&mut self, beat: &Beat, seconds: u32, now: Micros) -> Result<(), Refusal> {
        self.hear(beat.epoch, now)?;
        if let Some(lease) = &mut self.lease {
            lease.seconds = seconds;
            let progress = beat.progress.filter(|progress| (0.0..=1.0).contains(progress));
            if progress.is_some() && progress != lease.progress {
                (lease.progress, lease.moved_at) = (progress, now);
            }
            if let Some(message) = &beat.message {
                lease.message = message.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS).collect();
            }
        }
        if let Some(record) = self.open_record_mut()
            && record.program().is_some()
        {
            record.resources = beat.resources;
        }
        Ok(())
    }

    /// Its worker is not heard of: leased and running become lost. Nothing else follows yet, because its processes may be
    /// alive.
    pub fn lose(&mut self, now: Micros) -> Result<(), Refusal> {
        if !matches!(self.state, JobState::Leased | JobState::Running) {
            return Err(self.refusal("only what a worker is at can be lost"));
        }
        self.state = JobState::Lost;
        if let Some(lease) = &mut self.lease {
            lease.lost_at = Some(now);
        }
        Ok(())
    }

    /// It came to nothing through no fault of its program, and **none of its processes is alive**: it becomes pending again
    /// after a pause, failed where that happened too often, or cancelled where it was called off.
    pub fn release(&mut self, epoch: u64, why: Failure, patience: Patience, now: Micros) -> Result<Ending, Refusal> {
        self.held_under(epoch)?;
        if self.cancel.is_some() {
            self.end(JobState::Cancelled, now);
            return Ok(Ending::Cancelled);
        }
        self.setbacks += 1;
        self.failure = Some(why);
        let Some(pause) = patience.pause(self.setbacks) else {
            self.end(JobState::Failed, now);
            return Ok(Ending::Failed);
        };
        self.end_open_record(now);
        self.lease = None;
        self.state = JobState::Pending;
        self.not_before = Some(now.plus(u64::try_from(pause.as_micros()).unwrap_or(u64::MAX)));
        Ok(Ending::Requeued)
    }

    /// It came to nothing, and **none of its processes is alive**: what the machine is to blame for is tried again, all
    /// else has failed; cancelled where it was called off.
    pub fn fail(&mut self, epoch: u64, why: Failure, patience: Patience, now: Micros) -> Result<Ending, Refusal> {
        self.held_under(epoch)?;
        if why.kind.is_retried() || self.cancel.is_some() {
            return self.release(epoch, why, patience, now);
        }
        self.failure = Some(why);
        self.end(JobState::Failed, now);
        Ok(Ending::Failed)
    }

    /// Everything is done.
    pub fn complete(&mut self, epoch: u64, now: Micros) -> Result<Ending, Refusal> {
        self.held_under(epoch)?;
        if self.running().is_some() {
            return Err(self.refusal("its worker is still at a program"));
        }
        self.failure = None;
        self.end(JobState::Completed, now);
        Ok(Ending::Completed)
    }

    /// Somebody calls it off: a pending one is cancelled; one that a worker has when its processes are gone. Asked again it
    /// changes nothing.
    pub fn call_off(&mut self, cancel: Cancel) -> Result<(), Refusal> {
        if self.state == JobState::Cancelled || (self.state.is_held() && self.cancel.is_some()) {
            return Ok(());
        }
        if self.state.is_over() {
            return Err(self.refusal("it is over"));
        }
        let at = cancel.at;
        self.cancel = Some(cancel);
        if self.state == JobState::Pending {
            self.end(JobState::Cancelled, at);
        }
        Ok(())
    }

    /// What was called off and has no process, between two programs, is cancelled.
    pub fn yield_to_cancel(&mut self, epoch: u64, now: Micros) -> Result<bool, Refusal> {
        self.held_under(epoch)?;
        if self.cancel.is_none() || self.running().is_some() {
            return Ok(false);
        }
        self.end(JobState::Cancelled, now);
        Ok(true)
    }

    /// A step begins. One that has begun under this lease goes on; `worker` is ours (none) for what the daemon does itself.
    pub fn begin_step(
        &mut self,
        epoch: u64,
        step: Option<JobStep>,
        worker: Option<&str>,
        inputs: [u8; 32],
        now: Micros,
    ) -> Result<(), Refusal> {
        self.held_under(epoch)?;
        match self.open_record() {
            Some(open) if open.step == step => return Ok(()),
            Some(_) => return Err(self.refusal("it is at another step")),
            None => {}
        }
        self.steps.push(StepRecord {
            step,
            epoch,
            worker: worker.map(str::to_owned),
            began_at: now,
            ended_at: None,
            inputs,
            outcome: None,
            reused: false,
            resources: Resources::default(),
        });
        Ok(())
    }

    /// The step that has begun under this lease ends. Where it goes on further than ever before, its setbacks are
    /// forgotten.
    pub fn end_step(
        &mut self,
        epoch: u64,
        step: Option<JobStep>,
        outcome: StepOutcome,
        now: Micros,
    ) -> Result<(), Refusal> {
        self.held_under(epoch)?;
        let further = outcome == StepOutcome::Done && !self.steps.iter().any(|r| r.step == step && r.is_done());
        match self.open_record_mut() {
            Some(open) if open.step == step => (open.outcome, open.ended_at) = (Some(outcome), Some(now)),
            _ => return Err(self.refusal("it is not at this step")),
        }
        if further {
            self.setbacks = 0;
        }
        Ok(())
    }

    /// What a program answered turned out to break its contract: the step was not done after all, so that a retry does it
    /// again.
    pub fn undo_step(&mut self, epoch: u64, step: Option<JobStep>, why: &Failure) -> Result<(), Refusal> {
        self.held_under(epoch)?;
        if let Some(record) = self.steps.iter_mut().rev().find(|record| record.step == step && record.is_done()) {
            record.outcome = Some(StepOutcome::Failed(why.clone()));
        }
        Ok(())
    }

    /// The data file went back in time: under leases that it does not know of workers may be at it now. Whatever they say
    /// is refused, so that they end its processes. One that a worker had then counts as lost; one that waited is given to
    /// nobody before `until`, when no such lease can be alive any more.
    pub fn went_back(&mut self, until: Micros, now: Micros) {
        match self.state {
            JobState::Pending => self.not_before = Some(self.not_before.map_or(until, |at| at.max(until))),
            JobState::Leased | JobState::Running | JobState::Lost => {
                let why = "a backup of the data file was restored, and what became of it since is not known".to_owned();
                self.failure = Some(Failure { kind: FailureKind::Infrastructure, why });
                self.end_open_record(now);
                self.state = JobState::Lost;
                if let Some(lease) = &mut self.lease {
                    lease.lost_at = Some(now);
                }
            }
            JobState::Completed | JobState::Failed | JobState::Cancelled => return,
        }
        self.epoch = self.epoch.saturating_add(LEASES_SKIPPED);
    }

    /// Refuses whoever does not have it under this lease.
    pub fn held_under(&self, epoch: u64) -> Result<(), Refusal> {
        if self.epoch == epoch && self.state.is_held() { Ok(()) } else { Err(self.stale(epoch)) }
    }

    /// How it went on with a worker's part in it, once that is over.
    pub fn ending(&self) -> Option<Ending> {
        match self.state {
            JobState::Completed => Some(Ending::Completed),
            JobState::Failed => Some(Ending::Failed),
            JobState::Cancelled => Some(Ending::Cancelled),
            JobState::Pending => Some(Ending::Requeued),
            JobState::Leased | JobState::Running | JobState::Lost => None,
        }
    }

    pub(super) fn stale(&self, said: u64) -> Refusal {
        Refusal::Stale { job: self.id, said, epoch: self.epoch, state: self.state }
    }

    pub(super) fn refusal(&self, why: &'static str) -> Refusal {
        Refusal::State { job: self.id, state: self.state, why }
    }

    pub(super) fn open_record_mut(&mut self) -> Option<&mut StepRecord> {
        let epoch = self.epoch;
        self.steps.iter_mut().rev().find(|record| record.epoch == epoch && record.outcome.is_none())
    }

    /// Its one end: nothing leads here twice, because every way asks for a state that is not over.
    fn end(&mut self, state: JobState, now: Micros) {
        self.end_open_record(now);
        self.lease = None;
        self.not_before = None;
        self.ended_at = Some(now);
        self.state = state;
    }

    fn end_open_record(&mut self, now: Micros) {
        let outcome = match &self.failure {
            Some(failure) if failure.kind != FailureKind::Infrastructure => StepOutcome::Failed(failure.clone()),
            _ => StepOutcome::Ended,
        };
        if let Some(open) = self.open_record_mut() {
            (open.outcome, open.ended_at) = (Some(outcome), Some(now));
        }
    }
}

/// More leases than a job is ever given: those of a future that a restored data file does not know are among them.
const LEASES_SKIPPED: u64 = 1_000;

/// What is kept of a program's own words about its progress.
const MESSAGE_CHARS: usize = 300;
