use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::QueryError;
use super::query::{MAX_LIMIT, filled, limit};
use super::registry::ClmScheduler;
use crate::app::schedule::{Entry, Schedule, ScheduleError};
use crate::config;
use crate::domain::job::{JobId, Trigger};
use crate::domain::model::{ModelId, ModelType};
use crate::domain::schedule::{Cadence, Decision, TriggerRecord, Verdict};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::Store;

/// What spoke for a training, and what became of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerAnswer {
    /// Its number, in the order of recording.
    pub number: u64,
    /// When it came.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// Of which model; null where nobody knew whom it meant.
    pub model_id: Option<ModelId>,
    /// Why.
    pub reason: Trigger,
    /// Who or what said so.
    pub by: String,
    /// What was seen.
    pub evidence: String,
    /// When it was last decided.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub decided_at: Micros,
    /// What became of it.
    pub outcome: Decision,
    /// The same in words.
    pub words: String,
}

impl From<TriggerRecord> for TriggerAnswer {
    fn from(record: TriggerRecord) -> Self {
        let TriggerRecord { number, at, model, reason, by, evidence, decided_at, decision } = record;
        let words = decision.words();
        Self { number, at, model_id: model, reason, by, evidence, decided_at, outcome: decision, words }
    }
}

/// Which triggers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerQuery {
    /// Of this model.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub model_id: Option<ModelId>,
    /// For this reason.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub reason: Option<Trigger>,
    /// How many at most.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where the page before this one ended: its `next`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerPage {
    /// The triggers, the newest first.
    pub triggers: Vec<TriggerAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl TriggerPage {
    /// Looks for a page.
    pub fn find(store: &Store, query: &TriggerQuery) -> Result<Self, QueryError> {
        let before = match query.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(before)) => before,
            Some(Err(_)) => return Err(QueryError::cursor()),
        };
        let limit = limit(query.limit, MAX_LIMIT)?;
        let (triggers, next) = store.triggers(query.model_id.as_ref(), query.reason, before, limit)?;
        let next = next.map(|before| before.to_string());
        Ok(Self { triggers: triggers.into_iter().map(TriggerAnswer::from).collect(), next })
    }
}

/// What is to be done about a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleState {
    /// Its training begins now.
    Starts,
    /// Something speaks for a training, and something holds it back.
    Held,
    /// A training job of it is open.
    Open,
    /// Nothing speaks for a training now.
    NotDue,
    /// The scheduler is off.
    Off,
}

impl ScheduleState {
    /// What a verdict comes to.
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Start { .. } => Self::Starts,
            Verdict::Hold { .. } => Self::Held,
            Verdict::Open(_) => Self::Open,
            Verdict::NotDue { .. } => Self::NotDue,
            Verdict::Off => Self::Off,
        }
    }

    /// As API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starts => "starts",
            Self::Held => "held",
            Self::Open => "open",
            Self::NotDue => "not_due",
            Self::Off => "off",
        }
    }
}

/// How it stands with a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleEntry {
    /// The model.
    pub model_id: ModelId,
    /// What kind of program it is.
    pub model_type: ModelType,
    /// Whether the registry has it; otherwise the configuration alone.
    pub registered: bool,
    /// Whether it is trained by the clock.
    pub enabled: bool,
    /// How often, in words: `every 7 days`, `30 2 * * 0 (cron)`, `off`.
    pub cadence: String,
    /// The interval, where it is one.
    pub interval_seconds: Option<u64>,
    /// The cron expression, where it is one (UTC).
    pub cron: Option<String>,
    /// When it was last trained.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub last_training: Option<Micros>,
    /// When a training may begin next, as far as is known; null where only something from outside makes one begin.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub next_training: Option<Micros>,
    /// What is to be done about it.
    pub state: ScheduleState,
    /// That in words: `not yet, because …`.
    pub why: String,
    /// The training job of it that is not over.
    pub job_id: Option<JobId>,
    /// Closed trades since its last training.
    pub trades: u64,
    /// Triggers that wait, the oldest first.
    pub waiting: Vec<TriggerAnswer>,
    /// The trigger that was last decided.
    pub last_decision: Option<TriggerAnswer>,
}

impl ScheduleEntry {
    /// The answer of an entry, where the scheduler is `enabled`.
    pub fn new(entry: Entry, enabled: bool) -> Self {
        let why = entry.outlook.words();
        let state = ScheduleState::of(&entry.outlook.verdict);
        let (interval_seconds, cron) = match &entry.cadence {
            Cadence::Off => (None, None),
            Cadence::Every(span) => (Some(span / Micros::SECOND), None),
            Cadence::Cron(times) => (None, Some(times.to_string())),
        };
        Self {
            model_id: entry.model,
            model_type: entry.name.model_type,
            registered: entry.registered,
            enabled: enabled && entry.cadence != Cadence::Off,
            cadence: entry.cadence.to_string(),
            interval_seconds,
            cron,
            last_training: entry.last,
            next_training: entry.outlook.next,
            state,
            why,
            job_id: entry.open,
            trades: entry.trades,
            waiting: entry.waiting.into_iter().map(TriggerAnswer::from).collect(),
            last_decision: entry.decided.map(TriggerAnswer::from),
        }
    }
}

/// By what the scheduler decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleRules {
    /// Hours of the week, in UTC, in which nothing begins.
    pub quiet: Vec<String>,
    /// Until when it is such an hour now.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub quiet_until: Option<Micros>,
    /// So many closed trades are a reason; 0: no number is.
    pub trades: u64,
    /// A Sharpe ratio below this is a reason.
    pub sharpe: f64,
    /// The least drift score that is one.
    pub drift: f64,
    /// The least time between two trainings of a model.
    pub cooldown_seconds: u64,
    /// How many trainings that nobody asked for by hand begin in an hour.
    pub starts_per_hour: u32,
}

/// Which part of the schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleQuery {
    /// Of models of this type.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub model_type: Option<ModelType>,
    /// How many at most.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where the page before this one ended: its `next`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of the schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchedulePage {
    /// Whether anything is trained but what somebody asks for.
    pub enabled: bool,
    /// By what is decided.
    pub rules: ScheduleRules,
    /// The models, by id.
    pub models: Vec<ScheduleEntry>,
    /// How many fit in all.
    pub total: usize,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl SchedulePage {
    /// Looks for a page, as things stand at `now`.
    pub fn find(
        schedule: &Schedule,
        config: &config::Scheduler,
        query: &ScheduleQuery,
        now: Micros,
    ) -> Result<Self, ScheduleQueryError> {
        let after = query.cursor.as_deref().map(str::parse).transpose().map_err(|_| QueryError::cursor())?;
        let limit = limit(query.limit, MAX_LIMIT)?;
        let plan = schedule.plan(query.model_type, after.as_ref(), limit, now)?;
        let enabled = schedule.rules().enabled;
        Ok(Self {
            enabled,
            rules: Self::rules(schedule, config, now),
            models: plan.entries.into_iter().map(|entry| ScheduleEntry::new(entry, enabled)).collect(),
            total: plan.total,
            next: plan.next.map(|model| model.to_string()),
        })
    }

    /// By what is decided, as things stand at `now`.
    pub fn rules(schedule: &Schedule, config: &config::Scheduler, now: Micros) -> ScheduleRules {
        let rules = schedule.rules();
        let free = rules.calendar.free_from(now);
        ScheduleRules {
            quiet: config.quiet.iter().map(ToString::to_string).collect(),
            quiet_until: Some(free).filter(|free| *free != now),
            trades: rules.trades,
            sharpe: rules.sharpe,
            drift: rules.drift,
            cooldown_seconds: rules.cooldown / Micros::SECOND,
            starts_per_hour: rules.starts_per_hour,
        }
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleQueryError {
    /// What was asked for makes no sense.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// It could not be looked at.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

impl ClmScheduler {
    /// The scheduler, as the predecessor's status names its parts.
    pub fn read(schedule: &Schedule, now: Micros) -> Result<Self, ScheduleError> {
        let rules = schedule.rules();
        let plan = schedule.plan(None, None, usize::MAX, now)?;
        let intervals: Map<String, Value> =
            rules.types.iter().map(|(kind, cadence)| (kind.to_string(), json!(cadence.to_string()))).collect();
        let config = [
            ("enabled", json!(rules.enabled)),
            ("intervals", Value::Object(intervals)),
            ("min_new_trades", json!(rules.trades)),
            ("min_sharpe", json!(rules.sharpe)),
            ("min_drift_score", json!(rules.drift)),
            ("cooldown_seconds", json!(rules.cooldown / Micros::SECOND)),
        ];
        let times = |of: fn(&Entry) -> Option<Micros>| -> BTreeMap<String, String> {
            plan.entries.iter().filter_map(|entry| Some((entry.model.to_string(), of(entry)?.rfc3339()))).collect()
        };
        Ok(Self {
            running: rules.enabled,
            config: config.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            last_training: times(|entry| entry.last),
            next_training_times: times(|entry| entry.outlook.next),
        })
    }
}
