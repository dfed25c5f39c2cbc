//! Webhooks: events of the bus as signed requests to whoever wants to know.
//!
//! Each webhook is a follower of the outbox with a position of its own and an order of its own, so none waits for another.
//! An event is posted until the receiver takes it or its time is over; what happened is in the webhook's log. Position,
//! tries and the next try are in the data file and go on after a restart. A death between the receiver's answer and the
//! commit repeats a request with the same id.

mod client;
mod follower;
mod post;
mod signature;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

pub use self::post::Attempt;
pub use self::signature::BadKey;

use crate::config;
use crate::domain::bus::BusEvent;
use crate::domain::time::Micros;
use crate::domain::webhook::{Pauses, Progress, WebhookName};
use crate::observe::metrics::Metrics;
use crate::store::{FollowerPosition, OutboxKind, OutboxMessage, Store, StoreError};

/// When webhooks do things.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two tries.
    pub pauses: Pauses,
    /// For a connection, with TLS.
    pub connect: Duration,
    /// For the answer.
    pub answer: Duration,
    /// How long a request that is under way may go on after the signal to stop.
    pub drain: Duration,
    /// How long a webhook may fail until health says that it does.
    pub failed_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            pauses: Pauses::USUAL,
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            drain: Duration::from_secs(1),
            failed_after: Duration::from_secs(3_600),
        }
    }
}

/// Every webhook that is configured.
#[derive(Clone)]
pub struct Webhooks(Arc<BTreeMap<WebhookName, Webhook>>);

/// One of them.
#[derive(Clone)]
pub struct Webhook {
    /// What it is called.
    pub name: WebhookName,
    /// What was configured.
    pub config: config::Webhook,
    store: Arc<Store>,
    metrics: Metrics,
    timing: Timing,
    /// Wakes the follower from its pause: the receiver has just taken something.
    again: Arc<Notify>,
}

impl Webhooks {
    /// Those of a configuration.
    pub fn new(config: &config::Notify, store: &Arc<Store>, metrics: &Metrics, timing: Timing) -> Self {
        let webhook = |(name, config): (&WebhookName, &config::Webhook)| {
            let webhook = Webhook {
                name: name.clone(),
                config: config.clone(),
                store: store.clone(),
                metrics: metrics.clone(),
                timing,
                again: Arc::default(),
            };
            (name.clone(), webhook)
        };
        Self(Arc::new(config.webhooks.iter().map(webhook).collect()))
    }

    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = &Webhook> {
        self.0.values()
    }

    /// The one of that name.
    pub fn get(&self, name: &WebhookName) -> Option<&Webhook> {
        self.0.get(name)
    }

    /// Forgets, a week after its last sign of life, each webhook that is configured no more: its position and its log.
    pub fn tidy(&self, store: &Store, now: Micros) -> Result<(), StoreError> {
        for name in store.webhooks()? {
            let known = name.parse().is_ok_and(|name: WebhookName| self.0.contains_key(&name));
            let lately = store.deliveries(&name, u64::MAX, 1)?.first().map(|(_, delivery)| delivery.at);
            if !known && lately.is_none_or(|at| at < now.minus(7 * Micros::DAY)) {
                store.write::<_, StoreError>(|txn| txn.forget_webhook(&name))?;
                tracing::info!(
                    webhook = name,
                    "is configured no more: its place in the outbox and its log are forgotten"
                );
            }
        }
        Ok(())
    }
}

/// Where a webhook stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The outbox message up to which it is through.
    pub position: u64,
    /// How it gets on.
    pub progress: Progress,
    /// Events that wait.
    pub waiting: u64,
}

impl Webhook {
    /// Where it stands, as the data file has it.
    pub fn standing(&self) -> Result<Standing, StoreError> {
        let Some(saved) = self.store.webhook(self.name.as_str())? else { return Ok(Standing::default()) };
        let (position, progress) = (saved.outbox, progress(&saved));
        let waiting = self.store.outbox_waiting(position, |message| self.wanted(message).is_some())?;
        Ok(Standing { position, progress, waiting })
    }

    /// What a message says, where it is for this webhook.
    fn wanted(&self, message: &OutboxMessage) -> Option<BusEvent> {
        if message.kind != OutboxKind::Bus {
            return None;
        }
        let event: BusEvent = serde_json::from_str(&message.payload).ok()?;
        self.config.wants(&event.event_type).then_some(event)
    }
}

/// Whether the secrets are keys to sign with, for `config check`.
pub fn check(secrets: &[config::Secret]) -> Result<(), BadKey> {
    signature::keys(secrets).map(drop)
}

fn progress(position: &FollowerPosition) -> Progress {
    serde_json::from_str(&position.note).unwrap_or_default()
}
