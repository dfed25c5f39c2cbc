use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{Change, Missing, print};
use super::gates::{next_verdict, score_of};
use super::{Ask, Registry, RegistryError};
use crate::domain::account::hex;
use crate::domain::bus::BusEvent;
use crate::domain::gates::{Verdict, failure_reason, passed, plain, score};
use crate::domain::model::{
    Evaluation, EvaluationId, EvaluationKind, ModelId, ModelStatus, PlainFigures, Stage, Step, Version, VersionName,
};
use crate::domain::performance::{self, EvaluationInput};
use crate::store::{StoreError, StoredVerdicts, series_fingerprint};

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
        input: &EvaluationInput,
    ) -> Result<Judged, RegistryError> {
        // Before the transaction: a million trades take a while, and the feed shall not wait for them.
        let kind = input.kind;
        if kind == EvaluationKind::TrainingMetrics {
            let why = "only an import may hold training_metrics: send backtest, walk_forward or shadow_test";
            return Err(RegistryError::bad("type", why));
        }
        let new = performance::evaluate(input, ask.now).map_err(RegistryError::Misfits)?;
        let sent = hex(&series_fingerprint(&new.series)?);
        let request = format!("model.evaluate {id} {name}: {kind:?} {} {:?} {sent}", new.period_days, new.figures);
        self.change(ask, id, Missing::Refuse, &print(&request), |change| {
            let mut version = change.version(name)?;
            let from = change.model.status(&version);
            let answers = plain(&new.figures.plain, &self.terms);
            let passed = passed(&answers);
            let evaluation = Evaluation {
                id: change.txn.new_evaluation()?,
                model: id.clone(),
                version: name.clone(),
                kind,
                at: change.at,
                by: ask.actor.name.clone(),
                period_days: new.period_days,
                figures: new.figures,
                passed,
                score: score(&new.figures.plain, !passed),
                failure_reason: failure_reason(&answers),
                has_returns: new.series.daily.is_some(),
            };
            change.txn.put_evaluation(&evaluation, Some(&new.series).filter(|series| !series.is_empty()))?;
            change.model.evaluations += 1;
            let verdicts = self.judge(change.txn, &change.model, &version)?;
            if kind.is_out_of_sample() {
                version.score = Some(score_of(&new.figures.plain, &verdicts));
                version.sharpe = new.figures.plain.sharpe_ratio.map(|figure| figure.value);
            }
            let told = told(&evaluation);
            change.enter(name, Step::Evaluated, &told, next_verdict(&verdicts, version.stage).cloned())?;
            self.move_on(change, &mut version, &verdicts, "the gates let it pass")?;
            change.txn.put_version(&version)?;
            change.txn.put_verdicts(id, name, &StoredVerdicts { at: change.at, verdicts: verdicts.clone() })?;
            change.audit("model.evaluate", name, &told)?;
            let metrics = bus_metrics(&new.figures.plain)?;
            change.tell(&BusEvent::evaluated(id, name, passed, evaluation.score, metrics, change.at))?;
            Ok(Judged {
                model: id.clone(),
                version: name.clone(),
                evaluation: Some(evaluation.id),
                passed,
                score: evaluation.score,
                failure_reason: evaluation.failure_reason,
                from,
                status: change.model.status(&version),
                verdicts,
                revision: change.model.revision,
            })
        })
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

/// An evaluation in a line: `evaluation 17, backtest: passed`.
fn told(evaluation: &Evaluation) -> String {
    let Evaluation { id, kind, passed, failure_reason, .. } = evaluation;
    let came = if *passed { "passed" } else { failure_reason.as_str() };
    format!("evaluation {id}, {}: {came}", kind.as_str())
}

/// The figures as other programs know them: a number under each name, null where it is not known.
fn bus_metrics(figures: &PlainFigures) -> Result<Value, serde_json::Error> {
    let mut metrics = serde_json::to_value(figures)?;
    for figure in metrics.as_object_mut().into_iter().flat_map(|metrics| metrics.values_mut()) {
        *figure = figure.get("value").cloned().unwrap_or(Value::Null);
    }
    Ok(metrics)
}
