use std::collections::BTreeSet;

use super::{Recorded, Schedule, ScheduleError, Subject};
use crate::domain::intent::{Intent, Subject as About};
use crate::domain::job::Trigger;
use crate::domain::model::ModelType;
use crate::domain::schedule::{Decision, NewTrigger, Outlook, Target, Verdict, look};
use crate::domain::time::Micros;
use crate::store::Scheduled as _;

/// Models of one transaction.
const A_TRANSACTION: usize = 100;

/// Intents of one transaction.
const INTENTS: usize = 100;

/// What an intent suggests that asks for a training.
const RETRAIN: &str = "retrain";

/// What a step found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    /// How many models are looked after.
    pub models: usize,
    /// How many of them something holds back, although something speaks for a training.
    pub held: usize,
    /// How many jobs were created.
    pub started: usize,
    /// When the next training may begin.
    pub next: Option<Micros>,
}

/// A model about which something is to be written, and since when it waits: its time or its oldest trigger came then.
type ToDo = (Option<Micros>, Subject);

impl Schedule {
    /// Looks at everything, and begins what is to begin.
    pub fn step(&self, now: Micros) -> Result<Stepped, ScheduleError> {
        let mut started = self.follow_intents(now)?;
        let workers = self.trainable()?;
        let (mut stepped, mut to_do) = self.survey(&workers, now)?;
        // Who waits the longest goes first, where not all may begin.
        to_do.sort_by_key(|(since, _)| since.map_or(u64::MAX, |since| since.0));
        for some in to_do.chunks(A_TRANSACTION) {
            let recorded = self.store.write(|txn| {
                let mut recorded = Recorded::default();
                for (_, subject) in some {
                    recorded.add(self.apply(txn, subject, None, &workers, now)?);
                }
                Ok::<_, ScheduleError>(recorded)
            })?;
            started += recorded.jobs.len();
            self.tell(&recorded);
        }
        if !to_do.is_empty() {
            // What began moved everybody's next time.
            (stepped, _) = self.survey(&workers, now)?;
        }
        if let Some(next) = stepped.next {
            self.metrics.schedule.next(next);
        }
        Ok(Stepped { started, ..stepped })
    }

    /// How everything stands, and what is to be written about which models.
    fn survey(&self, workers: &BTreeSet<ModelType>, now: Micros) -> Result<(Stepped, Vec<ToDo>), ScheduleError> {
        let (mut stepped, mut to_do) = (Stepped::default(), Vec::new());
        self.store.read(|txn| {
            let books = txn.books()?;
            for subject in self.subjects(txn)? {
                let mut looked = self.look(txn, &subject, workers, now)?;
                let pending = looked.pending();
                let (outlook, noted) = look(&self.rules, &looked.known, &mut looked.standing, &pending, &books, now);
                stepped.models += 1;
                stepped.held += usize::from(matches!(outlook.verdict, Verdict::Hold { .. }));
                stepped.next = [stepped.next, outlook.next.filter(|next| *next > now)].into_iter().flatten().min();
                let told: Vec<_> = looked.waiting.iter().map(|record| &record.decision).collect();
                if looked.changed || noted || looked.degraded.is_some() || acts(&outlook, &told) {
                    let triggered = looked.waiting.first().map(|record| record.at);
                    to_do.push((triggered.into_iter().chain(outlook.due).min(), subject));
                }
            }
            Ok(())
        })?;
        Ok((stepped, to_do))
    }

    /// Takes up what intents suggest that were opened since the last look, each once. Those from before the first look are
    /// history.
    fn follow_intents(&self, now: Micros) -> Result<usize, ScheduleError> {
        let mut started = 0;
        loop {
            let (after, last) = self.store.read(|txn| Ok((txn.books()?.intents, txn.last_intent()?)))?;
            if after == Some(last) {
                return Ok(started);
            }
            let recorded = self.store.write(|txn| {
                let (mut books, mut recorded) = (txn.books()?, Recorded::default());
                let new = after.map_or_else(|| Ok(Vec::new()), |after| txn.intents_after(after, INTENTS))?;
                books.intents = new.last().map(|intent| intent.id.0).or(Some(last));
                txn.put_books(&books)?;
                for intent in new.iter().filter(|intent| intent.suggested_action == RETRAIN) {
                    recorded.add(self.trigger(txn, &suggestion(intent), now)?);
                }
                Ok::<_, ScheduleError>(recorded)
            })?;
            started += recorded.jobs.len();
            self.tell(&recorded);
        }
    }

    /// As [`Schedule::announce`], without waking ourselves.
    fn tell(&self, recorded: &Recorded) {
        for job in &recorded.jobs {
            tracing::info!(job = %job.id, model = %job.model, reason = %job.trigger, "training asked for: {}", job.evidence);
        }
        self.count(recorded);
    }
}

/// Whether something is to be written about a model whose waiting triggers were `told` this.
fn acts(outlook: &Outlook, told: &[&Decision]) -> bool {
    match &outlook.verdict {
        Verdict::Start { .. } => true,
        Verdict::Open(_) | Verdict::Off => !told.is_empty(),
        Verdict::Hold { why, until } => {
            let now = Decision::Waiting { why: why.words(None), until: *until };
            told.iter().any(|before| **before != now)
        }
        Verdict::NotDue { .. } => false,
    }
}

/// What an intent says of a training.
fn suggestion(intent: &Intent) -> NewTrigger {
    let target = match &intent.key.subject {
        About::Model(id) => Target::Model(id.clone()),
        About::Symbol(symbol) => Target::Symbol(symbol.clone()),
        About::Unit(_) | About::Backup | About::Component(_) => Target::Nobody,
    };
    NewTrigger {
        target,
        reason: Trigger::PerformanceDegraded,
        figure: None,
        evidence: format!("intent {} suggests it: {}", intent.id, intent.reason),
        by: format!("intent {}", intent.id),
        at: intent.opened_at,
    }
}
