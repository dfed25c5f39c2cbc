//! What a store elsewhere has. Asked by whoever runs the command, not by the daemon: on a new machine there is none yet.

use std::process::ExitCode;

use anyhow::ensure;
use serde::Serialize;

use super::list::age;
use crate::backup::remote::Copied;
use crate::cli::Global;
use crate::cli::output::{self, Screen, Style, Table};
use crate::cli::remote::{named_place, remote, waiting};
use crate::domain::backup::BackupId;
use crate::domain::time::Micros;
use crate::observe::now;

/// The word for the place that is configured.
const CONFIGURED: &str = "s3";

/// The answer in JSON.
#[derive(Serialize)]
struct Answer {
    place: String,
    backups: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: BackupId,
    place: String,
    whole: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
}

pub(super) fn run(named: &str, limit: usize, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load_without_units()?.config;
    let place = named_place(named)?;
    ensure!(place.is_some() || named == CONFIGURED, "{named} is no place in a store: write s3://bucket/prefix, or s3");
    ensure!(place.as_ref().is_none_or(|place| place.id.is_none()), "{named} is one backup: list what is beside it");
    let remote = remote(&config, place.as_ref())?;
    let place = remote.place().to_string();
    let mut rows = Vec::new();
    waiting(async { Ok(remote.list(|copy| rows.push(row(&place, copy))).await?) })?;
    let backups: Vec<Row> = rows.into_iter().rev().take(limit).collect();
    if global.json {
        output::json(&Answer { place, backups })?;
    } else if backups.is_empty() {
        output::print(format!("there is no backup at {place}\n").as_bytes())?;
    } else {
        output::print(table(&backups, now()).render(&Screen::stdout()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(place: &str, copy: Copied) -> Row {
    let manifest = copy.manifest.as_ref().ok();
    Row {
        id: copy.id,
        place: format!("{place}/{}", copy.id),
        whole: manifest.is_some(),
        host: manifest.map(|manifest| manifest.host.clone()),
        bytes: manifest.map(|manifest| manifest.stored_bytes()).map(|(own, shared)| own + shared),
        events: manifest.map(|manifest| manifest.feed.kept),
        encrypted: manifest.map(|manifest| !manifest.recipients.is_empty()),
        fault: copy.manifest.err(),
    }
}

fn table(rows: &[Row], now: Micros) -> Table {
    let mut table = Table::new(&["BACKUP", "STATE", "AGE", "SIZE", "EVENTS", "HOST", "PLACE"]);
    for row in rows {
        let (state, style) = if row.whole { ("whole", Style::Good) } else { ("not whole", Style::Bad) };
        let unknown = || "?".to_owned();
        let place = match &row.fault {
            Some(fault) => format!("{}: {fault}", row.place),
            None if row.encrypted == Some(true) => format!("{} (encrypted)", row.place),
            None => row.place.clone(),
        };
        table.row([
            (row.id.to_string().as_str(), Style::Plain),
            (state, style),
            (&age(row.id.taken_at(), now), Style::Plain),
            (&row.bytes.map_or_else(unknown, output::bytes), Style::Plain),
            (&row.events.map_or_else(unknown, |events| events.to_string()), Style::Plain),
            (&row.host.as_deref().map_or_else(unknown, |host| output::visible(host).into_owned()), Style::Plain),
            (&output::visible(&place), Style::Plain),
        ]);
    }
    table
}
