use sha2::{Digest as _, Sha256};

use super::{Ending, Failure, FailureKind, Job, Patience, Refusal, Report, StepEnd, StepOutcome};
use crate::domain::time::Micros;

/// What a report came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The program answered: its answer is to be kept, and the job goes on.
    New,
    /// It was reported before, and the job goes on.
    Known,
    /// The worker has nothing left to do.
    Over(Ending),
}

impl Job {
    /// Takes the report of a program's end. The same one again, because its answer was lost, changes nothing and comes to
    /// the same; whatever else does not speak of a program that this worker has is refused.
    pub fn take(&mut self, report: &Report, patience: Patience, now: Micros) -> Result<Taken, Refusal> {
        let step = report.program.step();
        let known = self.steps.iter().rev().find(|record| record.epoch == report.epoch && record.step == step);
        let outcome = known.map(|record| record.outcome.clone());
        if self.epoch == report.epoch
            && let Some(Some(outcome)) = outcome
        {
            return self.take_again(report, &outcome, patience, now);
        }
        self.held_under(report.epoch)?;
        if self.running() != Some(report.program) {
            return Err(self.refusal("its worker was not given this program"));
        }
        self.hear(report.epoch, now)?;
        if let Some(record) = self.open_record_mut() {
            record.resources = report.resources;
            record.reused = report.reused;
            record.inputs = Sha256::new().chain_update(record.inputs).chain_update(report.inputs.0).finalize().into();
        }
        if let StepEnd::Done(_) = report.end {
            self.end_step(report.epoch, step, StepOutcome::Done, now)?;
            return Ok(Taken::New);
        }
        if let StepEnd::Failed { failure } = &report.end {
            self.end_step(report.epoch, step, StepOutcome::Failed(failure.clone()), now)?;
        }
        self.given_up(report, patience, now)
    }

    /// A report of what has ended already under this lease. What its worker lost without saying so is not taken late.
    fn take_again(
        &mut self,
        report: &Report,
        outcome: &StepOutcome,
        patience: Patience,
        now: Micros,
    ) -> Result<Taken, Refusal> {
        let done = matches!(report.end, StepEnd::Done(_));
        if *outcome == StepOutcome::Ended && !matches!(report.end, StepEnd::Cancelled | StepEnd::Lost) {
            return Err(self.stale(report.epoch));
        }
        if let Some(ending) = self.ending() {
            return Ok(Taken::Over(ending));
        }
        self.hear(report.epoch, now)?;
        match self.running() {
            _ if done => return Ok(Taken::Known),
            Some(_) => return Err(self.refusal("its worker was given another program since")),
            None => {}
        }
        // Between two programs: the worker was called off, or what the program left there is gone, and nobody can send it.
        if let StepEnd::Failed { failure } = &report.end {
            self.undo_step(report.epoch, report.program.step(), failure)?;
        }
        self.given_up(report, patience, now)
    }

    /// The worker is through with it, and none of its processes is alive.
    fn given_up(&mut self, report: &Report, patience: Patience, now: Micros) -> Result<Taken, Refusal> {
        let why = match &report.end {
            StepEnd::Failed { failure } => failure.clone(),
            StepEnd::Cancelled => infrastructure("its worker ended it, because it stops itself"),
            StepEnd::Lost | StepEnd::Done(_) => infrastructure(
                "what ran was ended: its worker did not reach us for too long, or what watched over it was killed",
            ),
        };
        Ok(Taken::Over(self.fail(report.epoch, why, patience, now)?))
    }
}

fn infrastructure(why: &str) -> Failure {
    Failure { kind: FailureKind::Infrastructure, why: why.to_owned() }
}
