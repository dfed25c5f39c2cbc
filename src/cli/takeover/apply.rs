//! Carrying the steps out. Each can be done again: what it finds done it leaves.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};

use super::TakeoverArgs;
use super::files::{is_there, shift};
use super::machine::Machine;
use super::plan::{Act, State};
use super::record::Record;
use super::show::Report;
use crate::app::answers::{HealthAnswer, HistoryAnswer};
use crate::cli::Global;
use crate::cli::ask::{Daemon, is_away};
use crate::cli::import::{self, Clm3Import};
use crate::config;
use crate::domain::health::State as Condition;
use crate::http::client::ClientError;
use crate::mirror::{HistoryReader, MirrorSettings, Writer};

const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Run<'a> {
    pub(super) machine: Machine,
    pub(super) daemon: Daemon,
    pub(super) record: Record,
    pub(super) directory: PathBuf,
    pub(super) redis: &'a config::Redis,
    pub(super) args: &'a TakeoverArgs,
    pub(super) wait: Duration,
    pub(super) global: &'a Global,
}

/// What came of a step that did not fail: how it stands, and what there is to say.
type Came = (State, String);

fn done(said: impl Into<String>) -> anyhow::Result<Came> {
    Ok((State::Done, said.into()))
}

impl Run<'_> {
    /// Notes what a way back has to know besides the units. An undo that broke off is over with this.
    pub(super) fn begin(&mut self, data_file: &Path) -> anyhow::Result<()> {
        self.record.data_file = Some(data_file.to_owned());
        self.record.stream = Some(self.redis.stream.clone());
        self.record.undone.clear();
        self.record.save(&self.directory)
    }

    /// Every step in its order, up to the first that fails.
    pub(super) fn all(&mut self, report: &mut Report) {
        for at in 0..report.steps.len() {
            let act = report.steps[at].act.clone();
            if report.steps[at].state == State::NotNeeded {
                // Started by somebody else, it is stopped by a way back all the same.
                if let Act::Start { units } = act {
                    self.record.started = units;
                }
                continue;
            }
            let step = &mut report.steps[at];
            match self.one(&act) {
                Ok(came) => {
                    (step.state, step.said) = came;
                    let line = format!("{}: {}", step.title, step.said);
                    if !self.record.steps.contains(&line) && self.record.steps.len() < 40 {
                        self.record.steps.push(line);
                    }
                }
                Err(error) => {
                    (step.state, step.said) = (State::Failed, format!("{error:#}"));
                    return;
                }
            }
            crate::failpoint!("takeover.step");
            if let Err(error) = self.record.save(&self.directory) {
                let step = &mut report.steps[at];
                (step.state, step.said) = (State::Failed, format!("done, but not noted: {error:#}"));
                return;
            }
        }
    }

    fn one(&mut self, act: &Act) -> anyhow::Result<Came> {
        match act {
            Act::Stop { unit } => self.stop(unit),
            Act::Aside { from, to } => self.aside(from, to),
            Act::Quiet => self.quiet(),
            Act::Start { units } => self.start(units),
            Act::Registry { directory } => self.registry(directory),
            Act::History => self.history(),
            Act::Mirror => self.mirror(),
            Act::Record => self.note(),
        }
    }

    fn stop(&mut self, name: &str) -> anyhow::Result<Came> {
        let unit = self.machine.unit(name)?;
        // Before it is changed: the way back needs to know how it was.
        self.record.remember(&unit);
        self.record.save(&self.directory)?;
        self.machine.systemctl(&["disable", "--now", name])?;
        let now = self.machine.unit(name)?;
        if now.is_active() {
            bail!("{name} is still {}", now.active);
        }
        done(format!("it was {} and {}", unit.active, unit.enabled))
    }

    fn aside(&mut self, from: &Path, to: &Path) -> anyhow::Result<Came> {
        if self.machine.is_of_a_package(from) {
            bail!("{} is a package's, and stays where it is", from.display());
        }
        // One that is not there any more was moved by an earlier run, which noted where to.
        if is_there(from) {
            self.record.moved = Some((from.to_owned(), to.to_owned()));
            self.record.save(&self.directory)?;
            shift(from, to)?;
        }
        self.machine.systemctl(&["daemon-reload"])?;
        let kept = self.record.moved.as_ref().map_or(to, |(_, kept)| kept);
        done(format!("it is kept as {}", kept.display()))
    }

    fn quiet(&mut self) -> anyhow::Result<Came> {
        if self.redis.url.is_empty() {
            return done("redis.url is empty: there is no stream");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let until = Instant::now() + self.wait;
        let settings = MirrorSettings::new(self.redis);
        loop {
            let writer = runtime.block_on(async {
                let mut reader = HistoryReader::open(settings.clone()).await?;
                reader.writer().await
            });
            match writer {
                Ok(Writer::Gone) => return done("nobody does"),
                Ok(Writer::AtWork { why, .. }) if Instant::now() >= until => bail!("{why}"),
                Ok(Writer::AtWork { .. }) => std::thread::sleep(PAUSE),
                // A password that only the unit has, for one. The daemon looks for itself before it writes.
                Err(trouble) => {
                    let said = format!("not seen from here ({}); the daemon waits by itself", trouble.summary);
                    return Ok((State::Skipped, said));
                }
            }
        }
    }

    fn start(&mut self, units: &[String]) -> anyhow::Result<Came> {
        self.record.started = units.to_vec();
        self.record.save(&self.directory)?;
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        self.machine.systemctl(&[&["enable", "--now"], units.as_slice()].concat())?;
        self.until("the daemon answers", |run| match run.daemon.get::<Value>("/api/status", &()) {
            Ok(_) => Ok(Some(())),
            Err(error) if is_away(&error) => Ok(None),
            Err(error) => Err(error),
        })?;
        done("it answers")
    }

    fn registry(&mut self, directory: &Path) -> anyhow::Result<Came> {
        let import = Clm3Import { directory: directory.to_owned(), artifacts: self.args.artifacts.clone() };
        let (whole, told) = import::take_over(&import, self.global)?;
        if !whole {
            bail!("{told}; see quantum-clm import clm3 {} --apply", directory.display());
        }
        done(told)
    }

    fn history(&mut self) -> anyhow::Result<Came> {
        if self.redis.url.is_empty() {
            return done("redis.url is empty: there is no stream");
        }
        let answer = self.until("the journal is read", |run| {
            match run.daemon.post_at_length::<HistoryAnswer>("/api/import/history", &json!({})) {
                Ok(answer) => Ok(Some(answer)),
                Err(error) => match error.downcast_ref::<ClientError>() {
                    // It says what it waits for.
                    Some(ClientError::Refused { status, .. }) if status.as_u16() == 409 => Ok(None),
                    _ => Err(error),
                },
            }
        })?;
        done(told(&answer))
    }

    fn mirror(&mut self) -> anyhow::Result<Came> {
        let said = self.until("the mirror writes", |run| {
            let health: HealthAnswer = run.daemon.get("/api/health", &())?;
            let Some(mirror) = health.components.into_iter().find(|part| part.name == "mirror") else {
                return Ok(None);
            };
            Ok(matches!(mirror.state, Condition::Ok | Condition::Off).then_some(mirror.summary))
        })?;
        done(said)
    }

    fn note(&mut self) -> anyhow::Result<Came> {
        self.daemon.post::<Value>("/api/takeover", &json!({ "steps": self.record.steps }))?;
        self.record.finished = true;
        done("it is there")
    }

    /// Asks until there is an answer.
    fn until<T>(&self, what: &str, mut ask: impl FnMut(&Self) -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
        let until = Instant::now() + self.wait;
        loop {
            if let Some(answer) = ask(self)? {
                return Ok(answer);
            }
            if Instant::now() >= until {
                bail!("waited {} s in vain until {what}; see quantum-clm health --verbose", self.wait.as_secs());
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// A history in one line.
pub(super) fn told(answer: &HistoryAnswer) -> String {
    let left: Vec<String> = answer.left.iter().map(|(word, count)| format!("{word} {count}")).collect();
    let mut told = format!("{} of {} entries are taken in", answer.taken, answer.entries);
    if !left.is_empty() {
        told.push_str(&format!("; left: {}", left.join(", ")));
    }
    told
}
