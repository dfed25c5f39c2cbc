//! The steps of a job as a timeline.

use super::words;
use crate::app::answers::jobs::{JobDetail, StepAnswer, StepState, TryAnswer, TryOutcome};
use crate::domain::time::Micros;
use crate::http::ui::drawing::{Bar, Bars};

/// Tries of a step that are listed.
const LISTED: usize = 20;

/// One step.
pub(super) struct StepRow {
    /// 1 to 10; empty for a hook's.
    pub(super) number: String,
    /// In words.
    pub(super) name: &'static str,
    /// The class of its badge.
    pub(super) class: &'static str,
    /// Where it stands.
    pub(super) state: StepState,
    /// When it was first begun.
    pub(super) began_at: Option<Micros>,
    /// How long its tries took.
    pub(super) took: String,
    /// When they were, as shares of the job's time.
    pub(super) bars: Bars,
    /// What is worth a word of them.
    pub(super) tries: Vec<String>,
}

/// Every step, on the time from the first one's beginning to now or to the job's end.
pub(super) fn rows(detail: &JobDetail, now: Micros) -> Vec<StepRow> {
    let own = |step: &StepAnswer| step.tries.iter().filter(|one| one.epoch > 0).map(|one| one.began_at).min();
    let from = detail.steps.iter().filter_map(own).min();
    let until = detail.job.ended_at.filter(|_| detail.job.state.is_over()).unwrap_or(now);
    detail.steps.iter().map(|step| row(step, detail, from.unwrap_or(until), until)).collect()
}

fn row(step: &StepAnswer, detail: &JobDetail, from: Micros, until: Micros) -> StepRow {
    let all = until.0.saturating_sub(from.0).max(1) as f64;
    let share = |at: Micros| (at.0.saturating_sub(from.0) as f64 / all).min(1.0);
    let bar = |one: &TryAnswer| Bar {
        from: share(one.began_at),
        until: share(one.ended_at.unwrap_or(until)),
        // A try that was to no avail has the colour of the second line of a chart; the table says it in words.
        colour: if matches!(one.outcome, Some(TryOutcome::Failed | TryOutcome::Ended)) { 2 } else { 1 },
    };
    let left_out = step.tries.len().saturating_sub(LISTED);
    let mut tries: Vec<_> = step.tries.iter().skip(left_out).map(|one| told(one, step, detail)).collect();
    tries.retain(|words| !words.is_empty());
    if left_out > 0 {
        tries.insert(0, format!("{left_out} earlier ones"));
    }
    StepRow {
        number: step.number.map(|number| number.to_string()).unwrap_or_default(),
        name: step.step.map_or("run the hook", words::name),
        class: match step.state {
            StepState::NotBegun => "plain",
            StepState::Running => "job-running",
            StepState::Done => "good",
            StepState::Failed => "bad",
            StepState::Ended => "warn",
        },
        state: step.state,
        began_at: step.tries.first().map(|one| one.began_at),
        took: step.duration_ms.map(words::millis).unwrap_or_default(),
        bars: Bars(step.tries.iter().filter(|one| one.epoch > 0).map(bar).collect()),
        tries,
    }
}

/// A try in words: who, how long where there were several, and how it ended where it was not well.
fn told(one: &TryAnswer, step: &StepAnswer, detail: &JobDetail) -> String {
    if one.epoch == 0 {
        let from = detail.job.retry_of.map_or_else(String::new, |job| format!(" from {job}"));
        return format!("taken over{from}");
    }
    let mut parts = Vec::new();
    if step.tries.len() > 1 {
        parts.push(format!("try {}, {}", one.epoch, words::millis(one.duration_ms)));
    }
    if let Some(worker) = &one.worker {
        parts.push(format!("by {worker}"));
    }
    if one.reused {
        parts.push("its files were still there".to_owned());
    }
    match (one.outcome, &one.failure) {
        (_, Some(failure)) => parts.push(format!("{}: {}", words::failure_kind(failure.kind), failure.why)),
        (Some(TryOutcome::Ended), None) => parts.push("cut off".to_owned()),
        _ => {}
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{
        Failure, FailureKind, HookRun, Job, JobId, JobKind, JobStep, NewJob, Priority, Resources, Trigger,
    };

    fn one(epoch: u64, outcome: Option<TryOutcome>) -> TryAnswer {
        TryAnswer {
            epoch,
            worker: Some("w1".to_owned()),
            began_at: Micros(epoch * Micros::SECOND),
            ended_at: None,
            duration_ms: 1_500,
            outcome,
            failure: None,
            inputs: String::new(),
            reused: false,
            resources: Resources::default(),
        }
    }

    #[test]
    fn tries_in_words() {
        let hook = HookRun {
            number: 1,
            model: "xgboost_multi_1h".parse().unwrap(),
            version: "v2".parse().unwrap(),
            previous: None,
        };
        let new = NewJob {
            model: hook.model.clone(),
            kind: JobKind::Hook(hook),
            trigger: Trigger::Manual,
            triggered_by: None,
            evidence: String::new(),
            priority: Priority::Normal,
        };
        let detail = || JobDetail::of(&Job::new(JobId(1), new.clone(), "anna", Micros(0)), None, Micros(0));
        let step = |tries| StepAnswer {
            number: Some(3),
            step: Some(JobStep::Train),
            state: StepState::Running,
            duration_ms: None,
            tries,
        };
        let mut failed = one(1, Some(TryOutcome::Failed));
        failed.failure = Some(Failure { kind: FailureKind::OutOfMemory, why: "it had 2 GiB".to_owned() });
        let row = row(&step(vec![failed, one(2, None)]), &detail(), Micros(Micros::SECOND), Micros(3 * Micros::SECOND));
        assert_eq!(row.tries, ["try 1, 1.500 s, by w1, out of memory: it had 2 GiB", "try 2, 1.500 s, by w1"]);
        assert_eq!((row.bars.0[1].from, row.bars.0[1].until, row.bars.0[1].colour), (0.5, 1.0, 1));
        assert_eq!(told(&one(0, Some(TryOutcome::Done)), &step(Vec::new()), &detail()), "taken over");
        assert_eq!(told(&one(1, Some(TryOutcome::Ended)), &step(Vec::new()), &detail()), "by w1, cut off");
    }
}
