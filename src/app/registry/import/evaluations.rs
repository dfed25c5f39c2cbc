use super::{Import, Known};
use crate::app::registry::RegistryError;
use crate::domain::clm3::{EvaluationRecord, Outcome, Place, figures_of, place};
use crate::domain::gates::{GateOutcome, Terms, failure_reason, passed, plain, score};
use crate::domain::model::{Evaluation, EvaluationId, EvaluationKind, Figures, Version};
use crate::domain::time::Micros;
use crate::store::StoreError;

/// Who an imported evaluation is from.
const BY: &str = "clm3";

/// What the predecessor's own evaluations fail on.
const NO_EVIDENCE: &str = "figures of its training, which are no evidence";

impl Import<'_> {
    /// Takes the new ones, in the order of their time, so that numbers and times agree; each with its number.
    pub(super) fn take_evaluations(
        &mut self,
        records: &[EvaluationRecord],
        terms: &Terms,
    ) -> Result<Vec<(Micros, EvaluationId)>, RegistryError> {
        let mut new: Vec<(Micros, &EvaluationRecord)> = Vec::new();
        for record in records {
            let name = format!("{}_{}", record.version, record.id);
            let expected = Place::Evaluation { model: self.model.id.to_string(), name };
            if place(&record.source.path) != expected {
                let why = format!("{} is not where an evaluation of {} stands", record.source.path, record.version);
                return Err(RegistryError::bad("evaluations", why));
            }
            if let Some(field) = record.figures.misfit() {
                return Err(RegistryError::bad(field, "is not a figure that this can be"));
            }
            if let Some(at) = self.may_take(record)? {
                new.push((at, record));
            }
        }
        new.sort_by(|(at, a), (other_at, b)| (at, &a.source.path).cmp(&(other_at, &b.source.path)));
        let mut taken = Vec::new();
        let (mut overruled, mut of_training) = (0_usize, 0_usize);
        for (at, record) in new {
            let evaluation = self.evaluation(record, at, terms)?;
            let is_of_training = record.kind == EvaluationKind::TrainingMetrics;
            overruled += usize::from(!is_of_training && record.passed == Some(true) && !evaluation.passed);
            of_training += usize::from(is_of_training);
            self.txn.put_evaluation(&evaluation, None)?;
            self.model.evaluations += 1;
            self.taken(&record.source)?;
            self.report(&record.source, Outcome::Taken, Vec::new());
            taken.push((at, evaluation.id));
            self.score(evaluation)?;
        }
        if of_training > 0 {
            self.notes.push(format!(
                "evaluations that only show figures of the training, and count for nothing: {of_training}"
            ));
        }
        if overruled > 0 {
            self.notes.push(format!("evaluations that passed there, and do not pass the gates here: {overruled}"));
        }
        Ok(taken)
    }

    /// When it was made, if it can be taken.
    fn may_take(&mut self, record: &EvaluationRecord) -> Result<Option<Micros>, StoreError> {
        match self.is_known(&record.source)? {
            Known::Changed => return Ok(None),
            Known::Same => {
                self.report(&record.source, Outcome::Already, Vec::new());
                return Ok(None);
            }
            Known::New => {}
        }
        let name = &record.version;
        let version = match self.version(name)? {
            None => {
                self.refuse(&record.source, format!("there is no version {name} that it could belong to"));
                return Ok(None);
            }
            Some(version) => version,
        };
        if let Some(tombstone) = &version.deleted {
            self.refuse(&record.source, format!("version {name} was deleted here by {}", tombstone.by));
            return Ok(None);
        }
        Ok(Some(record.at.unwrap_or(version.created_at).min(self.at)))
    }

    /// As it is stored: its figures are somebody's word, the gates are those of here.
    fn evaluation(&self, record: &EvaluationRecord, at: Micros, terms: &Terms) -> Result<Evaluation, StoreError> {
        let plain_figures = figures_of(&record.figures);
        let answers = plain(&plain_figures, terms);
        let is_evidence = record.kind != EvaluationKind::TrainingMetrics;
        let passed = is_evidence && passed(&answers);
        let failed = !is_evidence || answers.iter().any(|answer| answer.outcome == GateOutcome::Fail);
        let failure_reason = if is_evidence { failure_reason(&answers) } else { NO_EVIDENCE.to_owned() };
        Ok(Evaluation {
            id: self.txn.new_evaluation()?,
            model: self.model.id.clone(),
            version: record.version.clone(),
            kind: record.kind,
            at,
            by: BY.to_owned(),
            period_days: record.period_days,
            figures: Figures { plain: plain_figures, ..Figures::default() },
            passed,
            score: score(&plain_figures, failed),
            failure_reason,
            has_returns: false,
        })
    }

    /// The newest one out of sample gives a version its score, also where an older one comes later.
    fn score(&mut self, evaluation: Evaluation) -> Result<(), StoreError> {
        if !evaluation.kind.is_out_of_sample() {
            return Ok(());
        }
        let Some(version) = self.version(&evaluation.version)? else { return Ok(()) };
        let mut is_newest = true;
        if !self.versions.contains_key(&evaluation.version) {
            self.txn.walk_evaluations(&self.model.id, evaluation.id, |other| {
                let same = other.version == evaluation.version && other.kind.is_out_of_sample();
                is_newest = !(same && other.at > evaluation.at);
                Ok(is_newest)
            })?;
        }
        if is_newest {
            let sharpe = evaluation.figures.plain.sharpe_ratio.map(|figure| figure.value);
            let version = Version { score: Some(evaluation.score), sharpe, ..version };
            self.versions.insert(evaluation.version, version);
        }
        Ok(())
    }
}
