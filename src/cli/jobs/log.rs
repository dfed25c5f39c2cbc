use std::process::ExitCode;
use std::thread::sleep;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::wait::{LOOK, patiently};
use super::{JobArgs, path};
use crate::app::answers::jobs::{JobAnswer, JobLogs, LINES, LogLine, LogPage, LogQuery, MOST_LINES};
use crate::app::jobs::JobError;
use crate::cli::Global;
use crate::cli::ask::{Daemon, Source, is_away};
use crate::cli::output::{self, Screen, Style};
use crate::domain::job::JobId;
use crate::joblog::Stream;

#[derive(Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Go on with what is written, until the job is over
    #[arg(long, short, conflicts_with_all = ["grep", "all"])]
    follow: bool,
    /// Of this try; each lease of the job has a log of its own, and the newest is shown where nothing is said
    #[arg(long, value_name = "NUMBER")]
    epoch: Option<u64>,
    /// Only lines with this text in them, from the beginning
    #[arg(long, short, value_name = "TEXT")]
    grep: Option<String>,
    /// At most so many lines: the newest ones; with --grep, the first ones
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = LINES as u32, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    lines: u32,
    /// Every line that is kept
    #[arg(long, conflicts_with = "lines")]
    all: bool,
}

pub(super) fn run(args: &LogArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let id = args.job.job;
    let source = Source::of(global)?;
    let printer = Printer { json: global.json, screen: Screen::stdout() };
    if args.follow {
        let Source::Daemon(daemon) = source else { anyhow::bail!("--follow needs a running daemon, not --data-file") };
        return follow(&daemon, id, args, &printer);
    }
    let most = if args.all { usize::MAX } else { args.lines as usize };
    let mut query = LogQuery {
        epoch: args.epoch,
        from: args.all.then_some(0),
        limit: Some(most.min(MOST_LINES)),
        grep: args.grep.clone(),
        ..LogQuery::default()
    };
    let mut printed = 0;
    loop {
        let page = page(&source, id, &query)?;
        if printer.page(&page)? == 0 && page.next >= page.end {
            break;
        }
        printed += page.lines.len();
        // The newest lines are one page; what is looked for, and everything, goes on until the end.
        if (!args.all && args.grep.is_none()) || page.next >= page.end || printed >= most {
            break;
        }
        (query.epoch, query.from, query.limit) =
            (Some(page.epoch), Some(page.next), Some((most - printed).min(MOST_LINES)));
    }
    if let Source::File(store) = source {
        store.close();
    }
    Ok(ExitCode::SUCCESS)
}

fn page(source: &Source, id: JobId, query: &LogQuery) -> anyhow::Result<LogPage> {
    match source {
        Source::Daemon(daemon) => daemon.get(&format!("{}/log", path(id)), query),
        Source::File(store) => {
            store.job(id)?.ok_or(JobError::NoJob(id))?;
            Ok(JobLogs::beside(store.path(), id).page(query)?)
        }
    }
}

/// Prints lines as they were written: the text for people, an object a line for programs.
struct Printer {
    json: bool,
    screen: Screen,
}

impl Printer {
    fn page(&self, page: &LogPage) -> anyhow::Result<usize> {
        if page.skipped > 0 {
            self.gap(page.skipped)?;
        }
        self.lines(&page.lines)?;
        Ok(page.lines.len())
    }

    fn lines(&self, lines: &[LogLine]) -> anyhow::Result<()> {
        if self.json {
            return lines.iter().try_for_each(output::json_line);
        }
        let mut text = String::new();
        for line in lines {
            let style = match line.stream {
                Stream::Out => Style::Plain,
                Stream::Err => Style::Warning,
                Stream::Note => Style::Faint,
            };
            if let Some(at) = &line.at {
                text.push_str(&self.screen.styled(at, Style::Faint));
                text.push(' ');
            }
            text.push_str(&self.screen.styled(&format!("{:<4} {}", line.stream.as_str(), line.text), style));
            text.push('\n');
        }
        Ok(output::print(text.as_bytes())?)
    }

    /// Bytes that are not kept. Programs see it by the offsets.
    fn gap(&self, bytes: u64) -> anyhow::Result<()> {
        if !self.json {
            let text = format!("({bytes} bytes are not kept)");
            output::print(format!("{}\n", self.screen.styled(&text, Style::Faint)).as_bytes())?;
        }
        Ok(())
    }
}

/// From where on, as the stream is asked.
#[derive(Serialize)]
struct From {
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    from: u64,
}

#[derive(Deserialize)]
struct Gap {
    skipped: u64,
}

/// Follows the log until the job is over; where a try is over and the job is not, that of the next one. A daemon that is
/// started anew is waited for, and nothing is shown twice.
fn follow(daemon: &Daemon, id: JobId, args: &LogArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let query = LogQuery { epoch: args.epoch, limit: Some(args.lines as usize), ..LogQuery::default() };
    let first: LogPage = daemon.get(&format!("{}/log", path(id)), &query)?;
    let mut at = From { epoch: args.epoch, from: 0 };
    if first.epoch > 0 {
        printer.page(&first)?;
        at = From { epoch: Some(first.epoch), from: first.next };
    }
    loop {
        let mut over = false;
        let mut event = String::new();
        let mut next = at.from;
        let read = daemon.follow(&format!("{}/log/live", path(id)), &at, |line| {
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("id", offset)) => next = offset.parse()?,
                Some(("data", data)) => match event.as_str() {
                    "lines" => printer.lines(&serde_json::from_str::<Vec<LogLine>>(data)?)?,
                    "gap" => printer.gap(serde_json::from_str::<Gap>(data)?.skipped)?,
                    "end" => over = true,
                    _ => {}
                },
                _ if line.is_empty() => event.clear(),
                _ => {}
            }
            Ok(())
        });
        at.from = next;
        match read {
            Err(error) if !is_away(&error) => return Err(error),
            _ => {}
        }
        // The stream has ended, of itself or with its daemon: the job says whether there is more.
        let job = patiently(|| daemon.get::<JobAnswer>(&path(id), &()))?;
        if over {
            if job.state.is_over() || args.epoch.is_some() {
                return Ok(ExitCode::SUCCESS);
            }
            at = From { epoch: None, from: 0 };
        } else {
            sleep(LOOK);
        }
    }
}
