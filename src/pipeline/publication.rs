use std::any::Any;
use std::fmt;

use tokio::sync::oneshot;

use crate::domain::batch::EventBatch;
use crate::domain::feed::PublishedIds;
use crate::domain::request_key::RequestKey;
use crate::store::{Fingerprint, StoreError};

/// Events that a program sent in by itself, and the way back to it.
pub struct Publication {
    pub(super) events: EventBatch,
    pub(super) key: Option<PublicationKey>,
    pub(super) reply: Reply,
}

/// By what a publication that is sent again is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationKey {
    /// The sender's own name for it.
    pub key: RequestKey,
    /// What was sent, so that a key used again for something else is refused.
    pub body: Fingerprint,
}

/// Why a publication is not stored.
#[derive(Debug, thiserror::Error)]
pub enum NotPublished {
    /// The key stands for other events.
    #[error("this Idempotency-Key was used for other events")]
    KeyUsed,
    /// The data file could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The way back. Holds the publication's place for as long as it is under way.
pub(super) struct Reply {
    sender: oneshot::Sender<Result<PublishedIds, NotPublished>>,
    _place: Box<dyn Any + Send>,
}

/// The sender's side: the answer comes once the events are stored.
#[derive(Debug)]
pub struct Waiting(oneshot::Receiver<Result<PublishedIds, NotPublished>>);

/// The pipeline ended before it said anything. What it had taken may be stored all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl Publication {
    /// A publication of events that are not numbered yet, and what to wait for. `place` is dropped once it was answered
    /// or given up.
    pub fn new(events: EventBatch, key: Option<PublicationKey>, place: impl Any + Send) -> (Self, Waiting) {
        let (sender, receiver) = oneshot::channel();
        (Self { events, key, reply: Reply { sender, _place: Box::new(place) } }, Waiting(receiver))
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.reply.sender.is_closed()
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").field("events", &self.events.len()).field("key", &self.key).finish()
    }
}

impl Reply {
    pub(super) fn send(self, answer: Result<PublishedIds, NotPublished>) {
        // Who does not wait any more asks again, and is answered by the key.
        let _ = self.sender.send(answer);
    }
}

impl Waiting {
    /// Waits for the answer.
    pub async fn answer(self) -> Result<Result<PublishedIds, NotPublished>, Lost> {
        self.0.await.map_err(|_| Lost)
    }

    #[cfg(test)]
    pub(super) fn is_lost(&mut self) -> bool {
        matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Closed))
    }
}
