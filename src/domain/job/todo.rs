use super::{Job, JobKind, JobStep, Program, StepOutcome, StepRecord};

/// What is to be done next with a job that a worker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// The worker runs this program.
    Run(Program),
    /// The daemon does what follows upon this program's answer.
    After(Program),
}

impl Job {
    /// What is next. Under each lease a worker begins with the data, because what that program left lies where it ran; a
    /// worker that still has it says so without running it. What was registered is never trained again, and what was
    /// evaluated is not evaluated again.
    pub fn todo(&self) -> Todo {
        if matches!(self.kind, JobKind::Hook(_)) {
            return if self.stands(None) { Todo::After(Program::Hook) } else { Todo::Run(Program::Hook) };
        }
        let here = |step| self.steps.iter().any(|record| record.step == Some(step) && self.is_done_here(record));
        if self.stands(Some(JobStep::Evaluate)) {
            Todo::After(Program::Evaluate)
        } else if !here(JobStep::Data) {
            Todo::Run(Program::Data)
        } else if self.stands(Some(JobStep::Register)) || here(JobStep::Train) {
            Todo::After(Program::Train)
        } else {
            Todo::Run(Program::Train)
        }
    }

    /// The program that its worker was given and has not reported the end of.
    pub fn running(&self) -> Option<Program> {
        if !self.state.is_held() {
            return None;
        }
        self.open_record().and_then(StepRecord::program)
    }

    /// Which programs a worker must have to bring it to its end.
    pub fn needs(&self) -> &'static [Program] {
        match self.kind {
            JobKind::Hook(_) => &[Program::Hook],
            JobKind::Training(_) if self.stands(Some(JobStep::Evaluate)) => &[],
            JobKind::Training(_) if self.stands(Some(JobStep::Register)) => &[Program::Data, Program::Evaluate],
            JobKind::Training(_) => &Program::OF_A_TRAINING,
        }
    }

    /// The worker that alone has what was trained, until the registry has it.
    pub fn files_at(&self) -> Option<&str> {
        if self.stands(Some(JobStep::Register)) {
            return None;
        }
        let trained = |record: &&StepRecord| record.step == Some(JobStep::Train) && record.is_done();
        self.steps.iter().rev().find(trained)?.worker.as_deref()
    }

    /// Whether the step is done and was not undone by a later try.
    pub fn stands(&self, step: Option<JobStep>) -> bool {
        let counts = |record: &&StepRecord| {
            record.step == step && matches!(record.outcome, Some(StepOutcome::Done | StepOutcome::Failed(_)))
        };
        self.steps.iter().rev().find(counts).is_some_and(StepRecord::is_done)
    }

    fn is_done_here(&self, record: &StepRecord) -> bool {
        record.epoch == self.epoch && record.is_done()
    }

    /// The try that has begun under the present lease and not ended; there is never more than one.
    pub(super) fn open_record(&self) -> Option<&StepRecord> {
        self.steps.iter().rev().find(|record| record.epoch == self.epoch && record.outcome.is_none())
    }
}

impl StepRecord {
    /// Whether the step is done.
    pub fn is_done(&self) -> bool {
        self.outcome == Some(StepOutcome::Done)
    }

    /// The program that the step is; none for what the daemon does itself.
    pub fn program(&self) -> Option<Program> {
        match self.step {
            None => Some(Program::Hook),
            Some(JobStep::Data) => Some(Program::Data),
            Some(JobStep::Train) => Some(Program::Train),
            Some(JobStep::Evaluate) => Some(Program::Evaluate),
            Some(_) => None,
        }
    }
}
