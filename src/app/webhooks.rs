//! What operators do with webhooks, and what they see of them.

use super::App;
use super::answers::{DeliveryAnswer, DeliveryPage, DeliveryQuery, QueryError, WebhookAnswer, WebhookList};
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::bus::BusEvent;
use crate::domain::webhook::WebhookName;
use crate::notify::Webhook;
use crate::observe::now;
use crate::store::{OutboxKind, OutboxMessage, StoreError};

/// Why nothing was sent, or there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// None is called so.
    #[error("there is no webhook {0:?}: those of notify.webhooks are there")]
    Unknown(String),
    /// Its log has no such line, or no longer.
    #[error("the log of {name:?} has no delivery {number}: it keeps the newest thousand")]
    NoDelivery {
        /// Of which webhook.
        name: String,
        /// Which.
        number: u64,
    },
    /// The event cannot be sent any more.
    #[error("the event of delivery {0} is kept no longer: events go a week after all have got them")]
    Gone(u64),
    /// It was no event of the bus.
    #[error("delivery {0} was a test: send a new one instead")]
    WasTest(u64),
    /// A query that makes no sense.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread that ended.
    #[error("it stopped with a panic")]
    Task(#[from] tokio::task::JoinError),
}

/// All of them. Blocks.
pub fn list(app: &App) -> Result<WebhookList, StoreError> {
    let webhooks = app.webhooks.all().map(|webhook| Ok(WebhookAnswer::of(webhook, &webhook.standing()?)));
    Ok(WebhookList { webhooks: webhooks.collect::<Result<_, StoreError>>()?, next: None })
}

/// One of them. Blocks.
pub fn one(app: &App, name: &WebhookName) -> Result<WebhookAnswer, WebhookError> {
    let webhook = find(app, name)?;
    Ok(WebhookAnswer::of(webhook, &webhook.standing()?))
}

/// A page of its log. Blocks.
pub fn deliveries(app: &App, name: &WebhookName, query: &DeliveryQuery) -> Result<DeliveryPage, WebhookError> {
    Ok(DeliveryPage::find(&app.store, &find(app, name)?.name, query)?)
}

/// Sends an event of its own at once, in the name of `actor`. That it was asked for is in the audit log before it is sent.
pub async fn test(app: &App, name: &WebhookName, actor: &Actor) -> Result<DeliveryAnswer, WebhookError> {
    let webhook = find(app, name)?.clone();
    note(app, actor, "webhook.test", &webhook, String::new()).await?;
    let (number, delivery) = webhook.test(&actor.name).await?;
    Ok(DeliveryAnswer::of(number, &delivery))
}

/// Sends the event of a line of the log once more, under its id, in the name of `actor`.
pub async fn replay(app: &App, name: &WebhookName, number: u64, actor: &Actor) -> Result<DeliveryAnswer, WebhookError> {
    let webhook = find(app, name)?.clone();
    let (store, of) = (app.store.clone(), name.clone());
    let looking = move || -> Result<(OutboxMessage, BusEvent), WebhookError> {
        let unknown = || WebhookError::NoDelivery { name: of.to_string(), number };
        let line = store.delivery(of.as_str(), number)?.ok_or_else(unknown)?;
        if line.seq == 0 {
            return Err(WebhookError::WasTest(number));
        }
        // A data file that was restored may have another event in that place.
        let kept = store.outbox_message(line.seq)?.filter(|message| message.id() == line.id);
        let message = kept.filter(|message| message.kind == OutboxKind::Bus).ok_or(WebhookError::Gone(number))?;
        let event = serde_json::from_str(&message.payload).map_err(|_| WebhookError::Gone(number))?;
        Ok((message, event))
    };
    let (message, event) = tokio::task::spawn_blocking(looking).await??;
    note(app, actor, "webhook.replay", &webhook, format!("event {}", message.id())).await?;
    let (number, delivery) = webhook.replay(&message, event).await?;
    Ok(DeliveryAnswer::of(number, &delivery))
}

fn find<'a>(app: &'a App, name: &WebhookName) -> Result<&'a Webhook, WebhookError> {
    app.webhooks.get(name).ok_or_else(|| WebhookError::Unknown(name.to_string()))
}

async fn note(app: &App, actor: &Actor, action: &str, webhook: &Webhook, what: String) -> Result<(), WebhookError> {
    let entry = AuditEntry::done(now(), actor, action, format!("webhook {}", webhook.name), what);
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || store.write::<_, StoreError>(|txn| txn.audit(entry))).await??;
    Ok(())
}
