//! What is known of models and versions, from one snapshot each.

use std::collections::BTreeMap;

use super::query::{HistoryQuery, ModelQuery, ModelSort, Page, VersionQuery, read_place, written_place};
use super::roll_back::way_back;
use super::{Registry, RegistryError};
use crate::app::answers::QueryError;
use crate::app::answers::query::{MAX_LIMIT, limit};
use crate::domain::gates::Verdict;
use crate::domain::model::{
    Evaluation, EvaluationId, HistoryEntry, Importances, Model, ModelId, ModelName, ModelStatus, Version, VersionName,
};
use crate::domain::performance::Series;
use crate::domain::time::Micros;
use crate::store::{Approval, Place, ReadTxn, Reign, StoreError, StoredVerdicts};

/// Scores of a trend at most.
const TREND: usize = 20;

/// A model in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRow {
    /// The model, with the counts of its versions.
    pub model: Model,
    /// What is in production.
    pub production: Option<Version>,
    /// The scores of its newest evaluated versions, oldest first, at most 20.
    pub trend: Vec<f64>,
}

/// A model by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelDetail {
    /// The model, with the counts of its versions.
    pub model: Model,
    /// What is in production.
    pub production: Option<Version>,
    /// Where a rollback to "the one before" leads.
    pub before: Option<VersionName>,
    /// What was in production since when, the newest first, at most 1,000.
    pub reigns: Vec<Reign>,
    /// What waits for a second person.
    pub approvals: Vec<Approval>,
}

/// A version in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionRow {
    /// What its model is about.
    pub name: ModelName,
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: ModelStatus,
}

/// A version by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionDetail {
    /// Its model.
    pub model: Model,
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: ModelStatus,
    /// What the gates said when it was last evaluated.
    pub verdicts: Option<StoredVerdicts>,
    /// How much each feature counts, where its training said it.
    pub importances: Option<Importances>,
    /// Its promotion, where that waits for a second person.
    pub approval: Option<Approval>,
    /// Whether a rollback to "the one before" leads to it.
    pub is_before: bool,
}

/// What was in production of a model at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reigning {
    /// The model.
    pub model: ModelId,
    /// What, and since when; nothing where nothing was.
    pub reign: Option<Reign>,
}

/// How many there are of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Models.
    pub models: u64,
    /// Versions that are not deleted.
    pub versions: u64,
    /// Of these, those of each status that any has.
    pub statuses: BTreeMap<ModelStatus, u64>,
    /// Evaluations.
    pub evaluations: u64,
}

impl Registry {
    /// How many there are of everything.
    pub fn counts(&self) -> Result<Counts, RegistryError> {
        let mut counts = Counts::default();
        for model in self.store.models()? {
            counts.models += 1;
            counts.evaluations += model.evaluations;
            for status in ModelStatus::ALL {
                let of_it = u64::from(model.count(status));
                if of_it > 0 {
                    *counts.statuses.entry(status).or_default() += of_it;
                    counts.versions += of_it;
                }
            }
        }
        Ok(counts)
    }

    /// A page of models.
    pub fn models(&self, query: &ModelQuery) -> Result<Page<ModelRow>, QueryError> {
        let limit = limit(query.limit, MAX_LIMIT)?;
        let from = match &query.cursor {
            None => 0,
            Some(cursor) => cursor.parse::<usize>().map_err(|_| QueryError::cursor())?,
        };
        Ok(self.store.read(|txn| {
            let mut rows = Vec::new();
            let models = txn.models()?.into_iter().filter(|model| query.fits(model));
            for model in models {
                let production = txn.in_production(&model)?;
                rows.push(ModelRow { model, production, trend: Vec::new() });
            }
            let score = |row: &ModelRow| row.production.as_ref().and_then(|version| version.score).unwrap_or(-1.0);
            match query.sort.unwrap_or_default() {
                ModelSort::Id => {}
                ModelSort::Changed => rows.sort_by_key(|row| std::cmp::Reverse(row.model.changed_at)),
                ModelSort::Score => rows.sort_by(|a, b| score(b).total_cmp(&score(a))),
            }
            let next = from.saturating_add(limit);
            let next = (next < rows.len()).then(|| next.to_string());
            let mut rows: Vec<ModelRow> = rows.into_iter().skip(from).take(limit).collect();
            trends(txn, &mut rows)?;
            Ok(Page { rows, next })
        })?)
    }

    /// One model.
    pub fn model(&self, id: &ModelId, now: Micros) -> Result<ModelDetail, RegistryError> {
        let found = self.store.read(|txn| {
            let Some(model) = txn.model(id)? else { return Ok(None) };
            let production = txn.in_production(&model)?;
            let before = txn.before(&model)?;
            let approvals = txn.approvals(Some(id))?.into_iter().filter(|approval| approval.expires_at > now).collect();
            Ok(Some(ModelDetail { production, before, reigns: txn.reigns(id, MAX_LIMIT)?, approvals, model }))
        })?;
        found.ok_or_else(|| RegistryError::NoModel(id.clone()))
    }

    /// A page of versions, the newest first.
    pub fn versions(&self, query: &VersionQuery) -> Result<Page<VersionRow>, QueryError> {
        let limit = limit(query.limit, MAX_LIMIT)?;
        let after = query.cursor.as_deref().map(read_place).transpose()?;
        if query.min_sharpe.is_some_and(|least| !least.is_finite()) {
            return Err(QueryError::Bad { field: "min_sharpe", why: "is not a finite number".into() });
        }
        Ok(self.store.read(|txn| {
            let models: BTreeMap<ModelId, Model> = match &query.model {
                Some(id) => txn.model(id)?.into_iter().map(|model| (model.id.clone(), model)).collect(),
                None => txn.models()?.into_iter().map(|model| (model.id.clone(), model)).collect(),
            };
            let by_id: std::collections::HashMap<&str, &Model> =
                models.values().map(|model| (model.id.as_str(), model)).collect();
            let mut places: Vec<Place> = Vec::new();
            let mut more = false;
            let window = (query.since, query.until);
            txn.walk_versions(query.model.as_ref(), window, after.as_ref(), |at, of, name, line| {
                let Some(model) = by_id.get(of) else { return Ok(true) };
                if query.fits(model, name, &line) {
                    if places.len() == limit {
                        more = true;
                        return Ok(false);
                    }
                    let damaged = |error: crate::domain::model::BadName| StoreError::Damaged {
                        what: "list of versions",
                        why: error.to_string(),
                    };
                    places.push((at, model.id.clone(), name.parse().map_err(damaged)?));
                }
                Ok(true)
            })?;
            let mut rows = Vec::new();
            for (_, model, name) in &places {
                if let (Some(version), Some(model)) = (txn.version(model, name)?, models.get(model)) {
                    let status = model.status(&version);
                    rows.push(VersionRow { name: model.name.clone(), version, status });
                }
            }
            let next = places.last().filter(|_| more).map(written_place);
            Ok(Page { rows, next })
        })?)
    }

    /// One version, or what is left of it.
    pub fn version(&self, id: &ModelId, name: &VersionName, now: Micros) -> Result<VersionDetail, RegistryError> {
        self.store.read(|txn| {
            let Some(model) = txn.model(id)? else { return Ok(Err(RegistryError::NoModel(id.clone()))) };
            let Some(version) = txn.version(id, name)? else {
                return Ok(Err(RegistryError::NoVersion(id.clone(), name.clone())));
            };
            let approval = txn
                .approvals(Some(id))?
                .into_iter()
                .find(|approval| approval.version == *name && approval.expires_at > now);
            Ok(Ok(VersionDetail {
                status: model.status(&version),
                verdicts: txn.verdicts(id, name)?,
                importances: txn.importances(id, name)?,
                approval,
                is_before: txn.before(&model)?.as_ref() == Some(name),
                model,
                version,
            }))
        })?
    }

    /// What the gates say of a version now, for each goal.
    pub fn verdicts(&self, id: &ModelId, name: &VersionName) -> Result<Vec<Verdict>, RegistryError> {
        self.store.read(|txn| {
            let Some(model) = txn.model(id)? else { return Ok(Err(RegistryError::NoModel(id.clone()))) };
            match txn.version(id, name)? {
                Some(version) => Ok(Ok(self.judge(txn, &model, &version)?)),
                None => Ok(Err(RegistryError::NoVersion(id.clone(), name.clone()))),
            }
        })?
    }

    /// The evaluations of a version, the newest first.
    pub fn evaluations(&self, id: &ModelId, name: &VersionName) -> Result<Vec<Evaluation>, RegistryError> {
        use crate::store::Evaluations as _;
        self.store.read(|txn| {
            if txn.version(id, name)?.is_none() {
                return Ok(Err(RegistryError::NoVersion(id.clone(), name.clone())));
            }
            Ok(Ok(txn.of(id, name)?))
        })?
    }

    /// One evaluation of a version, and what it rests on.
    pub fn evaluation(
        &self,
        id: &ModelId,
        name: &VersionName,
        number: EvaluationId,
    ) -> Result<(Evaluation, Option<Series>), RegistryError> {
        let found = self.store.read(|txn| {
            let evaluation = txn.evaluation(id, number)?.filter(|evaluation| evaluation.version == *name);
            let Some(evaluation) = evaluation else { return Ok(None) };
            let series = txn.series(number)?;
            Ok(Some((evaluation, series)))
        })?;
        found.ok_or_else(|| RegistryError::NoEvaluation(id.clone(), name.clone(), number))
    }

    /// A page of a model's history, the newest first.
    pub fn history(&self, id: &ModelId, query: &HistoryQuery) -> Result<Option<Page<HistoryEntry>>, QueryError> {
        let limit = limit(query.limit, MAX_LIMIT)?;
        let before = match &query.cursor {
            None => u64::MAX,
            Some(cursor) => cursor.parse().map_err(|_| QueryError::cursor())?,
        };
        Ok(self.store.read(|txn| {
            if txn.model(id)?.is_none() {
                return Ok(None);
            }
            let mut rows = txn.model_history(id, before, limit + 1)?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more).map(|entry| entry.revision.to_string());
            Ok(Some(Page { rows, next }))
        })?)
    }

    /// What was in production at `at`: of one model, or of every one that there was then.
    pub fn production_at(&self, id: Option<&ModelId>, at: Micros) -> Result<Vec<Reigning>, RegistryError> {
        self.store.read(|txn| {
            let models = match id {
                None => txn.models()?,
                Some(id) => match txn.model(id)? {
                    None => return Ok(Err(RegistryError::NoModel(id.clone()))),
                    Some(model) => vec![model],
                },
            };
            let mut found = Vec::new();
            for model in models {
                if id.is_some() || model.created_at <= at {
                    let reign = txn.production_at(&model.id, at)?;
                    found.push(Reigning { model: model.id, reign });
                }
            }
            Ok(Ok(found))
        })?
    }
}

impl ReadTxn {
    fn in_production(&self, model: &Model) -> Result<Option<Version>, StoreError> {
        model.production.as_ref().map_or(Ok(None), |name| self.version(&model.id, name))
    }

    /// Where a rollback to "the one before" leads.
    fn before(&self, model: &Model) -> Result<Option<VersionName>, StoreError> {
        Ok(way_back(model, |name| self.version(&model.id, name))?.map(|version| version.name))
    }
}

/// Fills in the trends of a page, in one walk over the newest versions.
fn trends(txn: &ReadTxn, rows: &mut [ModelRow]) -> Result<(), StoreError> {
    let mut places: std::collections::HashMap<String, usize> =
        rows.iter().enumerate().map(|(at, row)| (row.model.id.to_string(), at)).collect();
    txn.walk_versions(None, (None, None), None, |_, of, _, line| {
        if let (Some(at), Some(score)) = (places.get(of).copied(), line.score) {
            rows[at].trend.push(score);
            if rows[at].trend.len() == TREND {
                places.remove(of);
            }
        }
        Ok(!places.is_empty())
    })?;
    rows.iter_mut().for_each(|row| row.trend.reverse());
    Ok(())
}
