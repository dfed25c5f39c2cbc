//! The way back: our units stop, the predecessor's are put back as they were found.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::machine::{Machine, PUBLISHER, SHARED, SOCKET};
use super::record::Record;
use crate::cli::ask::Daemon;
use crate::cli::output::{self, visible};

/// One command of the way back.
enum Back {
    Systemctl(Vec<String>),
    Move { from: std::path::PathBuf, to: std::path::PathBuf },
}

impl Back {
    fn words(&self) -> String {
        match self {
            Self::Systemctl(words) => format!("systemctl {}", words.join(" ")),
            Self::Move { from, to } => format!("mv {} {}", from.display(), to.display()),
        }
    }
}

fn systemctl(words: &[&str]) -> Back {
    Back::Systemctl(words.iter().map(ToString::to_string).collect())
}

/// The commands, in their order.
fn way_back(record: &Record) -> Vec<Back> {
    let mut started: Vec<&str> = record.started.iter().map(String::as_str).collect();
    if started.is_empty() {
        started = vec![SOCKET, SHARED];
    }
    let mut way = vec![systemctl(&[&["disable", "--now"], started.as_slice()].concat())];
    if let Some((from, to)) = &record.moved {
        way.push(Back::Move { from: to.clone(), to: from.clone() });
        way.push(systemctl(&["daemon-reload"]));
    }
    // The publisher comes last: what reads the stream is there when it begins.
    let mut units: Vec<_> = record.units.iter().collect();
    units.sort_by_key(|unit| unit.name == PUBLISHER);
    for unit in units {
        if unit.is_enabled() {
            way.push(systemctl(&["enable", &unit.name]));
        }
        if unit.is_active() {
            way.push(systemctl(&["start", &unit.name]));
        }
    }
    way
}

pub(super) fn run(
    machine: &Machine,
    daemon: &Daemon,
    record: Record,
    directory: &Path,
    stream: &str,
    apply: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    if record == Record::default() {
        anyhow::bail!("no takeover was done on this machine ({} has no record of one)", directory.display());
    }
    let way = way_back(&record);
    let words: Vec<String> = way.iter().map(Back::words).collect();
    let warning = format!(
        "starting {PUBLISHER} clears the stream {stream}: what is in Redis goes, also for its readers; quantum-clm's data \
         file keeps every event"
    );
    if apply {
        // Its mirror must take the stream over anew should it be started again beside the predecessor.
        let note = json!({ "undone": true, "steps": words });
        daemon
            .post::<Value>("/api/takeover", &note)
            .context("the daemon must be told before it is stopped; start it (systemctl start quantum-clm)")?;
        for back in &way {
            match back {
                Back::Systemctl(words) => {
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    machine.systemctl(&words)?;
                }
                Back::Move { from, to } if from.exists() => {
                    fs::rename(from, to).or_else(|_| fs::copy(from, to).and_then(|_| fs::remove_file(from)))?;
                }
                // An earlier run that broke off moved it.
                Back::Move { .. } => {}
            }
        }
        Record::clear(directory)?;
    }
    if json {
        output::json(&json!({ "applied": apply, "warning": warning, "steps": words }))?;
    } else {
        let head = if apply { "Done:" } else { "The way back, which --undo --apply does:" };
        let mut text = format!("{head}\n");
        for line in &words {
            text.push_str(&format!("  {}\n", visible(line)));
        }
        text.push_str(&format!("Mind: {}\n", visible(&warning)));
        output::print(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
