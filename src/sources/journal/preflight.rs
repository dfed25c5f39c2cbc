use std::time::Duration;

use super::journalctl::{Failure, Journalctl};
use super::matches::{UnitError, Units, glob_matches};
use crate::config;

/// What can be known of the journal before reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// The first line of `journalctl --version`, or why it cannot be run.
    pub journalctl: Result<String, Failure>,
    /// Whether the journal can be read.
    pub readable: Readable,
    /// Each configured unit.
    pub units: Vec<UnitSeen>,
}

/// Whether the journal can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readable {
    /// It can.
    Yes,
    /// It can, and there is nothing in it.
    Empty,
    /// Only a part of it: lines of other users and of the system are missing. What to do is in the failure.
    Partly(Failure),
    /// It cannot.
    No(Failure),
}

/// A configured unit or glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitSeen {
    /// As configured.
    pub name: String,
    /// The units in the journal that it names; none is no error, the unit may just never have run.
    pub seen: Vec<String>,
}

impl Preflight {
    /// What keeps the journal from being read, if something does.
    pub fn failure(&self) -> Option<&Failure> {
        match (&self.journalctl, &self.readable) {
            (Err(failure), _) | (_, Readable::No(failure)) => Some(failure),
            _ => None,
        }
    }
}

/// Tries the journal: is journalctl there, can the journal be read, does it know the units. Takes some milliseconds.
pub fn check(config: &config::Journal) -> Result<Preflight, UnitError> {
    let units = Units::parse(&config.units)?;
    let journalctl = Journalctl::new(config, &units, Duration::from_secs(10));
    let version = journalctl.output(&["--version"]).and_then(|(text, ending)| match ending.status.success() {
        true => Ok(text.lines().next().unwrap_or_default().to_owned()),
        false => Err(journalctl.ended(&ending)),
    });
    let readable = match &version {
        Ok(_) => readable(&journalctl),
        Err(failure) => Readable::No(failure.clone()),
    };
    let known = match &readable {
        Readable::No(_) | Readable::Empty => String::new(),
        _ => journalctl.output(&["-q", "-m", "-F", "_SYSTEMD_UNIT"]).map(|(text, _)| text).unwrap_or_default(),
    };
    let seen = |name: &str| known.lines().filter(|unit| glob_matches(name, unit)).map(str::to_owned).collect();
    let units = units.names().map(|name| UnitSeen { name: name.to_owned(), seen: seen(name) }).collect();
    Ok(Preflight { journalctl: version, readable, units })
}

/// Without `-q`, so that journalctl says what it may not see.
fn readable(journalctl: &Journalctl) -> Readable {
    let (text, ending) = match journalctl.output(&["-m", "-n", "1", "-o", "export", "--output-fields=_PID"]) {
        Ok(answer) => answer,
        Err(failure) => return Readable::No(failure),
    };
    let said = &ending.stderr;
    if !ending.status.success() {
        Readable::No(journalctl.ended(&ending))
    } else if said.contains("not seeing messages") || said.contains("ermission") {
        Readable::Partly(Failure {
            summary: "only a part of the journal can be read".into(),
            remedy: journalctl.remedy("Permission denied"),
        })
    } else if text.is_empty() {
        Readable::Empty
    } else {
        Readable::Yes
    }
}
