use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Check;
use crate::app::answers::HealthAnswer;
use crate::cli::Global;
use crate::cli::ask::{Daemon, nobody_answers};
use crate::config::Config;
use crate::domain::health::{State, Verdict};
use crate::observe::in_full;

const NAME: &str = "daemon";

/// What the running daemon says of itself.
pub(super) struct Answering {
    /// Its answer to `status`; none where no daemon answers.
    status: Option<Value>,
}

impl Answering {
    /// Asks it. A look, not a health check: growth is not measured from here.
    pub(super) fn ask(global: &Global, config: &Config, checks: &mut Vec<Check>) -> anyhow::Result<Self> {
        let daemon = Daemon::of(global)?;
        let health: HealthAnswer = match daemon.get("/api/health", &()) {
            Ok(health) => health,
            Err(error) if nobody_answers(&error) => {
                let what = format!("no daemon answers at {}", config.http.socket.display());
                checks.push(Check::warn(NAME, what, "systemctl start quantum-clm, once nothing below fails"));
                return Ok(Self { status: None });
            }
            Err(error) => {
                checks.push(Check::fail(NAME, in_full(&error), "as above; then run doctor again"));
                return Ok(Self { status: None });
            }
        };
        let status: Option<Value> = daemon.get("/api/status", &()).ok();
        let answering = Self { status };
        checks.push(answering.judge(&health));
        Ok(answering)
    }

    fn judge(&self, health: &HealthAnswer) -> Check {
        let text = |key: &str| self.status.as_ref().and_then(|status| status[key].as_str()).unwrap_or("?").to_owned();
        let who = format!("version {} runs since {}", text("version"), text("started"));
        let bad = |state| {
            let names = health.components.iter().filter(|part| part.state == state).map(|part| part.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        let remedy = "quantum-clm health --verbose says for each what to do";
        match (health.health.overall, bad(State::Warn)) {
            (Verdict::Degraded, _) => {
                Check::fail(NAME, format!("{who}; it is degraded by {}", bad(State::Failed)), remedy)
            }
            (_, warned) if !warned.is_empty() => Check::warn(NAME, format!("{who}; it warns of {warned}"), remedy),
            _ => Check::ok(NAME, format!("{who} and is healthy")),
        }
    }

    /// Whether a daemon answers.
    pub(super) fn is_there(&self) -> bool {
        self.status.is_some()
    }

    /// The file that it has open.
    pub(super) fn data_file(&self) -> Option<PathBuf> {
        Some(PathBuf::from(self.status.as_ref()?["data_file"].as_str()?))
    }

    /// Whether it has this file open, under whatever name.
    pub(super) fn owns(&self, path: &Path) -> bool {
        self.data_file().is_some_and(|owned| {
            let real = |path: &Path| std::fs::canonicalize(path).ok();
            owned == path || (real(&owned).is_some() && real(&owned) == real(path))
        })
    }

    /// Events of the last whole hour.
    pub(super) fn events_an_hour(&self) -> Option<u64> {
        self.status.as_ref()?["events_last_hour"].as_u64()
    }
}
