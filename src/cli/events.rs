use std::process::ExitCode;

use clap::Args;

use serde_json::Value;

use super::Global;
use super::ask::Source;
use super::output::{self, Screen, Style, visible};
use super::time::instant;
use crate::app::answers::{EventPage, EventQuery};
use crate::domain::event::{Decision, Level};
use crate::domain::time::Micros;

#[derive(Args)]
pub(crate) struct EventsArgs {
    /// Print the newest events, oldest first, and then each one as it is stored
    #[arg(long, short, conflicts_with_all = ["until", "cursor"])]
    pub(crate) follow: bool,
    /// Only of this unit
    #[arg(long, short, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// Only of this service: ai_engine, strategy, risk, execution, …
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// Only of this machine
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Only about this trading pair
    #[arg(long, short, value_name = "SYMBOL")]
    pub(crate) symbol: Option<String>,
    /// Only of this severity or worse: a name such as warning, or 0 to 7
    #[arg(long, short, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,
    /// Only with this decision: BUY, SELL or HOLD
    #[arg(long, value_name = "DECISION")]
    pub(crate) decision: Option<Decision>,
    /// Only with this correlation id
    #[arg(long, value_name = "ID")]
    pub(crate) correlation_id: Option<String>,
    /// Only from this time on: 2026-01-17, "2026-01-17 03:46" (UTC), -2h, "1h ago", today, …
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    pub(crate) since: Option<Micros>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    pub(crate) until: Option<Micros>,
    /// Only whose message or free fields contain this text
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Go on where an earlier answer's `next` says
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

pub(crate) fn run(args: EventsArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut query = EventQuery {
        since: args.since,
        until: args.until,
        unit: args.unit,
        source: args.source,
        host: args.host,
        symbol: args.symbol,
        level: args.level,
        decision: args.decision,
        correlation_id: args.correlation_id,
        grep: args.grep,
        limit: Some(limit.min(EventQuery::MAX_LIMIT)),
        cursor: args.cursor,
    };
    let screen = Screen::stdout();
    let source = Source::of(global)?;
    if args.follow {
        let Source::Daemon(daemon) = source else { anyhow::bail!("--follow needs a running daemon, not --data-file") };
        daemon.follow("/api/events/follow", &query, |event| {
            let event: Value = serde_json::from_str(event)?;
            if global.json {
                return output::json_line(&event);
            }
            Ok(output::print(line(&event, &screen).as_bytes())?)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    // Page by page: a look through everything shows what it has found so far.
    let mut found = 0;
    let mut whole = EventPage { events: Vec::new(), next: None };
    loop {
        let mut page: EventPage = match &source {
            Source::Daemon(daemon) => daemon.get("/api/events", &query)?,
            Source::File(store) => EventPage::find(store, &query)?,
        };
        found += page.events.len();
        if !global.json {
            let mut text = String::new();
            for event in &page.events {
                text.push_str(&line(&serde_json::from_str(event.get())?, &screen));
            }
            output::print(text.as_bytes())?;
        }
        whole.events.append(&mut page.events);
        whole.next = page.next;
        if !global.json {
            whole.events.clear();
        }
        match &whole.next {
            Some(next) if found < limit => {
                query.cursor = Some(next.clone());
                query.limit = Some((limit - found).min(EventQuery::MAX_LIMIT));
            }
            _ => break,
        }
    }
    if let Source::File(store) = source {
        store.close();
    }
    if global.json {
        output::json(&whole)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One event on one line: time, unit, severity where it is one, what was decided, and the text.
fn line(event: &Value, screen: &Screen) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let ts = Micros(text("ts").parse().unwrap_or_default());
    let level = text("level").parse().unwrap_or(Level::INFO);
    let style = match level {
        level if level <= Level::ERROR => Style::Bad,
        Level::WARNING => Style::Warning,
        _ => Style::Plain,
    };
    let unit = text("unit").trim_end_matches(".service");
    let decided = match (event["decision"].as_str(), event["confidence"].as_f64()) {
        (Some(decision), Some(confidence)) => format!(" {decision} {confidence:.2}"),
        (Some(decision), None) => format!(" {decision}"),
        _ => String::new(),
    };
    let symbol = event["symbol"].as_str().map(|symbol| format!(" {symbol}")).unwrap_or_default();
    format!(
        "{} {} {}{}  {}\n",
        screen.styled(&ts.rfc3339(), Style::Faint),
        visible(unit),
        screen.styled(level.name(), style),
        screen.styled(&visible(&format!("{symbol}{decided}")), Style::Strong),
        screen.styled(&visible(text("message")), style),
    )
}
