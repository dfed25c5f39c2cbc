use std::time::Duration;

use super::{JobId, Program};
use crate::domain::model::ModelType;

/// What somebody should look at, because jobs do not go on as they should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// There is nobody who could do a job.
    Unserved {
        /// Which.
        job: JobId,
        /// The type of its model; none for a hook's.
        model_type: Option<ModelType>,
        /// What is lacking.
        program: Program,
        /// For how long there has been a job that nobody could do.
        since: Duration,
        /// How many workers are heard of, none of which could.
        workers: usize,
    },
    /// As many jobs are open as may be.
    Full {
        /// How many may.
        most: u32,
    },
    /// A worker fell silent over a job.
    Lost {
        /// Which.
        job: JobId,
        /// The worker's name.
        worker: String,
        /// Others that are lost.
        others: u64,
    },
    /// What a job has trained is at a worker that is not heard of, and that is waited for.
    FilesAt {
        /// Which.
        job: JobId,
        /// The worker's name.
        worker: String,
    },
}

impl Concern {
    /// What is so.
    pub fn summary(&self) -> String {
        match self {
            Self::Unserved { job, since, workers: 0, .. } => {
                format!("nobody could do {job} for {}: no worker is heard of", minutes(*since))
            }
            Self::Unserved { job, model_type, program, since, workers } => {
                let what = match model_type {
                    Some(kind) => format!("the program `{}` of {kind}", program.as_str()),
                    None => "the promotion hook".to_owned(),
                };
                let since = minutes(*since);
                format!("nobody could do {job} for {since}: of {workers} workers that are heard of, none has {what}")
            }
            Self::Full { most } => format!("{most} jobs are open, as many as jobs.waiting allows: more are refused"),
            Self::Lost { job, worker, others } => {
                let more = if *others > 0 { format!("; {others} others are lost") } else { String::new() };
                format!("{job} is lost: its worker {worker} is not heard of{more}")
            }
            Self::FilesAt { job, worker } => {
                format!("what {job} has trained is at the worker {worker}, which is not heard of")
            }
        }
    }

    /// What to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unserved { model_type, program, .. } => {
                let key = match model_type {
                    Some(kind) => format!("adapters.{kind}.{}", program.as_str()),
                    None => "promotion.hook".to_owned(),
                };
                format!(
                    "start `quantum-clm worker` where {key} is set, or see in its log why it does not reach this daemon"
                )
            }
            Self::Full { .. } => "start more workers, raise jobs.running or jobs.waiting, or cancel jobs".to_owned(),
            Self::Lost { worker, .. } => format!(
                "see whether {worker} runs and reaches this daemon; if it does not come back, the job is given to another \
                 worker once its processes are known to be dead"
            ),
            Self::FilesAt { worker, .. } => {
                format!(
                    "start {worker} again; if it does not come back within ten minutes, another worker trains it anew"
                )
            }
        }
    }
}

fn minutes(time: Duration) -> String {
    format!("{} min", time.as_secs() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_concern_says_what_is_so_and_what_to_do() {
        let unserved = |model_type, program, workers| {
            let since = Duration::from_secs(185);
            Concern::Unserved { job: JobId(7), model_type, program, since, workers }
        };
        let lost = |others| Concern::Lost { job: JobId(7), worker: "gpu-1".into(), others };
        for (concern, says, remedy) in [
            (
                unserved(Some(ModelType::Xgboost), Program::Data, 0),
                "job-7 for 3 min: no worker is",
                "adapters.xgboost.data",
            ),
            (unserved(Some(ModelType::Nhits), Program::Train, 2), "of 2 workers", "where adapters.nhits.train is set"),
            (unserved(None, Program::Hook, 1), "none has the promotion hook", "promotion.hook"),
            (Concern::Full { most: 9 }, "9 jobs are open", "start more workers"),
            (lost(0), "job-7 is lost: its worker gpu-1 is not heard of", "see whether gpu-1 runs"),
            (lost(2), "; 2 others are lost", "given to another worker"),
            (Concern::FilesAt { job: JobId(7), worker: "gpu-1".into() }, "is at the worker gpu-1", "start gpu-1 again"),
        ] {
            let (summary, told) = (concern.summary(), concern.remedy());
            assert!(summary.contains(says) && told.contains(remedy), "{concern:?}\n{summary}\n{told}");
        }
    }
}
