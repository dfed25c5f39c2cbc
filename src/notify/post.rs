//! One try: sign, post, judge the answer, take it down.

use std::time::{Duration, Instant};

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use super::Webhook;
use super::client::{self, NoAnswer, Patience};
use super::signature::{self, BadKey};
use crate::config::SecretError;
use crate::domain::bus::{BusEvent, message_id};
use crate::domain::time::Micros;
use crate::domain::webhook::{Delivery, Occasion, Outcome, TEST_EVENT, body};
use crate::observe::now;
use crate::store::{OutboxMessage, StoreError};

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Micros,
    /// How long it took, in microseconds.
    pub took: u64,
    /// What the receiver answered, where it did.
    pub status: Option<u16>,
    /// What was wrong, in words; `None` where the event was taken.
    pub error: Option<String>,
    /// How long the receiver wants to be left alone, in microseconds.
    pub(super) wished: Option<u64>,
}

/// Why nothing was sent, or nothing was answered.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("secret_file: {0}")]
    Secret(#[from] SecretError),
    #[error("secret_file: {0}")]
    Key(#[from] BadKey),
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the try ended with a panic: see the log")]
    Panicked,
}

impl Webhook {
    /// Sends an event once.
    pub(super) async fn post(&self, id: &str, event: &BusEvent) -> Attempt {
        let (at, started) = (now(), Instant::now());
        let answer = self.ask(id, event, at).await;
        let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let attempt = Attempt { at, took, status: None, error: None, wished: None };
        match answer {
            Ok(answer) => {
                let taken = answer.status / 100 == 2;
                let micros = |wish: Duration| u64::try_from(wish.as_micros()).unwrap_or(u64::MAX);
                Attempt {
                    status: Some(answer.status),
                    error: (!taken).then(|| refusal(&answer)),
                    wished: answer.retry_after.map(micros),
                    ..attempt
                }
            }
            Err(error) => Attempt { error: Some(in_full(&error)), ..attempt },
        }
    }

    async fn ask(&self, id: &str, event: &BusEvent, at: Micros) -> Result<client::Answer, PostError> {
        let (config, seconds) = (self.config.clone(), at.seconds());
        // Read anew each time, as Redis' password is: a secret that was changed holds from the next try on.
        let reading = tokio::task::spawn_blocking(move || config.secrets()).await;
        let keys = signature::keys(&reading.map_err(|_| PostError::Panicked)??)?;
        let body = body(id, event);
        let mut headers = HeaderMap::new();
        let signature = signature::signatures(&keys, id, seconds, &body);
        for (name, value) in [
            (CONTENT_TYPE, "application/json"),
            (USER_AGENT, concat!("quantum-clm/", env!("CARGO_PKG_VERSION"))),
            (HeaderName::from_static("webhook-id"), id),
            (HeaderName::from_static("webhook-timestamp"), &seconds.to_string()),
            (HeaderName::from_static("webhook-signature"), &signature),
        ] {
            let value = HeaderValue::from_str(value).map_err(|error| NoAnswer::Request(error.to_string()))?;
            headers.insert(name, value);
        }
        let patience = Patience { connect: self.timing.connect, answer: self.timing.answer };
        let (uri, ca_file) = (self.config.url.uri(), self.config.ca_file.as_deref());
        Ok(client::post(uri, ca_file, headers, body, patience).await?)
    }

    /// Sends an event of its own at once, beside the queue: whether the receiver is there and knows the secret.
    pub async fn test(&self, by: &str) -> Result<(u64, Delivery), StoreError> {
        let at = now();
        let event = BusEvent {
            event_type: TEST_EVENT.to_owned(),
            payload: serde_json::json!({ "webhook": self.name, "requested_by": by }),
            correlation_id: String::new(),
            timestamp: at.rfc3339(),
        };
        let id = message_id(0, at, &event.payload.to_string());
        self.beside(Occasion::Test, 0, id, event).await
    }

    /// Sends an event once more, beside the queue, under its old id.
    pub async fn replay(&self, message: &OutboxMessage, event: BusEvent) -> Result<(u64, Delivery), StoreError> {
        self.beside(Occasion::Replay, message.seq, message.id(), event).await
    }

    async fn beside(
        &self,
        occasion: Occasion,
        seq: u64,
        id: String,
        event: BusEvent,
    ) -> Result<(u64, Delivery), StoreError> {
        let attempt = self.post(&id, &event).await;
        let delivery = attempt.delivery(seq, id, event.event_type, 1, occasion, None);
        self.count(delivery.outcome);
        let (store, name, row) = (self.store.clone(), self.name.clone(), delivery.clone());
        let saving = move || store.write::<_, StoreError>(|txn| txn.put_delivery(name.as_str(), &row));
        let number = match tokio::task::spawn_blocking(saving).await {
            Ok(number) => number?,
            Err(error) => return Err(StoreError::Panicked(error.to_string())),
        };
        if attempt.error.is_none() {
            // It works: what waits for the end of a pause need not wait.
            self.again.notify_one();
        }
        Ok((number, delivery))
    }

    pub(super) fn count(&self, outcome: Outcome) {
        self.metrics.webhook_delivery(self.name.as_str(), outcome.as_str());
    }
}

impl Attempt {
    /// As a line of the log.
    pub(super) fn delivery(
        &self,
        seq: u64,
        id: String,
        event_type: String,
        attempt: u32,
        occasion: Occasion,
        next_try: Option<Micros>,
    ) -> Delivery {
        let outcome = if self.error.is_none() { Outcome::Delivered } else { Outcome::Failed };
        let why = self.error.clone().unwrap_or_default();
        let Self { at, took, status, .. } = *self;
        Delivery { seq, id, event_type, at, attempt, occasion, outcome, status, why, took, next_try }
    }
}

fn refusal(answer: &client::Answer) -> String {
    let hint = match answer.status {
        300..=399 => " (redirects are not followed: set the url to where it leads)",
        401 | 403 => " (is the secret the receiver's?)",
        _ => "",
    };
    let said = if answer.excerpt.is_empty() { String::new() } else { format!(": {}", answer.excerpt) };
    format!("it answers {}{hint}{said}", answer.status)
}

fn in_full(error: &PostError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
