//! `jobs`: what is run, what waits and why, and what came of the others.

mod change;
mod list;
mod log;
mod show;
mod wait;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::ask::Daemon;
use super::output::Style;
use super::{Global, output};
use crate::app::answers::jobs::JobAnswer;
use crate::domain::job::{JobId, JobState};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct JobsArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    command: Option<JobsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Subcommand)]
enum JobsCommand {
    /// List jobs, newest first, with what the pending ones wait for
    List(list::ListArgs),
    /// Show one job with its steps and what came of it
    Show(JobArgs),
    /// Call a job off; its processes are ended first
    Cancel(change::CancelArgs),
    /// Do a failed or cancelled job again, behind what it had finished
    Retry(change::RetryArgs),
    /// Print what a job's programs wrote, or follow it
    #[command(visible_alias = "logs")]
    Log(log::LogArgs),
}

#[derive(Args)]
struct JobArgs {
    /// The job's id, such as job-17
    #[arg(value_name = "JOB")]
    job: JobId,
}

pub(crate) fn run(args: &JobsArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match &args.command {
        None => list::run(&args.list, global),
        Some(JobsCommand::List(args)) => list::run(args, global),
        Some(JobsCommand::Show(args)) => show::run(args.job, global),
        Some(JobsCommand::Cancel(args)) => change::cancel(args, global),
        Some(JobsCommand::Retry(args)) => change::retry(args, global),
        Some(JobsCommand::Log(args)) => log::run(args, global),
    }
}

/// Tells of a job that was asked for, and waits for its end where that is wanted.
pub(super) fn asked_for(daemon: &Daemon, job: &JobAnswer, wait: bool, global: &Global) -> anyhow::Result<ExitCode> {
    if !global.json {
        let text = format!("{} is in the queue: training of {}\n", job.job_id, job.model_id);
        output::print(text.as_bytes())?;
    }
    if wait {
        return wait::until_over(daemon, job.job_id, global);
    }
    if global.json {
        output::json(job)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn path(job: JobId) -> String {
    format!("/api/jobs/{job}")
}

fn style(state: JobState) -> Style {
    match state {
        JobState::Completed => Style::Good,
        JobState::Failed => Style::Bad,
        JobState::Lost => Style::Warning,
        JobState::Cancelled => Style::Faint,
        JobState::Pending | JobState::Leased | JobState::Running => Style::Plain,
    }
}

/// How far it is: `3 of 10 train`, with the share of its program where that says it.
fn step(job: &JobAnswer) -> String {
    let Some(step) = job.step else { return String::new() };
    let share = job.progress.filter(|_| job.state.is_held()).map(|share| format!(", {:.0} %", share * 100.0));
    format!("{} of {} {}{}", step.number, step.of, step.step.as_str(), share.unwrap_or_default())
}

/// What is to be said of where it stands: why it waits, what its program says, what came of it.
fn remark(job: &JobAnswer) -> String {
    if let Some(cancel) = &job.cancel {
        return format!("called off by {}: {}", cancel.by, cancel.why);
    }
    let waiting = job.waiting.as_ref().map(|waiting| format!("waits: {}", waiting.in_words));
    let failure = job.failure.as_ref().map(|failure| match job.state {
        JobState::Failed => failure.why.clone(),
        _ => format!("the last time: {}", failure.why),
    });
    let version = job.version.as_ref().filter(|_| job.state.is_over()).map(|version| version.to_string());
    [version, job.message.clone().filter(|_| job.state.is_held()), waiting, failure]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}
