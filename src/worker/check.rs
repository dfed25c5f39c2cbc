//! Trying adapters against a sample job, without a daemon: what is wrong is said with its place and the reason. Blocking.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use serde::Serialize;
use serde_json::Value;

use super::place::JobPlace;
use super::programs::{Command, Programs};
use super::summary::summary;
use super::{answer, program};
use crate::config::Config;
use crate::domain::adapter::{self, CONTRACT};
use crate::domain::gates::Terms;
use crate::domain::job::{AdapterRequest, Assignment, FailureKind, Finished, JobId, Program, Resources, Trigger};
use crate::domain::model::{BadName, Digest, ModelName, ModelType};
use crate::domain::time::Micros;
use crate::joblog::{LogReader, Record};
use crate::runner::{ExitRecord, RunError, Runner, Running, Verdict, since_boot};

/// A program whose check is killed ends by itself after this.
const LEASE: Duration = Duration::from_secs(15);

/// How often that is put off, and looked whether somebody interrupts the check.
const LOOK: Duration = Duration::from_millis(250);

/// How much of what a program wrote is told where it failed.
const LINES: usize = 20;

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The model type.
    pub model_type: ModelType,
    /// The last program to run; those before it run first, because it needs what they left.
    pub last: Program,
    /// What to run as the last one instead of what is configured.
    pub command: Option<Vec<String>>,
    /// The symbol of the sample job.
    pub symbol: Option<String>,
    /// Its timeframe.
    pub timeframe: String,
    /// Its days of data.
    pub days: u32,
    /// Its parameters.
    pub params: Option<Value>,
}

/// What came of one program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// Which.
    pub program: Program,
    /// Whether it keeps to the contract.
    pub ok: bool,
    /// What is wrong otherwise: whose fault it is, and in words.
    pub kind: Option<FailureKind>,
    /// In words.
    pub why: Option<String>,
    /// Its working directory.
    pub directory: PathBuf,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What it took.
    pub resources: Resources,
    /// What it answered, in lines.
    pub answer: Vec<String>,
    /// What is no mistake and yet worth knowing.
    pub notes: Vec<String>,
    /// Its files, for `train`.
    pub artifacts: BTreeMap<String, Digest>,
    /// The last lines that it wrote, where it failed.
    pub lines: Vec<String>,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The sample job cannot be one.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The directory.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The program is not there.
    #[error("{}: {why}", program.as_str())]
    Program {
        /// Which.
        program: Program,
        /// Why.
        why: String,
    },
    /// Somebody has seen enough.
    #[error("interrupted while {} ran; it was ended", .0.as_str())]
    Interrupted(Program),
}

/// Runs the programs of a model type one after the other, up to the last or the first that fails; `see` is told of each.
/// Whether all of them keep to the contract. A program that runs when `is_interrupted` says so is ended.
pub fn check(
    config: &Config,
    checks: &Checks,
    directory: &Path,
    is_interrupted: impl Fn() -> bool,
    mut see: impl FnMut(&Checked),
) -> Result<bool, CheckError> {
    let name = ModelName::new(checks.model_type, checks.symbol.as_deref(), &checks.timeframe, None)?;
    let scene = Scene {
        place: JobPlace::at(directory, JobId(1)),
        runner: Runner::of_this_binary(),
        terms: config.gates,
        is_interrupted: &is_interrupted,
    };
    let mut results = BTreeMap::new();
    let mut artifacts = BTreeMap::new();
    for (program, command) in commands(&Programs::of(config), checks)? {
        let assignment = Assignment {
            job: scene.place.root,
            epoch: 1,
            model: name.id(),
            program,
            root: scene.place.root,
            inputs: Digest([0; 32]),
            request: request(checks, &name, program, &results, &artifacts),
            lease_seconds: 0,
        };
        let (checked, finished) = scene.run(&assignment, command)?;
        see(&checked);
        let Some(Finished { result, artifacts: files }) = finished else { return Ok(false) };
        results.insert(program.as_str().to_owned(), result);
        artifacts.extend(files);
    }
    Ok(true)
}

/// What is to be run. All of it is looked at before the first one runs, which may take hours.
fn commands(programs: &Programs, checks: &Checks) -> Result<Vec<(Program, Command)>, CheckError> {
    let all = [Program::Data, Program::Train, Program::Evaluate];
    let wanted = all.iter().position(|program| *program == checks.last).map_or(all.len(), |last| last + 1);
    let mut commands = Vec::new();
    for program in all.into_iter().take(wanted) {
        let replaced = checks.command.clone().filter(|_| program == checks.last);
        let command = match replaced {
            Some(words) => Ok(programs.with_limits(words, programs.adapter(checks.model_type))),
            None => programs.command(checks.model_type, program),
        };
        let command = command.and_then(|command| command.check().map(|()| command));
        commands.push((program, command.map_err(|why| CheckError::Program { program, why })?));
    }
    Ok(commands)
}

/// A directory of this user's own, below the system's for temporary files.
pub fn directory() -> Result<PathBuf, CheckError> {
    let mut random = [0; 6];
    let path = std::env::temp_dir();
    getrandom::fill(&mut random)
        .map_err(|error| CheckError::Io { path: path.clone(), source: io::Error::other(error) })?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = path.join(format!("quantum-clm-adapter-{name}"));
    DirBuilder::new().mode(0o700).create(&path).map_err(|source| CheckError::Io { path: path.clone(), source })?;
    Ok(path)
}

/// Removes it, whatever programs did to it.
pub fn remove(directory: &Path) -> Result<(), CheckError> {
    let failed = |source| CheckError::Io { path: directory.to_owned(), source };
    super::place::remove(directory).map_err(failed)
}

fn request(
    checks: &Checks,
    name: &ModelName,
    program: Program,
    results: &BTreeMap<String, Value>,
    artifacts: &BTreeMap<String, Digest>,
) -> AdapterRequest {
    let evaluates = program == Program::Evaluate;
    AdapterRequest {
        contract: CONTRACT,
        job_id: JobId(1),
        program,
        model_id: name.id(),
        model_type: name.model_type,
        symbol: name.symbol.as_ref().map(|symbol| symbol.to_uppercase()),
        timeframe: name.timeframe.clone(),
        regime: None,
        dataset_span_days: checks.days,
        training_params: checks.params.clone(),
        feature_config: None,
        trigger_reason: Trigger::Manual,
        triggered_by: "adapter check".to_owned(),
        parent_version: None,
        strategy_candidate_id: None,
        version: evaluates.then(|| crate::domain::model::VersionName::at(Utc::now().into())),
        hook: None,
        results: results.clone(),
        artifacts: if evaluates { artifacts.clone() } else { BTreeMap::new() },
    }
}

/// What all programs of a check have in common.
struct Scene<'a> {
    place: JobPlace,
    runner: Runner,
    terms: Terms,
    is_interrupted: &'a dyn Fn() -> bool,
}

impl Scene<'_> {
    fn run(&self, assignment: &Assignment, command: Command) -> Result<(Checked, Option<Finished>), CheckError> {
        let (place, program) = (&self.place, assignment.program);
        let failed = |source| CheckError::Io { path: place.path().to_owned(), source };
        let (work, train) = (place.work(program), place.work(Program::Train));
        let artifacts = (program == Program::Evaluate).then_some(train.as_path());
        let spec = program::spec(place, assignment, command, 1 << 20);
        let grace = spec.limits.grace;
        program::make(place, assignment, &work, artifacts).map_err(failed)?;
        let log = LogReader::open(&spec.log);
        let begins = log.end().unwrap_or(0);
        let mut running = self.runner.start(&place.run(program), spec, since_boot() + LEASE)?;
        let record = self.end_of(&mut running, grace)?;
        let now = Utc::now().into();
        let outcome = match record.verdict() {
            Verdict::Answered => answer::read(&work, program, now).map_err(|failure| (failure.kind, failure.why)),
            Verdict::Failed(failure) => Err((failure.kind, failure.why)),
            Verdict::Cancelled => return Err(CheckError::Interrupted(program)),
            Verdict::Lost => Err((FailureKind::Infrastructure, record.how.to_string())),
        };
        let lines = if outcome.is_err() { last_lines(&log, begins).map_err(failed)? } else { Vec::new() };
        let (finished, wrong) = match outcome {
            Ok(finished) => (Some(finished), None),
            Err(wrong) => (None, Some(wrong)),
        };
        let (kind, why) = wrong.unzip();
        // A failure has the run's notes in its sentence.
        let of_run = if finished.is_some() { record.notes } else { Vec::new() };
        let checked = Checked {
            program,
            ok: finished.is_some(),
            kind,
            why,
            seconds: Duration::from_micros(record.ended_at.0.saturating_sub(record.began_at.0)).as_secs_f64(),
            resources: record.resources,
            answer: finished.as_ref().map(|finished| self.told(program, finished, now)).unwrap_or_default(),
            notes: of_run.into_iter().chain(answer::read_progress(&work).err()).collect(),
            artifacts: finished.as_ref().map(|finished| finished.artifacts.clone()).unwrap_or_default(),
            directory: work,
            lines,
        };
        Ok((checked, finished))
    }

    fn end_of(&self, running: &mut Running, grace: Duration) -> Result<ExitRecord, CheckError> {
        let mut is_called_off = false;
        loop {
            if let Some(record) = running.wait(LOOK)? {
                return Ok(record);
            }
            if (self.is_interrupted)() && !is_called_off {
                is_called_off = true;
                running.cancel("the check was interrupted", grace)?;
            }
            running.renew_lease(since_boot() + LEASE)?;
        }
    }

    fn told(&self, program: Program, finished: &Finished, now: Micros) -> Vec<String> {
        let answer = adapter::check(program, finished.result.to_string().as_bytes(), now);
        answer.map(|answer| summary(&answer, &finished.artifacts, &self.terms, now)).unwrap_or_default()
    }
}

fn last_lines(log: &LogReader, begins: u64) -> io::Result<Vec<String>> {
    let from = log.last(LINES, 64 << 10)?.max(begins);
    let read = log.read(from, 64 << 10)?;
    let text = String::from_utf8_lossy(&read.bytes);
    Ok(text.lines().map(|line| Record::parse(line).map_or(line, |record| record.text).to_owned()).collect())
}
