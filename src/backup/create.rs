use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::Utc;
use rustix::fs::{Advice, fadvise, statvfs};

use super::artifacts::Shelf;
use super::error::{BackupError, is_full};
use super::files::{self, Hashing};
use super::layout::{DATA, MANIFEST, Place, SEALED, SUMS};
use super::list::{list, sums_of};
use super::lock::Lock;
use super::prune::{Known, Pruned, prune};
use super::seal::{self, Recipient};
use super::sealed::{Digested, read_back};
use super::verify::{Verifier, verify_data};
use crate::domain::backup::{
    BackupId, Keep, LackingArtifact, Looked, MANIFEST_FORMAT, Manifest, Part, ProgramId, Stage, StoredFile,
};
use crate::domain::time::Micros;
use crate::store::{CopyReport, RESERVE_BYTES, Store, StoreError};

/// Free space that a backup leaves on its disk, which may be the data file's: twice what that needs to go on, so that no
/// backup stops the feed.
const LEAVE_BYTES: u64 = 2 * RESERVE_BYTES;

/// A copy that found files of models gone, because a version was deleted meanwhile, is made again; so often.
const TRIES: u32 = 5;

/// What a backup is made of, and how.
pub struct Plan<'a> {
    /// The open data file; the models' files lie beside it.
    pub store: &'a Store,
    /// Where to.
    pub place: &'a Place,
    /// Which older ones stay.
    pub keep: &'a Keep,
    /// Older ones that were looked through and found damaged: they stay, and stand in for no other.
    pub damaged: &'a BTreeSet<BackupId>,
    /// Whom it is encrypted to; nobody for a plain one.
    pub recipients: &'a [Recipient],
    /// The machine's name.
    pub host: &'a str,
    /// Which program makes it.
    pub program: ProgramId,
    /// Who verifies it.
    pub verifier: &'a Verifier,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Created {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Older ones that were removed.
    pub removed: Vec<BackupId>,
    /// Older ones that were read before others went on their word, and are damaged; and how it shows.
    pub doubted: BTreeMap<BackupId, String>,
    /// Why older ones could not be removed; the new one is whole all the same.
    pub unpruned: Option<BackupError>,
}

/// Makes a backup of what is committed now; `at` is this instant. Blocking: for a thread of its own. Where it fails,
/// nothing of it stays, and the backups that were there are as they were.
pub fn create(plan: &Plan<'_>, at: Micros, progress: &dyn Fn(Stage)) -> Result<Created, BackupError> {
    let place = plan.place;
    files::make_directory(&place.directory)?;
    let lock = Lock::take(place)?;
    lock.clean(place)?;
    // Manifests have milliseconds, and what is read is what was written.
    let at = Micros::from_millis(at.millis());
    let partial = Partial::begin(place, at)?;
    crate::failpoint!("backup::begun");
    let made = make(plan, &partial, at, progress);
    let manifest = made.map_err(|error| told(error, plan))?;
    let kept_name = partial.commit()?;
    crate::failpoint!("backup::renamed");
    progress(Stage::Prune);
    let now = at.max(Utc::now().into());
    let known = Known { verified: manifest.id, damaged: plan.damaged };
    // Before the disk has its name nothing goes on its word.
    let pruned = kept_name.and_then(|()| prune(&lock, place, plan.keep, now, &known));
    let (Pruned { removed, doubted }, unpruned) = match pruned {
        Ok(pruned) => (pruned, None),
        Err(error) => (Pruned::default(), Some(error)),
    };
    crate::failpoint!("backup::pruned");
    Ok(Created { manifest, removed, doubted, unpruned })
}

/// A full disk by its name, whoever met it.
fn told(error: BackupError, plan: &Plan<'_>) -> BackupError {
    let full = match &error {
        BackupError::Io { source, .. } => is_full(source),
        BackupError::Copy(error) => error.is_full(),
        _ => false,
    };
    if !full {
        return error;
    }
    let directory = plan.place.directory.clone();
    BackupError::Full { free: free(&directory), needed: estimate(plan.store) + LEAVE_BYTES, directory }
}

fn make(plan: &Plan<'_>, partial: &Partial<'_>, at: Micros, progress: &dyn Fn(Stage)) -> Result<Manifest, BackupError> {
    let directory = &partial.directory;
    require_room(plan, estimate(plan.store))?;
    let data = directory.join(DATA);
    let mut shelf = Shelf::open(plan.place, plan.recipients, directory)?;
    let mut tries = 0;
    let (copied, artifacts, lacking) = loop {
        tries += 1;
        progress(Stage::Copy);
        let copied = copy(plan, &data)?;
        crate::failpoint!("backup::copied");
        progress(Stage::Artifacts);
        match shelve(plan, &mut shelf, &copied)? {
            Some((artifacts, lacking)) => break (copied, artifacts, lacking),
            None if tries >= TRIES => return Err(BackupError::Restless { tries }),
            None => {}
        }
    };
    crate::failpoint!("backup::artifacts");
    progress(Stage::Verify);
    let Looked { report, users, tokens, in_place, .. } = verify(plan, &data, &copied)?;
    let (feed, audit) = (report.feed.unwrap_or_default(), report.audit.unwrap_or_default());
    crate::failpoint!("backup::verified");
    progress(Stage::Seal);
    let stored = store(plan, &data)?;
    crate::failpoint!("backup::sealed");
    progress(Stage::Commit);
    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        id: partial.id,
        schema: report.schema.unwrap_or_default(),
        program: plan.program.clone(),
        host: plan.host.to_owned(),
        taken_at: at,
        finished_at: Micros::from_millis(Micros::from(Utc::now()).millis()),
        feed,
        tables: report.tables,
        data: stored,
        artifacts,
        lacking,
        in_place,
        recipients: plan.recipients.iter().map(ToString::to_string).collect(),
        audit,
        users,
        tokens,
    };
    write_manifest(directory, &manifest)?;
    crate::failpoint!("backup::written");
    Ok(manifest)
}

/// Copies the data file, and stops where the copy would take the room that the feed needs.
fn copy(plan: &Plan<'_>, data: &Path) -> Result<CopyReport, BackupError> {
    let directory = &plan.place.directory;
    let go_on = || match free(directory) {
        free if free < LEAVE_BYTES => {
            Err(StoreError::Full { path: plan.store.path().to_owned(), free, needed: LEAVE_BYTES })
        }
        _ => Ok(()),
    };
    let copied = plan.store.copy_while(data, &go_on).map_err(BackupError::Copy)?;
    // Read back from the disk, not from memory, where that can be had.
    if let Ok(file) = fs::File::open(data) {
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
    }
    Ok(copied)
}

type Shelved = (Vec<crate::domain::backup::KeptArtifact>, Vec<LackingArtifact>);

/// Every file of models on the shelf; `None` where one was deleted after the copy, with the version that used it.
fn shelve(plan: &Plan<'_>, shelf: &mut Shelf<'_>, copied: &CopyReport) -> Result<Option<Shelved>, BackupError> {
    let (mut artifacts, mut lacking) = (Vec::new(), Vec::new());
    for artifact in &copied.artifacts {
        let source = crate::artifacts::content_path(plan.store.path(), &artifact.sha256);
        let room = || require_room(plan, artifact.size);
        match shelf.put(&source, artifact, &room)? {
            Ok(kept) => artifacts.push(kept),
            Err(why) => {
                let used = plan.store.artifact(&artifact.sha256).map_err(BackupError::Copy)?;
                if used.is_none_or(|row| row.uses == 0) {
                    return Ok(None);
                }
                lacking.push(LackingArtifact { sha256: artifact.sha256, why });
            }
        }
    }
    Ok(Some((artifacts, lacking)))
}

/// Has a child look at everything in the copy, and compares with what was copied.
fn verify(plan: &Plan<'_>, data: &Path, copied: &CopyReport) -> Result<Looked, BackupError> {
    let mut looked = verify_data(data, None, plan.verifier)?;
    let tables = &looked.report.tables;
    let differ: Vec<_> =
        copied.rows.iter().filter(|(name, rows)| tables.get(**name).is_none_or(|found| found != *rows)).collect();
    for (name, rows) in differ {
        looked.report.findings.push(crate::domain::backup::Finding {
            part: Part::Backup,
            what: (*name).to_owned(),
            why: format!("{rows} rows were copied, and {} are there", tables.get(*name).copied().unwrap_or_default()),
        });
    }
    if looked.report.is_whole() { Ok(looked) } else { Err(BackupError::NotWhole(Box::new(looked.report))) }
}

/// The data file as it stays: plain as it is, or encrypted in its place.
fn store(plan: &Plan<'_>, data: &Path) -> Result<StoredFile, BackupError> {
    if plan.recipients.is_empty() {
        let (size, sha256) = files::digest(data).map_err(BackupError::io("read", data))?;
        return Ok(StoredFile { name: DATA.to_owned(), size, sha256, plain_size: size, plain_sha256: sha256 });
    }
    let name = format!("{DATA}{SEALED}");
    let target = data.with_file_name(&name);
    require_room(plan, fs::metadata(data).map_err(BackupError::io("look at", data))?.len())?;
    let (plain, sealed) = seal_file(data, &target, plan.recipients)?;
    files::remove(data)?;
    Ok(StoredFile { name, size: sealed.0, sha256: sealed.1, plain_size: plain.0, plain_sha256: plain.1 })
}

/// Encrypts a file; size and digest of what was read and of what was written, which is on the disk.
fn seal_file(from: &Path, to: &Path, recipients: &[Recipient]) -> Result<(Digested, Digested), BackupError> {
    let mut reader = Hashing::new(fs::File::open(from).map_err(BackupError::io("read", from))?);
    let mut writer = Hashing::new(files::create(to).map_err(BackupError::io("write", to))?);
    let sealed = seal::seal_and_keep(&mut reader, &mut writer, recipients);
    for (failed, step, path) in [(reader.failed.take(), "read", from), (writer.failed.take(), "write", to)] {
        if let Some(error) = failed {
            return Err(BackupError::io(step, path)(error));
        }
    }
    let key = sealed?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(BackupError::io("write", to))?;
    let (plain, sealed) = (reader.finish(), writer.finish());
    read_back(to, &key, plain, sealed)?;
    Ok((plain, sealed))
}

fn write_manifest(directory: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = directory.join(MANIFEST);
    let text = serde_json::to_string_pretty(manifest)
        .map_err(|error| BackupError::io("write", &path)(io::Error::other(error)))?;
    let text = text + "\n";
    files::write(&path, text.as_bytes())?;
    files::write(&directory.join(SUMS), sums_of(manifest, text.as_bytes()).as_bytes())?;
    files::sync_directory(directory)
}

/// About the size of the copy: blocks of events are nearly all of it.
fn estimate(store: &Store) -> u64 {
    let blocks = store.feed().block_bytes;
    let file = fs::metadata(store.path()).map_or(0, |metadata| metadata.len());
    (blocks + blocks / 4).min(file)
}

fn require_room(plan: &Plan<'_>, bytes: u64) -> Result<(), BackupError> {
    let directory = &plan.place.directory;
    let (free, needed) = (free(directory), bytes + LEAVE_BYTES);
    if free < needed { Err(BackupError::Full { directory: directory.clone(), free, needed }) } else { Ok(()) }
}

/// Bytes free to us; all of them where the disk does not tell.
fn free(directory: &Path) -> u64 {
    statvfs(directory).map_or(u64::MAX / 2, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The directory of a backup that is being made; goes when it is dropped, unless the backup was committed.
struct Partial<'a> {
    place: &'a Place,
    id: BackupId,
    directory: PathBuf,
}

impl<'a> Partial<'a> {
    fn begin(place: &'a Place, at: Micros) -> Result<Self, BackupError> {
        let mut id = BackupId::at(at);
        // A damaged one has its name, too.
        if let Some(newest) =
            list(place)?.iter().map(|found| found.id).filter(|known| known.taken_at() == id.taken_at()).max()
        {
            id = newest.repeated();
        }
        let directory = place.partial(id);
        files::make_directory(&directory)?;
        Ok(Self { place, id, directory })
    }

    /// Gives it its name. From then on it is there, and within says why the disk may not keep the name.
    fn commit(self) -> Result<Result<(), BackupError>, BackupError> {
        let target = self.place.backup(self.id);
        fs::rename(&self.directory, &target).map_err(BackupError::io("name", &target))?;
        crate::failpoint!("backup::named");
        Ok(files::sync_directory(&self.place.directory))
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the next backup begins.
        let _ = files::remove(&self.directory);
    }
}
