use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Global;
use super::ask::{Daemon, Source};
use super::output::{self, Screen, Style, Table, visible};
use crate::app::answers::{IntentAnswer, IntentPage, IntentQuery, MAX_LIMIT};
use crate::domain::id::IntentId;
use crate::domain::intent::{IntentState, Severity};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct IntentsArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    pub(crate) command: Option<IntentsCommand>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Subcommand)]
pub(crate) enum IntentsCommand {
    /// List intents, newest first
    List(ListArgs),
    /// Show one intent with its history
    Show {
        /// The intent's number
        id: u64,
    },
    /// Say that somebody has it
    Ack(VerdictArgs),
    /// Say that it is over
    Resolve(VerdictArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only in this state: open, acknowledged or resolved
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<IntentState>,
    /// Only about this unit
    #[arg(long, short, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

#[derive(Args)]
pub(crate) struct VerdictArgs {
    /// The intent's number
    pub(crate) id: u64,
    /// The reason, for those who come after
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub(crate) why: String,
}

pub(crate) fn run(args: IntentsArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        None => list(&args.list, global),
        Some(IntentsCommand::List(args)) => list(&args, global),
        Some(IntentsCommand::Show { id }) => show(id, global),
        Some(IntentsCommand::Ack(args)) => decide(&args, "ack", global),
        Some(IntentsCommand::Resolve(args)) => decide(&args, "resolve", global),
    }
}

fn list(args: &ListArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut query = IntentQuery { state: args.state, unit: args.unit.clone(), limit: None, cursor: None };
    let source = Source::of(global)?;
    let mut whole = IntentPage { intents: Vec::new(), next: None };
    loop {
        query.limit = Some((limit - whole.intents.len()).min(MAX_LIMIT));
        let mut page: IntentPage = match &source {
            Source::Daemon(daemon) => daemon.get("/api/intents", &query)?,
            Source::File(store) => IntentPage::find(store, &query)?,
        };
        whole.intents.append(&mut page.intents);
        whole.next = page.next;
        if whole.next.is_none() || whole.intents.len() >= limit {
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
        Table::new(&["ID", "STATE", "SEVERITY", "SUBJECT", "WINDOW", "UPDATED (UTC)", "REASON"]).wrapping(6);
    for intent in &whole.intents {
        table.row([
            (intent.id.to_string().as_str(), Style::Strong),
            (intent.state.as_str(), Style::Plain),
            (intent.severity.as_str(), style(intent)),
            (intent.subject.as_str(), Style::Plain),
            (intent.window.as_str(), Style::Plain),
            (intent.updated_at.as_str(), Style::Plain),
            (intent.reason.as_str(), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn style(intent: &IntentAnswer) -> Style {
    match (intent.state, intent.severity) {
        (IntentState::Resolved, _) => Style::Faint,
        (_, Severity::High | Severity::Critical) => Style::Bad,
        _ => Style::Warning,
    }
}

fn show(id: u64, global: &Global) -> anyhow::Result<ExitCode> {
    let intent: IntentAnswer = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get(&format!("/api/intents/{id}"), &())?,
        Source::File(store) => {
            let intent = store.intent(IntentId(id))?;
            store.close();
            IntentAnswer::from(&intent.ok_or_else(|| anyhow::anyhow!("there is no intent {id}"))?)
        }
    };
    told(&intent, global)
}

/// Acknowledges or resolves: changes go through the daemon, which knows who asks.
fn decide(args: &VerdictArgs, action: &str, global: &Global) -> anyhow::Result<ExitCode> {
    let body = serde_json::json!({ "why": args.why });
    let intent: IntentAnswer =
        Daemon::for_a_change(global)?.post_once(&format!("/api/intents/{}/{action}", args.id), &body)?;
    told(&intent, global)
}

fn told(intent: &IntentAnswer, global: &Global) -> anyhow::Result<ExitCode> {
    if global.json {
        output::json(intent)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!(
        "intent {}: {} ({}, {})\n{} {}, {} {}\nopened   {}\nupdated  {}, {} against a threshold of {}\nto do    {}\n",
        intent.id,
        intent.reason,
        intent.state.as_str(),
        intent.severity.as_str(),
        intent.subject_kind,
        intent.subject,
        intent.rule,
        intent.window,
        intent.opened_at,
        intent.updated_at,
        intent.count,
        intent.threshold,
        intent.suggested_action,
    );
    for (what, note) in [("acknowledged", &intent.acknowledged), ("resolved", &intent.resolved)] {
        if let Some(note) = note {
            text.push_str(&format!("{what} {} by {}: {}\n", note.at, note.by, note.why));
        }
    }
    let lines: Vec<_> = text.lines().map(visible).collect();
    output::print((lines.join("\n") + "\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A reason: said, and no novel.
pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why".to_owned()),
        text if text.len() > 1000 => Err("use at most 1000 bytes".to_owned()),
        text => Ok(text.to_owned()),
    }
}
