//! What health says. The verdict in three lines keeps the predecessor's words and their order; scripts read them.
//!
//! | word | what it stands for |
//! |---|---|
//! | `services` | the units' journal is read: `WARN` while it starts or an operator should look, `FAIL` when it cannot be read |
//! | `growth` | `WARN` under [`GROWTH_LEAST`] newly stored events since the last check, or while the mirror is down |
//! | `clm` | pipeline, store, rules, disk and tasks do their work |
//!
//! The verdict is `DEGRADED` when a component that is needed failed. Slow growth alone does not degrade it: markets have
//! quiet nights. A mirror that is down does, although the file is complete without it: the predecessor measured growth
//! on the stream, whose readers get nothing while the mirror is down. A mirror that is switched off, or that holds on
//! purpose during a takeover, does not.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::{Micros, rfc3339};

/// The fewest newly stored events since the last check for which `growth` is `OK`.
pub const GROWTH_LEAST: u64 = 10;

/// Components without which there is no feed: one that does not even report has failed.
const REQUIRED: [&str; 3] = ["journal", "store", "rules"];

/// How a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Does its work.
    Ok,
    /// Switched off by the configuration.
    Off,
    /// Has not said anything yet.
    Starting,
    /// Works, or waits on purpose, but an operator should know.
    Warn,
    /// Does not do its work.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Off, Self::Starting, Self::Warn, Self::Failed];

    /// As it is written in JSON and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Off => "off",
            Self::Starting => "starting",
            Self::Warn => "warn",
            Self::Failed => "failed",
        }
    }
}

/// One component as health shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// `journal`, `store`, `rules`, `mirror`, `disk`, `webhook:<name>`, or `task:<name>`.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Since when it is so, RFC 3339.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub since: Micros,
    /// One sentence: what it does or what is wrong.
    pub summary: String,
    /// What to do about it, where there is something to do.
    pub remedy: Option<String>,
    /// The last error, also when it is over.
    pub last_error: Option<LastError>,
    /// How often it was started again.
    pub restarts: u64,
    /// Figures: lag, free bytes, ….
    pub figures: BTreeMap<String, u64>,
}

/// An error that a component met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastError {
    /// When, RFC 3339.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// What.
    pub text: String,
}

/// One word of the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mark {
    /// As it should be.
    Ok,
    /// Somebody should look.
    Warn,
    /// Does not work.
    Fail,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        })
    }
}

/// The whole of it: healthy or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every needed component does its work.
    Healthy,
    /// At least one does not.
    Degraded,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "HEALTHY",
            Self::Degraded => "DEGRADED",
        })
    }
}

/// What a health check finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// The units' journal is read.
    pub services: Mark,
    /// Events come in and go out.
    pub growth: Mark,
    /// What is read is stored and judged.
    pub clm: Mark,
    /// The verdict.
    pub overall: Verdict,
}

/// Where a component counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Services,
    Mirror,
    Clm,
}

fn group(name: &str) -> Group {
    let name = name.strip_prefix("task:").unwrap_or(name);
    if name.starts_with("journal") {
        Group::Services
    } else if name.starts_with("mirror") || name == "subscriptions" {
        Group::Mirror
    } else {
        Group::Clm
    }
}

/// Judges. `new_events` is how many events were stored since the previous check, `None` when there was none.
pub fn assess(components: &[Component], new_events: Option<u64>) -> Health {
    let worst = |of: Group| components.iter().filter(|c| group(&c.name) == of).map(|c| c.state).max();
    let lacks = |of: Group| {
        REQUIRED.iter().any(|name| group(name) == of && !components.iter().any(|component| component.name == *name))
    };
    let services = match worst(Group::Services) {
        _ if lacks(Group::Services) => Mark::Fail,
        Some(State::Failed) | None => Mark::Fail,
        Some(State::Warn | State::Starting) => Mark::Warn,
        Some(State::Ok | State::Off) => Mark::Ok,
    };
    let clm = if lacks(Group::Clm) || worst(Group::Clm) == Some(State::Failed) { Mark::Fail } else { Mark::Ok };
    let mirror_failed = worst(Group::Mirror) == Some(State::Failed);
    let few = new_events.is_some_and(|events| events < GROWTH_LEAST);
    let growth = if few || mirror_failed { Mark::Warn } else { Mark::Ok };
    let degraded = services == Mark::Fail || clm == Mark::Fail || mirror_failed;
    Health { services, growth, clm, overall: if degraded { Verdict::Degraded } else { Verdict::Healthy } }
}

impl Health {
    /// The exit status of `quantum-clm health`.
    pub fn exit_code(&self) -> u8 {
        match self.overall {
            Verdict::Healthy => 0,
            Verdict::Degraded => 1,
        }
    }

    /// The three lines, with the time in UTC.
    pub fn lines(&self, now: Micros) -> [String; 3] {
        let at = now.datetime().format("%Y-%m-%d %H:%M:%S");
        let Self { services, growth, clm, overall } = self;
        [
            format!("{at} | === UTF/CLM Health Check ==="),
            format!("{at} | Status: services={services}, growth={growth}, clm={clm}"),
            format!("{at} | === OVERALL: {overall} ==="),
        ]
    }
}

/// The answer of `GET /health`. Anybody may read it, so it holds neither error texts nor figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicHealth {
    /// `healthy` or `degraded`.
    pub status: Verdict,
    /// Always `quantum-clm`.
    pub service: String,
    /// The program's version.
    pub version: String,
    /// A state a component.
    pub components: BTreeMap<String, PublicState>,
}

/// A component's state without its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicState {
    /// How it is.
    pub state: State,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
}

impl PublicHealth {
    /// The public view. Growth has no part in the verdict, so that a probe does not move anybody's last check.
    pub fn of(components: &[Component], version: &str) -> Self {
        Self {
            status: assess(components, None).overall,
            service: "quantum-clm".to_owned(),
            version: version.to_owned(),
            components: components
                .iter()
                .map(|c| (c.name.clone(), PublicState { state: c.state, since: c.since.rfc3339() }))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
