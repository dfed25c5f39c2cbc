use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::model::{Digest, EvaluationKind, ModelId, ModelStatus, ModelType, VersionName};
use crate::domain::time::Micros;

/// What the files of a model say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// Its id, as it was.
    pub model_id: ModelId,
    /// Its versions.
    pub versions: Vec<VersionRecord>,
    /// Their evaluations.
    pub evaluations: Vec<EvaluationRecord>,
}

/// The file that something was read from: by this it is known again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its path below the registry's directory.
    #[schemars(length(min = 1, max = 400))]
    pub path: String,
    /// Its content's digest.
    pub sha256: Digest,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionRecord {
    /// Its file.
    pub source: Source,
    /// Its name, as it was.
    pub version: VersionName,
    /// What kind of program.
    pub model_type: ModelType,
    /// Where it stood.
    pub status: ModelStatus,
    /// When it was made.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub created_at: Option<Micros>,
    /// When it last went into production.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub promoted_at: Option<Micros>,
    /// When it last left production.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub retired_at: Option<Micros>,
    /// The version that it was made from.
    #[serde(default)]
    pub parent: Option<VersionName>,
    /// The job that made it.
    #[serde(default)]
    pub job: Option<JobRecord>,
    /// The regime that it is for.
    #[serde(default)]
    pub regime: Option<String>,
    /// Its data begins here.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub data_from: Option<Micros>,
    /// Its data ends here.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub data_until: Option<Micros>,
    /// Features that it reads.
    #[serde(default)]
    pub feature_count: Option<u32>,
    /// Its parameters, each as JSON.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Figures of its training.
    #[serde(default)]
    pub train_metrics: BTreeMap<String, f64>,
    /// Figures of its validation.
    #[serde(default)]
    pub validation_metrics: BTreeMap<String, f64>,
    /// Its file, where it had one.
    #[serde(default)]
    pub artifact: Option<ArtifactRecord>,
}

/// A version's file: what the registry says of it, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactRecord {
    /// The path, as it was.
    pub path: String,
    /// Its bytes, as they were.
    #[serde(default)]
    pub size: Option<u64>,
    /// Its digest, as it was.
    #[serde(default)]
    pub sha256: Option<Digest>,
    /// What was found.
    pub found: Found,
    /// Where it was found, by its whole path.
    #[serde(default)]
    pub at: Option<String>,
}

/// What was found of a version's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It is there, and will be sent.
    There,
    /// It is there, with nothing in it.
    Empty,
    /// It is not there, or is not what it was.
    Gone,
}

/// A training job, as far as it tells of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    /// Its id.
    pub id: String,
    /// Why it was started: `periodic`, `drift_detected`, ….
    #[serde(default)]
    pub trigger_reason: Option<String>,
    /// Who started it.
    #[serde(default)]
    pub triggered_by: Option<String>,
    /// When that was.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub triggered_at: Option<Micros>,
    /// When it began.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub started_at: Option<Micros>,
    /// When it ended.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub completed_at: Option<Micros>,
    /// How it stood: `completed`, `failed`, ….
    #[serde(default)]
    pub status: Option<String>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<String>,
    /// The symbol that it was for.
    #[serde(default)]
    pub symbol: Option<String>,
    /// Its timeframe.
    #[serde(default)]
    pub timeframe: Option<String>,
    /// The regime that it was for.
    #[serde(default)]
    pub regime: Option<String>,
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationRecord {
    /// Its file.
    pub source: Source,
    /// Its id, as it was.
    pub id: String,
    /// The version.
    pub version: VersionName,
    /// How it was tried.
    pub kind: EvaluationKind,
    /// When.
    #[serde(default, with = "instant")]
    #[schemars(with = "Option<Micros>")]
    pub at: Option<Micros>,
    /// Days that it covers.
    #[serde(default)]
    pub period_days: f64,
    /// What it says. None of it was computed here.
    pub figures: ReportedFigures,
    /// Whether the predecessor let it pass, by rules of its own.
    #[serde(default)]
    pub passed: Option<bool>,
}

/// The figures of an evaluation, where they are known and can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportedFigures {
    /// How many trades.
    pub total_trades: Option<f64>,
    /// 0 to 1.
    pub win_rate: Option<f64>,
    /// What was won, over what was lost.
    pub profit_factor: Option<f64>,
    /// Annual.
    pub sharpe_ratio: Option<f64>,
    /// Annual.
    pub sortino_ratio: Option<f64>,
    /// Annual return over the largest drawdown.
    pub calmar_ratio: Option<f64>,
    /// 0 to 1.
    pub max_drawdown: Option<f64>,
    /// Of the trades that won, their mean return.
    pub avg_win: Option<f64>,
    /// Of the trades that lost, their mean return.
    pub avg_loss: Option<f64>,
    /// The return over the whole time.
    pub total_pnl: Option<f64>,
    /// Total return over the largest drawdown.
    pub risk_adjusted_return: Option<f64>,
}

impl ReportedFigures {
    /// A figure that cannot be what it says: a drawdown of -0.3 would pass a gate that asks for at most 0.15.
    pub fn misfit(&self) -> Option<&'static str> {
        let share = |figure: Option<f64>| figure.is_some_and(|figure| !(0.0..=1.0).contains(&figure));
        let negative = |figure: Option<f64>| figure.is_some_and(|figure| figure < 0.0);
        [
            ("win_rate", share(self.win_rate)),
            ("max_drawdown", share(self.max_drawdown)),
            ("total_trades", negative(self.total_trades)),
            ("profit_factor", negative(self.profit_factor)),
        ]
        .into_iter()
        .find_map(|(name, misfits)| misfits.then_some(name))
    }
}

/// RFC 3339 with microseconds, which the order of a retirement and the promotion behind it hangs on.
mod instant {
    use chrono::{DateTime, SecondsFormat};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::Micros;

    pub(super) fn serialize<S: Serializer>(at: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(|at| at.datetime().to_rfc3339_opts(SecondsFormat::Micros, true)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Micros>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Ok(DateTime::parse_from_rfc3339(&text).map_err(de::Error::custom)?.to_utc().into())).transpose()
    }
}
