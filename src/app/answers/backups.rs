use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::query::{filled, limit};
use crate::app::backups::{Backups, BackupsError, Kept, Standing};
use crate::domain::backup::{Attempt, AttemptKind, AttemptState, BackupId, CopyState, Manifest, RemoteCopy, Stage};
use crate::domain::model::Digest;
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::Store;

/// The most rows of a page.
const MOST: usize = 200;

/// Something that was to be done with a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptAnswer {
    /// Its number.
    pub attempt: u64,
    /// Whether a backup was to be made, or one was to be looked through again.
    pub kind: AttemptKind,
    /// How it stands.
    pub state: AttemptState,
    /// The backup; null until it is made.
    pub backup: Option<BackupId>,
    /// Whether it was under way when it was asked for again.
    #[serde(default)]
    pub joined: bool,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub why: String,
    /// When it was asked for, RFC 3339.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub asked_at: Micros,
    /// When it was begun, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub begun_at: Option<Micros>,
    /// When it was over, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub ended_at: Option<Micros>,
    /// The step that it is at, or ended at.
    pub step: Option<Stage>,
    /// Bytes of the backup's data file as stored; of a verification, those that were read.
    pub bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Events among them.
    pub events: u64,
    /// Files of models that should be in it and could not be read.
    #[serde(default)]
    pub lacking: u64,
    /// Why it came to nothing, or what should be known although it did not.
    pub error: Option<String>,
    /// The copies elsewhere that are wanted.
    pub copies: Vec<CopyAnswer>,
}

/// The copy of a backup elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopyAnswer {
    /// Where: `s3://bucket/prefix`.
    pub to: String,
    /// How it stands.
    pub state: CopyState,
    /// How often it was tried.
    pub tries: u32,
    /// When it was there, or given up, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub ended_at: Option<Micros>,
    /// What was wrong the last time.
    pub error: Option<String>,
}

impl From<&RemoteCopy> for CopyAnswer {
    fn from(copy: &RemoteCopy) -> Self {
        let RemoteCopy { to, state, tries, ended_at, error } = copy.clone();
        Self { to, state, tries, ended_at, error }
    }
}

impl From<&Attempt> for AttemptAnswer {
    fn from(attempt: &Attempt) -> Self {
        Self {
            attempt: attempt.number,
            kind: attempt.kind,
            state: attempt.state,
            backup: attempt.backup,
            joined: false,
            by: attempt.by.clone(),
            why: attempt.why.clone(),
            asked_at: attempt.asked_at,
            begun_at: attempt.begun_at,
            ended_at: attempt.ended_at,
            step: attempt.stage,
            bytes: attempt.bytes,
            rows: attempt.rows,
            events: attempt.events,
            lacking: attempt.lacking,
            error: attempt.error.clone(),
            copies: attempt.copies.iter().map(CopyAnswer::from).collect(),
        }
    }
}

impl AttemptAnswer {
    /// One attempt. Blocks.
    pub fn find(backups: &Backups, number: u64) -> Result<Self, BackupsError> {
        Ok(Self::from(&backups.attempt(number)?))
    }
}

/// A backup that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupAnswer {
    /// Its name.
    pub id: BackupId,
    /// When its snapshot was taken, RFC 3339: nothing later is in it.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub taken_at: Micros,
    /// Its directory on the appliance.
    pub path: String,
    /// Whether it can be relied on, as far as is known.
    pub whole: bool,
    /// What is wrong with it.
    pub fault: Option<String>,
    /// When it was verified last, RFC 3339. It is verified when it is made.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub verified_at: Option<Micros>,
    /// What it says of itself; null where that cannot be read.
    pub contents: Option<ContentsAnswer>,
    /// Copies elsewhere.
    pub copies: Vec<CopyAnswer>,
    /// Who asked for it, where the data file knows that.
    pub by: Option<String>,
    /// Why, where the data file knows that.
    pub why: Option<String>,
}

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentsAnswer {
    /// The machine that it was made on.
    pub host: String,
    /// The version of the program that made it.
    pub version: String,
    /// The schema of its data file.
    pub schema: u32,
    /// The data file's name.
    pub data_file: String,
    /// Bytes of the data file, as stored.
    pub bytes: u64,
    /// SHA-256 of the data file, as stored.
    pub sha256: Digest,
    /// Files of models' versions.
    pub artifacts: u64,
    /// Bytes of these, as stored; other backups have most of them, too, and they are stored once.
    pub artifact_bytes: u64,
    /// Files of versions that could not be read when it was made, and are not in it.
    pub lacking: u64,
    /// Versions whose files are somebody else's to keep, and are not in it.
    pub in_place: u64,
    /// Events.
    pub events: u64,
    /// Versions of models.
    pub model_versions: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Users.
    pub users: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The age public keys that it is encrypted to.
    pub recipients: Vec<String>,
}

impl From<&Manifest> for ContentsAnswer {
    fn from(manifest: &Manifest) -> Self {
        let (bytes, artifact_bytes) = manifest.stored_bytes();
        Self {
            host: manifest.host.clone(),
            version: manifest.program.version.clone(),
            schema: manifest.schema,
            data_file: manifest.data.name.clone(),
            bytes,
            sha256: manifest.data.sha256,
            artifacts: manifest.artifacts.len() as u64,
            artifact_bytes,
            lacking: manifest.lacking.len() as u64,
            in_place: manifest.in_place,
            events: manifest.feed.kept,
            model_versions: manifest.tables.get("versions").copied().unwrap_or(0),
            rows: manifest.tables.values().sum(),
            users: manifest.users.len() as u64,
            encrypted: !manifest.recipients.is_empty(),
            recipients: manifest.recipients.clone(),
        }
    }
}

impl BackupAnswer {
    /// A backup, with what attempts know of it.
    pub fn of(kept: &Kept, standing: &Standing) -> Self {
        let copies = standing.attempts.iter().filter(|attempt| attempt.backup == Some(kept.id));
        Self {
            id: kept.id,
            taken_at: kept.manifest.as_ref().map_or(kept.id.taken_at(), |manifest| manifest.taken_at),
            path: kept.path.display().to_string(),
            whole: kept.is_good(),
            fault: kept.fault().map(str::to_owned),
            verified_at: kept.proof.as_ref().map(|proof| proof.at),
            contents: kept.manifest.as_ref().ok().map(ContentsAnswer::from),
            copies: copies.flat_map(|attempt| attempt.copies.iter().map(CopyAnswer::from)).collect(),
            by: kept.made.as_ref().map(|attempt| attempt.by.clone()),
            why: kept.made.as_ref().map(|attempt| attempt.why.clone()).filter(|why| !why.is_empty()),
        }
    }

    /// One backup. Blocks.
    pub fn find(backups: &Backups, id: BackupId, now: Micros) -> Result<Self, BackupsError> {
        let (kept, standing) = backups.kept(id, now)?;
        Ok(Self::of(&kept, &standing))
    }
}

/// Which page.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackupQuery {
    /// How many at most, from 1 to 200; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// Backups that are there, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupPage {
    /// Where they lie on the appliance.
    pub directory: String,
    /// Where every backup is copied to as well.
    pub copied_to: Option<String>,
    /// How old the newest whole one may become before somebody is told, in seconds; null where nobody is.
    pub stale_after_seconds: Option<u64>,
    /// Whether it is older.
    pub stale: bool,
    /// What is under way or waits, in its order.
    pub under_way: Vec<AttemptAnswer>,
    /// The attempt that came to nothing, where no backup was made since.
    pub failing: Option<AttemptAnswer>,
    /// The backups.
    pub backups: Vec<BackupAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum BackupPageError {
    /// The query.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Backups.
    #[error(transparent)]
    Backups(#[from] BackupsError),
}

impl BackupPage {
    /// Looks for a page. Blocks.
    pub fn find(backups: &Backups, query: &BackupQuery, now: Micros) -> Result<Self, BackupPageError> {
        let before: Option<BackupId> =
            query.cursor.as_deref().map(str::parse).transpose().map_err(|_| QueryError::cursor())?;
        let limit = limit(query.limit, MOST)?;
        let standing = backups.standing(now)?;
        let kept = match &standing.kept {
            Ok(kept) => kept,
            Err(why) => return Err(BackupsError::Unreadable(why.clone()).into()),
        };
        let mut fits = kept.iter().filter(|kept| before.is_none_or(|before| kept.id < before));
        let page: Vec<_> = fits.by_ref().take(limit).map(|kept| BackupAnswer::of(kept, &standing)).collect();
        let next = page.last().filter(|_| fits.next().is_some()).map(|backup| backup.id.to_string());
        let open = standing.attempts.iter().rev().filter(|attempt| !attempt.state.is_over());
        Ok(Self {
            directory: backups.directory().display().to_string(),
            copied_to: backups.copied_to(),
            stale_after_seconds: standing.staleness.after.map(|after| after / Micros::SECOND),
            stale: standing.staleness.judge(now).is_some(),
            under_way: open.map(AttemptAnswer::from).collect(),
            failing: standing.failing().map(AttemptAnswer::from),
            backups: page,
            next,
        })
    }
}

/// What was attempted, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptPage {
    /// The attempts.
    pub attempts: Vec<AttemptAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl AttemptPage {
    /// Looks for a page. Blocks.
    pub fn find(store: &Store, query: &BackupQuery) -> Result<Self, QueryError> {
        let before = match query.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(before)) => before,
            Some(Err(_)) => return Err(QueryError::cursor()),
        };
        let limit = limit(query.limit, MOST)?;
        let mut attempts = store.backup_attempts(before, limit + 1)?;
        let more = attempts.len() > limit;
        attempts.truncate(limit);
        let next = attempts.last().filter(|_| more).map(|attempt| attempt.number.to_string());
        Ok(Self { attempts: attempts.iter().map(AttemptAnswer::from).collect(), next })
    }
}
