//! A backup takes the place of the data file.
//!
//! Everything is made ready in `.restore` beside the data file: the data is copied (and decrypted), verified by a child
//! process as the file that it will be, and told that it was restored; models' files that are missing come to their
//! places, where nobody minds them. Then one rename makes the change. So whatever dies on the way leaves the file of before
//! or the restored one, whole, and a second run finishes. The file of before stays under a second name.

mod files;
mod place;
mod request;

use std::path::Path;

use self::files::{Models, copy_data, models};
pub use self::place::{FETCHED, sweep_leftovers};
use self::place::{Present, Workplace};
pub use self::request::{RestoreError, RestoreRequest, RestoreStep, Restored};
use super::layout::Place;
use super::list::read_manifest;
use super::lock::Lock;
use super::verify::{artifact_name, verify_backup, verify_file};
use crate::domain::backup::{
    BackupId, Finding, Holdings, KeptArtifact, LackingArtifact, Manifest, Part, Report, difference,
};
use crate::domain::time::Micros;
use crate::store::{self, Store};

/// Puts a backup in the place of the data file, or says what that would do. Blocking.
pub fn restore(request: &RestoreRequest<'_>) -> Result<Restored, RestoreError> {
    let tell = request.progress;
    tell(RestoreStep::Verify);
    // Retention must not take away what is being read.
    let _shared = Lock::share(&Place::around(request.backup))?;
    let manifest = manifest_of(request.backup)?;
    if request.sealed && manifest.recipients.is_empty() {
        return Err(RestoreError::Plain { backup: manifest.id });
    }
    let mut report = verify_backup(request.backup, false, request.identity, request.verifier)?;
    // One rotten file of a model must not cost a restore that does not need it.
    let spoiled: Vec<Finding> = report.findings.extract_if(.., |finding| finding.part == Part::Artifacts).collect();
    whole(report)?;
    if !manifest.recipients.is_empty() && request.identity.is_none() {
        return Err(RestoreError::Sealed { backup: manifest.id });
    }
    let present = Present::look(request.data_file)?;
    let in_use = present.in_use();
    if in_use && !request.dry_run {
        return Err(RestoreError::InUse { path: present.path.clone() });
    }
    let work = Workplace::make(&present, request.dry_run)?;
    let (now, mark) = match work.holdings_of_present() {
        Ok(known) => (known.as_ref().map(|(holdings, _)| holdings.clone()), known.and_then(|(_, mark)| mark)),
        Err(why) => {
            work.note(why);
            (None, None)
        }
    };
    // A run before this one came to the rename and no further.
    let done = mark.filter(|mark| mark.backup == manifest.id.to_string() && mark.noted.is_none());

    let Models { there, missing } = models(&manifest, &present.directory)?;
    let Spoiled { missing, needed: left_out, there: damaged } = sort_out(&manifest, &spoiled, missing);
    if !left_out.is_empty() && !request.without_models {
        return Err(RestoreError::ModelsDamaged(left_out));
    }
    let needed = manifest.data.plain_size + missing.iter().map(|model| model.size).sum::<u64>();
    work.require(needed)?;
    tell(RestoreStep::Copy);
    let candidate = work.candidate();
    copy_data(request, &manifest, work.place_of_candidate())?;
    crate::failpoint!("restore.copied");
    tell(RestoreStep::VerifyCopy);
    whole(verify_file(&candidate, None, request.verifier)?)?;
    crate::failpoint!("restore.verified");
    let then = work.holdings_of_candidate(&candidate)?;
    let mut outcome = Restored {
        backup: manifest.id,
        taken_at: manifest.taken_at,
        host: manifest.host.clone(),
        data_file: present.path.clone(),
        kept: None,
        dry_run: request.dry_run,
        in_use,
        already_there: done.is_some(),
        not_compared: work.noted().or_else(|| in_use.then(|| "a daemon has the present data file".to_owned())),
        difference: difference(&then, now.as_ref(), request.at),
        artifacts_there: there,
        artifacts_restored: missing.len() as u64,
        artifacts_lacking: manifest.lacking.len() as u64,
        artifacts_left_out: manifest.lacking.iter().cloned().chain(left_out).collect(),
        artifacts_damaged: damaged,
        artifacts_in_place: manifest.in_place,
    };
    if request.dry_run {
        return Ok(outcome);
    }
    tell(RestoreStep::Models);
    for model in &missing {
        work.bring(request, model)?;
    }
    crate::failpoint!("restore.artifacts");
    if let Some(mark) = done {
        // That run's, which nobody may have been told.
        outcome.kept = (!mark.kept.is_empty()).then(|| present.directory.shown().join(&mark.kept));
        return Ok(outcome);
    }
    let kept = present.name_to_keep()?;
    let mark = store::RestoreMark {
        backup: manifest.id.to_string(),
        host: manifest.host.clone(),
        taken_at: manifest.taken_at,
        at: request.at,
        by: request.by.to_owned(),
        sessions_ended: 0,
        last_job: last_job(&manifest, &then, now.as_ref(), request.at),
        kept: kept.as_deref().map(|name| name.to_string_lossy().into()).unwrap_or_default(),
        noted: None,
        bus_set_back: false,
    };
    Store::mark_restored(&candidate, &mark)?;
    crate::failpoint!("restore.marked");
    tell(RestoreStep::Rename);
    work.switch(kept.as_deref())?;
    outcome.kept = kept.map(|name| present.directory.shown().join(name));
    Ok(outcome)
}

/// What the damage of models' files in a backup means here.
struct Spoiled<'a> {
    /// Those that can be brought.
    missing: Vec<&'a KeptArtifact>,
    /// Those that are wanted and damaged.
    needed: Vec<LackingArtifact>,
    /// Those that are damaged, and whole beside the data file.
    there: Vec<LackingArtifact>,
}

fn sort_out<'a>(manifest: &Manifest, found: &[Finding], missing: Vec<&'a KeptArtifact>) -> Spoiled<'a> {
    let why = |kept: &KeptArtifact| {
        let name = artifact_name(kept);
        let found = found.iter().find(|finding| finding.what == name)?;
        Some(LackingArtifact { sha256: kept.sha256, why: found.why.clone() })
    };
    let wanted = |kept: &KeptArtifact| missing.iter().any(|missing| missing.sha256 == kept.sha256);
    let there = manifest.artifacts.iter().filter(|kept| !wanted(kept)).filter_map(why).collect();
    let needed = missing.iter().filter_map(|kept| why(kept)).collect();
    Spoiled { needed, there, missing: missing.into_iter().filter(|kept| why(kept).is_none()).collect() }
}

/// The number that no job gets any more: what the present file says, if it is a later state of the same file; else as
/// many as there can have been, one a second.
fn last_job(manifest: &Manifest, then: &Holdings, now: Option<&Holdings>, at: Micros) -> u64 {
    match now {
        Some(now) if now.last >= then.last && now.events >= then.events && now.last_job >= then.last_job => {
            now.last_job
        }
        _ => then.last_job + 1_000 + at.seconds().saturating_sub(manifest.taken_at.seconds()),
    }
}

fn manifest_of(backup: &Path) -> Result<Manifest, RestoreError> {
    let unreadable = |why: String| RestoreError::NoBackup { path: backup.to_owned(), why };
    // One that somebody renamed is none the worse.
    let named = backup.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<BackupId>().ok());
    let manifest = read_manifest(backup, named).map_err(unreadable)?;
    let known = store::SCHEMA_VERSION;
    if manifest.schema > known {
        return Err(RestoreError::Newer {
            backup: manifest.id,
            schema: manifest.schema,
            by: manifest.program.version,
            known,
        });
    }
    Ok(manifest)
}

fn whole(report: Report) -> Result<(), RestoreError> {
    if report.is_whole() { Ok(()) } else { Err(RestoreError::NotWhole(Box::new(report))) }
}
