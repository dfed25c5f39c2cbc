use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::query::{MAX_LIMIT, filled, limit};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::domain::webhook::{Delivery, Occasion, Outcome, WebhookName};
use crate::notify::{Standing, Webhook};
use crate::store::Store;

/// One webhook, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookAnswer {
    /// What it is called.
    pub name: WebhookName,
    /// Scheme, host and port of its URL.
    pub to: String,
    /// The types of events that it gets; empty for all.
    pub events: Vec<String>,
    /// Whether the last try failed.
    pub failing: bool,
    /// The place in the outbox up to which it is through.
    pub position: u64,
    /// Events that wait.
    pub waiting: u64,
    /// Tries of the event that is next.
    pub attempts: u32,
    /// When it last took an event, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub last_success: Option<Micros>,
    /// Since when it takes nothing, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub failing_since: Option<Micros>,
    /// Why, in words.
    pub last_error: Option<String>,
    /// When it is tried again, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub next_try: Option<Micros>,
    /// Events given up, ever.
    pub given_up: u64,
}

impl WebhookAnswer {
    pub(crate) fn of(webhook: &Webhook, standing: &Standing) -> Self {
        let Standing { position, progress, waiting } = standing.clone();
        Self {
            name: webhook.name.clone(),
            to: webhook.config.url.origin(),
            events: webhook.config.events.clone(),
            failing: progress.failing_since.is_some(),
            position,
            waiting,
            attempts: progress.attempts,
            last_success: progress.last_success,
            failing_since: progress.failing_since,
            last_error: progress.last_error,
            next_try: progress.next_try,
            given_up: progress.given_up,
        }
    }
}

/// Every webhook that is configured, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookList {
    /// The webhooks.
    pub webhooks: Vec<WebhookAnswer>,
    /// Always null: they are few.
    pub next: Option<String>,
}

/// One line of a webhook's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryAnswer {
    /// Its number in the log of this webhook.
    pub number: u64,
    /// What the receiver knows a repeat by.
    pub id: String,
    /// The event's type.
    pub r#type: String,
    /// When the try began, or the event was given up, RFC 3339.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// The how manieth try; 0 where the event was given up without one of its own.
    pub attempt: u32,
    /// Why it was sent.
    pub occasion: Occasion,
    /// What became of it.
    pub outcome: Outcome,
    /// What the receiver answered, where it did.
    pub status: Option<u16>,
    /// What was wrong, in words; null where nothing was.
    pub error: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
    /// When it is tried again, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub next_try: Option<Micros>,
    /// Whether its event can be sent once more, if it is still kept.
    pub replayable: bool,
}

impl DeliveryAnswer {
    pub(crate) fn of(number: u64, delivery: &Delivery) -> Self {
        let line = delivery.clone();
        Self {
            number,
            replayable: line.seq > 0,
            id: line.id,
            r#type: line.event_type,
            at: line.at,
            attempt: line.attempt,
            occasion: line.occasion,
            outcome: line.outcome,
            status: line.status,
            error: Some(line.why).filter(|why| !why.is_empty()),
            milliseconds: line.took / 1_000,
            next_try: line.next_try,
        }
    }
}

/// Which lines, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryQuery {
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// A page of a webhook's log, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryPage {
    /// The lines.
    pub deliveries: Vec<DeliveryAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl DeliveryPage {
    pub(crate) fn find(store: &Store, name: &WebhookName, query: &DeliveryQuery) -> Result<Self, QueryError> {
        let before = match query.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(before)) => before,
            Some(Err(_)) => return Err(QueryError::cursor()),
        };
        let limit = limit(query.limit, MAX_LIMIT)?;
        let mut lines = store.deliveries(name.as_str(), before, limit + 1)?;
        let more = lines.len() > limit;
        lines.truncate(limit);
        let next = lines.last().filter(|_| more).map(|(number, _)| number.to_string());
        let deliveries = lines.iter().map(|(number, line)| DeliveryAnswer::of(*number, line)).collect();
        Ok(Self { deliveries, next })
    }
}
