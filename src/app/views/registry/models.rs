use std::collections::HashMap;

use crate::domain::model::{Model, ModelId, ModelStatus, ModelType, Version, VersionName};
use crate::domain::time::Micros;
use crate::store::{Approval, ReadTxn, Store, StoreError};

/// Models of a page.
const ROWS: usize = 50;

/// Scores of a model that its trend shows.
const TREND: usize = 12;

/// Versions that are looked at for the trends, the newest of all models: what was registered before them is no trend.
const LOOKED_AT: usize = 5_000;

/// What a model must have to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Having {
    /// A version of this status.
    Some(ModelStatus),
    /// Nothing in production.
    NoProduction,
}

impl Having {
    /// As addresses write what has no status.
    pub const NONE: &'static str = "none";

    /// What a word of an address stands for.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            Self::NONE => Some(Self::NoProduction),
            _ => ModelStatus::ALL.into_iter().find(|status| status.as_str() == word).map(Self::Some),
        }
    }

    fn fits(self, model: &Model) -> bool {
        match self {
            Self::Some(status) => model.count(status) > 0,
            Self::NoProduction => model.production.is_none(),
        }
    }
}

/// Which models are listed.
#[derive(Clone, Debug, Default)]
pub struct ModelsFilter {
    /// Of this type.
    pub model_type: Option<ModelType>,
    /// That have this.
    pub having: Option<Having>,
    /// Behind this one.
    pub after: Option<ModelId>,
}

/// The Models page.
#[derive(Clone, Debug)]
pub struct ModelsView {
    /// Models that fit, by id.
    pub rows: Vec<ModelRow>,
    /// How many fit.
    pub fitting: usize,
    /// Where more of them go on.
    pub next: Option<ModelId>,
    /// Over all models.
    pub totals: Totals,
    /// What waits for a second person, the one that lapses first first.
    pub approvals: Vec<Approval>,
}

/// Figures over all models.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Models.
    pub models: u64,
    /// Their versions that are not deleted.
    pub versions: u64,
    /// Models with nothing in production.
    pub without_production: u64,
    /// Versions that are fit for production.
    pub candidates: u64,
    /// Versions that watch.
    pub shadows: u64,
}

/// One model of the list.
#[derive(Clone, Debug)]
pub struct ModelRow {
    /// The model.
    pub model: Model,
    /// What of it is in production.
    pub production: Option<Version>,
    /// Since when.
    pub since: Option<Micros>,
    /// Who put it there.
    pub by: String,
    /// Its newest versions' scores, oldest first.
    pub trend: Vec<(VersionName, f64)>,
}

impl ModelsView {
    /// Looks it up.
    pub fn find(store: &Store, filter: &ModelsFilter, now: Micros) -> Result<Self, StoreError> {
        store.read(|txn| {
            let models = txn.models()?;
            let totals = Totals::of(&models);
            let fits = |model: &Model| {
                filter.model_type.is_none_or(|kind| model.name.model_type == kind)
                    && filter.having.is_none_or(|having| having.fits(model))
            };
            let fitting: Vec<Model> = models.into_iter().filter(fits).collect();
            let count = fitting.len();
            let behind = |model: &Model| filter.after.as_ref().is_none_or(|after| model.id > *after);
            let mut shown: Vec<Model> = fitting.into_iter().filter(behind).take(ROWS + 1).collect();
            let more = shown.len() > ROWS;
            shown.truncate(ROWS);
            let next = shown.last().filter(|_| more).map(|model| model.id.clone());
            let mut trends = trends(txn, &shown)?;
            let rows = shown.into_iter().map(|model| {
                let trend = trends.remove(model.id.as_str()).unwrap_or_default();
                ModelRow::find(txn, model, trend)
            });
            Ok(Self {
                rows: rows.collect::<Result<_, _>>()?,
                fitting: count,
                next,
                totals,
                approvals: waiting(txn, None, now)?,
            })
        })
    }
}

/// What waits for a second person and has not lapsed, the one that lapses first first.
pub(super) fn waiting(txn: &ReadTxn, model: Option<&ModelId>, now: Micros) -> Result<Vec<Approval>, StoreError> {
    let mut approvals = txn.approvals(model)?;
    approvals.retain(|approval| approval.expires_at > now);
    approvals.sort_by_key(|approval| approval.expires_at);
    Ok(approvals)
}

/// The newest scores of each of these models, oldest first, from one walk over the list of versions.
fn trends(txn: &ReadTxn, models: &[Model]) -> Result<HashMap<String, Vec<(VersionName, f64)>>, StoreError> {
    let mut found: HashMap<String, Vec<(VersionName, f64)>> =
        models.iter().map(|model| (model.id.to_string(), Vec::new())).collect();
    let mut left = LOOKED_AT;
    txn.walk_versions(None, (None, None), None, |_, model, name, line| {
        left -= 1;
        if let (Some(trend), Some(score)) = (found.get_mut(model).filter(|trend| trend.len() < TREND), line.score)
            && let Ok(name) = name.parse()
        {
            trend.push((name, score));
        }
        Ok(left > 0)
    })?;
    found.values_mut().for_each(|trend| trend.reverse());
    Ok(found)
}

impl Totals {
    fn of(models: &[Model]) -> Self {
        let mut totals = Self::default();
        for model in models {
            totals.models += 1;
            totals.versions += u64::from(model.counts.living());
            totals.without_production += u64::from(model.production.is_none());
            totals.candidates += u64::from(model.count(ModelStatus::Candidate));
            totals.shadows += u64::from(model.count(ModelStatus::Shadow));
        }
        totals
    }
}

impl ModelRow {
    fn find(txn: &ReadTxn, model: Model, trend: Vec<(VersionName, f64)>) -> Result<Self, StoreError> {
        let Some(name) = &model.production else {
            return Ok(Self { model, production: None, since: None, by: String::new(), trend });
        };
        let production = txn.version(&model.id, name)?;
        let reign = txn.reigns(&model.id, 1)?.into_iter().next();
        let began = match &reign {
            Some(reign) => txn.model_history(&model.id, reign.revision.saturating_add(1), 1)?.into_iter().next(),
            None => None,
        };
        let by = began.map(|entry| entry.by).unwrap_or_default();
        Ok(Self { production, since: reign.map(|reign| reign.since), by, trend, model })
    }

    /// The score of what is in production.
    pub fn score(&self) -> Option<f64> {
        self.production.as_ref()?.score
    }

    /// Its annual Sharpe ratio.
    pub fn sharpe(&self) -> Option<f64> {
        self.production.as_ref()?.sharpe
    }

    /// Versions that are fit for production.
    pub fn candidates(&self) -> u32 {
        self.model.count(ModelStatus::Candidate)
    }

    /// Versions that watch.
    pub fn shadows(&self) -> u32 {
        self.model.count(ModelStatus::Shadow)
    }
}
