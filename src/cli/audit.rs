use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Global;
use super::ask::Source;
use super::output::{self, Screen, Style, Table};
use super::time::instant;
use crate::app::accounts::{AuditPage, AuditQuery, Verified};
use crate::domain::audit::Outcome;
use crate::domain::time::Micros;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// List records, newest first
    List(ListArgs),
    /// Check that no record was changed, taken away or put in between; exits with 1 if one was
    Verify,
}

#[derive(Args)]
struct ListArgs {
    /// Only of this user or token
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only actions that begin with this, such as user. or sign-in
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only about this, such as "user anna" or "intent 7"
    #[arg(long, value_name = "WHAT")]
    subject: Option<String>,
    /// Only what was refused
    #[arg(long)]
    refused: bool,
    /// From this time on
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    since: Option<Micros>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    until: Option<Micros>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(crate) fn run(args: AuditArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        None => list(&args.list, global),
        Some(AuditCommand::List(args)) => list(&args, global),
        Some(AuditCommand::Verify) => verify(global),
    }
}

fn list(args: &ListArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut query = AuditQuery {
        by: args.by.clone(),
        action: args.action.clone(),
        subject: args.subject.clone(),
        outcome: args.refused.then_some(Outcome::Refused),
        since: args.since,
        until: args.until,
        limit: None,
        cursor: None,
    };
    let source = Source::of(global)?;
    let mut whole = AuditPage::default();
    loop {
        query.limit = Some((limit - whole.records.len()).min(AuditPage::MAX_LIMIT));
        let mut page: AuditPage = match &source {
            Source::Daemon(daemon) => daemon.get("/api/audit", &query)?,
            Source::File(store) => AuditPage::find(store, &query)?,
        };
        whole.records.append(&mut page.records);
        whole.next = page.next;
        if whole.next.is_none() || whole.records.len() >= limit {
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
    let mut table = Table::new(&["NO", "AT (UTC)", "BY", "FROM", "ACTION", "SUBJECT", "OUTCOME", "TIMES", "WHY"]);
    for record in &whole.records {
        let style = if record.outcome == Outcome::Refused { Style::Warning } else { Style::Plain };
        table.row([
            (record.seq.to_string().as_str(), Style::Strong),
            (record.at.rfc3339().as_str(), Style::Plain),
            (record.by.as_str(), Style::Plain),
            (record.address.as_str(), Style::Plain),
            (record.action.as_str(), Style::Plain),
            (record.subject.as_str(), Style::Plain),
            (record.outcome.as_str(), style),
            (record.times.to_string().as_str(), Style::Plain),
            (record.why.as_str(), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn verify(global: &Global) -> anyhow::Result<ExitCode> {
    let verified: Verified = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get("/api/audit/verify", &())?,
        Source::File(store) => {
            let verified = Verified::read(&store)?;
            store.close();
            verified
        }
    };
    let code = if verified.whole { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if global.json {
        output::json(&verified)?;
        return Ok(code);
    }
    let text = match (&verified.head, &verified.broken) {
        (_, Some(broken)) => {
            format!(
                "BROKEN at record {}: {}\n{} records before it are whole\n",
                broken.seq, broken.why, verified.records
            )
        }
        (head, None) => format!(
            "whole: {} records\nthe last one's hash is {}; noted elsewhere, it shows later that nobody has written the log anew\n",
            verified.records,
            head.as_deref().unwrap_or_default()
        ),
    };
    let lines: Vec<_> = text.lines().map(output::visible).collect();
    output::print((lines.join("\n") + "\n").as_bytes())?;
    Ok(code)
}
