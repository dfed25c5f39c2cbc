use std::fs;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use super::artifacts::check;
pub use super::child::Verifier;
use super::child::look;
use super::error::VerifyError;
use super::files::{self, Hashing};
use super::layout::{MANIFEST, Place};
use super::list::read_manifest;
use super::seal::{self, Identity, SealError};
use crate::domain::backup::{BackupId, KeptArtifact, Looked, Manifest, Part, Report};

/// How an age file begins.
const AGE: &[u8] = b"age-encryption.org/v1";

/// Verifies the backup in the directory `path`: its checksums, the models' files that it names and, if `deep`, everything in
/// its data file, in a child process. An encrypted one needs a key for what is inside; without one its digests are compared.
pub fn verify_backup(
    path: &Path,
    deep: bool,
    key: Option<&Identity>,
    verifier: &Verifier,
) -> Result<Report, VerifyError> {
    // `.` and links have a name, too.
    let path = &path.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => VerifyError::Missing(path.to_owned()),
        _ => VerifyError::Io { step: "look at", path: path.to_owned(), source },
    })?;
    let mut report = Report::default();
    let named = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<BackupId>().ok());
    let manifest = match read_manifest(path, named) {
        Ok(manifest) => manifest,
        Err(why) => {
            report.add(Part::Backup, MANIFEST, why);
            return Ok(report);
        }
    };
    let place = Place::around(path);
    let data = path.join(&manifest.data.name);
    check_data(&data, &manifest, &mut report);
    for artifact in &manifest.artifacts {
        match check(&place, artifact) {
            Ok(()) => {
                report.artifacts += 1;
                report.bytes += artifact.stored_size;
            }
            Err(why) => report.add(Part::Artifacts, artifact_name(artifact), why),
        }
    }
    note_what_is_not_there(&manifest, &mut report);
    if !deep || !report.is_whole() {
        // What has not the digest that it had needs no closer look: it must not be restored.
        return Ok(report);
    }
    match (manifest.recipients.is_empty(), key) {
        (true, _) => compare(&manifest, look(&data, None, verifier)?, &mut report),
        (false, Some(key)) => {
            let unsealed = Unsealed::of(&data, &manifest, key, &mut report)?;
            if report.is_whole() {
                compare(&manifest, look(&unsealed.path(), None, verifier)?, &mut report);
            }
            check_sealed_artifacts(&place, &manifest, key, &mut report)?;
        }
        (false, None) => report.notes.push(
            "it is encrypted: its digests were compared, and what is inside was not looked at without a private key"
                .to_owned(),
        ),
    }
    Ok(report)
}

/// Refuses a backup that is not encrypted: where all are, it may be anybody's. One that cannot be read is for
/// [`verify_backup`] to tell of.
pub fn require_sealed(path: &Path) -> Result<(), VerifyError> {
    match read_manifest(path, None) {
        Ok(manifest) if manifest.recipients.is_empty() => Err(VerifyError::Plain(manifest.id)),
        _ => Ok(()),
    }
}

/// Verifies everything in the data file at `path` in a child process, without changing a byte of it. With `artifacts`,
/// the data directory's `artifacts`, the models' files as well.
pub fn verify_file(path: &Path, artifacts: Option<&Path>, verifier: &Verifier) -> Result<Report, VerifyError> {
    let mut start = Vec::new();
    let begins = fs::File::open(path).and_then(|file| file.take(AGE.len() as u64).read_to_end(&mut start));
    if begins.is_ok() && start == AGE {
        return Err(VerifyError::Sealed(path.to_owned()));
    }
    let looked = verify_data(path, artifacts, verifier)?;
    let mut report = looked.report;
    if artifacts.is_none() && !looked.artifacts.is_empty() {
        let files = looked.artifacts.len();
        report
            .notes
            .push(format!("the {files} files of models were not looked at: name their directory with --artifacts"));
    }
    if looked.in_place > 0 {
        report.notes.push(in_place(looked.in_place));
    }
    Ok(report)
}

/// The same with what a backup says of the file.
pub(super) fn verify_data(path: &Path, artifacts: Option<&Path>, verifier: &Verifier) -> Result<Looked, VerifyError> {
    look(path, artifacts, verifier)
}

fn check_data(data: &Path, manifest: &Manifest, report: &mut Report) {
    match files::digest(data) {
        Ok((size, sha256)) if (size, sha256) == (manifest.data.size, manifest.data.sha256) => report.bytes += size,
        Ok((size, sha256)) => {
            let why = format!(
                "it has {size} bytes with the SHA-256 {sha256} and should have {} with {}: it is damaged",
                manifest.data.size, manifest.data.sha256
            );
            report.add(Part::Backup, manifest.data.name.as_str(), why);
        }
        Err(error) => report.add(Part::Backup, manifest.data.name.as_str(), format!("it cannot be read: {error}")),
    }
}

/// How a finding names a model's file.
pub(super) fn artifact_name(artifact: &KeptArtifact) -> String {
    format!("artifacts/{}", artifact.stored_name)
}

fn note_what_is_not_there(manifest: &Manifest, report: &mut Report) {
    for lacking in &manifest.lacking {
        let why = format!("the file {} of a model is not in it: when it was made, {}", lacking.sha256, lacking.why);
        report.notes.push(why);
    }
    if manifest.in_place > 0 {
        report.notes.push(in_place(manifest.in_place));
    }
}

fn in_place(versions: u64) -> String {
    format!("files of {versions} versions were registered where they lie: they are not kept here")
}

/// What was seen in the data file belongs to the manifest.
fn compare(manifest: &Manifest, looked: Looked, report: &mut Report) {
    let found = looked.report;
    let facts = [
        ("tables", found.tables == manifest.tables),
        ("feed", found.feed.as_ref() == Some(&manifest.feed)),
        ("audit", found.audit.as_ref() == Some(&manifest.audit)),
        ("users", looked.users == manifest.users && looked.tokens == manifest.tokens),
    ];
    if found.is_whole() {
        for (what, _) in facts.iter().filter(|(_, fits)| !fits) {
            report.add(Part::Backup, MANIFEST, format!("its {what} are not those of the data file"));
        }
        let listed =
            manifest.artifacts.iter().map(|kept| kept.sha256).chain(manifest.lacking.iter().map(|one| one.sha256));
        let listed: std::collections::BTreeSet<_> = listed.collect();
        for artifact in looked.artifacts.iter().filter(|artifact| !listed.contains(&artifact.sha256)) {
            report.add(
                Part::Artifacts,
                artifact.sha256.to_string(),
                "a version uses it, and the backup does not have it",
            );
        }
    }
    report.findings.extend(found.findings);
    report.notes.extend(found.notes);
    (report.schema, report.tables, report.records) = (found.schema, found.tables, found.records);
    (report.events, report.feed, report.audit) = (found.events, found.feed, found.audit);
}

/// A decrypted data file, for as long as it is looked at: not where the backups are, which are encrypted against whoever has
/// that disk, and without a name, so that nothing of it stays whatever happens to us.
struct Unsealed {
    file: fs::File,
}

impl Unsealed {
    fn of(data: &Path, manifest: &Manifest, key: &Identity, report: &mut Report) -> Result<Self, VerifyError> {
        let io = |step, path: &Path, source| VerifyError::Io { step, path: path.to_owned(), source };
        let beside = files::temporary();
        let file = files::nameless(&beside).map_err(|error| io("make a file in", &beside, error))?;
        let mut reader = fs::File::open(data).map_err(|error| io("read", data, error))?;
        let mut writer = Hashing::new(&file);
        let opened = seal::open(&mut reader, &mut writer, key);
        if let Some(error) = writer.failed.take() {
            return Err(io("decrypt it to a file in", &beside, error));
        }
        opened.map_err(|source| VerifyError::Seal { path: data.to_owned(), source })?;
        if writer.finish() != (manifest.data.plain_size, manifest.data.plain_sha256) {
            report.add(Part::Backup, manifest.data.name.as_str(), "what is inside is not what was encrypted");
        }
        Ok(Self { file })
    }

    /// A path to it for a child process.
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }
}

fn check_sealed_artifacts(
    place: &Place,
    manifest: &Manifest,
    key: &Identity,
    report: &mut Report,
) -> Result<(), VerifyError> {
    for artifact in &manifest.artifacts {
        let path = place.artifacts().join(&artifact.stored_name);
        let mut plain = Hashing::new(io::sink());
        let opened = fs::File::open(&path)
            .map_err(|source| VerifyError::Io { step: "read", path: path.clone(), source })
            .and_then(|mut file| {
                let told = |source: SealError| VerifyError::Seal { path: path.clone(), source };
                seal::open(&mut file, &mut plain, key).map(drop).map_err(told)
            });
        opened?;
        if plain.finish() != (artifact.size, artifact.sha256) {
            report.add(Part::Artifacts, artifact_name(artifact), "what is inside is not what was encrypted");
        }
    }
    Ok(())
}
