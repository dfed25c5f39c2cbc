use std::process::ExitCode;

use clap::Args;

use super::Global;
use super::ask::{Daemon, nobody_answers};
use super::output::{self, Screen, Style, Table, visible};
use super::time::age;
use crate::app::answers::HealthAnswer;
use crate::domain::health::{Component, Health, Mark, State, Verdict};
use crate::domain::time::Micros;
use crate::observe::now;

#[derive(Args)]
pub(crate) struct HealthArgs {
    /// Show every component: its state, since when, its last error, how far it lags
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

pub(crate) fn run(args: HealthArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let answer: HealthAnswer = match Daemon::of(global)?.post("/api/health/checks", &serde_json::json!({})) {
        Ok(answer) => answer,
        // A daemon that does not answer is the clearest of verdicts; scripts look for the line.
        Err(error) if nobody_answers(&error) => nobody(&error.to_string()),
        Err(error) => return Err(error),
    };
    let code = ExitCode::from(answer.health.exit_code());
    if global.json {
        output::json(&answer)?;
        return Ok(code);
    }
    let mut text = answer.lines.join("\n");
    text.push('\n');
    if args.verbose {
        let screen = Screen::stdout();
        text.push_str(&components(&answer.components, now(), &screen));
        if let Some(gap) = &answer.last_gap {
            text.push_str(&format!("last gap: {} ({})\n", visible(&gap.summary), gap.id));
        }
    }
    output::print(text.as_bytes())?;
    Ok(code)
}

fn nobody(why: &str) -> HealthAnswer {
    let health = Health { services: Mark::Fail, growth: Mark::Warn, clm: Mark::Fail, overall: Verdict::Degraded };
    let component = Component {
        name: "daemon".to_owned(),
        state: State::Failed,
        since: now(),
        summary: "does not answer".to_owned(),
        remedy: Some(why.to_owned()),
        last_error: None,
        restarts: 0,
        figures: std::collections::BTreeMap::new(),
    };
    HealthAnswer { lines: health.lines(now()).into(), health, components: vec![component], last_gap: None }
}

fn components(components: &[Component], now: Micros, screen: &Screen) -> String {
    let mut table = Table::new(&["COMPONENT", "STATE", "SINCE", "WHAT"]).wrapping(3);
    for part in components {
        let style = match part.state {
            State::Ok => Style::Good,
            State::Off | State::Starting => Style::Faint,
            State::Warn => Style::Warning,
            State::Failed => Style::Bad,
        };
        let mut what = part.summary.clone();
        for (name, value) in &part.figures {
            what.push_str(&format!("; {}: {value}", name.replace('_', " ")));
        }
        if part.restarts > 0 {
            what.push_str(&format!("; started again {} times", part.restarts));
        }
        if let Some(remedy) = &part.remedy {
            what.push_str(&format!(". To do: {remedy}"));
        }
        if let Some(error) = part.last_error.as_ref().filter(|error| error.text != part.summary) {
            what.push_str(&format!(". Last error {} ago: {}", age(now, error.at), error.text));
        }
        let since = age(now, part.since);
        table.row([
            (part.name.as_str(), Style::Strong),
            (part.state.name(), style),
            (since.as_str(), Style::Plain),
            (visible(&what).as_ref(), Style::Plain),
        ]);
    }
    table.render(screen)
}
