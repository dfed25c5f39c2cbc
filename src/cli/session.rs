use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Global;
use super::ask::{Daemon, Source};
use super::output::{self, Screen, Style, Table};
use crate::app::accounts::{SessionList, SessionRow};
use crate::domain::account::UserName;
use crate::domain::id::SessionId;
use crate::observe::now;

#[derive(Args)]
pub(crate) struct SessionArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    command: Option<SessionCommand>,
}

#[derive(Subcommand)]
enum SessionCommand {
    /// List who is signed in
    List,
    /// End one session, or all of a user
    Revoke(RevokeArgs),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct RevokeArgs {
    /// The session's number
    id: Option<u64>,
    /// All sessions of this user
    #[arg(long, value_name = "NAME")]
    user: Option<UserName>,
}

pub(crate) fn run(args: SessionArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        None | Some(SessionCommand::List) => list(global),
        Some(SessionCommand::Revoke(args)) => revoke(&args, global),
    }
}

fn revoke(args: &RevokeArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let daemon = Daemon::for_a_change(global)?;
    let ended = match (&args.user, args.id) {
        (Some(user), _) => daemon.delete(&format!("/api/users/{user}/sessions"))?,
        (None, id) => {
            let id = SessionId(id.unwrap_or_default());
            let session: SessionRow = daemon.delete(&format!("/api/sessions/{id}"))?;
            SessionList { sessions: vec![session], next: None }
        }
    };
    if global.json {
        output::json(&ended)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for session in &ended.sessions {
        text.push_str(&format!("session {} of {} is ended\n", session.id, session.user));
    }
    if let (true, Some(user)) = (ended.sessions.is_empty(), &args.user) {
        text = format!("{user} is not signed in\n");
    }
    output::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global) -> anyhow::Result<ExitCode> {
    let list: SessionList = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get("/api/sessions", &())?,
        Source::File(store) => {
            let list = SessionList::read(&store, now())?;
            store.close();
            list
        }
    };
    if global.json {
        output::json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["ID", "USER", "SINCE (UTC)", "LAST SEEN (UTC)", "ENDS (UTC)", "FROM", "WITH"]);
    for session in &list.sessions {
        table.row([
            (session.id.to_string().as_str(), Style::Strong),
            (session.user.as_str(), Style::Plain),
            (session.created_at.rfc3339().as_str(), Style::Plain),
            (session.last_seen.rfc3339().as_str(), Style::Plain),
            (session.expires_at.rfc3339().as_str(), Style::Plain),
            (session.address.as_str(), Style::Plain),
            (session.agent.as_str(), Style::Faint),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
