use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;
use super::time::instant;
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
    /// Only whose message contains this text
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Go on where an earlier answer's `next` says
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

pub(crate) fn run(_args: EventsArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("events is not built yet")
}
