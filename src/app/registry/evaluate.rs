use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Missing, print};
use super::judge::verdict_for;
use super::{Ask, Registry, RegistryError};
use crate::domain::bus::BusEvent;
use crate::domain::gates::{Goal, Verdict};
use crate::domain::model::{
    Evaluation, EvaluationId, EvaluationKind, Figures, ModelId, ModelStatus, Stage, Step, Version, VersionName,
};
use crate::domain::performance::Series;
use crate::store::{StoreError, StoredVerdicts};

/// A trial of a version, read and computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// How it was tried.
    pub kind: EvaluationKind,
    /// Days that it covers.
    pub period_days: f64,
    /// Its figures.
    pub figures: Figures,
    /// What they rest on.
    pub series: Option<Series>,
}

/// What the gates made of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// The model.
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// The evaluation that was recorded, where one was.
    pub evaluation: Option<EvaluationId>,
    /// Whether the five plain gates let it pass.
    pub passed: bool,
    /// 0 to 100.
    pub score: f64,
    /// What it failed on; empty where it passed.
    pub failure_reason: String,
    /// Where it stood.
    pub from: ModelStatus,
    /// Where it stands.
    pub status: ModelStatus,
    /// What each goal's gates say.
    pub verdicts: Vec<Verdict>,
    /// The model's revision since.
    pub revision: u64,
}

impl Registry {
    /// Records an evaluation, and moves the version on as far as its gates let it by themselves.
    pub fn evaluate(
        &self,
        ask: &Ask,
        id: &ModelId,
        name: &VersionName,
        new: &Submission,
    ) -> Result<Judged, RegistryError> {
        let request = format!("model.evaluate {id} {name}: {}", print(new));
        self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            let from = change.model.status(&version);
            let number = change.txn.new_evaluation()?;
            let evaluation = Evaluation {
                id: number,
                model: id.clone(),
                version: name.clone(),
                kind: new.kind,
                at: change.at,
                by: ask.actor.name.clone(),
                period_days: new.period_days,
                figures: new.figures,
                passed: true,
                score: 0.0,
                failure_reason: String::new(),
                has_returns: new.series.as_ref().is_some_and(|series| series.daily.is_some()),
            };
            change.txn.put_evaluation(&evaluation, new.series.as_ref())?;
            change.model.evaluations += 1;
            version.score = Some(evaluation.score);
            version.sharpe = new.figures.plain.sharpe_ratio.map(|figure| figure.value);
            let verdicts = self.judge(change.txn, &change.model, &version)?;
            change.enter(name, Step::Evaluated, new.kind.as_str(), verdict_for(&verdicts, Goal::Shadow).cloned())?;
            self.move_on(change, &mut version, &verdicts, "the gates let it pass")?;
            change.txn.put_version(&version)?;
            change.txn.put_verdicts(id, name, &StoredVerdicts { at: change.at, verdicts: verdicts.clone() })?;
            change.audit("model.evaluate", name, new.kind.as_str())?;
            let metrics = serde_json::to_value(new.figures.plain)?;
            change.tell(&BusEvent::evaluated(id, name, evaluation.passed, evaluation.score, metrics, change.at))?;
            Ok(Judged {
                model: id.clone(),
                version: name.clone(),
                evaluation: Some(number),
                passed: evaluation.passed,
                score: evaluation.score,
                failure_reason: evaluation.failure_reason,
                from,
                status: change.model.status(&version),
                verdicts,
                revision: change.model.revision,
            })
        })
    }

    /// Moves a version on as far as its gates let it by themselves, short of production.
    pub(super) fn move_on(
        &self,
        change: &mut Change<'_>,
        version: &mut Version,
        verdicts: &[Verdict],
        why: &str,
    ) -> Result<(), StoreError> {
        for (from, goal, to) in
            [(Stage::Training, Goal::Shadow, Stage::Shadow), (Stage::Shadow, Goal::Candidate, Stage::Candidate)]
        {
            if to == Stage::Candidate && !self.promotion.auto_candidate {
                continue;
            }
            if version.stage == from
                && let Some(verdict) = verdict_for(verdicts, goal).filter(|verdict| verdict.passed)
            {
                change.step_to(version, to, why, Some(verdict.clone()))?;
            }
        }
        Ok(())
    }
}

impl Change<'_> {
    /// One move that is not into production, with its entry; the caller stores the version.
    pub(super) fn step_to(
        &mut self,
        version: &mut Version,
        to: Stage,
        why: &str,
        verdict: Option<Verdict>,
    ) -> Result<(), StoreError> {
        let from = self.model.status(version);
        self.restage(version, to);
        let name = version.name.clone();
        self.enter(&name, Step::Moved { from, to: self.model.status(version) }, why, verdict)
    }
}
