use std::collections::BTreeMap;

use super::models::waiting;
use crate::domain::model::{EvaluationId, HistoryEntry, Model, ModelId, Stage, Term, Version, VersionName, terms};
use crate::domain::time::Micros;
use crate::store::{Approval, ReadTxn, Store, StoreError};

/// Terms of production that the page shows.
const TERMS: usize = 20;

/// Versions of a page, and of its chart.
const VERSIONS: usize = 50;

/// Entries of the history of a page.
const ENTRIES: usize = 20;

/// Evaluations that are looked at for the drawdowns of the newest versions.
const EVALUATIONS: usize = 500;

/// What the page is asked for besides the model.
#[derive(Clone, Debug, Default)]
pub struct ModelQuery {
    /// What was in production at this instant.
    pub at: Option<Micros>,
    /// Whether deleted versions are listed in place of the others.
    pub deleted: bool,
    /// The version behind which older ones are listed.
    pub versions_after: Option<VersionName>,
    /// The number below which history is listed.
    pub history_before: Option<u64>,
    /// Whether the chart is of drawdowns, which only evaluations know.
    pub drawdowns: bool,
}

/// One model.
#[derive(Clone, Debug)]
pub struct ModelView {
    /// The model.
    pub model: Model,
    /// What of it is in production.
    pub production: Option<Version>,
    /// What was in production when, oldest first.
    pub terms: Vec<Term>,
    /// Whether there were terms before these.
    pub more_terms: bool,
    /// Where there is something to go back to.
    pub can_roll_back: bool,
    /// What was in production at the instant that was asked for.
    pub as_of: Option<Term>,
    /// The newest versions that are not deleted, oldest first, for the chart.
    pub newest: Vec<Version>,
    /// The largest drawdown of the newest evaluation of each out of sample, where it was asked for.
    pub drawdowns: BTreeMap<VersionName, f64>,
    /// Versions of the list, newest first.
    pub versions: Vec<Version>,
    /// Where older ones go on.
    pub versions_next: Option<VersionName>,
    /// How many are deleted.
    pub deleted: usize,
    /// What happened, newest first.
    pub history: Vec<HistoryEntry>,
    /// Where earlier entries go on.
    pub history_next: Option<u64>,
    /// What waits for a second person.
    pub approvals: Vec<Approval>,
}

impl ModelView {
    /// Looks it up.
    pub fn find(store: &Store, id: &ModelId, query: &ModelQuery, now: Micros) -> Result<Option<Self>, StoreError> {
        let mut all = store.versions_of(id)?;
        all.sort_by(|one, other| (other.created_at, &other.name).cmp(&(one.created_at, &one.name)));
        let (deleted, living): (Vec<Version>, Vec<Version>) =
            all.into_iter().partition(|version| version.deleted.is_some());
        store.read(|txn| {
            let Some(model) = txn.model(id)? else { return Ok(None) };
            let (terms, more_terms) = newest_terms(txn, id)?;
            let as_of = match query.at {
                Some(at) => term_at(txn, id, at)?,
                None => None,
            };
            let mut history = txn.model_history(id, query.history_before.unwrap_or(u64::MAX), ENTRIES + 1)?;
            let history_next = (history.len() > ENTRIES).then(|| history[ENTRIES - 1].revision);
            history.truncate(ENTRIES);
            let production = match &model.production {
                Some(name) => txn.version(id, name)?,
                None => None,
            };
            let is_back = |version: &Version| {
                version.stage == Stage::Deployed && model.production.as_ref() != Some(&version.name)
            };
            let newest: Vec<Version> = living.iter().take(VERSIONS).rev().cloned().collect();
            let (can_roll_back, deleted_count) = (living.iter().any(is_back), deleted.len());
            let listed = if query.deleted { deleted } else { living };
            let place = |after: &VersionName| listed.iter().position(|version| version.name == *after);
            let skipped = query.versions_after.as_ref().and_then(place).map_or(0, |place| place + 1);
            let mut versions: Vec<Version> = listed.into_iter().skip(skipped).take(VERSIONS + 1).collect();
            let versions_next = (versions.len() > VERSIONS).then(|| versions[VERSIONS - 1].name.clone());
            versions.truncate(VERSIONS);
            let drawdowns = if query.drawdowns { drawdowns(txn, id)? } else { BTreeMap::new() };
            Ok(Some(Self {
                production,
                terms,
                more_terms,
                can_roll_back,
                as_of,
                newest,
                drawdowns,
                versions,
                versions_next,
                deleted: deleted_count,
                history,
                history_next,
                approvals: waiting(txn, Some(id), now)?,
                model,
            }))
        })
    }

    /// The term that lasts.
    pub fn current_term(&self) -> Option<&Term> {
        self.terms.last().filter(|term| term.until.is_none())
    }
}

/// The last terms, oldest first, and whether there were more.
fn newest_terms(txn: &ReadTxn, id: &ModelId) -> Result<(Vec<Term>, bool), StoreError> {
    let mut reigns = txn.reigns(id, TERMS + 1)?;
    let more = reigns.len() > TERMS;
    reigns.truncate(TERMS);
    let mut entries = Vec::with_capacity(reigns.len());
    for reign in reigns.iter().rev() {
        entries.extend(entry(txn, id, reign.revision)?);
    }
    Ok((terms(&entries), more))
}

fn entry(txn: &ReadTxn, id: &ModelId, revision: u64) -> Result<Option<HistoryEntry>, StoreError> {
    Ok(txn.model_history(id, revision.saturating_add(1), 1)?.into_iter().next())
}

/// The term of an instant; when it ended is not looked up.
fn term_at(txn: &ReadTxn, id: &ModelId, at: Micros) -> Result<Option<Term>, StoreError> {
    let Some(reign) = txn.production_at(id, at)? else { return Ok(None) };
    Ok(entry(txn, id, reign.revision)?.and_then(|entry| terms([&entry]).pop()))
}

fn drawdowns(txn: &ReadTxn, id: &ModelId) -> Result<BTreeMap<VersionName, f64>, StoreError> {
    let (mut found, mut left) = (BTreeMap::new(), EVALUATIONS);
    txn.walk_evaluations(id, EvaluationId(u64::MAX), |evaluation| {
        left -= 1;
        // Of the same evaluation as the version's score and Sharpe ratio.
        if let Some(figure) = evaluation.figures.plain.max_drawdown.filter(|_| evaluation.kind.is_out_of_sample()) {
            found.entry(evaluation.version).or_insert(figure.value);
        }
        Ok(left > 0)
    })?;
    Ok(found)
}
