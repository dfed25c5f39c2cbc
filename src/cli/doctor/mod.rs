//! `doctor`: looks at everything that the daemon stands on, changes nothing, and says how to repair what is wrong.

mod daemon;
mod data;
mod journal;
mod machine;
mod network;
mod rights;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::daemon::Answering;
use super::output::{self, Screen, Style, Table};
use super::{Global, config};
use crate::config::Loaded;

#[derive(Args)]
pub(crate) struct DoctorArgs {}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// The daemon works, but somebody should look.
    Warn,
    /// The daemon cannot do its work.
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Ok => Style::Good,
            Self::Warn => Style::Warning,
            Self::Fail => Style::Bad,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    state: Verdict,
    what: String,
    remedy: Option<String>,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, state: Verdict::Ok, what: what.into(), remedy: None }
    }

    fn warn(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: Verdict::Warn, what: what.into(), remedy: Some(remedy.into()) }
    }

    fn fail(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: Verdict::Fail, what: what.into(), remedy: Some(remedy.into()) }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    checks: &'a [Check],
}

pub(crate) fn run(_args: DoctorArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let checks = examine(global)?;
    let ok = checks.iter().all(|check| check.state != Verdict::Fail);
    let code = if ok { ExitCode::SUCCESS } else { ExitCode::from(1) };
    if global.json {
        output::json(&Answer { ok, checks: &checks })?;
    } else {
        output::print(table(&checks, &Screen::stdout()).as_bytes())?;
    }
    Ok(code)
}

fn examine(global: &Global) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    // What a wrong configuration names is not what the operator means, so nothing of it is looked at.
    if let Some(loaded) = configuration(global, &mut checks) {
        let config = &loaded.config;
        let answering = Answering::ask(global, config, &mut checks)?;
        checks.extend(journal::check(&config.journal));
        checks.extend(data::check(config, &answering));
        checks.push(network::redis(&config.redis)?);
        checks.push(network::socket(&config.http, &answering));
        checks.push(network::listen(&config.http, &answering));
        checks.push(rights::check(config));
    }
    checks.push(machine::limits());
    checks.push(machine::clock());
    checks.push(machine::predecessor());
    Ok(checks)
}

fn configuration(global: &Global, checks: &mut Vec<Check>) -> Option<Loaded> {
    const NAME: &str = "configuration";
    match global.load().and_then(config::with_secrets) {
        Ok((loaded, notices)) => {
            let file = loaded.file.as_ref().map(|path| path.display().to_string());
            let none = || format!("{} does not exist; the defaults hold", crate::config::DEFAULT_FILE);
            checks.push(Check::ok(NAME, file.unwrap_or_else(none)));
            let seen = "quantum-clm config show tells where each value comes from";
            checks.extend(notices.into_iter().map(|notice| Check::warn(NAME, notice, seen)));
            Some(loaded)
        }
        Err(error) => {
            checks.extend(error.faults.into_iter().map(|fault| {
                // A fault is "where: what: what to do" already.
                let remedy = "correct it; nothing that it names was looked at";
                Check::fail(NAME, fault, remedy)
            }));
            None
        }
    }
}

fn table(checks: &[Check], screen: &Screen) -> String {
    let mut table = Table::new(&["CHECK", "STATE", "WHAT"]);
    for check in checks {
        table.row([
            (check.name, Style::Strong),
            (check.state.word(), check.state.style()),
            (check.what.as_str(), Style::Plain),
        ]);
        if let Some(remedy) = &check.remedy {
            table.row([("", Style::Plain), ("", Style::Plain), (&format!("to do: {remedy}"), Style::Plain)]);
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
    let verdict = match (failed, warned) {
        (0, 0) => screen.styled("everything is as it should be", Style::Good),
        (0, warned) => screen.styled(&format!("works; worth a look: {warned}"), Style::Warning),
        (failed, 0) => screen.styled(&format!("to repair: {failed}"), Style::Bad),
        (failed, warned) => screen.styled(&format!("to repair: {failed}; worth a look: {warned}"), Style::Bad),
    };
    format!("{}{verdict}\n", table.render(screen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_stands_below_what_it_repairs() {
        let checks = [Check::ok("clock", "2026"), Check::fail("redis", "is away", "start it")];
        let plain = Screen { width: None, colour: false };
        assert_eq!(
            table(&checks, &plain),
            "CHECK  STATE  WHAT\nclock  ok     2026\nredis  fail   is away\n              to do: start it\nto repair: 1\n"
        );
    }
}
