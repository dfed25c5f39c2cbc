//! Backups as the daemon makes them: who asked for one, how it went, and who is told when there is none.
//!
//! Attempts are rows of the data file, carried out one after the other in the order of their numbers by
//! [`crate::tasks::backups`]. What is asked for while the same is under way joins it.

mod ask;
mod copy;
mod finish;
mod lacking;
mod look;
mod read;
mod recover;
mod remote;
mod run;
mod watch;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch as signal};

pub use self::ask::{Asked, WHY_BYTES};
use self::copy::Ended;
pub use self::copy::{CopyFailure, Copying, Pauses, RemotePlace};
pub use self::finish::Finished;
pub use self::look::{Kept, Proof, Standing};
pub use self::read::{Download, ReadError};
use crate::app::change::KeyUsed;
use crate::backup::{Manifests, Place, Verifier};
use crate::config;
use crate::domain::backup::{BackupId, Keep, ProgramId, Stage, Staleness};
use crate::domain::time::Micros;
use crate::observe::metrics::Metrics;
use crate::observe::status::{Reporter, StatusBoard};
use crate::store::{Store, StoreError};

/// Downloads at once.
const DOWNLOADS: usize = 16;

/// Everything about backups of one appliance.
pub struct Backups {
    store: Arc<Store>,
    place: Place,
    manifests: Manifests,
    settings: config::Backup,
    host: String,
    verifier: Verifier,
    remote: Option<Arc<dyn RemotePlace>>,
    pauses: Pauses,
    metrics: Metrics,
    status: Reporter,
    copy_status: Option<Reporter>,
    live: Mutex<Live>,
    /// Somebody asked for something.
    asked: Notify,
    /// A whole backup is to be copied elsewhere.
    to_copy: Notify,
    /// Moves on with everything that happens.
    happened: signal::Sender<u64>,
    downloads: Arc<Semaphore>,
}

/// What is known in memory only.
#[derive(Default)]
struct Live {
    /// What is carried out, and the step that it is at.
    running: Option<(u64, Option<Stage>)>,
    /// The staleness that was raised last, so that it is not written again at every look.
    stale: Option<String>,
    /// Since when there is something to back up.
    first_start: Option<Micros>,
    /// What troubles the copy that is on its way.
    copy_trouble: Option<String>,
    /// Why the outcome of an attempt could not be written down.
    unwritten: Option<String>,
    /// A copy that is over, until that is written down.
    ended_copy: Option<Ended>,
}

/// Why something about backups is refused.
#[derive(Debug, thiserror::Error)]
pub enum BackupsError {
    /// There is no such backup.
    #[error("there is no backup {0}")]
    Unknown(BackupId),
    /// Nobody knows which backups there are.
    #[error("{0}")]
    Unreadable(String),
    /// There is no such attempt.
    #[error("there is no attempt {0} at a backup")]
    NoAttempt(u64),
    /// Something that was said does not fit.
    #[error("{field}: {why}")]
    Bad {
        /// What.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// Whoever asks may not do that.
    #[error("{0}")]
    Forbidden(&'static str),
    /// As much waits as may.
    #[error("{0} attempts wait already: ask again when some are over")]
    Crowded(usize),
    /// The key has done something else already.
    #[error(transparent)]
    KeyUsed(#[from] KeyUsed),
    /// The directory of backups.
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The answer that is kept under the key.
    #[error("the answer kept under an Idempotency-Key: {0}")]
    Answer(#[from] serde_json::Error),
}

impl Backups {
    /// Backups of this data file, as they are configured.
    pub fn new(store: Arc<Store>, settings: &config::Backup, board: &StatusBoard, metrics: Metrics) -> Self {
        let remote = remote::configured(&settings.s3, keep(settings));
        Self {
            store,
            place: Place::new(&settings.directory),
            manifests: Manifests::default(),
            settings: settings.clone(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            verifier: Verifier::this_program(),
            copy_status: remote.as_ref().map(|_| board.reporter("backup-copy")),
            remote,
            pauses: Pauses::default(),
            metrics,
            status: board.reporter("backups"),
            live: Mutex::default(),
            asked: Notify::new(),
            to_copy: Notify::new(),
            happened: signal::Sender::new(0),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
        }
    }

    /// Verified by another program than this one: for tests, which are not quantum-clm.
    pub fn verified_by(mut self, verifier: Verifier) -> Self {
        self.verifier = verifier;
        self
    }

    /// Copied elsewhere by other means, after other pauses: for tests.
    pub fn copied_by(mut self, board: &StatusBoard, remote: Arc<dyn RemotePlace>, pauses: Pauses) -> Self {
        self.copy_status = Some(board.reporter("backup-copy"));
        self.remote = Some(remote);
        self.pauses = pauses;
        self
    }

    /// Where they lie.
    pub fn directory(&self) -> &Path {
        &self.place.directory
    }

    /// The place elsewhere that every backup is copied to.
    pub fn copied_to(&self) -> Option<String> {
        self.remote.as_ref().map(|remote| remote.place())
    }

    /// Waits until somebody asks for something.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Waits until a backup is to be copied elsewhere.
    pub async fn to_copy(&self) {
        self.to_copy.notified().await;
    }

    /// Moves on with everything that happens.
    pub fn happenings(&self) -> signal::Receiver<u64> {
        self.happened.subscribe()
    }

    /// A place for a download.
    pub fn download_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.downloads).try_acquire_owned().ok()
    }

    fn staleness(&self, good: impl Iterator<Item = BackupId>, first_start: Micros, now: Micros) -> Staleness {
        let after = self.settings.stale_after.map(|after| u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
        Staleness::of(good, first_start, after, now)
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happened(&self) {
        self.happened.send_modify(|count| *count += 1);
    }
}

/// Which backups stay, here and elsewhere.
fn keep(settings: &config::Backup) -> Keep {
    let config::Backup { keep_last, keep_daily, keep_weekly, keep_monthly, .. } = settings;
    Keep { last: *keep_last, daily: *keep_daily, weekly: *keep_weekly, monthly: *keep_monthly }
}

/// This program, as manifests name it.
fn program() -> ProgramId {
    ProgramId { version: env!("CARGO_PKG_VERSION").to_owned(), revision: env!("BUILT_FROM").to_owned() }
}
