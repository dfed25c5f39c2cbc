use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Labels, Level, Seconds};
use crate::domain::job::Trigger;
use crate::domain::schedule::Decision;
use crate::domain::time::Micros;

/// Figures of the scheduler.
#[derive(Clone, Debug)]
pub struct ScheduleMetrics {
    /// Models that something speaks for, and something holds back.
    pub held: Level,
    next: Seconds,
    triggers: Family<Labels, Counter>,
}

impl ScheduleMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self { held: Level::default(), next: Seconds::default(), triggers: Family::default() };
        let about = "Models for whose training something speaks while something holds it back";
        registry.register("schedule_held_models", about, metrics.held.clone());
        let about = "When the next training may begin, since the epoch";
        registry.register("schedule_next_training_timestamp_seconds", about, metrics.next.clone());
        let about =
            "Decisions about what speaks for a training, by reason; one that waits may be decided several times";
        registry.register("schedule_triggers", about, metrics.triggers.clone());
        metrics
    }

    /// Something that speaks for a training was decided.
    pub fn decided(&self, reason: Trigger, decision: &Decision) {
        let labels = vec![("reason", reason.as_str().to_owned()), ("decision", decision.as_str().to_owned())];
        self.triggers.get_or_create_owned(&labels).inc();
    }

    /// When the next training may begin.
    pub fn next(&self, at: Micros) {
        #[allow(clippy::cast_precision_loss, reason = "53 bits of microseconds reach to the year 2255")]
        self.next.set(at.0 as f64 / 1e6);
    }
}
