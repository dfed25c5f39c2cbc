//! Carrying the steps out. Each can be done again: what it finds done it leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::TakeoverArgs;
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

impl Run<'_> {
    /// Every step in its order, up to the first that fails.
    pub(super) fn all(&mut self, report: &mut Report) {
        for at in 0..report.steps.len() {
            if report.steps[at].state == State::NotNeeded {
                continue;
            }
            let act = report.steps[at].act.clone();
            let step = &mut report.steps[at];
            match self.one(&act) {
                Ok(said) => {
                    (step.state, step.said) = (State::Done, said);
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

    fn one(&mut self, act: &Act) -> anyhow::Result<String> {
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

    fn stop(&mut self, name: &str) -> anyhow::Result<String> {
        let unit = self.machine.unit(name)?;
        // Before it is changed: the way back needs to know how it was.
        self.record.remember(&unit);
        self.record.save(&self.directory)?;
        self.machine.systemctl(&["disable", "--now", name])?;
        let now = self.machine.unit(name)?;
        if now.is_active() {
            bail!("{name} is still {}", now.active);
        }
        Ok(format!("it was {} and {}", unit.active, unit.enabled))
    }

    fn aside(&mut self, from: &Path, to: &Path) -> anyhow::Result<String> {
        self.record.moved = Some((from.to_owned(), to.to_owned()));
        self.record.save(&self.directory)?;
        if from.exists() {
            // Two file systems, perhaps: then the copy is whole before the original goes.
            if fs::rename(from, to).is_err() {
                fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
                fs::File::open(to)?.sync_all()?;
                fs::remove_file(from).with_context(|| format!("cannot remove {}", from.display()))?;
            }
        }
        self.machine.systemctl(&["daemon-reload"])?;
        Ok(format!("it is kept as {}", to.display()))
    }

    fn quiet(&mut self) -> anyhow::Result<String> {
        if self.redis.url.is_empty() {
            return Ok("redis.url is empty: there is no stream".into());
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
                Ok(Writer::Gone) => return Ok("nobody does".into()),
                Ok(Writer::AtWork { why, .. }) if Instant::now() >= until => bail!("{why}"),
                Ok(Writer::AtWork { .. }) => std::thread::sleep(PAUSE),
                // A password that only the unit has, for one. The daemon looks for itself before it writes.
                Err(trouble) => {
                    return Ok(format!("not seen from here ({}); the daemon waits by itself", trouble.summary));
                }
            }
        }
    }

    fn start(&mut self, units: &[String]) -> anyhow::Result<String> {
        self.record.started = units.to_vec();
        self.record.save(&self.directory)?;
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        self.machine.systemctl(&[&["enable", "--now"], units.as_slice()].concat())?;
        self.until("the daemon answers", |run| match run.daemon.get::<Value>("/api/status", &()) {
            Ok(_) => Ok(Some("it answers".to_owned())),
            Err(error) if is_away(&error) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn registry(&mut self, directory: &Path) -> anyhow::Result<String> {
        let import = Clm3Import { directory: directory.to_owned(), artifacts: self.args.artifacts.clone() };
        let (whole, told) = import::take_over(&import, self.global)?;
        if !whole {
            bail!("{told}; see quantum-clm import clm3 {} --apply", directory.display());
        }
        Ok(told)
    }

    fn history(&mut self) -> anyhow::Result<String> {
        if self.redis.url.is_empty() {
            return Ok("redis.url is empty: there is no stream".into());
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
        Ok(told(&answer))
    }

    fn mirror(&mut self) -> anyhow::Result<String> {
        self.until("the mirror writes", |run| {
            let health: HealthAnswer = run.daemon.get("/api/health", &())?;
            let Some(mirror) = health.components.into_iter().find(|part| part.name == "mirror") else {
                return Ok(None);
            };
            Ok(matches!(mirror.state, Condition::Ok | Condition::Off).then_some(mirror.summary))
        })
    }

    fn note(&mut self) -> anyhow::Result<String> {
        self.daemon.post::<Value>("/api/takeover", &json!({ "steps": self.record.steps }))?;
        self.record.finished = true;
        Ok("it is there".into())
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
