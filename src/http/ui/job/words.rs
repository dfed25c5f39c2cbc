//! Jobs in words.

use crate::app::answers::jobs::JobAnswer;
use crate::domain::job::{FailureKind, JobStep, Priority, Trigger};
use crate::domain::time::Micros;
use crate::http::ui::show::{self, Given};

/// What it was asked for upon.
pub(in crate::http) fn trigger(trigger: impl Given<Trigger>) -> &'static str {
    match trigger.given() {
        Trigger::DriftDetected => "drift",
        Trigger::PerformanceDegraded => "bad performance",
        Trigger::Periodic => "its time came",
        Trigger::Manual => "somebody asked",
        Trigger::RegimeChange => "another regime",
        Trigger::DataThreshold => "enough new trades",
        Trigger::StrategyEvolution => "a candidate to try",
    }
}

/// What goes first.
pub(in crate::http) fn priority(priority: impl Given<Priority>) -> &'static str {
    priority.given().as_str()
}

/// One of the ten steps.
pub(in crate::http) fn name(step: impl Given<JobStep>) -> &'static str {
    match step.given() {
        JobStep::Begin => "begin",
        JobStep::Data => "fetch the data",
        JobStep::Train => "train",
        JobStep::Register => "register the version",
        JobStep::TellTrained => "tell that it is trained",
        JobStep::Evaluate => "evaluate",
        JobStep::SaveEvaluation => "keep the evaluation",
        JobStep::TellEvaluated => "tell that it is evaluated",
        JobStep::ApplyGates => "apply the gates",
        JobStep::Complete => "complete",
    }
}

/// Where a job is: `3 of 10, train`.
pub(in crate::http) fn step(job: &JobAnswer) -> String {
    job.step.map_or_else(String::new, |now| format!("{} of {}, {}", now.number, now.of, name(now.step)))
}

/// How long it took, from the first worker's beginning.
pub(in crate::http) fn took(job: &JobAnswer) -> String {
    match (job.started_at, job.ended_at) {
        (Some(from), Some(until)) => show::since(from, until),
        _ => String::new(),
    }
}

/// Milliseconds as a span.
pub(in crate::http) fn millis(millis: impl Given<u64>) -> String {
    let millis = millis.given();
    // A step of minutes is no matter of milliseconds.
    let rounded = if millis >= 10_000 { millis / 1_000 * 1_000 } else { millis };
    if rounded == 0 { "0 ms".to_owned() } else { show::span(Micros::from_millis(rounded).0) }
}

/// Whole per cent.
pub(in crate::http) fn percent(share: impl Given<f32>) -> String {
    format!("{:.0}\u{a0}%", share.given() * 100.0)
}

/// Whose fault it is.
pub(in crate::http) fn failure_kind(kind: impl Given<FailureKind>) -> &'static str {
    match kind.given() {
        FailureKind::Infrastructure => "nobody's fault",
        FailureKind::Program => "its program failed",
        FailureKind::Signal => "its program was killed",
        FailureKind::OutOfMemory => "out of memory",
        FailureKind::TimeLimit => "took too long",
        FailureKind::NoProgress => "no progress",
        FailureKind::Answer => "its program's answer does not fit",
        FailureKind::Registry => "the registry refused",
        FailureKind::Configuration => "not set up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_they_are_short() {
        for (given, expect) in [(0, "0 ms"), (250, "250 ms"), (1_250, "1.250 s"), (61_999, "1 min 1 s")] {
            assert_eq!(millis(given), expect);
        }
        assert_eq!(percent(0.424), "42\u{a0}%");
    }
}
