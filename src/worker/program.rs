//! One program of a job, from its directory to its end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::time::sleep;

use super::daemon::Trouble;
use super::files::{self, FileTrouble};
use super::kept;
use super::place::{self, JobPlace};
use super::programs::Command;
use super::watch::{Watch, Word};
use super::{Context, answer};
use crate::domain::adapter::{Directories, JobFile};
use crate::domain::job::{Assignment, Failure, FailureKind, Finished, Program, Resources, StepEnd};
use crate::runner::{Adopted, ExitRecord, RunError, Running, Spec, Verdict};

/// How often a program is looked at, at first and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// A step that cannot be looked at, or ended, is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// How a program came out here.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) end: StepEnd,
    pub(super) resources: Resources,
    pub(super) reused: bool,
}

/// Why a program is not begun, or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// The job was called off.
    Cancelled(String),
    /// It is not ours any more.
    Stale(String),
    /// This worker stops and ends what it has.
    Ends,
}

impl Came {
    fn of(end: StepEnd) -> Self {
        Self { end, resources: Resources::default(), reused: false }
    }

    pub(super) fn failed(kind: FailureKind, why: impl Into<String>) -> Self {
        Self::of(StepEnd::Failed { failure: Failure { kind, why: why.into() } })
    }
}

/// Waits for a reason to halt.
pub(super) async fn halted(word: &mut watch::Receiver<Word>, ends: &mut watch::Receiver<bool>) -> Halt {
    tokio::select! {
        said = word.wait_for(|word| matches!(word, Word::Cancelled(_) | Word::Stale(_))) => match said.as_deref() {
            Ok(Word::Cancelled(why)) => Halt::Cancelled(why.clone()),
            Ok(Word::Stale(why)) => Halt::Stale(why.clone()),
            _ => Halt::Ends,
        },
        // Whoever could ask for it is gone.
        _ = ends.wait_for(|ends| *ends) => Halt::Ends,
    }
}

/// Brings a program to its end: takes over the run that is there, finds what is kept, or runs it. `Err` is a job that is not
/// ours any more, and of which no process is left.
pub(super) async fn run(
    context: &Context,
    place: &JobPlace,
    assignment: &Assignment,
    command: &Command,
    watch: &Watch,
) -> Result<Came, String> {
    let (mut word, mut ends) = (watch.word(), context.ends.clone());
    let adopted = adopt(context, place, assignment, watch).await?;
    let record = match adopted {
        Some(record) => record,
        None => {
            // Nothing is begun but under a lease that the daemon has just confirmed, and nothing is looked for or made in vain.
            tokio::select! {
                _ = watch.fresh() => {}
                halt = halted(&mut word, &mut ends) => return not_begun(halt),
            }
            if let Some(finished) = found(place, assignment, command).await {
                return Ok(Came { end: StepEnd::Done(finished), resources: Resources::default(), reused: true });
            }
            let brought = tokio::select! {
                brought = bring(context, place, assignment) => brought,
                halt = halted(&mut word, &mut ends) => return not_begun(halt),
            };
            let prepared = match brought {
                // Waited for whatever happens: whoever has the directory next must not meet somebody who makes it.
                Ok(artifacts) => prepare(context, place, assignment, command, artifacts).await,
                Err(FileTrouble::Daemon(Trouble::Stale(why))) => return Err(why),
                Err(FileTrouble::Daemon(trouble)) => Err(trouble.to_string()),
                Err(FileTrouble::Here(why)) => Err(why),
            };
            let spec = match prepared {
                Ok(spec) => spec,
                Err(why) => return Ok(Came::failed(FailureKind::Infrastructure, why)),
            };
            // That may have taken its time.
            let until = tokio::select! {
                until = watch.fresh() => until,
                halt = halted(&mut word, &mut ends) => return not_begun(halt),
            };
            let (runner, directory) = (context.runner.clone(), place.run(assignment.program));
            let work = spec.work.clone();
            let started = tokio::task::spawn_blocking(move || runner.start(&directory, spec, until)).await;
            match started {
                Ok(Ok(running)) => drop(watch.has(running, work)),
                Ok(Err(error)) => return Ok(Came::failed(FailureKind::Infrastructure, error.to_string())),
                Err(error) => return Ok(Came::failed(FailureKind::Infrastructure, error.to_string())),
            }
            tracing::info!(job = %assignment.job, epoch = assignment.epoch, "{} begins", assignment.program.as_str());
            ended(context, watch, &mut word, &mut ends).await
        }
    };
    watch.over();
    if let Word::Stale(why) = &*word.borrow() {
        return Err(why.clone());
    }
    Ok(conclude(place, assignment, command, record).await)
}

fn not_begun(halt: Halt) -> Result<Came, String> {
    match halt {
        Halt::Stale(why) => Err(why),
        Halt::Cancelled(_) | Halt::Ends => Ok(Came::of(StepEnd::Cancelled)),
    }
}

/// Takes over what is in the run's directory: the record of the run of this very lease and program, once it has ended.
/// Whatever else was there is over, and none of its processes alive.
async fn adopt(
    context: &Context,
    place: &JobPlace,
    assignment: &Assignment,
    watch: &Watch,
) -> Result<Option<ExitRecord>, String> {
    let is_ours = |job, epoch, program| (job, epoch, program) == (assignment.job, assignment.epoch, assignment.program);
    let (mut word, mut ends) = (watch.word(), context.ends.clone());
    let running = loop {
        let (runner, directory) = (context.runner.clone(), place.run(assignment.program));
        match tokio::task::spawn_blocking(move || runner.adopt(&directory)).await {
            Ok(Ok(Adopted::Nothing)) => return Ok(None),
            Ok(Ok(Adopted::Exited(record))) if is_ours(record.job, record.epoch, record.program) => {
                return Ok(Some(record));
            }
            Ok(Ok(Adopted::Exited(_))) => return Ok(None),
            Ok(Ok(Adopted::Running(running))) => break running,
            // What is left of it does not end, or cannot be seen: until it can, nothing is said of the job.
            Ok(Err(error)) => tracing::error!(job = %assignment.job, "{error}; it is tried again"),
            Err(error) => tracing::error!(job = %assignment.job, "{error}; it is tried again"),
        }
        sleep(PAUSE).await;
    };
    let spec = running.spec();
    let ours = is_ours(spec.job, spec.epoch, spec.program);
    let work = spec.work.clone();
    if ours {
        tracing::info!(job = %assignment.job, epoch = assignment.epoch, "{} is running, and taken over", assignment.program.as_str());
    }
    drop(if ours { watch.takes_over(*running, work) } else { watch.has(*running, work) });
    if !ours {
        let handle = watch.handle();
        let _ = tokio::task::spawn_blocking(move || handle.with(Running::kill)).await;
    }
    let record = ended(context, watch, &mut word, &mut ends).await;
    watch.over();
    Ok(ours.then_some(record))
}

/// Waits for the end of the program that runs, and brings it about where the job is not to go on.
async fn ended(
    context: &Context,
    watch: &Watch,
    word: &mut watch::Receiver<Word>,
    ends: &mut watch::Receiver<bool>,
) -> ExitRecord {
    let (mut pause, mut halt) = (LOOKS.0, None::<Halt>);
    let mut was_odd = false;
    loop {
        let handle = watch.handle();
        match tokio::task::spawn_blocking(move || handle.with(Running::poll)).await {
            Ok(Some(Ok(Some(record)))) => return record,
            Ok(Some(Ok(None))) => was_odd = false,
            Ok(Some(Err(error))) => {
                if !was_odd {
                    tracing::error!("{error}; it is tried again");
                }
                (was_odd, pause) = (true, PAUSE);
            }
            // The thread panicked, which the log has; the run is there still.
            Ok(None) | Err(_) => pause = PAUSE,
        }
        tokio::select! {
            () = sleep(pause) => {}
            // Being called off may still become being somebody else's.
            new = next_halt(&halt, word, ends) => {
                let (handle, grace, told) = (watch.handle(), context.grace, new.clone());
                let _ = tokio::task::spawn_blocking(move || handle.with(|running| order(running, &told, grace))).await;
                halt = Some(new);
                pause = LOOKS.0;
            }
        }
        pause = (pause * 2).min(LOOKS.1.max(if was_odd { PAUSE } else { Duration::ZERO }));
    }
}

async fn next_halt(had: &Option<Halt>, word: &mut watch::Receiver<Word>, ends: &mut watch::Receiver<bool>) -> Halt {
    match had {
        None => halted(word, ends).await,
        Some(Halt::Stale(_)) => std::future::pending().await,
        Some(Halt::Cancelled(_) | Halt::Ends) => Halt::Stale(super::job::stale_word(word).await),
    }
}

fn order(running: &mut Running, halt: &Halt, grace: Duration) {
    let told: Result<(), RunError> = match halt {
        Halt::Cancelled(why) => running.cancel(why, grace),
        Halt::Ends => running.cancel("its worker stops", grace),
        // Somebody else may begin it soon: there is no time for manners.
        Halt::Stale(_) => running.kill(),
    };
    if let Err(error) = told {
        tracing::error!("a program cannot be called off: {error}; its lease is not renewed, so it ends by itself");
    }
}

async fn found(place: &JobPlace, assignment: &Assignment, command: &Command) -> Option<Finished> {
    let (place, assignment, command) = (place.clone(), assignment.clone(), command.clone());
    let look = move || kept::find(&place, &assignment, command.digest());
    tokio::task::spawn_blocking(look).await.ok().flatten()
}

/// The directory with the version's files, for an evaluation.
async fn bring(context: &Context, place: &JobPlace, assignment: &Assignment) -> Result<Option<PathBuf>, FileTrouble> {
    if assignment.program != Program::Evaluate {
        return Ok(None);
    }
    files::bring(&context.daemon, place, assignment).await.map(Some)
}

/// Makes the directories and what is in them.
async fn prepare(
    context: &Context,
    place: &JobPlace,
    assignment: &Assignment,
    command: &Command,
    artifacts: Option<PathBuf>,
) -> Result<Spec, String> {
    let (place, assignment, command) = (place.clone(), assignment.clone(), command.clone());
    let log_bytes = context.log_bytes;
    let make = move || {
        command.check()?;
        let spec = spec(&place, &assignment, command, log_bytes);
        make(&place, &assignment, &spec.work, artifacts.as_deref())
            .map_err(|error| format!("the job's directory cannot be made: {error}"))?;
        Ok(spec)
    };
    let made = tokio::task::spawn_blocking(make).await;
    match made {
        Ok(made) => made,
        Err(error) => Err(error.to_string()),
    }
}

/// A fresh working directory with `job.json`.
pub(super) fn make(place: &JobPlace, assignment: &Assignment, work: &Path, artifacts: Option<&Path>) -> io::Result<()> {
    kept::forget(place, assignment.program)?;
    place::remove(&place.run(assignment.program))?;
    place::remove(work)?;
    place::make(work)?;
    place::make(place.path().join("runs").as_path())?;
    let told = |path: &Path| path.to_string_lossy().into_owned();
    let later = matches!(assignment.program, Program::Train | Program::Evaluate);
    let data = place.work(Program::Data);
    let directories =
        Directories { work: told(work), data: Some(told(&data)).filter(|_| later), artifacts: artifacts.map(told) };
    let file = JobFile { request: assignment.request.clone(), directories };
    fs::write(work.join("job.json"), serde_json::to_vec_pretty(&file)?)
}

pub(super) fn spec(place: &JobPlace, assignment: &Assignment, command: Command, log_bytes: u64) -> Spec {
    Spec {
        job: assignment.job,
        epoch: assignment.epoch,
        program: assignment.program,
        command: command.words,
        work: place.work(assignment.program),
        log: place.log(assignment.job, assignment.epoch),
        log_bytes,
        environment: command.adapter.environment,
        secrets: command.adapter.secrets,
        limits: command.limits,
    }
}

/// What the end of a run comes to. What the program left is looked at here.
async fn conclude(place: &JobPlace, assignment: &Assignment, command: &Command, record: ExitRecord) -> Came {
    let resources = record.resources;
    let took = Duration::from_micros(record.ended_at.0.saturating_sub(record.began_at.0));
    tracing::info!(job = %assignment.job, epoch = assignment.epoch, ?took, "{}: {}", assignment.program.as_str(), record.how);
    let end = match record.verdict() {
        Verdict::Answered => {
            let (place, assignment, command) = (place.clone(), assignment.clone(), command.clone());
            tokio::task::spawn_blocking(move || answered(&place, &assignment, &command)).await.unwrap_or_else(|error| {
                let failure = Failure { kind: FailureKind::Infrastructure, why: error.to_string() };
                StepEnd::Failed { failure }
            })
        }
        Verdict::Failed(failure) => StepEnd::Failed { failure },
        Verdict::Cancelled => StepEnd::Cancelled,
        Verdict::Lost => StepEnd::Lost,
    };
    Came { end, resources, reused: false }
}

fn answered(place: &JobPlace, assignment: &Assignment, command: &Command) -> StepEnd {
    let work: PathBuf = place.work(assignment.program);
    match answer::read(&work, assignment.program, Utc::now().into()) {
        Ok(finished) => {
            // A retry runs it again, where that cannot be noted.
            if let Err(error) = kept::keep(place, assignment, command.digest(), &finished) {
                tracing::warn!(job = %assignment.job, "what the program left is not noted for a retry: {error}");
            }
            StepEnd::Done(finished)
        }
        Err(failure) => StepEnd::Failed { failure },
    }
}
