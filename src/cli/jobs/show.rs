use std::process::ExitCode;
use std::sync::Arc;

use super::{path, step, style};
use crate::app::answers::jobs::{JobDetail, RelatedJob, StepAnswer, StepState, TryOutcome};
use crate::app::jobs::JobError;
use crate::app::registry::{Registry, Undeployed};
use crate::cli::Global;
use crate::cli::ask::Source;
use crate::cli::output::{self, Screen, Style, Table, bytes};
use crate::config::Config;
use crate::domain::job::JobId;
use crate::observe::now;
use crate::store::Store;

pub(super) fn run(id: JobId, global: &Global) -> anyhow::Result<ExitCode> {
    let detail = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get(&path(id), &())?,
        Source::File(store) => offline(Arc::from(store), id)?,
    };
    if global.json {
        output::json(&detail)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(shown(&detail, &Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// From the file; what the job waits for, only the daemon knows.
fn offline(store: Arc<Store>, id: JobId) -> Result<JobDetail, JobError> {
    let registry = Registry::new(store.clone(), &Config::default(), Box::new(Undeployed));
    let job = store.job(id)?.ok_or(JobError::NoJob(id));
    let detail = job.and_then(|job| JobDetail::read(&store, &registry, &job, None, now()));
    drop(registry);
    if let Some(store) = Arc::into_inner(store) {
        store.close();
    }
    detail
}

/// A job as people read it: facts, then its steps.
pub(super) fn shown(detail: &JobDetail, screen: &Screen) -> String {
    let mut text = format!("{:<12}{}\n", "job", screen.styled(&detail.job.job_id.to_string(), Style::Strong));
    let state = screen.styled(detail.job.state.as_str(), style(detail.job.state));
    text.push_str(&format!("{:<12}{state}\n", "state"));
    for (name, value) in facts(detail) {
        text.push_str(&format!("{name:<12}{}\n", screen.styled(&value, Style::Plain)));
    }
    if detail.steps.iter().any(|step| !step.tries.is_empty()) {
        text.push('\n');
        text.push_str(&steps(&detail.steps).render(screen));
    }
    text
}

fn facts(detail: &JobDetail) -> Vec<(&'static str, String)> {
    let job = &detail.job;
    let mut facts = vec![("model", job.model_id.to_string())];
    let mut some = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    some("step", Some(step(job)).filter(|step| !step.is_empty()));
    some("says", job.message.clone());
    some("waits", job.waiting.as_ref().map(|waiting| waiting.in_words.clone()));
    some("upon", Some(with(job.trigger_reason.as_str(), &job.evidence)));
    some("asked for", Some(format!("{} by {}", job.created_at.rfc3339(), job.triggered_by)));
    some("begun", job.started_at.map(|at| at.rfc3339()));
    some("over", job.ended_at.map(|at| at.rfc3339()));
    some("priority", Some(job.priority.as_str().to_owned()));
    some("data", detail.dataset_span_days.map(|days| format!("{days} days")));
    some("parameters", detail.training_params.as_ref().map(ToString::to_string));
    some("features", detail.feature_config.as_ref().map(ToString::to_string));
    some("parent", detail.parent_version.as_ref().map(ToString::to_string));
    some("candidate", detail.strategy_candidate_id.clone());
    some("hook", detail.hook.as_ref().map(|hook| format!("{} is in production", hook.version)));
    let heard = |heard: String| format!(", heard of {heard}");
    some(
        "worker",
        detail
            .lease
            .as_ref()
            .map(|lease| format!("{} on {}{}", lease.worker, lease.host, heard(lease.heard_at.rfc3339()))),
    );
    some("setbacks", Some(detail.setbacks).filter(|count| *count > 0).map(|count| count.to_string()));
    some(
        "called off",
        job.cancel.as_ref().map(|cancel| format!("{} by {}: {}", cancel.at.rfc3339(), cancel.by, cancel.why)),
    );
    some("failure", job.failure.as_ref().map(|failure| failure.why.clone()));
    some("version", job.version.as_ref().map(ToString::to_string));
    if let Some(outcome) = &detail.outcome {
        some("status", Some(outcome.status.to_string()));
        some("score", outcome.promotion_score.map(|score| format!("{score:.1}")));
        some("Sharpe", outcome.sharpe.map(|sharpe| format!("{sharpe:.3}")));
        some("gates", Some(outcome.failure_reason.clone()).filter(|reason| !reason.is_empty()));
    }
    some("memory", detail.resources.memory_peak.map(|peak| format!("{} at most", bytes(peak))));
    some("processor", detail.resources.cpu_ms.map(millis));
    some("output", Some(detail.resources.output_bytes).filter(|count| *count > 0).map(bytes));
    some("does again", related(&detail.earlier));
    some("again by", related(&detail.later));
    facts
}

fn with(word: &str, more: &str) -> String {
    if more.is_empty() { word.to_owned() } else { format!("{word}: {more}") }
}

fn related(jobs: &[RelatedJob]) -> Option<String> {
    let each = jobs.iter().map(|job| format!("{} ({})", job.job_id, job.state));
    Some(each.collect::<Vec<_>>().join(", ")).filter(|all| !all.is_empty())
}

fn steps(steps: &[StepAnswer]) -> Table {
    let mut table = Table::new(&["NO", "STEP", "STATE", "BEGUN (UTC)", "TOOK", "TRIES"]).wrapping(5);
    for step in steps {
        let name = step.step.map_or("hook", |step| step.as_str());
        let style = match step.state {
            StepState::Done => Style::Good,
            StepState::Failed => Style::Bad,
            StepState::Ended => Style::Warning,
            StepState::Running => Style::Plain,
            StepState::NotBegun => Style::Faint,
        };
        table.row([
            (step.number.map(|number| number.to_string()).unwrap_or_default().as_str(), Style::Plain),
            (name, Style::Strong),
            (step.state.as_str(), style),
            (step.tries.first().map(|one| one.began_at.rfc3339()).unwrap_or_default().as_str(), Style::Plain),
            (step.duration_ms.map(millis).unwrap_or_default().as_str(), Style::Plain),
            (tries(step).as_str(), Style::Plain),
        ]);
    }
    table
}

/// Who tried, and why it came to nothing where it did.
fn tries(step: &StepAnswer) -> String {
    let mut told = Vec::new();
    for one in &step.tries {
        let who = match (&one.worker, one.epoch, one.reused) {
            (_, 0, _) => "taken over".to_owned(),
            (Some(worker), _, true) => format!("{worker} had it still"),
            (Some(worker), _, false) => worker.clone(),
            (None, ..) => String::new(),
        };
        let how = match (&one.failure, one.outcome) {
            (Some(failure), _) => failure.why.as_str(),
            (None, Some(TryOutcome::Ended)) => "cut off",
            _ => "",
        };
        told.push([who.as_str(), how].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": "));
    }
    told.retain(|words| !words.is_empty());
    told.join("; ")
}

/// A span as people read it: `240 ms`, `12.3 s`, `4 min 10 s`, `2 h 5 min`.
fn millis(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (given, expected) in [(0, "0 ms"), (999, "999 ms"), (12_340, "12.3 s"), (250_000, "4 min 10 s")] {
            assert_eq!(millis(given), expected);
        }
        assert_eq!(millis(7_500_000), "2 h 5 min");
    }
}
