//! A job that this worker has: program after program, until the daemon says that it is over or somebody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::Context;
use super::daemon::Trouble;
use super::files::{self, FileTrouble};
use super::place::{JobPlace, Task};
use super::program::{self, Came, Halt};
use super::ship::Shipper;
use super::watch::{Watch, Word};
use crate::domain::job::{Assignment, Ending, Failure, FailureKind, Finished, Report, ReportAnswer, StepEnd};
use crate::domain::model::Digest;

/// Pauses between tries to reach the daemon, the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// How often a file may be refused before the step has failed.
const REFUSALS: u32 = 3;

/// How it went on with a job, as far as this worker is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The daemon said how.
    Over(Ending),
    /// It was somebody else's, or nobody's.
    Dropped,
}

/// What is next.
enum Next {
    Run(Box<Assignment>),
    Over(Ending),
    Stale(String),
}

/// Follows a job to its end. Dropping the future leaves a program running, for whoever has the directory next.
pub(super) async fn follow(context: Context, place: JobPlace, assignment: Assignment, watch: Watch) -> Outcome {
    let (job, epoch) = (assignment.job, assignment.epoch);
    let shipper = Shipper::start(context.daemon.clone(), job, epoch, place.log(job, epoch));
    let mut next = Next::Run(Box::new(assignment));
    let outcome = loop {
        next = match next {
            Next::Run(assignment) => step(&context, &place, *assignment, &watch, &shipper).await,
            Next::Over(ending) => {
                tracing::info!(%job, epoch, "over: {ending:?}");
                break Outcome::Over(ending);
            }
            Next::Stale(why) => {
                tracing::warn!(%job, epoch, "dropped, and none of its processes is left: {why}");
                break Outcome::Dropped;
            }
        };
    };
    drop((shipper, watch));
    let done = outcome == Outcome::Over(Ending::Completed);
    let clearing = move || if done { place.clear_task().and_then(|()| place.remove()) } else { place.clear_task() };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(clearing).await {
        tracing::warn!(%job, "its directory cannot be cleared: {error}")
    }
    outcome
}

async fn step(context: &Context, place: &JobPlace, assignment: Assignment, watch: &Watch, shipper: &Shipper) -> Next {
    let command = context.programs.command(assignment.request.model_type, assignment.program);
    let (noted, task) = (place.clone(), Task { assignment: assignment.clone() });
    let noting = tokio::task::spawn_blocking(move || noted.set_task(&task)).await;
    let (came, inputs) = match (command, noting) {
        (Ok(command), Ok(Ok(()))) => {
            let inputs = command.digest();
            match program::run(context, place, &assignment, &command, watch).await {
                Ok(came) => (came, inputs),
                Err(why) => return Next::Stale(why),
            }
        }
        // Another worker may have it.
        (Err(why), _) => (Came::failed(FailureKind::Infrastructure, why), Digest([0; 32])),
        (_, Ok(Err(error))) => {
            let why = format!("{} cannot be written: {error}", place.path().display());
            (Came::failed(FailureKind::Infrastructure, why), Digest([0; 32]))
        }
        (_, Err(error)) => (Came::failed(FailureKind::Infrastructure, error.to_string()), Digest([0; 32])),
    };
    tokio::select! {
        () = shipper.flush() => {}
        Err(why) = stale(watch) => return Next::Stale(why),
    }
    let Came { end, resources, reused } = came;
    let report = Report { epoch: assignment.epoch, program: assignment.program, inputs, end, reused, resources };
    deliver(context, place, &assignment, watch, report).await
}

/// Reports, and sends what is wanted, until it is clear what is next.
async fn deliver(
    context: &Context,
    place: &JobPlace,
    assignment: &Assignment,
    watch: &Watch,
    mut report: Report,
) -> Next {
    let mut files = Files { refusals: BTreeMap::new() };
    let mut answer = match say(context, assignment, watch, &mut report).await {
        Ok(answer) => answer,
        Err(why) => return Next::Stale(why),
    };
    loop {
        let paths = match answer {
            ReportAnswer::Run { assignment } => return Next::Run(assignment),
            ReportAnswer::Over { ending } => return Next::Over(ending),
            ReportAnswer::Upload { paths, .. } => paths,
        };
        let finished = match &report.end {
            StepEnd::Done(finished) => Some(finished.clone()),
            _ => None,
        };
        let sent = files.send(context, place, assignment, watch, finished.as_ref(), paths).await;
        answer = match sent {
            Ok(()) => match again(context, assignment, watch).await {
                Ok(answer) => answer,
                Err(why) => return Next::Stale(why),
            },
            Err(Unsent::Stale(why)) => return Next::Stale(why),
            Err(Unsent::Cancelled) => {
                report.end = StepEnd::Cancelled;
                match say(context, assignment, watch, &mut report).await {
                    Ok(answer) => answer,
                    Err(why) => return Next::Stale(why),
                }
            }
            Err(Unsent::Failed(failure)) => {
                report.end = StepEnd::Failed { failure };
                match say(context, assignment, watch, &mut report).await {
                    Ok(answer) => answer,
                    Err(why) => return Next::Stale(why),
                }
            }
        };
    }
}

/// Reports until the daemon has taken it.
async fn say(
    context: &Context,
    assignment: &Assignment,
    watch: &Watch,
    report: &mut Report,
) -> Result<ReportAnswer, String> {
    loop {
        let said = persist(watch, || context.daemon.report(assignment.job, report)).await;
        match said {
            Ok(answer) => return Ok(answer),
            Err(Trouble::Stale(why)) => return Err(why),
            Err(trouble) => {
                tracing::error!(job = %assignment.job, "the daemon does not take the report: {trouble}");
                match milder(&report.end, &trouble.to_string()) {
                    Some(end) => report.end = end,
                    None => return Err(format!("the daemon does not take any report: {trouble}")),
                }
                sleep(PAUSES.0).await;
            }
        }
    }
}

/// What to report where the daemon refuses a report for good: what it does not take as an answer it takes as a failure. Of
/// what it does not take at all nothing is said any more, beats included, so that it counts as lost there; to go on beating
/// would keep the job for ever.
fn milder(refused: &StepEnd, why: &str) -> Option<StepEnd> {
    match refused {
        StepEnd::Done(_) => {
            let why = format!("the daemon did not take the answer: {why}");
            Some(StepEnd::Failed { failure: Failure { kind: FailureKind::Answer, why } })
        }
        StepEnd::Failed { .. } | StepEnd::Cancelled => Some(StepEnd::Lost),
        StepEnd::Lost => None,
    }
}

async fn again(context: &Context, assignment: &Assignment, watch: &Watch) -> Result<ReportAnswer, String> {
    let asked = persist(watch, || context.daemon.go_on(assignment.job, assignment.epoch)).await;
    // Refused for good, it is refused the next time too: see `milder`.
    asked.map_err(|trouble| match trouble {
        Trouble::Stale(why) => why,
        trouble => format!("the daemon does not say what is next: {trouble}"),
    })
}

/// Over once the job is not ours any more.
async fn stale(watch: &Watch) -> Result<(), String> {
    let mut word = watch.word();
    Err(stale_word(&mut word).await)
}

/// Waits until the job is not ours any more.
pub(super) async fn stale_word(word: &mut tokio::sync::watch::Receiver<Word>) -> String {
    let why = match word.wait_for(|word| matches!(word, Word::Stale(_))).await.as_deref() {
        Ok(Word::Stale(why)) => Some(why.clone()),
        _ => None,
    };
    match why {
        Some(why) => why,
        // Nobody could say it any more.
        None => std::future::pending().await,
    }
}

/// Asks until there is an answer, whatever it is, or the job is not ours any more.
async fn persist<T, F: Future<Output = Result<T, Trouble>>>(watch: &Watch, ask: impl Fn() -> F) -> Result<T, Trouble> {
    let mut pause = PAUSES.0;
    loop {
        tokio::select! {
            // What was said may have been taken though its answer is lost: the same again is answered alike.
            answer = ask() => match answer {
                Err(trouble) if trouble.passes() => {
                    tracing::debug!("{trouble}; it is tried again");
                }
                answer => return answer,
            },
            Err(why) = stale(watch) => return Err(Trouble::Stale(why)),
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Why files are not sent.
enum Unsent {
    Stale(String),
    Cancelled,
    Failed(Failure),
}

/// Files on their way, and how often each was refused.
struct Files {
    refusals: BTreeMap<String, u32>,
}

impl Files {
    async fn send(
        &mut self,
        context: &Context,
        place: &JobPlace,
        assignment: &Assignment,
        watch: &Watch,
        finished: Option<&Finished>,
        paths: Vec<String>,
    ) -> Result<(), Unsent> {
        let failed = |kind, why: String| Unsent::Failed(Failure { kind, why });
        for path in paths {
            let Some(digest) = finished.and_then(|finished| finished.artifacts.get(&path)) else {
                return Err(failed(
                    FailureKind::Infrastructure,
                    format!("the daemon asks for {path}, which is not here"),
                ));
            };
            let (mut word, mut ends) = (watch.word(), context.ends.clone());
            let sending = persist(watch, || async {
                match files::send(&context.daemon, place, assignment, &path, digest).await {
                    Ok(()) => Ok(None),
                    Err(FileTrouble::Here(why)) => Ok(Some(why)),
                    Err(FileTrouble::Daemon(trouble)) => Err(trouble),
                }
            });
            let sent = tokio::select! {
                sent = sending => sent,
                halt = program::halted(&mut word, &mut ends) => return Err(match halt {
                    Halt::Stale(why) => Unsent::Stale(why),
                    Halt::Cancelled(_) | Halt::Ends => Unsent::Cancelled,
                }),
            };
            match sent {
                Ok(None) => {}
                Ok(Some(why)) => return Err(failed(FailureKind::Infrastructure, why)),
                // Whether it is the job or the file that is refused, the daemon says when it is asked what is next.
                Err(trouble) => {
                    let times = self.refusals.entry(path.clone()).or_default();
                    *times += 1;
                    if *times >= REFUSALS {
                        return Err(failed(FailureKind::Registry, format!("{path}: {trouble}")));
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_is_refused_for_good_ends_the_job_here() {
        let mut end = StepEnd::Done(Finished { result: serde_json::json!({}), artifacts: BTreeMap::new() });
        let mut said = 1;
        while let Some(milder) = milder(&end, "no") {
            end = milder;
            said += 1;
            assert!(said < 10, "it is said for ever: {end:?}");
        }
        assert_eq!((said, end), (3, StepEnd::Lost));
        assert_eq!(milder(&StepEnd::Cancelled, "no"), Some(StepEnd::Lost));
    }
}
