use std::borrow::Cow;

use super::change::Who;
use super::journal::everything;
use super::{JobError, Jobs, Next};
use crate::domain::job::{
    Assignment, Beat, BeatAnswer, Ending, Failure, FailureKind, Job, JobId, JobStep, Program, Report, ReportAnswer,
    StepEnd, StepOutcome, Taken, Todo,
};
use crate::domain::time::Micros;

/// Where a job goes on, as one transaction finds it.
enum Onward {
    Over(Ending),
    Run(Box<Assignment>),
    After(Program),
}

impl From<Onward> for Option<ReportAnswer> {
    fn from(onward: Onward) -> Self {
        match onward {
            Onward::Over(ending) => Some(ReportAnswer::Over { ending }),
            Onward::Run(assignment) => Some(ReportAnswer::Run { assignment }),
            Onward::After(_) => None,
        }
    }
}

impl Jobs {
    /// A worker says that it is at it.
    pub fn beat(&self, id: JobId, beat: &Beat) -> Result<BeatAnswer, JobError> {
        let now = (self.now)();
        let lease_seconds = self.lease_seconds();
        let (job, ()) = self.change(id, Who::Worker, |_, job| Ok(job.beat(beat, lease_seconds, now)?))?;
        Ok(BeatAnswer { cancelled: job.cancel.map(|cancel| cancel.why), lease_seconds })
    }

    /// A worker reports the end of a program: it is kept, the daemon does its own steps, and says what comes next. The same
    /// report again comes to the same.
    pub fn report(&self, id: JobId, report: &Report) -> Result<ReportAnswer, JobError> {
        self.turns.take(id, || {
            let (now, patience) = ((self.now)(), self.config.patience());
            let report = self.checked(report, now);
            let (job, taken) = self.change(id, Who::Worker, |txn, job| {
                let taken = job.take(&report, patience, now)?;
                if let (Taken::New, StepEnd::Done(finished)) = (taken, &report.end) {
                    txn.put_job_result(id, report.program, finished)?;
                }
                Ok(taken)
            })?;
            crate::failpoint!("jobs.taken");
            match taken {
                // A hook that was given back may have given way to a newer one by that.
                Taken::Over(ending) => Ok(ReportAnswer::Over { ending: job.ending().unwrap_or(ending) }),
                Taken::New | Taken::Known => self.follow(id, report.epoch),
            }
        })
    }

    /// The report, or, where the answer in it breaks the contract, that of a program which failed by that: the same one
    /// again comes to the same.
    fn checked<'a>(&self, report: &'a Report, now: Micros) -> Cow<'a, Report> {
        let failure = match &report.end {
            StepEnd::Failed { failure } => failure.clipped(),
            StepEnd::Done(finished) => match self.orchestrator.check(report.program, finished, now) {
                Ok(()) => return Cow::Borrowed(report),
                Err(failure) => failure.clipped(),
            },
            StepEnd::Cancelled | StepEnd::Lost => return Cow::Borrowed(report),
        };
        let Report { epoch, program, inputs, reused, resources, .. } = *report;
        Cow::Owned(Report { epoch, program, inputs, end: StepEnd::Failed { failure }, reused, resources })
    }

    /// A worker asks what comes next: after its uploads, and after its restart.
    pub fn go_on(&self, id: JobId, epoch: u64) -> Result<ReportAnswer, JobError> {
        self.turns.take(id, || {
            let now = (self.now)();
            self.change(id, Who::Worker, |_, job| {
                // What is over, or was given back, is told by the next step.
                if job.state.is_held() {
                    job.hear(epoch, now)?;
                }
                Ok(())
            })?;
            self.follow(id, epoch)
        })
    }

    /// Takes a job as far as it goes without its worker.
    pub(super) fn follow(&self, id: JobId, epoch: u64) -> Result<ReportAnswer, JobError> {
        let (job, onward) = self.change(id, Who::Other, |txn, job| self.onward(txn, job, epoch))?;
        let program = match onward {
            Onward::After(program) => program,
            Onward::Over(ending) => return Ok(ReportAnswer::Over { ending }),
            Onward::Run(assignment) => return Ok(ReportAnswer::Run { assignment }),
        };
        let next = match self.store.job_result(id, program)? {
            Some(finished) => self.orchestrator.after(self, &job, program, &finished)?,
            None => Next::Fail(Failure {
                kind: FailureKind::Answer,
                why: format!("what {} answered is kept no longer: ask for a new training", program.as_str()),
            }),
        };
        self.take_next(id, epoch, program, next)
    }

    fn onward(&self, txn: &crate::store::WriteTxn, job: &mut Job, epoch: u64) -> Result<Onward, JobError> {
        let now = (self.now)();
        if job.epoch == epoch
            && let Some(ending) = job.ending()
        {
            return Ok(Onward::Over(ending));
        }
        if job.yield_to_cancel(epoch, now)? {
            return Ok(Onward::Over(Ending::Cancelled));
        }
        match (job.running(), job.todo()) {
            (Some(program), _) | (None, Todo::Run(program)) => {
                Ok(Onward::Run(Box::new(self.assign(txn, job, program)?)))
            }
            (None, Todo::After(program)) => Ok(Onward::After(program)),
        }
    }

    fn take_next(&self, id: JobId, epoch: u64, program: Program, next: Next) -> Result<ReportAnswer, JobError> {
        let (now, patience) = ((self.now)(), self.config.patience());
        let over = |ending| ReportAnswer::Over { ending };
        let (_, answer) = self.change(id, Who::Other, |txn, job| match next {
            Next::Upload { version, paths } => {
                job.held_under(epoch)?;
                Ok(ReportAnswer::Upload { version, paths })
            }
            // Somebody may have called it off meanwhile.
            Next::Run(_) | Next::Complete if job.yield_to_cancel(epoch, now)? => Ok(over(Ending::Cancelled)),
            Next::Run(program) => Ok(ReportAnswer::Run { assignment: Box::new(self.assign(txn, job, program)?) }),
            Next::Complete => {
                if program != Program::Hook {
                    job.begin_step(epoch, Some(JobStep::Complete), None, everything(job), now)?;
                    job.end_step(epoch, Some(JobStep::Complete), StepOutcome::Done, now)?;
                }
                Ok(over(job.complete(epoch, now)?))
            }
            Next::Fail(why) => {
                if why.kind == FailureKind::Answer {
                    job.undo_step(epoch, program.step(), &why)?;
                }
                Ok(over(job.fail(epoch, why, patience, now)?))
            }
        })?;
        crate::failpoint!("jobs.answered");
        Ok(answer)
    }
}
