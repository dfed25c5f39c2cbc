//! Events that programs send in: read, put into the pipeline's inbox, and answered once they are stored.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::App;
use crate::domain::feed::PublishedIds;
use crate::domain::publish::{self, BadLine, Form, Terms};
use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;
use crate::pipeline::{Lost, NotPublished, Publication, PublicationKey};
use crate::store::{StoreError, fingerprint};

/// Publications under way at once. Beyond it nobody is made to wait for what cannot be soon.
const PLACES: usize = 64;

/// Bytes of all bodies under way: what waiting may cost in memory while the disk is full.
const ROOM_BYTES: usize = 16 << 20;

/// How long a publication waits to be stored: less than a request may take, so that the sender is told.
const PATIENCE: Duration = Duration::from_secs(25);

/// The places that publications take while they are under way. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
    patience: Duration,
}

/// Why events were not stored, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Some lines are no events, so none was stored.
    #[error("{} lines do not fit; nothing was stored", .0.len())]
    Unfit(Vec<BadLine>),
    /// The key stands for other events.
    #[error("this Idempotency-Key was used for other events; nothing was stored")]
    KeyUsed,
    /// Too many at once.
    #[error("too many publications are under way; nothing was stored, try again")]
    Busy,
    /// The daemon stops.
    #[error("the daemon stops; nothing was stored, send it again")]
    Stopping,
    /// Not stored in time, or the pipeline failed.
    #[error("{}", if *.keyed {
        "not stored yet, see /health; send it again with the same Idempotency-Key, and it is stored once"
    } else {
        "not stored yet, see /health; sent again it may be stored twice, because it has no Idempotency-Key"
    })]
    Late {
        /// Whether it can be sent again without being stored twice.
        keyed: bool,
    },
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Default for Publisher {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            room: Arc::new(Semaphore::new(ROOM_BYTES)),
            patience: PATIENCE,
        }
    }
}

impl Publisher {
    fn place(&self, bytes: usize) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()?;
        Some((place, room))
    }
}

impl App {
    /// Stores the events of `body`, all of them or none, and gives their ids. With a `key` that was used for the same
    /// body before, they are the ids of then.
    pub async fn publish<B>(
        &self,
        body: B,
        form: Form,
        key: Option<RequestKey>,
        now: Micros,
    ) -> Result<PublishedIds, PublishError>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let place = self.publisher.place(body.as_ref().len()).ok_or(PublishError::Busy)?;
        let keyed = key.is_some();
        let app = self.clone();
        // Ten thousand lines take a while: not on a thread that others' answers wait for.
        let read = tokio::task::spawn_blocking(move || {
            let terms = Terms {
                normaliser: &app.normaliser,
                sources: &app.config.journal.sources,
                host: &app.host,
                now,
                oldest: now.minus(u64::from(app.config.events.retention_days) * Micros::DAY),
            };
            let events = publish::events(body.as_ref(), form, &terms)?;
            let key = key.map(|key| PublicationKey { key, body: fingerprint(body.as_ref()) });
            Ok((events, key))
        });
        let (events, key) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(bad)) => return Err(PublishError::Unfit(bad)),
            Err(_) => return Err(PublishError::Late { keyed }),
        };
        let (publication, waiting) = Publication::new(events, key, place);
        self.inbox.publish(publication).map_err(|_| PublishError::Stopping)?;
        match timeout(self.publisher.patience, waiting.answer()).await {
            Ok(Ok(Ok(ids))) => Ok(ids),
            Ok(Ok(Err(NotPublished::KeyUsed))) => Err(PublishError::KeyUsed),
            Ok(Ok(Err(NotPublished::Store(error)))) => Err(error.into()),
            Ok(Err(Lost)) | Err(_) => Err(PublishError::Late { keyed }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::feed::Delivery;
    use crate::observe::metrics::Metrics;
    use crate::observe::status::StatusBoard;
    use crate::store::Store;

    const EVENT: &str = r#"{"unit": "u", "message": "m"}"#;
    const NOW: Micros = Micros(1_768_621_479_809_316);

    /// An appliance whose pipeline does not run, with this much patience.
    fn app(patience: Duration) -> (App, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("d.redb")).unwrap();
        let board = StatusBoard::new();
        let metrics = Metrics::new(board.clone(), "", "", NOW);
        let mut app = App::new(Config::default(), store, board, metrics, NOW);
        app.publisher.patience = patience;
        (app, dir)
    }

    async fn publish(app: &App, key: Option<&str>) -> Result<PublishedIds, PublishError> {
        let key = key.map(|key| RequestKey::new("user a", key).unwrap());
        app.publish(EVENT, Form::Object, key, NOW).await
    }

    #[tokio::test]
    async fn what_is_not_stored_in_time_can_be_sent_again() {
        let (app, _dir) = app(Duration::from_millis(10));
        for (key, said) in [(Some("k"), "stored once"), (None, "stored twice")] {
            let error = publish(&app, key).await.unwrap_err();
            assert!(matches!(error, PublishError::Late { .. }) && error.to_string().contains(said), "{error}");
        }
        // Nobody waits for those any more, so the next pipeline passes them over.
        let (source, pipeline) = app.inbox.connect();
        source.send(Delivery::default()).unwrap();
        assert!(pipeline.take(Duration::ZERO).publication.is_some_and(|publication| publication.is_given_up()));
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let (app, _dir) = app(Duration::from_secs(60));
        let waiting: Vec<_> = (0..PLACES)
            .map(|_| {
                let app = app.clone();
                tokio::spawn(async move { publish(&app, None).await })
            })
            .collect();
        while app.publisher.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(publish(&app, None).await, Err(PublishError::Busy)));
        for waiting in waiting {
            waiting.abort();
            let _ = waiting.await;
        }
        // What was given up makes room once the pipeline comes to it, not before: until then it may still be stored.
        let (_source, pipeline) = app.inbox.connect();
        while pipeline.take(Duration::from_millis(100)).publication.is_some() {}
        assert_eq!(app.publisher.places.available_permits(), PLACES);
    }

    #[tokio::test]
    async fn too_much_text_at_once_waits_outside() {
        let (app, _dir) = app(Duration::from_millis(10));
        let permits = Arc::clone(&app.publisher.room).acquire_many_owned(ROOM_BYTES as u32).await.unwrap();
        assert!(matches!(publish(&app, None).await, Err(PublishError::Busy)));
        drop(permits);
        assert!(matches!(publish(&app, None).await, Err(PublishError::Late { .. })));
    }

    #[tokio::test]
    async fn a_daemon_that_stops_takes_nothing_in() {
        let (app, _dir) = app(Duration::from_secs(60));
        app.inbox.close();
        assert!(matches!(publish(&app, Some("k")).await, Err(PublishError::Stopping)));
    }
}
