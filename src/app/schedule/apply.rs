use std::collections::BTreeSet;

use super::look::Looked;
use super::{Recorded, Schedule, ScheduleError, Subject, plain};
use crate::app::jobs::{EVIDENCE_BYTES, JobError};
use crate::domain::job::{Job, JobKind, NewJob, Priority, Training, Trigger};
use crate::domain::model::ModelType;
use crate::domain::schedule::{Decision, NewTrigger, TriggerRecord, Verdict, look, refused};
use crate::domain::time::Micros;
use crate::store::{Scheduled as _, StoreError, WriteTxn};

/// The longest evidence of one trigger: a job's names several.
const EVIDENCE: usize = EVIDENCE_BYTES / 2;

/// The longest name of who says so.
const BY: usize = 128;

/// Who asks where nobody does.
const SCHEDULER: &str = "scheduler";

impl Schedule {
    /// Looks at one model, takes `new` in where something new speaks for it, and carries out what is decided.
    pub(super) fn apply(
        &self,
        txn: &WriteTxn,
        subject: &Subject,
        new: Option<&NewTrigger>,
        workers: &BTreeSet<ModelType>,
        now: Micros,
    ) -> Result<Recorded, ScheduleError> {
        let mut looked = self.look(txn, subject, workers, now)?;
        let mut recorded = Recorded::default();
        let degraded = looked.degraded.take();
        for new in degraded.iter().chain(new) {
            recorded.triggers.extend(self.admit(txn, subject, &mut looked, new, now)?);
        }
        let pending = looked.pending();
        let mut books = txn.books()?;
        let (outlook, _) = look(&self.rules, &looked.known, &mut looked.standing, &pending, &books, now);
        let decision = match outlook.verdict {
            Verdict::Start { reason, by, evidence } => {
                let (decision, job) = self.create(txn, subject, reason, by, &evidence, now)?;
                if looked.waiting.is_empty() && !matches!(decision, Decision::Waiting { .. }) {
                    // A condition leaves no row while it waits; what became of it is told once.
                    let by = SCHEDULER.to_owned();
                    let row = row(txn, Some(subject), (reason, by, &evidence), decision.clone(), now)?;
                    looked.standing.decided = Some(row.number);
                    recorded.triggers.push(row);
                }
                if job.is_some() && reason != Trigger::Manual {
                    books.begin(now);
                    txn.put_books(&books)?;
                }
                match (&job, &decision) {
                    (Some(job), _) => looked.standing.begin(job.id, now),
                    // What no job can be made of is not tried again every minute.
                    (None, Decision::Dropped { .. }) => looked.standing.started = Some(now),
                    (None, _) => {}
                }
                recorded.jobs.extend(job);
                Some(decision)
            }
            Verdict::Hold { why, until } => Some(Decision::Waiting { why: why.words(None), until }),
            Verdict::Open(job_id) => Some(Decision::Joined { job_id }),
            Verdict::Off => Some(Decision::Dropped { why: "the scheduler is off (scheduler.enabled)".to_owned() }),
            Verdict::NotDue { .. } => None,
        };
        if let Some(decision) = decision {
            looked.standing.waiting.clear();
            for mut record in looked.waiting {
                if matches!(decision, Decision::Waiting { .. }) {
                    looked.standing.waiting.push(record.number);
                }
                if record.decision != decision {
                    (record.decision, record.decided_at) = (decision.clone(), now);
                    looked.standing.decided = looked.standing.decided.max(Some(record.number));
                    txn.put_trigger(&record)?;
                    recorded.triggers.push(record);
                }
            }
        }
        txn.put_standing(&subject.id, &looked.standing)?;
        Ok(recorded)
    }

    /// Takes a trigger in: its row, if all is said about it then; otherwise it joins what waits.
    fn admit(
        &self,
        txn: &WriteTxn,
        subject: &Subject,
        looked: &mut Looked,
        new: &NewTrigger,
        now: Micros,
    ) -> Result<Option<TriggerRecord>, StoreError> {
        let twin = looked.waiting.iter().find(|record| record.reason == new.reason);
        let decision = match (refused(&self.rules, new.reason, new.figure), twin) {
            (Some(why), _) => Decision::Dropped { why },
            (None, Some(twin)) => Decision::Merged { trigger: twin.number },
            (None, None) => Decision::Waiting { why: "it came just now".to_owned(), until: None },
        };
        let said = (new.reason, plain(&new.by, BY), new.evidence.as_str());
        let record = row(txn, Some(subject), said, decision, now)?;
        if record.is_waiting() {
            looked.standing.waiting.push(record.number);
            looked.waiting.push(record);
            return Ok(None);
        }
        looked.standing.decided = Some(record.number);
        Ok(Some(record))
    }

    /// Makes the job. What stands in its way is the decision's: nothing is written then.
    fn create(
        &self,
        txn: &WriteTxn,
        subject: &Subject,
        reason: Trigger,
        by: Option<String>,
        evidence: &str,
        now: Micros,
    ) -> Result<(Decision, Option<Job>), ScheduleError> {
        let training = Training {
            name: subject.name.clone(),
            span_days: self.span_days,
            params: None,
            feature_config: None,
            parent: None,
            candidate: None,
        };
        let new = NewJob {
            model: subject.id.clone(),
            kind: JobKind::Training(Box::new(training)),
            trigger: reason,
            triggered_by: Some(by.unwrap_or_else(|| SCHEDULER.to_owned())),
            evidence: plain(evidence, EVIDENCE_BYTES),
            priority: if reason == Trigger::Manual { Priority::High } else { Priority::Normal },
        };
        match self.jobs.create_in(txn, &Self::ask(now), new) {
            Ok(job) => Ok((Decision::Started { job_id: job.id }, Some(job))),
            Err(JobError::Open(job_id)) => Ok((Decision::Joined { job_id }, None)),
            Err(full @ JobError::Full(_)) => Ok((Decision::Waiting { why: full.to_string(), until: None }, None)),
            Err(bad @ JobError::Bad { .. }) => Ok((Decision::Dropped { why: bad.to_string() }, None)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes a trigger down, under the next number.
pub(super) fn row(
    txn: &WriteTxn,
    subject: Option<&Subject>,
    (reason, by, evidence): (Trigger, String, &str),
    decision: Decision,
    now: Micros,
) -> Result<TriggerRecord, StoreError> {
    let record = TriggerRecord {
        number: txn.next_trigger()?,
        at: now,
        model: subject.map(|subject| subject.id.clone()),
        reason,
        by,
        evidence: plain(evidence, EVIDENCE),
        decided_at: now,
        decision,
    };
    txn.put_trigger(&record)?;
    Ok(record)
}
