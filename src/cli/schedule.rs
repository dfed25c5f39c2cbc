use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Global;
use super::ask::{Daemon, Source};
use super::output::{self, Screen, Style, Table};
use crate::app::App;
use crate::app::answers::{
    MAX_LIMIT, ScheduleEntry, SchedulePage, ScheduleQuery, ScheduleState, TriggerAnswer, TriggerPage, TriggerQuery,
};
use crate::domain::job::Trigger;
use crate::domain::model::{ModelId, ModelType};
use crate::domain::schedule::Decision;
use crate::domain::time::Micros;
use crate::observe::metrics::Metrics;
use crate::observe::now;
use crate::observe::status::StatusBoard;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ScheduleArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    command: Option<ScheduleCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Subcommand)]
enum ScheduleCommand {
    /// List the models, with when each is trained next and why not yet
    List(ListArgs),
    /// List what spoke for trainings, newest first, and what came of it
    Triggers(TriggerArgs),
}

#[derive(Args)]
struct ListArgs {
    /// Only models of this type: xgboost, lightgbm, nhits, patchtst, tft, dlinear, rl_v2, rl_v3, other
    #[arg(long = "type", value_name = "TYPE")]
    model_type: Option<ModelType>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

#[derive(Args)]
struct TriggerArgs {
    /// Only of this model
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelId>,
    /// Only for this reason: drift_detected, performance_degraded, periodic, manual, regime_change, data_threshold
    #[arg(long, value_name = "REASON")]
    reason: Option<Trigger>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(crate) fn run(args: ScheduleArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        None => list(&args.list, global),
        Some(ScheduleCommand::List(args)) => list(&args, global),
        Some(ScheduleCommand::Triggers(args)) => triggers(&args, global),
    }
}

/// Who answers: the daemon, or a data file that no daemon owns.
enum Plans {
    Daemon(Daemon),
    File(Box<App>),
}

impl Plans {
    /// Of a file, the schedule goes by the configuration as it is now; of workers it knows nothing.
    fn of(global: &Global) -> anyhow::Result<Self> {
        Ok(match Source::of(global)? {
            Source::Daemon(daemon) => Self::Daemon(daemon),
            Source::File(store) => {
                let board = StatusBoard::new();
                let metrics = Metrics::new(board.clone(), "", "", now());
                Self::File(Box::new(App::new(global.load()?.config, *store, board, metrics, now())))
            }
        })
    }

    fn page(&self, query: &ScheduleQuery) -> anyhow::Result<SchedulePage> {
        match self {
            Self::Daemon(daemon) => daemon.get("/api/schedule", query),
            Self::File(app) => Ok(SchedulePage::find(&app.schedule, &app.config.scheduler, query, now())?),
        }
    }

    /// Closes the file, where it is one.
    fn close(self) {
        if let Self::File(app) = self {
            app.close();
        }
    }
}

fn list(args: &ListArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let plans = Plans::of(global)?;
    let mut query = ScheduleQuery { model_type: args.model_type, limit: Some(limit.min(MAX_LIMIT)), cursor: None };
    let mut whole = plans.page(&query)?;
    while whole.next.is_some() && whole.models.len() < limit {
        query.cursor.clone_from(&whole.next);
        query.limit = Some((limit - whole.models.len()).min(MAX_LIMIT));
        let page = plans.page(&query)?;
        whole.models.extend(page.models);
        whole.next = page.next;
    }
    plans.close();
    if global.json {
        output::json(&whole)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(shown(&whole, &Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The page for people.
fn shown(page: &SchedulePage, screen: &Screen) -> String {
    let mut text = String::new();
    if !page.enabled {
        text.push_str("the scheduler is off (scheduler.enabled): only what somebody asks for is trained\n");
    }
    if let Some(until) = page.rules.quiet_until {
        text.push_str(&format!("these are no-training hours (scheduler.quiet), until {}\n", until.rfc3339()));
    }
    let mut table =
        Table::new(&["MODEL", "STATE", "TRAINED", "LAST (UTC)", "NEXT (UTC)", "NEW TRADES", "WHY"]).wrapping(6);
    for model in &page.models {
        let instant = |at: Option<Micros>| at.map(Micros::rfc3339).unwrap_or_default();
        table.row([
            (model.model_id.as_str(), Style::Strong),
            (model.state.as_str(), style(model)),
            (model.cadence.as_str(), Style::Plain),
            (instant(model.last_training).as_str(), Style::Plain),
            (instant(model.next_training).as_str(), Style::Plain),
            (model.trades.to_string().as_str(), Style::Plain),
            (model.why.as_str(), Style::Plain),
        ]);
    }
    text + &table.render(screen)
}

fn style(model: &ScheduleEntry) -> Style {
    match model.state {
        ScheduleState::Starts | ScheduleState::Open => Style::Good,
        ScheduleState::Held => Style::Warning,
        ScheduleState::NotDue => Style::Plain,
        ScheduleState::Off => Style::Faint,
    }
}

fn triggers(args: &TriggerArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut query = TriggerQuery { model_id: args.model.clone(), reason: args.reason, limit: None, cursor: None };
    let source = Source::of(global)?;
    let mut whole = TriggerPage { triggers: Vec::new(), next: None };
    loop {
        query.limit = Some((limit - whole.triggers.len()).min(MAX_LIMIT));
        let mut page: TriggerPage = match &source {
            Source::Daemon(daemon) => daemon.get("/api/triggers", &query)?,
            Source::File(store) => TriggerPage::find(store, &query)?,
        };
        whole.triggers.append(&mut page.triggers);
        whole.next = page.next;
        if whole.next.is_none() || whole.triggers.len() >= limit {
            break;
        }
        query.cursor.clone_from(&whole.next);
    }
    if let Source::File(store) = source {
        store.close();
    }
    if global.json {
        output::json(&whole)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&["TRIGGER", "CAME (UTC)", "MODEL", "REASON", "BY", "DECISION", "WHAT WAS SEEN; WHAT CAME OF IT"]);
    for trigger in &whole.triggers {
        table.row([
            (trigger.number.to_string().as_str(), Style::Strong),
            (trigger.at.rfc3339().as_str(), Style::Plain),
            (trigger.model_id.as_ref().map_or("", ModelId::as_str), Style::Plain),
            (trigger.reason.as_str(), Style::Plain),
            (trigger.by.as_str(), Style::Plain),
            (trigger.outcome.as_str(), tone(&trigger.outcome)),
            (told(trigger).as_str(), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn tone(decision: &Decision) -> Style {
    match decision {
        Decision::Started { .. } | Decision::Joined { .. } => Style::Good,
        Decision::Waiting { .. } | Decision::Merged { .. } => Style::Warning,
        Decision::Dropped { .. } => Style::Faint,
    }
}

fn told(trigger: &TriggerAnswer) -> String {
    match trigger.evidence.as_str() {
        "" => trigger.words.clone(),
        evidence => format!("{evidence}; {}", trigger.words),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_holds_everything_back_comes_first() {
        let page = json!({
            "enabled": false,
            "rules": {
                "quiet": ["Sat"], "quiet_until": "2026-01-18T00:00:00Z", "trades": 100, "sharpe": 0.5, "drift": 0.0,
                "cooldown_seconds": 21_600, "starts_per_hour": 4,
            },
            "models": [{
                "model_id": "xgboost_btcusdt_1h", "model_type": "xgboost", "registered": true, "enabled": false,
                "cadence": "every 7 days", "interval_seconds": 604_800, "cron": null,
                "last_training": "2026-01-10T03:00:00Z", "next_training": null, "state": "off",
                "why": "not by itself: the scheduler is off", "job_id": null, "trades": 12, "waiting": [],
                "last_decision": null,
            }],
            "total": 1,
            "next": null,
        });
        let page: SchedulePage = serde_json::from_value(page).unwrap();
        assert_eq!(
            shown(&page, &Screen { width: None, colour: false }),
            "the scheduler is off (scheduler.enabled): only what somebody asks for is trained\n\
             these are no-training hours (scheduler.quiet), until 2026-01-18T00:00:00.000Z\n\
             MODEL               STATE  TRAINED       LAST (UTC)                NEXT (UTC)  NEW TRADES  WHY\n\
             xgboost_btcusdt_1h  off    every 7 days  2026-01-10T03:00:00.000Z              12          not by itself: the \
             scheduler is off\n"
        );
    }
}
