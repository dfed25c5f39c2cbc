//! Backups that come from somewhere: from the daemon, or from a store elsewhere. Who brings the pieces differs; that they are
//! whole, on the disk, and nowhere else than in their place, is seen to here.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::error::{BackupError, VerifyError};
use super::files::{self, Hashing};
use super::layout::{ARTIFACTS, MANIFEST, Place, SUMS};
use super::list::{checked, list};
use super::lock::Lock;
use super::verify::{Verifier, verify_backup};
use crate::domain::backup::{BackupId, Finding, KeptArtifact, Manifest, Piece};
use crate::domain::model::Digest;

/// The name of a model's file while it comes, in the directory of the backup: that goes with it, and nobody else writes there.
const COMING: &str = "artifact";

/// What stays free on a disk that a backup comes to.
const LEAVE_BYTES: u64 = 16 << 20;

/// Where a piece lies below a place of backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lies {
    /// Its path, such as `2026-11-21T031500Z/manifest.json`.
    pub at: String,
    /// Its bytes as stored, where they are known.
    pub size: Option<u64>,
}

/// Who brings the pieces of a backup.
pub trait Bring {
    /// Writes a piece into what is empty. Whether it is the right one is no concern of whoever brings it.
    fn bring(&mut self, piece: &Piece, lies: &Lies, into: &mut dyn Write) -> Result<(), BringError>;

    /// What people call what lies there.
    fn shown(&self, at: &str) -> String {
        at.to_owned()
    }
}

/// Why a piece does not come.
#[derive(Debug, thiserror::Error)]
pub enum BringError {
    /// What is there is not what the backup says.
    #[error("{0}")]
    Damaged(String),
    /// Anything else.
    #[error("{0:#}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// A backup that was received.
#[derive(Debug)]
pub struct Received {
    /// Its directory.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Bytes that were brought.
    pub fetched: u64,
    /// What was wrong with what arrived; nothing stays of it then.
    pub findings: Vec<Finding>,
}

/// Why a backup could not be received. Nothing of it stays but models' files that had come whole.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// A piece did not come.
    #[error("{0:#}")]
    Bring(Box<dyn std::error::Error + Send + Sync>),
    /// What came is not what the backup says of itself.
    #[error("{at}: {why}")]
    Damaged {
        /// Of what.
        at: String,
        /// How it shows, and what to do.
        why: String,
    },
    /// What is there under its name is not it.
    #[error("{} is there and is no whole backup: {why}; remove it, or name another directory", path.display())]
    InTheWay {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else makes, receives or removes backups there, or what is there cannot be looked at.
    #[error(transparent)]
    Place(#[from] BackupError),
    /// It could not be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Any other failure of the disk.
    #[error("cannot {step} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl ReceiveError {
    fn io(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { step, path, source }
    }
}

/// Has a backup brought into `place`, where it lies like one that was made there: on the disk, every file of the size and
/// digest that it says, whole; or not at all. Models' files that are there are not brought again. With a `verifier`
/// everything in it is looked at, too, but for an encrypted one; without, that is for whoever asked. Whoever makes or
/// receives another one there meanwhile is refused, and so is this where somebody does: each removes what it finds half done.
pub fn receive(
    id: BackupId,
    place: &Place,
    from: &mut dyn Bring,
    verifier: Option<&Verifier>,
) -> Result<Received, ReceiveError> {
    let path = place.backup(id);
    make(&place.directory)?;
    let lock = Lock::take(place)?;
    if let Some(found) = list(place)?.into_iter().find(|found| found.id == id) {
        let manifest = found.manifest.map_err(|why| ReceiveError::InTheWay { path: path.clone(), why })?;
        let findings = look_through(&path, &manifest, verifier)?;
        return Ok(Received { path, manifest, fetched: 0, findings });
    }
    lock.clean(place)?;
    let partial = place.partial(id);
    let mut receiving = Receiving { place, from, id, fetched: 0 };
    let received = receiving.fill(&partial).and_then(|manifest| {
        let findings = look_through(&partial, &manifest, verifier)?;
        if findings.is_empty() {
            fs::rename(&partial, &path).map_err(ReceiveError::io("name", &path))?;
            files::sync_directory(&place.directory)?;
        }
        Ok((manifest, findings))
    });
    let fetched = receiving.fetched;
    if !matches!(&received, Ok((_, findings)) if findings.is_empty()) {
        // What cannot be removed now is removed when it is tried again.
        let _ = fs::remove_dir_all(&partial);
    }
    let (manifest, findings) = received?;
    Ok(Received { path, manifest, fetched, findings })
}

fn look_through(path: &Path, manifest: &Manifest, verifier: Option<&Verifier>) -> Result<Vec<Finding>, ReceiveError> {
    let Some(verifier) = verifier else { return Ok(Vec::new()) };
    Ok(verify_backup(path, manifest.recipients.is_empty(), None, verifier)?.findings)
}

struct Receiving<'a> {
    place: &'a Place,
    from: &'a mut dyn Bring,
    id: BackupId,
    fetched: u64,
}

impl Receiving<'_> {
    /// Everything, on the disk, each file of the size and digest that it should have.
    fn fill(&mut self, partial: &Path) -> Result<Manifest, ReceiveError> {
        // Not one that is there: it would be somebody else's, or a link to anywhere.
        DirBuilder::new().mode(files::DIRECTORY_MODE).create(partial).map_err(ReceiveError::io("make", partial))?;
        let manifest = self.words(partial)?;
        self.require_room(&manifest)?;
        let artifacts = self.place.artifacts();
        make_within(&artifacts)?;
        for artifact in &manifest.artifacts {
            self.artifact(artifact, partial)?;
        }
        let data = &manifest.data;
        let lies = Lies { at: format!("{}/{}", self.id, data.name), size: Some(data.size) };
        let piece = Piece::File(data.name.clone());
        self.whole_file(&piece, &lies, &partial.join(&data.name), (data.size, data.sha256))?;
        files::sync_directory(&artifacts)?;
        files::sync_directory(partial)?;
        Ok(manifest)
    }

    /// What it says of itself. The sums first: without them there is no backup.
    fn words(&mut self, partial: &Path) -> Result<Manifest, ReceiveError> {
        for name in [SUMS, MANIFEST] {
            let lies = Lies { at: format!("{}/{name}", self.id), size: None };
            self.file(&Piece::File(name.to_owned()), &lies, &partial.join(name))?;
        }
        let read = |name| {
            let path = partial.join(name);
            fs::read(&path).map_err(ReceiveError::io("read", &path))
        };
        checked(&read(MANIFEST)?, &read(SUMS)?, Some(self.id)).map_err(|why| ReceiveError::Damaged {
            at: self.from.shown(&self.id.to_string()),
            why: format!("{why}: take another backup"),
        })
    }

    /// A model's file, unless it is there.
    fn artifact(&mut self, artifact: &KeptArtifact, partial: &Path) -> Result<(), ReceiveError> {
        let to = self.place.artifacts().join(&artifact.stored_name);
        let known = (artifact.stored_size, artifact.stored_sha256);
        if matches!(files::digest(&to), Ok(found) if found == known) {
            return Ok(());
        }
        let shelf = to.parent().unwrap_or(&self.place.directory);
        make_within(shelf)?;
        let lies = Lies { at: format!("{ARTIFACTS}/{}", artifact.stored_name), size: Some(artifact.stored_size) };
        let coming = partial.join(COMING);
        self.whole_file(&Piece::Artifact(artifact.sha256), &lies, &coming, known)?;
        fs::rename(&coming, &to).map_err(ReceiveError::io("name", &to))?;
        Ok(files::sync_directory(shelf)?)
    }

    /// A file that has to be of this size and digest.
    fn whole_file(&mut self, piece: &Piece, lies: &Lies, to: &Path, known: (u64, Digest)) -> Result<(), ReceiveError> {
        let found = self.file(piece, lies, to)?;
        if found == known {
            return Ok(());
        }
        let ((size, sha256), (known_size, known_sha256)) = (found, known);
        let why = format!(
            "it is not what the backup says ({size} bytes with the SHA-256 {sha256} instead of {known_size} with \
             {known_sha256}): it was damaged where it lies, or on its way; take another backup"
        );
        Err(ReceiveError::Damaged { at: self.from.shown(&lies.at), why })
    }

    /// Size and digest of what came, which is on the disk.
    fn file(&mut self, piece: &Piece, lies: &Lies, to: &Path) -> Result<(u64, Digest), ReceiveError> {
        let mut file = Hashing::new(files::create(to).map_err(ReceiveError::io("write", to))?);
        let brought = self.from.bring(piece, lies, &mut file);
        // That the disk is full is why it did not come, where it is.
        if let Some(error) = file.failed.take() {
            return Err(ReceiveError::io("write", to)(error));
        }
        brought.map_err(|error| match error {
            BringError::Damaged(why) => ReceiveError::Damaged { at: self.from.shown(&lies.at), why },
            BringError::Failed(error) => ReceiveError::Bring(error),
        })?;
        File::open(to).and_then(|file| file.sync_all()).map_err(ReceiveError::io("write", to))?;
        let found = file.finish();
        self.fetched += found.0;
        Ok(found)
    }

    /// Refuses a disk without room for what is still to come.
    fn require_room(&self, manifest: &Manifest) -> Result<(), ReceiveError> {
        let directory = &self.place.directory;
        // Where the disk does not tell, the write itself will.
        let Ok(stat) = rustix::fs::statvfs(directory) else { return Ok(()) };
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let is_missing = |artifact: &&KeptArtifact| {
            let there = fs::symlink_metadata(self.place.artifacts().join(&artifact.stored_name));
            !there.is_ok_and(|there| there.is_file() && there.len() == artifact.stored_size)
        };
        let models = manifest.artifacts.iter().filter(is_missing).map(|artifact| artifact.stored_size);
        let needed = models.chain([manifest.data.size, LEAVE_BYTES]).fold(0, u64::saturating_add);
        if free >= needed {
            return Ok(());
        }
        let why = format!("{free} bytes are free, and the backup needs {needed} of them: free some space");
        Err(ReceiveError::io("bring it to", directory)(io::Error::new(io::ErrorKind::StorageFull, why)))
    }
}

fn make(directory: &Path) -> Result<(), ReceiveError> {
    let made = DirBuilder::new().recursive(true).mode(files::DIRECTORY_MODE).create(directory);
    made.map_err(ReceiveError::io("make", directory))
}

/// A directory of the shelf, which is none where a link leads out of the place: root may bring a backup to a medium that
/// others write to as well.
fn make_within(directory: &Path) -> Result<(), ReceiveError> {
    make(directory)?;
    let looked = fs::symlink_metadata(directory).and_then(|metadata| {
        let link = || io::Error::new(io::ErrorKind::NotADirectory, "it is a link: remove it");
        if metadata.is_dir() { Ok(()) } else { Err(link()) }
    });
    looked.map_err(ReceiveError::io("use", directory))
}
