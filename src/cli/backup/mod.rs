//! `quantum-clm backup`: asks the daemon for a backup and waits for it, takes it away, and lists what there is.

mod fetch;
mod list;
mod remote;
mod wait;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Subcommand};
use serde_json::json;

use super::ask::Daemon;
use super::{Global, intents, output};
use crate::app::answers::backups::AttemptAnswer;
use crate::domain::backup::{AttemptState, CopyState};

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
The daemon makes the backup, verifies it and keeps it in backup.directory; while one is under way, that is the one. With \
--to DIR it is then fetched into DIR and verified there. Where backups are copied to a store elsewhere ([backup.s3]), the \
command waits for that too.

Exit codes: 0 all of it is done; 1 the backup, its copy or its verification failed, \
or files of models are not in it; 2 nothing could be asked for, or what \
came of it is not known."
)]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    /// Also bring it to this directory, or to this further place in the store elsewhere: s3://bucket/prefix
    #[arg(long, value_name = "DIR|S3")]
    to: Option<String>,
    /// The reason, for those who come after
    #[arg(long, value_name = "WHY", value_parser = intents::reason)]
    why: Option<String>,
}

#[derive(Subcommand)]
enum BackupCommand {
    /// List the backups that are here, or in a store elsewhere
    List(list::ListArgs),
}

/// How a place in a store elsewhere begins.
const REMOTE: &str = "s3://";

pub(crate) fn run(args: BackupArgs, global: &Global) -> anyhow::Result<ExitCode> {
    if let Some(BackupCommand::List(args)) = &args.command {
        return list::run(args, global);
    }
    let (remote, directory) = match &args.to {
        Some(to) if to.starts_with(REMOTE) => (Some(to.as_str()), None),
        Some(to) => (None, Some(whole(to)?)),
        None => (None, None),
    };
    let daemon = Daemon::for_a_change(global)?;
    let ask = || -> anyhow::Result<AttemptAnswer> {
        let why = args.why.as_deref().unwrap_or_default();
        daemon.post_once("/api/backups", &json!({ "to": remote, "why": why }))
    };
    let attempt = wait::until_over(&daemon, ask()?, &ask, global)?;
    let fetched = match (&directory, attempt.backup) {
        (Some(directory), Some(id)) if attempt.state == AttemptState::Done => {
            Some(fetch::fetch(&daemon, id, directory, global)?)
        }
        _ => None,
    };
    let whole = fetched.as_ref().is_none_or(|fetched| fetched.fault.is_none());
    let copied = attempt.copies.iter().all(|copy| copy.state == CopyState::Done);
    if global.json {
        output::json(&json!({ "attempt": attempt, "taken": fetched }))?;
    } else {
        output::print(told(&attempt, fetched.as_ref()).as_bytes())?;
    }
    let good = attempt.state == AttemptState::Done && attempt.lacking == 0 && copied && whole;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The directory by its whole path: what is told of it has to hold elsewhere, too.
fn whole(directory: &str) -> anyhow::Result<PathBuf> {
    ensure!(!directory.is_empty(), "--to is empty: name a directory");
    ensure!(!directory.contains("://"), "--to {directory} is neither a directory nor s3://bucket/prefix");
    Ok(std::path::absolute(Path::new(directory))?)
}

/// What came of it, in some lines.
fn told(attempt: &AttemptAnswer, fetched: Option<&fetch::Fetched>) -> String {
    let mut lines = Vec::new();
    let id = attempt.backup.map_or_else(String::new, |id| id.to_string());
    let error = attempt.error.as_deref().unwrap_or_default();
    match attempt.state {
        AttemptState::Done => {
            lines.push(format!("backup {id} is whole: {}, {} events", output::bytes(attempt.bytes), attempt.events));
            if !error.is_empty() {
                lines.push(format!("but: {error}"));
            }
        }
        state => lines.push(format!("the backup came to nothing ({}): {error}", state.as_str())),
    }
    for copy in attempt.copies.iter().filter(|_| attempt.state == AttemptState::Done) {
        lines.push(match (&copy.error, copy.state) {
            (_, CopyState::Done) => format!("it is at {}", copy.to),
            (Some(error), _) => format!("it is not at {}: {error}", copy.to),
            (None, _) => format!("it is not at {}", copy.to),
        });
    }
    if let Some(fetched) = fetched {
        lines.push(match &fetched.fault {
            None => {
                format!("it is in {}, {} of it fetched, and whole there", fetched.path, output::bytes(fetched.bytes))
            }
            Some(fault) => format!("it was fetched and is not whole where it arrived: {fault}"),
        });
    }
    lines.iter().map(|line| format!("{}\n", output::visible(line))).collect()
}
