//! The promotion hook as a job: made with the change of production that it tells of, one at a time a model, the newest
//! change only.

use super::JobError;
use crate::app::registry::{Ask, RegistryError};
use crate::domain::audit::AuditEntry;
use crate::domain::job::{Cancel, HookRun, Job, JobKind, JobState, NewJob, Priority, Trigger};
use crate::domain::model::{Hook, HookState};
use crate::domain::time::Micros;
use crate::store::WriteTxn;

/// Makes the job of a hook that is due, in the transaction of the promotion or rollback; what was due before and has not
/// begun is called off, and what a worker is at is let finish. Workers learn of it with the next tick.
pub(in crate::app) fn make(
    txn: &WriteTxn,
    ask: &Ask,
    mut hook: Hook,
    superseded: Option<Hook>,
) -> Result<(), RegistryError> {
    if let Some(before) = superseded.and_then(|hook| hook.job)
        && let Some(mut job) = txn.job(before)?.filter(|job| job.state == JobState::Pending)
    {
        let why = format!("{} went into production after it", hook.version);
        let refused = job.call_off(Cancel { by: ask.actor.name.clone(), why, at: ask.now });
        refused.map_err(|refusal| RegistryError::Conflict(refusal.to_string()))?;
        txn.put_job(&job)?;
    }
    let before = hook.previous.as_ref().map_or_else(String::new, |before| format!(", and {before} before"));
    let run = HookRun {
        number: hook.number,
        model: hook.model.clone(),
        version: hook.version.clone(),
        previous: hook.previous.clone(),
    };
    let new = NewJob {
        model: hook.model.clone(),
        kind: JobKind::Hook(run),
        trigger: Trigger::Manual,
        triggered_by: None,
        evidence: format!("{} is in production{before}", hook.version),
        priority: Priority::High,
    };
    let job = Job::new(txn.new_job()?, new, &ask.actor.name, ask.now);
    txn.put_job(&job)?;
    let subject = format!("job {} of {}", job.id, job.model);
    txn.audit(AuditEntry::done(ask.now, &ask.actor, "job.create", subject, format!("hook: {}", job.evidence)))?;
    hook.job = Some(job.id);
    txn.put_hook(&hook)?;
    Ok(())
}

/// The hook's row says what became of its job.
pub(super) fn follow(txn: &WriteTxn, run: &HookRun, job: &Job, now: Micros) -> Result<(), JobError> {
    let Some(mut hook) = txn.hook(run.number)? else { return Ok(()) };
    // One that is done again has another job: the row is the newest one's.
    if hook.state == HookState::Superseded || hook.job.is_some_and(|newest| newest > job.id) {
        return Ok(());
    }
    let before = hook.clone();
    hook.job = Some(job.id);
    hook.state = HookState::of(job.state);
    hook.ended_at = job.state.is_over().then_some(job.ended_at.unwrap_or(now));
    hook.why = match (&job.cancel, &job.failure) {
        (Some(Cancel { by, why, .. }), _) if job.state == JobState::Cancelled => {
            Some(format!("{by} called it off: {why}"))
        }
        (_, failure) => failure.as_ref().map(|failure| failure.why.clone()),
    };
    if hook != before {
        txn.put_hook(&hook)?;
    }
    Ok(())
}
