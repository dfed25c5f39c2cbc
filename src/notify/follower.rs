//! A webhook at work: one event after the other, each until it is taken or given up.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Attempt, Webhook, progress};
use crate::domain::bus::BusEvent;
use crate::domain::id::EventId;
use crate::domain::time::Micros;
use crate::domain::webhook::{Delivery, Occasion, Outcome, Progress};
use crate::observe::now;
use crate::observe::status::Reporter;
use crate::stop::Stopping;
use crate::store::{FollowerPosition, OutboxMessage, StoreError, webhook_follower};

/// Messages read at once.
const BATCH: usize = 100;

/// Messages that may be passed over before that is worth a commit.
const PASSED: u64 = 100;

/// How often the events that wait are counted while there are many.
const COUNT: Duration = Duration::from_secs(1);

/// How long a commit that failed is left alone.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// A webhook, and where it stands.
struct Follower {
    webhook: Webhook,
    reporter: Reporter,
    stopping: Stopping,
    /// It is through with this message, and with all before.
    position: u64,
    progress: Progress,
    /// The position as the store has it.
    saved: u64,
    counted: Option<Instant>,
}

/// What one try changes.
struct Step {
    position: u64,
    progress: Progress,
    deliveries: Vec<Delivery>,
}

impl Webhook {
    /// Delivers until the signal to stop.
    pub async fn run(&self, reporter: Reporter, stopping: Stopping) -> Result<(), StoreError> {
        let mut follower = Follower::load(self.clone(), reporter, stopping.clone()).await?;
        let mut committed = self.store.committed();
        loop {
            let next = follower.next().await?;
            follower.show(next.is_some()).await?;
            let Some((message, event)) = next else {
                let position = follower.position;
                let more = async { committed.wait_for(|committed| committed.outbox > position).await.is_ok() };
                tokio::select! {
                    open = more => if !open {
                        return Ok(());
                    },
                    () = stopping.asked() => return follower.save_passed(1).await,
                }
                continue;
            };
            let wait = follower.progress.wait(now(), self.timing.pauses);
            if wait > 0 {
                tokio::select! {
                    () = sleep(Duration::from_micros(wait)) => {}
                    () = self.again.notified() => follower.progress.next_try = None,
                    () = stopping.asked() => return Ok(()),
                }
                continue;
            }
            let id = message.id();
            let given_up = async {
                stopping.asked().await;
                sleep(self.timing.drain).await;
            };
            let attempt = tokio::select! {
                attempt = self.post(&id, &event) => attempt,
                // It may have arrived; it is sent again after the next start, with the same id.
                () = given_up => return Ok(()),
            };
            crate::failpoint!("webhook.answered");
            if !follower.take_down(message, event, attempt).await? || stopping.is_asked() {
                return Ok(());
            }
        }
    }
}

impl Follower {
    /// Where the webhook stands; a new one begins with what is put out from now on.
    async fn load(webhook: Webhook, reporter: Reporter, stopping: Stopping) -> Result<Self, StoreError> {
        let (store, name) = (webhook.store.clone(), webhook.name.clone());
        let saved = blocking(move || match store.webhook(name.as_str())? {
            Some(saved) => Ok(saved),
            None => store.write::<_, StoreError>(|txn| {
                let outbox = txn.last_put_out();
                let new = FollowerPosition { outbox, ..FollowerPosition::default() };
                txn.put_follower(&webhook_follower(name.as_str()), &new)?;
                Ok(new)
            }),
        })
        .await?;
        let progress = progress(&saved);
        Ok(Self { webhook, reporter, stopping, position: saved.outbox, progress, saved: saved.outbox, counted: None })
    }

    /// The next message for this webhook. What is not for it is passed over.
    async fn next(&mut self) -> Result<Option<(OutboxMessage, BusEvent)>, StoreError> {
        loop {
            let (store, after) = (self.webhook.store.clone(), self.position);
            let messages = blocking(move || store.outbox_after(after, BATCH)).await?;
            if messages.is_empty() {
                self.save_passed(PASSED).await?;
                return Ok(None);
            }
            for message in messages {
                if let Some(event) = self.webhook.wanted(&message) {
                    return Ok(Some((message, event)));
                }
                self.position = message.seq;
            }
        }
    }

    /// Saves the position where it passed over that many messages: retention keeps what is not passed.
    async fn save_passed(&mut self, least: u64) -> Result<(), StoreError> {
        if self.position.saturating_sub(self.saved) < least {
            return Ok(());
        }
        let step = Step { position: self.position, progress: self.progress.clone(), deliveries: Vec::new() };
        self.save(step).await
    }

    /// Takes down what became of a try, for as long as that takes: an event that was taken must not be sent again because
    /// the disk is full. False when the signal to stop came before.
    async fn take_down(
        &mut self,
        message: OutboxMessage,
        event: BusEvent,
        attempt: Attempt,
    ) -> Result<bool, StoreError> {
        let step = match attempt.error {
            None => self.delivered(&message, event, &attempt),
            Some(_) => self.failed(&message, event, &attempt).await?,
        };
        step.deliveries.iter().for_each(|delivery| self.webhook.count(delivery.outcome));
        loop {
            let again = Step { deliveries: step.deliveries.clone(), progress: step.progress.clone(), ..step };
            match self.save(again).await {
                Ok(()) => return Ok(true),
                Err(error) => self.reporter.failed(
                    format!("what was delivered cannot be taken down: {error}"),
                    "see the component `store`; it goes on by itself",
                ),
            }
            tokio::select! {
                () = sleep(STORE_PAUSE) => {}
                () = self.stopping.asked() => return Ok(false),
            }
        }
    }

    fn delivered(&self, message: &OutboxMessage, event: BusEvent, attempt: &Attempt) -> Step {
        let mut progress = self.progress.clone();
        let tried = progress.attempts + 1;
        progress.delivered(attempt.at);
        let delivery = attempt.delivery(message.seq, message.id(), event.event_type, tried, Occasion::Queue, None);
        Step { position: message.seq, progress, deliveries: vec![delivery] }
    }

    async fn failed(&self, message: &OutboxMessage, event: BusEvent, attempt: &Attempt) -> Result<Step, StoreError> {
        let mut progress = self.progress.clone();
        let now = now();
        let why = attempt.error.clone().unwrap_or_default();
        // Without randomness the pauses have no jitter, and are pauses.
        let random = getrandom::u64().unwrap_or_default();
        progress.failed(now, why, self.webhook.timing.pauses, attempt.wished, random);
        let (tried, next_try) = (progress.attempts, progress.next_try);
        let delivery = attempt.delivery(message.seq, message.id(), event.event_type, tried, Occasion::Queue, next_try);
        let limit = u64::try_from(self.webhook.config.give_up_after.as_micros()).unwrap_or(u64::MAX);
        if !progress.is_over(message.at, now, limit) {
            return Ok(Step { position: self.position, progress, deliveries: vec![delivery] });
        }
        let mut deliveries = vec![Delivery { outcome: Outcome::GivenUp, next_try: None, ..delivery }];
        // What waits behind it and is as old goes with it: one try each would take the next days.
        let (store, after) = (self.webhook.store.clone(), message.seq);
        let behind = blocking(move || store.outbox_after(after, BATCH)).await?;
        let mut position = message.seq;
        for message in behind {
            if !progress.is_over(message.at, now, limit) {
                break;
            }
            position = message.seq;
            if let Some(event) = self.webhook.wanted(&message) {
                deliveries.push(untried(&message, event, now));
            }
        }
        progress.attempts = 0;
        progress.given_up = progress.given_up.saturating_add(deliveries.len() as u64);
        if let (Some(first), Some(last)) = (deliveries.first(), deliveries.last()) {
            tracing::error!(
                webhook = self.webhook.name.as_str(),
                events = deliveries.len(),
                first = first.id,
                last = last.id,
                "events were given up: {}; the log of deliveries names them, and they can be sent again from there",
                first.why
            );
        }
        Ok(Step { position, progress, deliveries })
    }

    /// One transaction: position, progress and log.
    async fn save(&mut self, step: Step) -> Result<(), StoreError> {
        let (store, name) = (self.webhook.store.clone(), self.webhook.name.clone());
        let Step { position, progress, deliveries } = step;
        let note = serde_json::to_string(&progress).unwrap_or_default();
        let row = FollowerPosition { event: EventId::ZERO, outbox: position, note };
        blocking(move || {
            store.write::<_, StoreError>(|txn| {
                for delivery in &deliveries {
                    txn.put_delivery(name.as_str(), delivery)?;
                }
                txn.put_follower(&webhook_follower(name.as_str()), &row)
            })
        })
        .await?;
        (self.position, self.saved, self.progress) = (position, position, progress);
        Ok(())
    }

    /// Says on the board how it is.
    async fn show(&mut self, waits: bool) -> Result<(), StoreError> {
        let waiting = match self.counted {
            _ if !waits => 0,
            // While it delivers, counting each time would cost more than the deliveries. A failure is said at once: a pause
            // may follow, and nothing is looked at before it is over.
            Some(counted) if counted.elapsed() < COUNT && self.progress.failing_since.is_none() => return Ok(()),
            _ => {
                let (webhook, position) = (self.webhook.clone(), self.position);
                let store = webhook.store.clone();
                blocking(move || store.outbox_waiting(position, |message| webhook.wanted(message).is_some())).await?
            }
        };
        self.counted = Some(Instant::now()).filter(|_| waiting > 1);
        self.webhook.metrics.webhook_waiting(self.webhook.name.as_str(), waiting);
        self.reporter.figure("waiting_events", waiting);
        self.reporter.figure("given_up_events", self.progress.given_up);
        let at = self.webhook.config.url.origin();
        let Some(since) = self.progress.failing_since else {
            self.reporter.ok(format!("delivers to {at}"));
            return Ok(());
        };
        let error = self.progress.last_error.as_deref().unwrap_or_default();
        let next = self.progress.next_try.map_or_else(String::new, |at| format!(", next try at {}", at.rfc3339()));
        let summary = format!("{at} takes nothing since {}: {error}; {waiting} wait{next}", since.rfc3339());
        let remedy = format!(
            "repair the receiver, or correct notify.webhooks.{0} and restart; then test it on the page /webhooks/{0}: \
             what waits follows at once",
            self.webhook.name
        );
        let long = u64::try_from(self.webhook.timing.failed_after.as_micros()).unwrap_or(u64::MAX);
        if now().0.saturating_sub(since.0) >= long {
            self.reporter.failed(summary, remedy);
        } else {
            self.reporter.warn(summary, remedy);
        }
        Ok(())
    }
}

/// The line of an event that was given up with another one.
fn untried(message: &OutboxMessage, event: BusEvent, now: Micros) -> Delivery {
    Delivery {
        seq: message.seq,
        id: message.id(),
        event_type: event.event_type,
        at: now,
        attempt: 0,
        occasion: Occasion::Queue,
        outcome: Outcome::GivenUp,
        status: None,
        why: "not tried: the receiver took nothing for as long as events are tried".to_owned(),
        took: 0,
        next_try: None,
    }
}

/// Runs a step on the data file on a thread that may block.
async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(step).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Panicked(error.to_string())),
    }
}
