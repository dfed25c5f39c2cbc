//! Uploads that broke off, kept for a while so that whoever sent them can go on where they were.
//!
//! A file `incoming/<id>.partial` belongs to one upload: to whoever sends it, to what of which version, and to the content
//! that it was announced as. It is nobody's artifact: only [`Intake::finish`] makes one, once the digest of the whole is
//! the one that was announced.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use super::garbage::{entries, remove};
use super::intake::{Intake, Waste};
use super::{ArtifactError, Directory, LEAVE_BYTES, layout};

/// Nobody but the daemon reads what is not whole.
const PARTIAL_MODE: u32 = 0o600;

/// What the name of such a file ends in.
const ENDING: &str = ".partial";

/// How long one is kept after its last byte: an upgrade takes minutes, and a worker tries for as long as its lease lasts.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How many are kept at once. Their bytes are at most those of one version (`artifacts.max_version`).
const MOST: usize = 32;

/// Which upload it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartialId(String);

impl PartialId {
    /// The upload that all of `parts` are the same of.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(crate::domain::account::hex(&hash.finalize()))
    }

    /// That of a name in `incoming`, if it is one of these.
    fn read(name: &str) -> Option<Self> {
        let id = name.strip_suffix(ENDING)?;
        let ours = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        ours.then(|| Self(id.to_owned()))
    }
}

/// The uploads that somebody is at.
#[derive(Default)]
pub(super) struct Claims {
    held: Mutex<HashMap<PartialId, Arc<Notify>>>,
    freed: Condvar,
}

impl Claims {
    fn held(&self) -> MutexGuard<'_, HashMap<PartialId, Arc<Notify>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upload that nobody else is at until this is dropped.
pub struct Claim {
    id: PartialId,
    claims: Arc<Claims>,
    displaced: Arc<Notify>,
}

impl Claim {
    /// Told when somebody else goes on with it, as who sent it does after a connection was lost: to be given up then.
    pub fn displaced(&self) -> Arc<Notify> {
        Arc::clone(&self.displaced)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.held().remove(&self.id);
        self.claims.freed.notify_all();
    }
}

impl Directory {
    /// The upload, unless somebody is at it.
    pub fn claim(&self, id: &PartialId) -> Option<Claim> {
        self.claimed(&mut self.claims.held(), id)
    }

    /// The upload, of which whoever is at it is told to let go; none where that takes longer than `patience`. Blocking.
    pub fn take_over(&self, id: &PartialId, patience: Duration) -> Option<Claim> {
        let until = Instant::now() + patience;
        let mut held = self.claims.held();
        loop {
            if let Some(claim) = self.claimed(&mut held, id) {
                return Some(claim);
            }
            if let Some(displaced) = held.get(id) {
                displaced.notify_one();
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            held = self.claims.freed.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn claimed(&self, held: &mut HashMap<PartialId, Arc<Notify>>, id: &PartialId) -> Option<Claim> {
        if held.contains_key(id) {
            return None;
        }
        let displaced = Arc::new(Notify::new());
        held.insert(id.clone(), Arc::clone(&displaced));
        Some(Claim { id: id.clone(), claims: Arc::clone(&self.claims), displaced })
    }

    /// How much of it is here.
    pub fn partial_size(&self, claim: &Claim) -> u64 {
        fs::metadata(self.partial(&claim.id)).map_or(0, |metadata| metadata.len())
    }

    /// Goes on with an upload behind its first `offset` bytes, which are all that is here of it, or begins it at 0. What is
    /// here is read again: the digest at the end is that of what the disk really has.
    pub fn take_rest(&self, claim: Claim, offset: u64, size: Option<u64>) -> Result<Intake<'_>, ArtifactError> {
        let limit = self.limits.max_file;
        if size.unwrap_or(offset) > limit {
            return Err(ArtifactError::TooLarge { limit });
        }
        self.make_room(size.unwrap_or(offset).saturating_sub(offset)).map_err(|error| self.said_full(error))?;
        layout::make(&self.layout.incoming()).map_err(|error| self.said_full(error))?;
        let path = self.partial(&claim.id);
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(PARTIAL_MODE);
        if offset == 0 {
            options.create(true).truncate(true);
        }
        let mut file = options.open(&path).map_err(|error| self.said_full(ArtifactError::io("open", &path)(error)))?;
        let mut hash = Sha256::new();
        let read = hash_of(&mut file, &mut hash).map_err(ArtifactError::io("read", &path))?;
        if read != offset {
            let short = io::Error::new(io::ErrorKind::UnexpectedEof, "it has changed meanwhile");
            return Err(ArtifactError::io("go on with", &path)(short));
        }
        Ok(Intake::begun(self, file, Waste::kept(path), hash, offset, Some(claim)))
    }

    /// Removes what nobody went on with: what is too old, and the oldest of what is too many or too much. All of it where
    /// the disk needs the room for what is in use.
    pub fn sweep_partials(&self) -> Result<usize, ArtifactError> {
        let needed = self.free().is_some_and(|free| free < LEAVE_BYTES);
        self.drop_partials(needed)
    }

    /// Refuses what would not fit even without them.
    pub(super) fn make_room(&self, size: u64) -> Result<(), ArtifactError> {
        match self.require_room(size) {
            Err(ArtifactError::Full { .. }) if self.drop_partials(true)? > 0 => self.require_room(size),
            result => result,
        }
    }

    fn drop_partials(&self, all: bool) -> Result<usize, ArtifactError> {
        // Nobody begins with one while it is removed.
        let held = self.claims.held();
        let mut idle = Vec::new();
        for entry in entries(&self.layout.incoming())? {
            let id = entry.file_name().to_str().and_then(PartialId::read);
            let (Some(id), Ok(metadata)) = (id, entry.metadata()) else { continue };
            if !held.contains_key(&id) {
                idle.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), entry.path()));
            }
        }
        // The newest first: those stay.
        idle.sort_by_key(|(modified, ..)| Reverse(*modified));
        let (now, mut bytes, mut removed) = (SystemTime::now(), 0_u64, 0);
        for (number, (modified, size, path)) in idle.into_iter().enumerate() {
            bytes = bytes.saturating_add(size);
            let is_old = now.duration_since(modified).is_ok_and(|age| age > KEPT);
            if all || is_old || number >= MOST || bytes > self.limits.max_version {
                remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn partial(&self, id: &PartialId) -> PathBuf {
        self.layout.incoming().join(format!("{}{ENDING}", id.0))
    }
}

/// Reads a file to its end; how many bytes there were.
fn hash_of(file: &mut File, hash: &mut Sha256) -> io::Result<u64> {
    let mut chunk = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(size),
            Ok(read) => {
                hash.update(&chunk[..read]);
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
