//! What records become here.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::field::cut_to;
use super::past::Life;
use super::record::{ArtifactRecord, Found, JobRecord, ModelRecord, ReportedFigures, VersionRecord};
use crate::domain::model::{
    ArtifactFile, ArtifactPath, ArtifactState, Artifacts, DataWindow, Digest, Figure, FigureOrigin, Keeping, ModelId,
    ModelName, ModelStatus, Origin, PlainFigures, Provenance, Stage, Version,
};

/// The longest tag.
const TAG_BYTES: usize = 256;

/// What stands for a timeframe where neither the id nor a job tells it.
const NO_TIMEFRAME: &str = "unknown";

/// What a model is about: as its id says in any case of letters, or else as its versions and their jobs do.
pub fn about(model: &ModelRecord) -> ModelName {
    let lower = model.model_id.as_str().to_ascii_lowercase();
    if let Ok(name) = lower.parse::<ModelId>().and_then(|id| ModelName::of(&id)) {
        return name;
    }
    let jobs = || model.versions.iter().filter_map(|version| version.job.as_ref());
    let symbol = jobs().find_map(|job| job.symbol.as_deref());
    let timeframe = jobs().find_map(|job| job.timeframe.as_deref()).unwrap_or(NO_TIMEFRAME);
    let model_type =
        model.versions.first().map_or(crate::domain::model::ModelType::Other, |version| version.model_type);
    ModelName::new(model_type, symbol, timeframe, None).unwrap_or_else(|_| ModelName {
        model_type,
        symbol: None,
        timeframe: NO_TIMEFRAME.to_owned(),
        regime: None,
    })
}

/// The version that a record becomes.
pub fn version_of(model: &ModelId, record: &VersionRecord, life: &Life) -> Version {
    let data = record.data_from.zip(record.data_until).map(|(from, until)| DataWindow { from, until });
    Version {
        model: model.clone(),
        name: record.version.clone(),
        stage: stage(record.status),
        created_at: life.made,
        promoted_at: life.promoted,
        retired_at: life.retired,
        succeeded: life.succeeded.clone(),
        parent: record.parent.clone(),
        provenance: Provenance {
            origin: Origin::Import(format!("clm3 {}", record.source.path)),
            data,
            parameters: record.parameters.clone(),
            feature_count: record.feature_count,
            code_revision: None,
        },
        artifacts: record.artifact.as_ref().and_then(artifacts),
        train_metrics: record.train_metrics.clone(),
        validation_metrics: record.validation_metrics.clone(),
        tags: tags(record),
        score: None,
        sharpe: None,
        forced: Vec::new(),
        deleted: None,
    }
}

fn stage(status: ModelStatus) -> Stage {
    match status {
        ModelStatus::Training => Stage::Training,
        ModelStatus::Shadow => Stage::Shadow,
        ModelStatus::Candidate => Stage::Candidate,
        ModelStatus::Production | ModelStatus::Retired => Stage::Deployed,
        ModelStatus::Failed => Stage::Failed,
    }
}

/// What is known of its file before it is sent. An empty one is registered where it is: there is nothing to take in.
fn artifacts(artifact: &ArtifactRecord) -> Option<Artifacts> {
    match artifact.found {
        Found::There => None,
        Found::Gone => Some(Artifacts { state: ArtifactState::Gone, ..Artifacts::kept() }),
        Found::Empty => {
            let at = artifact.at.as_ref().unwrap_or(&artifact.path);
            let directory = at.rsplit_once('/').map_or("", |(directory, _)| directory);
            let file = ArtifactFile { path: artifact_path(at)?, size: 0, sha256: Digest(Sha256::digest(b"").into()) };
            let keeping = Keeping::InPlace(directory.to_owned());
            Some(Artifacts { keeping, state: ArtifactState::Empty, files: vec![file] })
        }
    }
}

/// The path that a file of the predecessor has within its version: its own name.
pub fn artifact_path(path: &str) -> Option<ArtifactPath> {
    path.rsplit('/').next().unwrap_or(path).parse().ok()
}

/// What its job tells of it, and what has no field here.
fn tags(record: &VersionRecord) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let mut tag = |name: &str, value: Option<String>| {
        let clean = |value: String| {
            let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            cut_to(value.trim(), TAG_BYTES)
        };
        if let Some(value) = value.map(clean).filter(|value| !value.is_empty()) {
            tags.insert(name.to_owned(), value);
        }
    };
    let job = || record.job.as_ref();
    tag("regime", record.regime.clone().or_else(|| job()?.regime.clone()));
    tag("clm3.artifact", record.artifact.as_ref().map(|artifact| artifact.path.clone()));
    if let Some(job) = job().cloned() {
        let JobRecord { id, trigger_reason, triggered_by, triggered_at, started_at, completed_at, error, .. } = job;
        tag("job", Some(id));
        tag("job.trigger", trigger_reason);
        tag("job.triggered_by", triggered_by);
        tag("job.triggered_at", triggered_at.map(|at| at.rfc3339()));
        tag("job.started_at", started_at.map(|at| at.rfc3339()));
        tag("job.completed_at", completed_at.map(|at| at.rfc3339()));
        tag("job.error", error);
    }
    tags
}

/// Figures that nobody computed here.
pub fn figures_of(reported: &ReportedFigures) -> PlainFigures {
    let figure = |value: Option<f64>| value.map(|value| Figure { value, origin: FigureOrigin::Reported });
    PlainFigures {
        total_trades: figure(reported.total_trades),
        win_rate: figure(reported.win_rate),
        profit_factor: figure(reported.profit_factor),
        sharpe_ratio: figure(reported.sharpe_ratio),
        sortino_ratio: figure(reported.sortino_ratio),
        calmar_ratio: figure(reported.calmar_ratio),
        max_drawdown: figure(reported.max_drawdown),
        avg_win: figure(reported.avg_win),
        avg_loss: figure(reported.avg_loss),
        total_pnl: figure(reported.total_pnl),
        risk_adjusted_return: figure(reported.risk_adjusted_return),
    }
}
