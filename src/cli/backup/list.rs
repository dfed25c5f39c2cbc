use std::process::ExitCode;

use clap::Args;

use super::remote;
use crate::app::answers::backups::{BackupAnswer, BackupPage, BackupQuery};
use crate::cli::ask::Daemon;
use crate::cli::output::{self, Screen, Style, Table};
use crate::cli::{Global, complain};
use crate::domain::backup::CopyState;
use crate::domain::time::Micros;
use crate::observe::now;

#[derive(Args)]
pub(super) struct ListArgs {
    /// What a store elsewhere has, asked without a daemon: s3://bucket/prefix, or s3 for the place of [backup.s3]
    #[arg(value_name = "S3")]
    place: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
}

pub(super) fn run(args: &ListArgs, global: &Global) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(global.data_file.is_none(), "backups are listed by the running daemon: leave out --data-file");
    if let Some(place) = &args.place {
        return remote::run(place, args.limit.into(), global);
    }
    let query = BackupQuery { limit: Some(args.limit.into()), cursor: None };
    let page: BackupPage = Daemon::of(global)?.get("/api/backups", &query)?;
    if global.json {
        output::json(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let screen = Screen::stdout();
    if page.backups.is_empty() {
        output::print(format!("there is no backup in {}\n", output::visible(&page.directory)).as_bytes())?;
    } else {
        output::print(table(&page, now()).render(&screen).as_bytes())?;
    }
    if let Some(failing) = &page.failing {
        complain(&format!("the last backup failed: {}", failing.error.as_deref().unwrap_or_default()));
    }
    if page.stale {
        complain("the newest backup is too old: see quantum-clm health --verbose");
    }
    Ok(ExitCode::SUCCESS)
}

fn table(page: &BackupPage, now: Micros) -> Table {
    let mut table = Table::new(&["BACKUP", "STATE", "AGE", "SIZE", "EVENTS", "VERSIONS", "VERIFIED", "COPIES"]);
    for backup in &page.backups {
        let (state, style) = state(backup);
        let contents = backup.contents.as_ref();
        let figure = |figure: Option<u64>| figure.map_or_else(|| "?".to_owned(), |figure| figure.to_string());
        let size = contents.map_or_else(|| "?".to_owned(), |contents| output::bytes(contents.bytes));
        let verified = backup.verified_at.map_or_else(|| "never".to_owned(), minute);
        table.row([
            (backup.id.to_string().as_str(), Style::Plain),
            (&state, style),
            (&age(backup.taken_at, now), Style::Plain),
            (&size, Style::Plain),
            (&figure(contents.map(|contents| contents.events)), Style::Plain),
            (&figure(contents.map(|contents| contents.model_versions)), Style::Plain),
            (&verified, Style::Faint),
            (&copies(backup), Style::Plain),
        ]);
    }
    table
}

fn state(backup: &BackupAnswer) -> (String, Style) {
    let lacking = backup.contents.as_ref().map_or(0, |contents| contents.lacking);
    match (backup.whole, lacking) {
        (false, _) => ("damaged".to_owned(), Style::Bad),
        (true, 0) => ("whole".to_owned(), Style::Good),
        (true, 1) => ("whole, 1 file lacking".to_owned(), Style::Warning),
        (true, lacking) => (format!("whole, {lacking} files lacking"), Style::Warning),
    }
}

fn copies(backup: &BackupAnswer) -> String {
    let encrypted = backup.contents.as_ref().is_some_and(|contents| contents.encrypted);
    let mut places = vec![if encrypted { "here (encrypted)".to_owned() } else { "here".to_owned() }];
    for copy in &backup.copies {
        let how = match copy.state {
            CopyState::Done => "",
            CopyState::Failed => " (not there)",
            CopyState::Waiting | CopyState::Running => " (on its way)",
        };
        places.push(format!("{}{how}", copy.to));
    }
    if let Some(fault) = &backup.fault {
        places.push(fault.clone());
    }
    places.join(", ")
}

fn minute(at: Micros) -> String {
    at.datetime().format("%Y-%m-%d %H:%M").to_string()
}

/// How long ago, in the largest unit of which there are two.
pub(super) fn age(at: Micros, now: Micros) -> String {
    let seconds = now.0.saturating_sub(at.0) / Micros::SECOND;
    [(86_400, "d"), (3_600, "h"), (60, "min")]
        .into_iter()
        .find(|(unit, _)| seconds >= 2 * unit)
        .map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}
