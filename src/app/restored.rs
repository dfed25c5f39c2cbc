//! What a daemon does when its data file was restored from a backup since the last start.
//!
//! Of what happened between the backup and the restore the file knows nothing, and somebody else may: workers with leases,
//! readers of the stream, holders of tokens. So, in one transaction and before anything else runs, no lease or number of a
//! job of that time can be given a second time, the audit log has a record, and the feed an event of our own that tells
//! everybody who reads along.

use crate::config;
use crate::domain::access::{Actor, ActorKind};
use crate::domain::audit::AuditEntry;
use crate::domain::backup::{Attempt, AttemptKind, AttemptState};
use crate::domain::batch::EventBatch;
use crate::domain::event::{EventRef, Level, OWN_SOURCE, OWN_UNIT};
use crate::domain::id::EventId;
use crate::domain::time::Micros;
use crate::observe::status::StatusBoard;
use crate::store::{RestoreMark, Store, StoreError, WriteTxn};

/// How long health speaks of it.
const TOLD: u64 = Micros::DAY;

/// Takes note of a restore of which no daemon has yet; whether there was one.
pub fn take_note(store: &Store, jobs: &config::Jobs, host: &str, now: Micros) -> Result<bool, StoreError> {
    let waits = store.restored()?.is_some_and(|mark| mark.noted.is_none());
    if !waits {
        return Ok(false);
    }
    store.write(|txn| {
        let Some(mut mark) = txn.restored()? else { return Ok(()) };
        fence_jobs(txn, &mark, jobs, now)?;
        end_the_backup(txn, &mark)?;
        let actor = Actor { name: mark.by.clone(), address: String::new(), kind: ActorKind::Local };
        let entry =
            AuditEntry::done(mark.at, &actor, "data_file.restore", format!("backup {}", mark.backup), told(&mark));
        txn.audit(entry)?;
        mark.noted = Some(tell(txn, &mark, host, now)?);
        txn.put_restored(&mark)
    })?;
    Ok(true)
}

/// No worker's word of the time that is gone counts, and no number of a job is given a second time.
fn fence_jobs(txn: &WriteTxn, mark: &RestoreMark, jobs: &config::Jobs, now: Micros) -> Result<(), StoreError> {
    let fence = u64::try_from((jobs.lease() + jobs.fence).as_micros()).unwrap_or(u64::MAX);
    for open in txn.open_jobs()? {
        if let Some(mut job) = txn.job(open.id)? {
            job.went_back(now.plus(fence), now);
            txn.put_job(&job)?;
        }
    }
    txn.skip_jobs(mark.last_job)
}

/// A backup holds of its own making that it is under way. That it came to its end, it shows by being here.
fn end_the_backup(txn: &WriteTxn, mark: &RestoreMark) -> Result<(), StoreError> {
    let making = |attempt: &Attempt| attempt.kind == AttemptKind::Make && attempt.state == AttemptState::Running;
    for mut attempt in txn.newest_backup_attempts(|_| true)?.into_iter().filter(making) {
        attempt.backup = mark.backup.parse().ok();
        attempt.end(AttemptState::Done, None, mark.taken_at);
        txn.put_backup_attempt(&attempt)?;
    }
    Ok(())
}

/// The event, which stands in the stream where what was removed from it begins again.
fn tell(txn: &WriteTxn, mark: &RestoreMark, host: &str, now: Micros) -> Result<EventId, StoreError> {
    let message = format!("[quantum-clm] restored: {}", told(mark));
    let mut batch = EventBatch::new();
    batch.push(EventRef {
        id: EventId::ZERO,
        ts: now,
        unit: OWN_UNIT,
        source: OWN_SOURCE,
        host,
        level: Level::WARNING,
        message: &message,
        symbol: None,
        correlation_id: None,
        decision: None,
        confidence: None,
        fields: None,
    });
    batch.number(txn.feed().last.first_at(now));
    let id = batch.get(0).map(|event| event.id).unwrap_or_default();
    txn.append(&batch)?;
    txn.finish_feed(None)?;
    Ok(id)
}

/// The same words for log, health and event.
fn told(mark: &RestoreMark) -> String {
    format!(
        "the data file is that of backup {} of {}, taken {}; what happened since then is gone, but for what the journal \
         still has, which is read again under new ids",
        mark.backup,
        mark.host,
        mark.taken_at.rfc3339()
    )
}

/// Shows it in health for a day, and that it is over on the next one.
pub fn show(board: &StatusBoard, store: &Store, now: Micros) {
    // A data file that cannot be read is the store's failure to report.
    let Ok(Some(mark)) = store.restored() else { return };
    if now > mark.at.plus(2 * TOLD) {
        return;
    }
    let (mark, reporter) = (&mark, board.reporter("restore"));
    if now < mark.at.plus(TOLD) {
        let kept = match mark.kept.as_str() {
            "" => String::new(),
            kept => format!("; the data file of before is {kept} beside it"),
        };
        reporter.warn(
            told(mark),
            format!(
                "look at users, tokens and models in production, which are those of then, and have programs that read the \
                 stream know{kept}; nothing else is to be done, this note goes after a day"
            ),
        );
    } else {
        reporter.ok(format!("the data file was restored from backup {} at {}", mark.backup, mark.at.rfc3339()));
    }
}
