use std::collections::{BTreeMap, BTreeSet};

use super::{Schedule, Subject};
use crate::domain::job::{Program, Trigger};
use crate::domain::model::{Evaluation, EvaluationKind, Model, ModelId, ModelName, ModelType};
use crate::domain::schedule::{Known, NewTrigger, Pending, Standing, Target, TriggerRecord};
use crate::domain::time::Micros;
use crate::store::{Scheduled, StoreError};

/// Evaluations behind the newest that are looked at for a shadow test of the version in production.
const EVALUATIONS: usize = 1_000;

/// One model as a transaction sees it.
pub(super) struct Looked {
    pub(super) known: Known,
    pub(super) standing: Standing,
    /// The rows of what waits, oldest first.
    pub(super) waiting: Vec<TriggerRecord>,
    /// Whether `standing` differs from what is stored.
    pub(super) changed: bool,
    /// A shadow test that nobody has looked at, and that speaks for a training.
    pub(super) degraded: Option<NewTrigger>,
}

impl Looked {
    /// What waits, as the decision wants it.
    pub(super) fn pending(&self) -> Vec<Pending> {
        let pending = |record: &TriggerRecord| Pending {
            number: record.number,
            reason: record.reason,
            by: record.by.clone(),
            evidence: record.evidence.clone(),
        };
        self.waiting.iter().map(pending).collect()
    }
}

impl Schedule {
    /// Every model that is looked after: those of the registry that have versions, those of the configuration, those for
    /// which something waits.
    pub(super) fn subjects(&self, txn: &impl Scheduled) -> Result<Vec<Subject>, StoreError> {
        let mut subjects: BTreeMap<ModelId, Subject> = BTreeMap::new();
        let new = |name: ModelName| Subject { id: name.id(), name, revision: 0 };
        // An id that is no new model's is not there without the registry either.
        let awaited = txn.awaited()?.into_iter().filter_map(|id| ModelName::of(&id.parse().ok()?).ok());
        subjects.extend(self.models.iter().cloned().chain(awaited).map(|name| (name.id(), new(name))));
        for Model { id, name, revision, counts, .. } in txn.every_model()? {
            if counts.living() > 0 || subjects.contains_key(&id) {
                subjects.insert(id.clone(), Subject { id, name, revision });
            }
        }
        Ok(subjects.into_values().collect())
    }

    /// Model types for which a worker with all their programs was heard of lately: one does a whole training.
    pub(super) fn trainable(&self) -> Result<BTreeSet<ModelType>, super::ScheduleError> {
        let workers = self.jobs.workers()?;
        let here = workers.iter().filter(|worker| worker.is_here()).flat_map(|worker| &worker.programs);
        let whole = |programs: &[Program]| Program::OF_A_TRAINING.iter().all(|program| programs.contains(program));
        Ok(here.filter(|(_, programs)| whole(programs)).map(|(kind, _)| *kind).collect())
    }

    /// One model as `txn` sees it.
    pub(super) fn look(
        &self,
        txn: &impl Scheduled,
        subject: &Subject,
        workers: &BTreeSet<ModelType>,
        now: Micros,
    ) -> Result<Looked, StoreError> {
        let stored = txn.standing(&subject.id)?;
        let mut standing = stored.clone().unwrap_or_else(|| Standing::new(now));
        let mut degraded = None;
        if standing.revision != subject.revision {
            standing.revision = subject.revision;
            standing.made = txn.newest_made(&subject.id)?;
            degraded = self.judge(txn, subject, &mut standing, now)?;
        }
        let trainings = txn.trainings(&subject.id)?;
        let known = Known {
            model: subject.id.clone(),
            kind: subject.name.model_type,
            open: trainings.open,
            newest: trainings.newest,
            trained: trainings.ended.max(standing.made),
            worker: workers.contains(&subject.name.model_type),
            full: trainings.all_open >= u64::from(self.jobs.most_open()),
        };
        let mut waiting = Vec::new();
        for number in &standing.waiting {
            waiting.extend(txn.trigger(*number)?);
        }
        let changed = stored.as_ref() != Some(&standing);
        Ok(Looked { known, standing, waiting, changed, degraded })
    }

    /// Looks at the newest shadow test of what is in production, once for each.
    fn judge(
        &self,
        txn: &impl Scheduled,
        subject: &Subject,
        standing: &mut Standing,
        now: Micros,
    ) -> Result<Option<NewTrigger>, StoreError> {
        let model = txn.one_model(&subject.id)?;
        let Some(production) = model.and_then(|model| model.production) else { return Ok(None) };
        let (mut newest, mut looked): (Option<Evaluation>, usize) = (None, 0);
        txn.walk(&subject.id, &mut |evaluation| {
            looked += 1;
            let is_new = standing.judged.is_none_or(|judged| evaluation.id > judged);
            if is_new && evaluation.kind == EvaluationKind::ShadowTest && evaluation.version == production {
                newest = Some(evaluation);
                return false;
            }
            is_new && looked < EVALUATIONS
        })?;
        let Some(evaluation) = newest else { return Ok(None) };
        standing.judged = Some(evaluation.id);
        let sharpe = evaluation.figures.plain.sharpe_ratio.map(|figure| figure.value);
        Ok(sharpe.filter(|sharpe| *sharpe < self.rules.sharpe).map(|sharpe| NewTrigger {
            target: Target::Model(subject.id.to_string()),
            reason: Trigger::PerformanceDegraded,
            figure: Some(sharpe),
            evidence: format!(
                "the shadow test {} of {production}, which is in production, has a Sharpe ratio of {sharpe:.3}; below {} is \
                 too little",
                evaluation.id.0, self.rules.sharpe
            ),
            by: format!("evaluation {}", evaluation.id.0),
            at: now,
        }))
    }
}
