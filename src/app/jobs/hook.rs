//! The promotion hook as a job: made with the change of production that it tells of, one at a time a model, the newest
//! change only.

use super::{JobError, Jobs};
use crate::app::registry::{Ask, RegistryError};
use crate::domain::access::{Actor, Grant};
use crate::domain::audit::AuditEntry;
use crate::domain::job::{Cancel, HookRun, Job, JobKind, JobState, NewJob, Priority, Refusal, Trigger};
use crate::domain::model::{Hook, HookState};
use crate::domain::role::Role;
use crate::domain::time::Micros;
use crate::store::WriteTxn;

impl Jobs {
    /// Makes the jobs of hooks that were due before there were jobs; how many. To be called where a hook is configured.
    pub fn adopt_hooks(&self) -> Result<usize, JobError> {
        let waits = |hook: &Hook| hook.job.is_none();
        if !self.store.hooks(Some(HookState::Pending), u64::MAX, usize::MAX)?.iter().any(waits) {
            return Ok(0);
        }
        let (actor, grant) = (Actor::daemon(), Grant::Role(Role::Operator));
        let ask = Ask { actor, grant, now: (self.now)(), key: None, expected: None };
        self.store.write(|txn| {
            let due: Vec<_> = txn.pending_hooks()?.into_iter().filter(waits).collect();
            let adopted = due.len();
            for hook in due {
                make(txn, &ask, hook, None)?;
            }
            Ok(adopted)
        })
    }
}

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

/// A hook's job that is given back although another version has gone into production since is not run again: whoever
/// listens would end with the older one.
pub(super) fn give_way(txn: &WriteTxn, run: &HookRun, job: &mut Job, now: Micros) -> Result<(), JobError> {
    let newest = txn.newest_hook(&run.model)?.filter(|newest| newest.number > run.number);
    let (Some(newest), Some(mut hook)) = (newest, txn.hook(run.number)?) else { return Ok(()) };
    let why = format!("{} went into production after it", newest.version);
    job.call_off(Cancel { by: Actor::daemon().name, why, at: now })?;
    (hook.state, hook.ended_at) = (HookState::Superseded, Some(now));
    txn.put_hook(&hook)?;
    Ok(())
}

/// Whether a hook that came to nothing may run again: as long as nothing has taken its place.
pub(super) fn may_run_again(txn: &WriteTxn, run: &HookRun, job: &Job) -> Result<(), JobError> {
    let refuse = |why| Err(Refusal::State { job: job.id, state: job.state, why }.into());
    if txn.newest_hook(&run.model)?.is_some_and(|newest| newest.number > run.number) {
        return refuse("another version has gone into production since, which has a hook of its own");
    }
    match txn.hook(run.number)? {
        Some(hook) if hook.state.is_open() => refuse("it is done again already"),
        _ => Ok(()),
    }
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
