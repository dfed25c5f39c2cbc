use super::returns::EquityCurve;
use crate::app::registry::{Registry, RegistryError, VersionDetail};
use crate::domain::gates::Verdict;
use crate::domain::model::{
    Evaluation, EvaluationId, EvaluationKind, Importances, Model, ModelId, ModelStatus, Version, VersionName,
};
use crate::domain::performance::Series;
use crate::domain::time::Micros;
use crate::store::Approval;

/// Evaluations of a version that the page lists.
const LISTED: usize = 50;

/// Evaluations whose returns can be chosen.
const CHOICES: usize = 8;

/// Points of a curve: as many as a screen has room for.
pub(super) const POINTS: usize = 400;

/// One version.
#[derive(Clone, Debug)]
pub struct VersionView {
    /// Its model.
    pub model: Model,
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: ModelStatus,
    /// What the gates say now, for each goal.
    pub verdicts: Vec<Verdict>,
    /// How much each feature counts, where its training said it.
    pub importances: Option<Importances>,
    /// Its evaluations, newest first.
    pub evaluations: Vec<Evaluation>,
    /// How many older ones are not among them.
    pub older: usize,
    /// Those of them whose returns are stored.
    pub with_returns: Vec<(EvaluationId, EvaluationKind)>,
    /// The one whose returns are shown.
    pub shown: Option<Shown>,
    /// Its promotion, where that waits for a second person.
    pub approval: Option<Approval>,
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
    /// Looks it up, with the returns of the evaluation `chosen`, or of the newest. What the gates say is asked anew: other
    /// versions' trials count against it, too.
    pub fn find(
        registry: &Registry,
        id: &ModelId,
        name: &VersionName,
        chosen: Option<EvaluationId>,
        now: Micros,
    ) -> Result<Self, RegistryError> {
        let VersionDetail { model, version, status, approval, importances, .. } = registry.version(id, name, now)?;
        let verdicts = registry.verdicts(id, name)?;
        let mut evaluations = registry.evaluations(id, name)?;
        let with_returns: Vec<_> =
            evaluations.iter().filter(|one| one.has_returns).map(|one| (one.id, one.kind)).take(CHOICES).collect();
        let chosen = evaluations.iter().find(|one| Some(one.id) == chosen && one.has_returns);
        let shown = match chosen.or_else(|| evaluations.iter().find(|one| one.has_returns)) {
            Some(evaluation) => Shown::find(registry, evaluation)?,
            None => None,
        };
        let older = evaluations.len().saturating_sub(LISTED);
        evaluations.truncate(LISTED);
        Ok(Self { model, version, status, verdicts, importances, evaluations, older, with_returns, shown, approval })
    }
}

impl Shown {
    fn find(registry: &Registry, evaluation: &Evaluation) -> Result<Option<Self>, RegistryError> {
        let (evaluation, series) = registry.evaluation(&evaluation.model, &evaluation.version, evaluation.id)?;
        let Some(series) = series else { return Ok(None) };
        let curve = series.daily.as_ref().map(|daily| EquityCurve::of(daily, POINTS)).unwrap_or_default();
        Ok(Some(Self { evaluation, series, curve }))
    }
}
