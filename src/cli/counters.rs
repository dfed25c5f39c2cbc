use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;
use super::time::instant;
use crate::domain::counter::CounterKind;
use crate::domain::time::Micros;

#[derive(Args)]
pub(crate) struct CountersArgs {
    /// Only of this kind: unit, symbol or errors
    #[arg(long, short, value_name = "KIND", value_parser = kind)]
    pub(crate) kind: Option<CounterKind>,
    /// Only of this unit or symbol
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only hours from this time on: 2026-01-17, "2026-01-17 03:00" (UTC), -2h, today, …
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    pub(crate) since: Option<Micros>,
    /// Only hours before this time
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    pub(crate) until: Option<Micros>,
}

pub(crate) fn run(_args: CountersArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("counters is not built yet")
}

fn kind(text: &str) -> Result<CounterKind, String> {
    let kind = CounterKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    kind.ok_or_else(|| "use unit, symbol or errors".to_owned())
}
