use super::models::waiting;
use super::returns::EquityCurve;
use crate::domain::gates::Verdict;
use crate::domain::model::{Evaluation, EvaluationId, EvaluationKind, Model, ModelId, Version, VersionName};
use crate::domain::performance::Series;
use crate::domain::time::Micros;
use crate::store::{Approval, ReadTxn, Store, StoreError};

/// Evaluations of a version that the page lists.
const LISTED: usize = 50;

/// Evaluations of its model that are looked through for them.
const LOOKED_AT: usize = 10_000;

/// Points of a curve: as many as a screen has room for.
pub(super) const POINTS: usize = 400;

/// One version.
#[derive(Clone, Debug)]
pub struct VersionView {
    /// Its model.
    pub model: Model,
    /// The version.
    pub version: Version,
    /// What the gates said, for each goal.
    pub verdicts: Vec<Verdict>,
    /// Its evaluations, newest first.
    pub evaluations: Vec<Evaluation>,
    /// Those of them whose returns are stored.
    pub with_returns: Vec<(EvaluationId, EvaluationKind)>,
    /// The one whose returns are shown.
    pub shown: Option<Shown>,
    /// Whether its promotion waits for a second person: at most one.
    pub approvals: Vec<Approval>,
}

/// An evaluation and what it rests on.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The evaluation.
    pub evaluation: Evaluation,
    /// What it rests on.
    pub series: Series,
    /// The capital over its days.
    pub curve: EquityCurve,
}

impl VersionView {
    /// Looks it up, with the returns of the evaluation `chosen`, or of the newest.
    pub fn find(
        store: &Store,
        id: &ModelId,
        name: &VersionName,
        chosen: Option<EvaluationId>,
        now: Micros,
    ) -> Result<Option<Self>, StoreError> {
        store.read(|txn| {
            let (Some(model), Some(version)) = (txn.model(id)?, txn.version(id, name)?) else { return Ok(None) };
            let evaluations = evaluations(txn, id, name)?;
            let with_returns: Vec<_> =
                evaluations.iter().filter(|one| one.has_returns).map(|one| (one.id, one.kind)).take(8).collect();
            let chosen = evaluations.iter().find(|one| Some(one.id) == chosen && one.has_returns);
            let shown = match chosen.or_else(|| evaluations.iter().find(|one| one.has_returns)) {
                Some(evaluation) => Shown::find(txn, evaluation)?,
                None => None,
            };
            let mut approvals = waiting(txn, Some(id), now)?;
            approvals.retain(|approval| approval.version == *name);
            let verdicts = txn.verdicts(id, name)?.map(|stored| stored.verdicts).unwrap_or_default();
            Ok(Some(Self { model, version, verdicts, evaluations, with_returns, shown, approvals }))
        })
    }
}

impl Shown {
    fn find(txn: &ReadTxn, evaluation: &Evaluation) -> Result<Option<Self>, StoreError> {
        let Some(series) = txn.series(evaluation.id)? else { return Ok(None) };
        let curve = series.daily.as_ref().map(|daily| EquityCurve::of(daily, POINTS)).unwrap_or_default();
        Ok(Some(Self { evaluation: evaluation.clone(), series, curve }))
    }
}

/// The newest evaluations of a version, newest first.
pub(super) fn evaluations(txn: &ReadTxn, id: &ModelId, name: &VersionName) -> Result<Vec<Evaluation>, StoreError> {
    let (mut found, mut left) = (Vec::new(), LOOKED_AT);
    txn.walk_evaluations(id, EvaluationId(u64::MAX), |evaluation| {
        left -= 1;
        if evaluation.version == *name {
            found.push(evaluation);
        }
        Ok(found.len() < LISTED && left > 0)
    })?;
    Ok(found)
}
