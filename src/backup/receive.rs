use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::{BackupError, VerifyError};
use super::layout::{MANIFEST, Place, SUMS};
use super::list::{checked, list};
use super::lock::Lock;
use super::verify::{Verifier, verify_backup};
use crate::domain::backup::{BackupId, Finding, Manifest};
use crate::domain::model::Digest;

/// The name of a model's file while it comes, in the directory of the backup: that goes with it, and nobody else writes there.
const COMING: &str = "artifact";

/// What is asked of whoever has the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A file of its directory.
    File(String),
    /// A file of a model's version, by the digest of its content.
    Artifact(Digest),
}

/// Who brings the pieces of a backup.
pub trait Bring {
    /// Writes a piece into a file that is empty.
    fn bring(&mut self, piece: &Piece, into: &mut File) -> anyhow::Result<()>;
}

/// A backup that was received.
#[derive(Debug)]
pub struct Received {
    /// Its directory.
    pub path: PathBuf,
    /// Bytes that were brought.
    pub fetched: u64,
    /// What was wrong with what arrived; nothing stays of it then.
    pub findings: Vec<Finding>,
}

/// Why a backup could not be received. Nothing of it stays.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The pieces did not come.
    #[error("{0:#}")]
    Bring(anyhow::Error),
    /// What came is no backup.
    #[error("what came is no backup: {0}")]
    Strange(String),
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

/// Has a backup brought into `place`, where it lies like one that was made there: on the disk, verified, whole; or not at
/// all. Models' files that are there are not brought again. Of an encrypted one the checksums are compared. Whoever makes or
/// receives another one there meanwhile is refused, and so is this where somebody does: each removes what it finds half done.
pub fn receive(
    id: BackupId,
    place: &Place,
    from: &mut dyn Bring,
    verifier: &Verifier,
) -> Result<Received, ReceiveError> {
    let path = place.backup(id);
    make(&place.directory)?;
    let lock = Lock::take_if_there_are_any(place)?;
    let there = list(place)?;
    if let Some(found) = there.into_iter().find(|found| found.id == id) {
        let manifest = found.manifest.map_err(|why| ReceiveError::InTheWay { path: path.clone(), why })?;
        let findings = verify_backup(&path, manifest.recipients.is_empty(), None, verifier)?.findings;
        return Ok(Received { path, fetched: 0, findings });
    }
    lock.clean(place)?;
    let partial = place.partial(id);
    let mut receiving = Receiving { place, from, fetched: 0 };
    let received = receiving.fill(id, &partial).and_then(|manifest| {
        let report = verify_backup(&partial, manifest.recipients.is_empty(), None, verifier)?;
        if report.is_whole() {
            fs::rename(&partial, &path).map_err(ReceiveError::io("name", &path))?;
            sync(&place.directory)?;
        }
        Ok(report.findings)
    });
    let fetched = receiving.fetched;
    if received.as_ref().map_or(true, |findings| !findings.is_empty()) {
        // What cannot be removed now is removed when it is tried again.
        let _ = fs::remove_dir_all(&partial);
    }
    Ok(Received { path, fetched, findings: received? })
}

struct Receiving<'a> {
    place: &'a Place,
    from: &'a mut dyn Bring,
    fetched: u64,
}

impl Receiving<'_> {
    /// Everything, on the disk, each file of the size and digest that it should have.
    fn fill(&mut self, id: BackupId, partial: &Path) -> Result<Manifest, ReceiveError> {
        // Not one that is there: it would be somebody else's, or a link to anywhere.
        DirBuilder::new().mode(0o700).create(partial).map_err(ReceiveError::io("make", partial))?;
        let mut words = Vec::new();
        for name in [MANIFEST, SUMS] {
            let to = partial.join(name);
            self.bring(&Piece::File(name.to_owned()), &to)?;
            words.push(fs::read(&to).map_err(ReceiveError::io("read", &to))?);
        }
        let manifest = checked(&words[0], &words[1], Some(id)).map_err(ReceiveError::Strange)?;
        let artifacts = self.place.artifacts();
        make_within(&artifacts)?;
        for artifact in &manifest.artifacts {
            let to = artifacts.join(&artifact.stored_name);
            let (size, digest) = (artifact.stored_size, artifact.stored_sha256);
            if matches!(digest_of(&to), Ok(found) if found == (size, digest)) {
                continue;
            }
            let shelf = to.parent().unwrap_or(&artifacts);
            make_within(shelf)?;
            let coming = partial.join(COMING);
            self.bring_as(&Piece::Artifact(artifact.sha256), &coming, (size, digest))?;
            fs::rename(&coming, &to).map_err(ReceiveError::io("name", &to))?;
            sync(shelf)?;
        }
        let data = &manifest.data;
        self.bring_as(&Piece::File(data.name.clone()), &partial.join(&data.name), (data.size, data.sha256))?;
        sync(&artifacts)?;
        sync(partial)?;
        Ok(manifest)
    }

    /// A file that has to be of this size and digest.
    fn bring_as(&mut self, piece: &Piece, to: &Path, wanted: (u64, Digest)) -> Result<(), ReceiveError> {
        self.bring(piece, to)?;
        let found = digest_of(to).map_err(ReceiveError::io("read", to))?;
        if found == wanted {
            return Ok(());
        }
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Err(ReceiveError::Strange(format!("{name} is not what the manifest says: it was changed, or broke off")))
    }

    fn bring(&mut self, piece: &Piece, to: &Path) -> Result<(), ReceiveError> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        let mut file = opened.map_err(ReceiveError::io("write", to))?;
        self.from.bring(piece, &mut file).map_err(ReceiveError::Bring)?;
        file.flush().and_then(|()| file.sync_all()).map_err(ReceiveError::io("write", to))?;
        self.fetched += file.metadata().map_err(ReceiveError::io("look at", to))?.len();
        Ok(())
    }
}

/// Size and digest of a file.
fn digest_of(path: &Path) -> io::Result<(u64, Digest)> {
    let mut file = File::open(path)?;
    let (mut hash, mut size, mut piece) = (Sha256::new(), 0, vec![0; 128 << 10]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((size, Digest(hash.finalize().into()))),
            read => {
                hash.update(&piece[..read]);
                size += read as u64;
            }
        }
    }
}

fn make(directory: &Path) -> Result<(), ReceiveError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(ReceiveError::io("make", directory))
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

fn sync(directory: &Path) -> Result<(), ReceiveError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(ReceiveError::io("sync", directory))
}
