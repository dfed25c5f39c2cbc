//! The path of one decision: the events of one correlation id, in time order, folded into steps.

use super::batch::EventBatch;
use super::event::{Decision, EventRef, Level};
use super::stage::Stage;
use super::time::Micros;

/// One stay at one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The service (`source`), and the stage where it is one.
    pub source: String,
    /// The stage, where the service is one.
    pub stage: Option<Stage>,
    /// Its first event.
    pub from: Micros,
    /// Its last event.
    pub until: Micros,
    /// From the end of the step before to the beginning of this one, in microseconds; none for the first.
    pub after: Option<u64>,
    /// How many events.
    pub events: usize,
    /// The last decision stated.
    pub decision: Option<Decision>,
    /// Its confidence.
    pub confidence: Option<f64>,
    /// The worst level.
    pub level: Level,
    /// What it said last.
    pub message: String,
}

/// Where it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At execution.
    Executed,
    /// Before it: the last stage that it was seen at.
    Stopped(Stage),
    /// No stage of the trade path had part in it.
    Beside,
}

/// The path.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionPath {
    /// In time order.
    pub steps: Vec<Step>,
    /// Where it ended.
    pub end: End,
    /// What was decided first.
    pub decision: Option<Decision>,
    /// From the first event to the last, in microseconds.
    pub took: u64,
}

impl DecisionPath {
    /// Folds events, which must be in time order.
    pub fn of(events: &EventBatch) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for event in events.iter() {
            match steps.last_mut() {
                Some(step) if step.source == event.source => step.take(&event),
                last => {
                    let after = last.map(|step| event.ts.0.saturating_sub(step.until.0));
                    steps.push(Step::begin(&event, after));
                }
            }
        }
        let furthest = steps.iter().filter_map(|step| step.stage).max();
        Self {
            end: match furthest {
                None => End::Beside,
                Some(Stage::Execution) => End::Executed,
                Some(stage) => End::Stopped(stage),
            },
            decision: events.iter().find_map(|event| event.decision),
            took: match (steps.first(), steps.last()) {
                (Some(first), Some(last)) => last.until.0.saturating_sub(first.from.0),
                _ => 0,
            },
            steps,
        }
    }
}

impl Step {
    fn begin(event: &EventRef<'_>, after: Option<u64>) -> Self {
        Self {
            source: event.source.to_owned(),
            stage: Stage::of_event(event),
            from: event.ts,
            until: event.ts,
            after,
            events: 1,
            decision: event.decision,
            confidence: event.confidence,
            level: event.level,
            message: event.message.to_owned(),
        }
    }

    fn take(&mut self, event: &EventRef<'_>) {
        self.until = self.until.max(event.ts);
        self.events += 1;
        if event.decision.is_some() {
            (self.decision, self.confidence) = (event.decision, event.confidence);
        }
        self.level = self.level.min(event.level);
        event.message.clone_into(&mut self.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::EventId;

    fn path(events: &[(&str, u64, Option<Decision>, Level)]) -> DecisionPath {
        let mut batch = EventBatch::new();
        for (at, (source, ts, decision, level)) in events.iter().enumerate() {
            batch.push(EventRef {
                id: EventId(at as u64 + 1),
                ts: Micros(*ts),
                unit: "u",
                source,
                host: "h",
                level: *level,
                message: &format!("line {at}"),
                symbol: None,
                correlation_id: Some("c"),
                decision: *decision,
                confidence: decision.map(|_| 0.5),
                fields: None,
            });
        }
        DecisionPath::of(&batch)
    }

    #[test]
    fn events_become_steps_with_the_time_between_them() {
        let path = path(&[
            ("ai_engine", 1_000, Some(Decision::Buy), Level::INFO),
            ("ai_engine", 1_500, None, Level::WARNING),
            ("strategy", 3_500, Some(Decision::Sell), Level::INFO),
            ("risk", 4_000, None, Level::ERROR),
        ]);
        let shown: Vec<_> =
            path.steps.iter().map(|s| (s.source.as_str(), s.events, s.after, s.level, s.message.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("ai_engine", 2, None, Level::WARNING, "line 1"),
                ("strategy", 1, Some(2_000), Level::INFO, "line 2"),
                ("risk", 1, Some(500), Level::ERROR, "line 3"),
            ]
        );
        assert_eq!((path.end, path.took), (End::Stopped(Stage::Risk), 3_000));
        assert_eq!((path.decision, path.steps[0].decision), (Some(Decision::Buy), Some(Decision::Buy)));
    }

    #[test]
    fn the_furthest_stage_is_where_it_ended_whatever_came_last() {
        let executed = path(&[("execution", 5, None, Level::INFO), ("ai_engine", 9, None, Level::INFO)]);
        assert_eq!(executed.end, End::Executed);
        assert_eq!(path(&[("unknown", 5, None, Level::INFO)]).end, End::Beside);
        let nothing = path(&[]);
        assert_eq!((nothing.end, nothing.took, nothing.steps.len()), (End::Beside, 0, 0));
    }

    #[test]
    fn a_clock_that_stepped_back_gives_no_negative_time() {
        let path = path(&[("ai_engine", 9, None, Level::INFO), ("risk", 5, None, Level::INFO)]);
        assert_eq!((path.steps[1].after, path.took), (Some(0), 0));
    }
}
