//! The gates: what they say of a version, from what the store holds, and where it goes upon that.

use super::change::{Change, Missing};
use super::evaluate::Judged;
use super::promote::{Passage, has_files};
use super::{Ask, Registry, RegistryError};
use crate::domain::gates::{
    Evidence, Gate, GateOutcome, Goal, Shadow, Trial, Verdict, after_training, judge_all, score,
};
use crate::domain::model::{
    Evaluation, EvaluationId, EvaluationKind, Model, ModelId, ModelStatus, PlainFigures, Stage, Version, VersionName,
};
use crate::domain::performance::{DAYS_A_YEAR, DailyReturns};
use crate::store::{Evaluations, StoreError, StoredVerdicts, WriteTxn};

/// Trials whose returns are compared with each other, the newest: more say no more about how alike they are, and each is
/// read from the data file. All of them are counted.
const COMPARED: usize = 100;

/// Trials that are counted, the newest. With that many, only an edge that no longer needs the registry's help passes.
const COUNTED: usize = 10_000;

/// What is known of a version, read.
struct Known {
    /// Its newest evaluation out of sample that has returns; where none has any, its newest one.
    out_of_sample: Option<Evaluation>,
    /// The returns of that one that are no training data, and how many days were.
    daily: Option<DailyReturns>,
    trained_on: u64,
    shadow: Option<(Evaluation, Option<DailyReturns>)>,
    /// Sharpe ratio a day, and returns of those that are compared.
    trials: Vec<(f64, Option<DailyReturns>)>,
}

impl Registry {
    /// The verdict for each goal, in the order of the way.
    pub(super) fn judge(
        &self,
        txn: &impl Evaluations,
        model: &Model,
        version: &Version,
    ) -> Result<Vec<Verdict>, StoreError> {
        let known = Known::read(txn, model, version)?;
        let trials: Vec<Trial<'_>> = known
            .trials
            .iter()
            .map(|(sharpe_per_period, daily)| Trial { sharpe_per_period: *sharpe_per_period, daily: daily.as_ref() })
            .collect();
        let nothing = PlainFigures::default();
        let evidence = Evidence {
            plain: known.out_of_sample.as_ref().map_or(&nothing, |evaluation| &evaluation.figures.plain),
            out_of_sample: known.daily.as_ref(),
            trained_on: known.trained_on,
            shadow: known.shadow.as_ref().map(|(evaluation, daily)| Shadow {
                daily: daily.as_ref(),
                trades: evaluation.figures.plain.total_trades,
                period_days: evaluation.period_days,
            }),
            trials: &trials,
            artifacts_ok: has_files(version).is_ok(),
            require_shadow: self.promotion.require_shadow,
        };
        Ok(judge_all(&evidence, &self.terms).to_vec())
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
    /// Applies the gates after an evaluation of a training job: moves the version on as far as they let it, and lets a
    /// version in training fail that a plain gate closes for. Too little data is no failure.
    pub fn apply_gates(&self, ask: &Ask, id: &ModelId, name: &VersionName) -> Result<Judged, RegistryError> {
        let request = format!("model.gates {id} {name}");
        let judged = self.change(ask, id, Missing::Refuse, &request, |change| self.apply(change, name))?;
        if judged.status == ModelStatus::Production {
            crate::failpoint!("registry.promote.committed");
            if let Some(obstacle) = self.settle(id) {
                tracing::warn!(model = %id, version = %name, "{obstacle}");
            }
        }
        Ok(judged)
    }

    /// The same in a transaction of the caller's, after whose commit [`Registry::settle`] is to be called.
    pub fn apply_gates_in(
        &self,
        txn: &WriteTxn,
        ask: &Ask,
        id: &ModelId,
        name: &VersionName,
    ) -> Result<Judged, RegistryError> {
        Self::change_in(txn, ask, id, Missing::Refuse, |change| self.apply(change, name))
    }

    fn apply(&self, change: &mut Change<'_>, name: &VersionName) -> Result<Judged, RegistryError> {
        let id = &change.model.id.clone();
        let mut version = change.version(name)?;
        let from = change.model.status(&version);
        let verdicts = self.judge(change.txn, &change.model, &version)?;
        let plain = verdict_for(&verdicts, Goal::Shadow).cloned();
        let fails = plain.as_ref().is_some_and(|verdict| {
            verdict.gates.iter().any(|answer| answer.outcome == GateOutcome::Fail && answer.gate != Gate::Artifacts)
        });
        if version.stage == Stage::Training && fails {
            let why = plain.as_ref().map_or_else(String::new, |verdict| verdict.obstacles());
            change.step_to(&mut version, Stage::Failed, &why, plain.clone())?;
            change.drop_approval(name)?;
        } else {
            self.move_on(change, &mut version, &verdicts, "the gates were applied")?;
        }
        let production = verdict_for(&verdicts, Goal::Production);
        if self.promotion.auto_production
            && !self.promotion.approval
            && version.stage == Stage::Candidate
            && let Some(verdict) = production.filter(|verdict| verdict.passed)
        {
            match self.has_its_files(&version) {
                Ok(()) => {
                    let why = "the gates let it pass, and promotion.auto_production is on";
                    let passage = Passage { verdict: verdict.clone(), forced: false };
                    self.promote_in(change, &mut version, why, passage, ("model.promote", why))?;
                }
                // It stays a candidate, and the record says why.
                Err(RegistryError::Conflict(why)) => change.audit("model.promote.held", name, &why)?,
                Err(error) => return Err(error),
            }
        }
        change.txn.put_version(&version)?;
        change.txn.put_verdicts(id, name, &StoredVerdicts { at: change.at, verdicts: verdicts.clone() })?;
        let status = change.model.status(&version);
        change.audit("model.gates", name, &format!("from {from} to {status}"))?;
        Ok(Judged {
            model: id.clone(),
            version: name.clone(),
            evaluation: None,
            passed: plain.as_ref().is_some_and(|verdict| verdict.passed),
            score: plain.as_ref().map_or(0.0, |verdict| verdict.score),
            failure_reason: plain.filter(|verdict| !verdict.passed).map_or_else(String::new, |v| v.obstacles()),
            from,
            status,
            verdicts,
            revision: change.model.revision,
        })
    }
}

impl Known {
    fn read(txn: &impl Evaluations, model: &Model, version: &Version) -> Result<Self, StoreError> {
        let (mut reported, mut with_returns, mut shadow) = (None, None, None);
        let mut tried: Vec<(EvaluationId, f64, bool)> = Vec::new();
        let mut first_own = None;
        // Without any evaluation of its own there is nothing to judge by, and nothing to walk for.
        let first = txn.first(&model.id, &version.name)?.unwrap_or(EvaluationId(u64::MAX));
        txn.walk(&model.id, &mut |evaluation| {
            let is_own = evaluation.version == version.name;
            if evaluation.kind.is_out_of_sample() {
                first_own = if is_own { Some(evaluation.id) } else { first_own };
                tried.push((evaluation.id, sharpe_a_day(&evaluation), evaluation.has_returns));
            }
            let number = evaluation.id;
            match evaluation.kind {
                kind if is_own && kind.is_out_of_sample() => {
                    let kept = if evaluation.has_returns { &mut with_returns } else { &mut reported };
                    keep_later(kept, evaluation);
                }
                EvaluationKind::ShadowTest if is_own => keep_later(&mut shadow, evaluation),
                _ => {}
            }
            number > first || first_own.is_some_and(|own| number > model.trials_after(own))
        })?;
        // Once there are returns, figures that were merely reported count no more: good words beside bad returns would
        // open the plain gates for these.
        let of_returns = with_returns.as_ref().map(|evaluation: &Evaluation| (evaluation.id, evaluation.kind));
        let out_of_sample = with_returns.or(reported);
        let evidence = out_of_sample.as_ref().map(|evaluation| evaluation.id);
        // By its first try, not its newest: to send the same returns again after a promotion makes them no better.
        let after = first_own.map_or(EvaluationId(u64::MAX), |first| model.trials_after(first));
        let mut trials = Vec::new();
        for (id, sharpe, has_returns) in tried.into_iter().take_while(|(id, _, _)| *id > after).take(COUNTED) {
            let compared = has_returns && (trials.len() < COMPARED || Some(id) == evidence);
            trials.push((sharpe, if compared { txn.daily(id)? } else { None }));
        }
        let shadow = match shadow {
            None => None,
            Some(evaluation) => {
                let returns = txn.daily(evaluation.id)?;
                Some((evaluation, returns))
            }
        };
        let daily = of_returns.map_or(Ok(None), |(id, _)| txn.daily(id))?;
        let trained = version.provenance.data.map(|data| data.until);
        let is_backtest = of_returns.is_some_and(|(_, kind)| kind == EvaluationKind::Backtest);
        let (daily, trained_on) = match (daily, trained.filter(|_| is_backtest)) {
            (Some(daily), Some(until)) => after_training(daily, until),
            (daily, _) => (daily, 0),
        };
        Ok(Self { out_of_sample, daily, trained_on, shadow, trials })
    }
}

/// Of two, met from the highest number down, the later one: what was imported may be older than its number.
fn keep_later(kept: &mut Option<Evaluation>, other: Evaluation) {
    if kept.as_ref().is_none_or(|kept| other.at > kept.at) {
        *kept = Some(other);
    }
}

/// The Sharpe ratio a day; of what was only reported, from the annual one.
fn sharpe_a_day(evaluation: &Evaluation) -> f64 {
    let reported = || evaluation.figures.plain.sharpe_ratio.map(|figure| figure.value / DAYS_A_YEAR.sqrt());
    evaluation.figures.sharpe_per_period.or_else(reported).unwrap_or(0.0)
}

/// What the gates say of the next step from `stage`; of the last one, once nothing is next.
pub(super) fn next_verdict(verdicts: &[Verdict], stage: Stage) -> Option<&Verdict> {
    let goal = match stage {
        Stage::Training => Goal::Shadow,
        Stage::Shadow => Goal::Candidate,
        Stage::Candidate | Stage::Deployed | Stage::Failed => Goal::Production,
    };
    verdict_for(verdicts, goal)
}

/// The verdict for `goal`.
pub(super) fn verdict_for(verdicts: &[Verdict], goal: Goal) -> Option<&Verdict> {
    verdicts.iter().find(|verdict| verdict.goal == goal)
}

/// The score of a version with these figures: any gate on the way to candidate that fails keeps it under 50; one that has
/// too little data does not.
pub(super) fn score_of(figures: &PlainFigures, verdicts: &[Verdict]) -> f64 {
    let answers = verdict_for(verdicts, Goal::Candidate).map(|verdict| verdict.gates.as_slice()).unwrap_or_default();
    score(figures, answers.iter().any(|answer| answer.outcome == GateOutcome::Fail))
}
