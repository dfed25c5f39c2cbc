//! The way back: our units stop, the predecessor's are put back as they were found.
//!
//! It has to be open when our daemon is broken, for then it is wanted, and to go on where it broke off. So each step can be
//! repeated and is noted when it is done; neither the daemon's answer nor a configuration that can be read is needed, and
//! what cannot be told or noted is said and does not keep the predecessor from coming back.
//!
//! A note spares a step only where nobody can have undone it since: between two runs somebody may have started ours again, and
//! its daemon has then taken the mark. So until its name is the predecessor's, ours is stopped and marked by every run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::files::{is_there, shift};
use super::machine::{Machine, SHARED};
use super::plan::State;
use super::record::Record;
use crate::app::takeover::{leave_mark, mark_of};
use crate::cli::Global;
use crate::cli::ask::Daemon;
use crate::cli::output::{self, visible};
use crate::config::Config;
use crate::domain::predecessor::PUBLISHER;
use crate::http::client::ClientError;

/// One step of the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Back {
    /// For the audit log.
    Tell,
    Systemctl(Vec<String>),
    /// The next daemon is not to go on writing. When ours is stopped: one that starts takes the mark, and would begin again.
    Mark(PathBuf),
    Move {
        from: PathBuf,
        to: PathBuf,
    },
}

impl Back {
    fn words(&self) -> String {
        match self {
            Self::Tell => "tell the daemon (POST /api/takeover)".to_owned(),
            Self::Systemctl(words) => format!("systemctl {}", words.join(" ")),
            Self::Mark(data_file) => format!("touch {}", mark_of(data_file).display()),
            Self::Move { from, to } => format!("mv {} {}", from.display(), to.display()),
        }
    }

    /// Whether the predecessor comes back without it as well.
    fn may_fail(&self) -> bool {
        matches!(self, Self::Tell | Self::Mark(_))
    }
}

/// A step as it is shown.
#[derive(Serialize)]
struct Step {
    step: String,
    state: State,
    said: String,
}

/// What is done and shown.
struct Undo<'a> {
    machine: Machine,
    record: Record,
    directory: PathBuf,
    global: &'a Global,
    /// What somebody should know, whether something fails or not.
    mind: Vec<String>,
}

fn systemctl(words: &[&str]) -> Back {
    Back::Systemctl(words.iter().map(ToString::to_string).collect())
}

/// The steps, in their order; and whether the predecessor's unit file of our name is lost, so that its name is ours alone.
fn way_back(record: &Record, data_file: &Path, is_there: impl Fn(&Path) -> bool) -> (Vec<Back>, bool) {
    let mut way = vec![Back::Tell];
    // Where ours were not started yet, the name is still the predecessor's.
    if !record.started.is_empty() {
        let started: Vec<&str> = record.started.iter().map(String::as_str).collect();
        way.push(systemctl(&[&["disable", "--now"], started.as_slice()].concat()));
    }
    way.push(Back::Mark(data_file.to_owned()));
    let lost = record.moved.as_ref().is_some_and(|(from, to)| !is_there(from) && !is_there(to));
    if let Some((from, to)) = record.moved.as_ref().filter(|_| !lost) {
        way.push(Back::Move { from: to.clone(), to: from.clone() });
        way.push(systemctl(&["daemon-reload"]));
    }
    // The publisher comes last: what reads the stream is there when it begins.
    let mut units: Vec<_> = record.units.iter().filter(|unit| !lost || unit.name != SHARED).collect();
    units.sort_by_key(|unit| unit.name == PUBLISHER);
    for unit in units {
        if unit.is_enabled() {
            way.push(systemctl(&["enable", &unit.name]));
        }
        if unit.is_active() {
            way.push(systemctl(&["start", &unit.name]));
        }
    }
    (way, lost)
}

pub(super) fn run(
    machine: Machine,
    record: Record,
    directory: PathBuf,
    apply: bool,
    global: &Global,
) -> anyhow::Result<ExitCode> {
    if !record.has_changes() {
        bail!("no takeover was done on this machine ({} has no record of one)", directory.display());
    }
    let mut undo = Undo { machine, record, directory, global, mind: Vec::new() };
    let (data_file, stream) = undo.places();
    let (way, lost) = way_back(&undo.record, &data_file, is_there);
    if lost {
        undo.mind.push(format!(
            "the predecessor's {SHARED} is neither where it was nor where it was moved to: it stays away"
        ));
    }
    undo.mind.push(format!(
        "starting {PUBLISHER} clears the stream {stream}: what is in Redis goes, also for its readers; quantum-clm's data \
         file keeps every event"
    ));
    let mut steps: Vec<Step> = (0..way.len()).map(|place| undo.standing(&way, place)).collect();
    if apply {
        undo.all(&way, &mut steps);
    }
    undo.show(&steps, apply)?;
    let failed = steps.iter().any(|step| step.state == State::Failed);
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

impl Undo<'_> {
    /// Data file and stream: as configured, and where that cannot be read, as they were at the takeover.
    fn places(&mut self) -> (PathBuf, String) {
        match self.global.load_without_units() {
            Ok(loaded) => (loaded.config.data_file, loaded.config.redis.stream),
            Err(error) => {
                self.mind.push(format!("the configuration cannot be read, so that of the takeover is used: {error}"));
                let config = Config::default();
                let data_file = self.record.data_file.clone().unwrap_or(config.data_file);
                (data_file, self.record.stream.clone().unwrap_or(config.redis.stream))
            }
        }
    }

    /// How a step stands before this run.
    fn standing(&self, way: &[Back], place: usize) -> Step {
        let step = way[place].words();
        let noted = |back: &Back| self.record.undone.contains(&back.words());
        // Everything up to the mark keeps ours from writing. Once the predecessor's file is back, its name is no longer ours.
        let keeps_ours_down = way[place..].iter().any(|back| matches!(back, Back::Mark(_)));
        let over = if keeps_ours_down {
            way.iter().any(|back| matches!(back, Back::Move { .. }) && noted(back))
        } else {
            noted(&way[place])
        };
        let (state, said) = if over { (State::NotNeeded, "an earlier run did it") } else { (State::ToDo, "") };
        Step { step, state, said: said.to_owned() }
    }

    /// Every step in its order, up to the first without which there is no way.
    fn all(&mut self, way: &[Back], steps: &mut [Step]) {
        let words: Vec<String> = steps.iter().map(|step| step.step.clone()).collect();
        // A takeover after this one has all to do.
        self.record.finished = false;
        self.save();
        for (back, step) in way.iter().zip(steps) {
            if step.state == State::NotNeeded {
                continue;
            }
            match self.one(back, &words) {
                Ok(said) => (step.state, step.said) = (State::Done, said),
                Err(error) => {
                    step.said = format!("{error:#}");
                    step.state = if back.may_fail() { State::Skipped } else { State::Failed };
                    if step.state == State::Failed {
                        return;
                    }
                }
            }
            crate::failpoint!("takeover.undo");
            if *back != Back::Tell && !self.record.undone.contains(&step.step) {
                self.record.undone.push(step.step.clone());
                self.save();
            }
        }
        if let Err(error) = Record::clear(&self.directory) {
            self.mind.push(format!("all is done, but its record stays: {error:#}"));
        }
    }

    fn one(&self, back: &Back, words: &[String]) -> anyhow::Result<String> {
        match back {
            Back::Tell => {
                const WITHOUT: &str = "it goes without: the mark below says it to the next daemon";
                let told = Daemon::for_a_change(self.global)?
                    .post::<Value>("/api/takeover", &json!({ "undone": true, "steps": words }));
                match told.as_ref().err().map(|error| error.downcast_ref()) {
                    // Whoever started one now, as that error advises, would have two writers.
                    Some(Some(ClientError::NoDaemon(_))) => bail!("{WITHOUT}; none runs, and none is to be started"),
                    _ => told.context(WITHOUT)?,
                };
                Ok("it is in the audit log".to_owned())
            }
            Back::Systemctl(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.machine.systemctl(&words)?;
                Ok(String::new())
            }
            Back::Mark(data_file) => {
                let there = leave_mark(data_file).context(
                    "quantum-clm, started beside the predecessor, would write to the same stream: do not start it before the \
                     mark is there",
                )?;
                Ok(if there { "" } else { "there is no directory of a data file, and none is needed" }.to_owned())
            }
            Back::Move { from, to } => {
                let moved = shift(from, to)?;
                Ok(if moved { "" } else { "it was there" }.to_owned())
            }
        }
    }

    /// What cannot be noted is repeated by the next run, which harms nothing; a full disk must not close the way back.
    fn save(&mut self) {
        if let Err(error) = self.record.save(&self.directory) {
            let said = format!("a run after this one would repeat its steps, for they cannot be noted: {error:#}");
            if !self.mind.contains(&said) {
                self.mind.push(said);
            }
        }
    }

    fn show(&self, steps: &[Step], apply: bool) -> anyhow::Result<()> {
        let done = apply && steps.iter().all(|step| !matches!(step.state, State::ToDo | State::Failed));
        if self.global.json {
            let value = json!({ "applied": apply, "done": done, "mind": self.mind, "steps": steps });
            return output::json(&value);
        }
        let head = if apply { "What was done:" } else { "The way back, which --undo --apply does:" };
        let mut text = format!("{head}\n");
        for Step { step, state, said } in steps {
            let state = if apply || *state != State::ToDo { format!("[{}] ", state.word()) } else { String::new() };
            text.push_str(&format!("  {state}{}\n", visible(step)));
            if !said.is_empty() {
                text.push_str(&format!("      {}\n", visible(said)));
            }
        }
        for line in &self.mind {
            text.push_str(&format!("Mind: {}\n", visible(line)));
        }
        if apply && !done {
            text.push_str("\nNot done to the end. What was done stays done; run it again to go on.\n");
        }
        Ok(output::print(text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Unit;
    use super::*;

    fn words(record: &Record, is_there: impl Fn(&Path) -> bool) -> Vec<String> {
        way_back(record, Path::new("/data/quantum.redb"), is_there).0.iter().map(Back::words).collect()
    }

    fn record() -> Record {
        let unit = |name: &str| Unit { name: name.into(), active: "active".into(), ..Unit::default() };
        Record {
            units: vec![unit(PUBLISHER), unit(SHARED)],
            moved: Some(("/etc/clm".into(), "/aside/clm".into())),
            started: vec![SHARED.into()],
            ..Record::default()
        }
    }

    #[test]
    fn the_publisher_comes_last_and_the_mark_when_ours_is_stopped() {
        let expected = [
            "tell the daemon (POST /api/takeover)",
            "systemctl disable --now quantum-clm.service",
            "touch /data/stream-given-back",
            "mv /aside/clm /etc/clm",
            "systemctl daemon-reload",
            "systemctl start quantum-clm.service",
            "systemctl start quantum-utf-publisher.service",
        ];
        assert_eq!(words(&record(), |path| path == Path::new("/aside/clm")), expected);
        // A run that broke off has moved it: the steps are the same, and so is what was noted of them.
        assert_eq!(words(&record(), |path| path == Path::new("/etc/clm")), expected);
    }

    #[test]
    fn a_file_that_is_lost_does_not_start_ours_in_its_place() {
        let way = words(&record(), |_| false);
        assert!(way.contains(&"systemctl start quantum-utf-publisher.service".to_owned()), "{way:?}");
        assert!(!way.contains(&"systemctl start quantum-clm.service".to_owned()), "{way:?}");
    }

    #[test]
    fn what_was_not_started_yet_is_not_stopped() {
        let way = words(&Record { started: Vec::new(), moved: None, ..record() }, |_| true);
        assert!(!way.iter().any(|step| step.contains("disable")), "the name is still the predecessor's: {way:?}");
    }
}
