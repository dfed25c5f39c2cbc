use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::VersionAnswer;
use super::evaluation::{IntervalAnswer, share_interval, sharpe_interval};
use crate::app::registry::{Compared, Registry, RegistryError};
use crate::domain::model::{BadName, Evaluation, Figure, FigureOrigin, ModelId, PlainFigures, VersionName};
use crate::domain::time::Micros;

/// A version by both its names: `xgboost_btcusdt_1h/v20260117_034606`. Neither has a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionPair {
    /// The model's id.
    pub model: ModelId,
    /// The version's name.
    pub version: VersionName,
}

/// A text that does not name a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPair {
    /// Not two names.
    #[error("use MODEL/VERSION")]
    Slash,
    /// One that cannot be one.
    #[error(transparent)]
    Name(#[from] BadName),
}

impl FromStr for VersionPair {
    type Err = BadPair;

    fn from_str(text: &str) -> Result<Self, BadPair> {
        let (model, version) = text.split_once('/').ok_or(BadPair::Slash)?;
        Ok(Self { model: model.parse()?, version: version.parse()? })
    }
}

impl fmt::Display for VersionPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.model, self.version)
    }
}

/// What a row of a comparison is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowKind {
    /// How a version was made.
    Parameter,
    /// What its newest evaluation found.
    Metric,
    /// Where it comes from.
    Provenance,
    /// What people want to find it by.
    Tag,
}

impl RowKind {
    /// As API and commands write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parameter => "parameter",
            Self::Metric => "metric",
            Self::Provenance => "provenance",
            Self::Tag => "tag",
        }
    }
}

/// One version's value in a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellAnswer {
    /// The value; null where it has none.
    pub value: Value,
    /// The range that the true value lies in with a confidence of 95 %, where that can be computed.
    pub interval: Option<IntervalAnswer>,
    /// Of a figure, whether it is computed here or merely reported.
    pub origin: Option<FigureOrigin>,
}

impl CellAnswer {
    fn plain(value: Value) -> Self {
        Self { value, ..Self::default() }
    }
}

/// One thing that versions are compared by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowAnswer {
    /// What it is about.
    pub kind: RowKind,
    /// Its name.
    pub name: String,
    /// Whether the versions differ in it.
    pub differs: bool,
    /// A value a version, in the order of the versions.
    pub values: Vec<CellAnswer>,
}

/// Two to four versions side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompareAnswer {
    /// The versions, in the order in which they were asked for.
    pub versions: Vec<VersionAnswer>,
    /// What they are compared by: first what they differ in, parameters before metrics before the rest.
    pub rows: Vec<RowAnswer>,
}

impl CompareAnswer {
    /// Looks them up.
    pub fn find(registry: &Registry, asked: &[VersionPair], now: Micros) -> Result<Self, RegistryError> {
        let asked: Vec<_> = asked.iter().map(|pair| (pair.model.clone(), pair.version.clone())).collect();
        let compared = registry.compare(&asked, now)?.versions.into_iter().map(|compared| {
            let Compared { detail, out_of_sample, shadow } = compared;
            let version = VersionAnswer::of(&detail.model.name, detail.status, &detail.version);
            (version, out_of_sample.or(shadow))
        });
        Ok(Self::of(compared.collect()))
    }

    /// Versions, each with the evaluation that its figures are of.
    fn of(versions: Vec<(VersionAnswer, Option<Evaluation>)>) -> Self {
        let columns: Vec<_> =
            versions.iter().map(|(version, evaluation)| column(version, evaluation.as_ref())).collect();
        let names: BTreeSet<_> = columns.iter().flat_map(BTreeMap::keys).cloned().collect();
        let mut rows: Vec<_> = names
            .into_iter()
            .map(|key| {
                let values: Vec<_> =
                    columns.iter().map(|column| column.get(&key).cloned().unwrap_or_default()).collect();
                let differs = values.windows(2).any(|pair| pair[0].value != pair[1].value);
                RowAnswer { kind: key.0, name: key.2, differs, values }
            })
            // What none of them has tells nothing.
            .filter(|row| row.values.iter().any(|cell| !cell.value.is_null()))
            .collect();
        // What it was by kind and name stays so within both halves.
        rows.sort_by_key(|row| !row.differs);
        Self { versions: versions.into_iter().map(|(version, _)| version).collect(), rows }
    }
}

/// By kind, then as they are listed there, then by name.
type Column = BTreeMap<(RowKind, usize, String), CellAnswer>;

fn column(version: &VersionAnswer, evaluation: Option<&Evaluation>) -> Column {
    let mut column = Column::new();
    let mut put = |kind, place, name: &str, cell| column.insert((kind, place, name.to_owned()), cell);
    for (name, value) in &version.parameters {
        put(RowKind::Parameter, 0, name, CellAnswer::plain(value.clone()));
    }
    for (name, value) in &version.tags {
        put(RowKind::Tag, 0, name, CellAnswer::plain(json!(value)));
    }
    let window = version.data;
    let provenance = [
        ("job", json!(version.job)),
        ("imported_from", json!(version.imported_from)),
        ("parent", json!(version.parent)),
        ("data_from", json!(window.map(|window| window.from.rfc3339()))),
        ("data_until", json!(window.map(|window| window.until.rfc3339()))),
        ("feature_count", json!(version.feature_count)),
        ("code_revision", json!(version.code_revision)),
        ("artifact_size", json!(version.artifacts.as_ref().map(|artifacts| artifacts.size))),
    ];
    for (place, (name, value)) in provenance.into_iter().enumerate() {
        put(RowKind::Provenance, place, name, CellAnswer::plain(value));
    }
    put(RowKind::Metric, 0, "score", CellAnswer::plain(json!(version.score)));
    for (place, (name, cell)) in metrics(evaluation).into_iter().enumerate() {
        put(RowKind::Metric, place + 1, name, cell);
    }
    column
}

fn metrics(evaluation: Option<&Evaluation>) -> Vec<(&'static str, CellAnswer)> {
    let Some(Evaluation { kind, period_days, figures, .. }) = evaluation else { return Vec::new() };
    let PlainFigures {
        total_trades,
        win_rate,
        profit_factor,
        sharpe_ratio,
        sortino_ratio,
        calmar_ratio,
        max_drawdown,
        avg_win,
        avg_loss,
        total_pnl,
        risk_adjusted_return,
    } = figures.plain;
    let figure = |figure: Option<Figure>, interval| CellAnswer {
        value: json!(figure.map(|figure| figure.value)),
        interval,
        origin: figure.map(|figure| figure.origin),
    };
    let computed = |value: Option<f64>| CellAnswer {
        value: json!(value),
        interval: None,
        origin: value.map(|_| FigureOrigin::Computed),
    };
    vec![
        ("evaluation", CellAnswer::plain(json!(kind))),
        ("period_days", CellAnswer::plain(json!(period_days))),
        ("sharpe_ratio", figure(sharpe_ratio, sharpe_interval(figures))),
        ("sharpe_lo", computed(figures.sharpe_lo)),
        ("psr", computed(figures.psr)),
        ("win_rate", figure(win_rate, share_interval(win_rate, total_trades))),
        ("profit_factor", figure(profit_factor, None)),
        ("max_drawdown", figure(max_drawdown, None)),
        ("total_trades", figure(total_trades, None)),
        ("sortino_ratio", figure(sortino_ratio, None)),
        ("calmar_ratio", figure(calmar_ratio, None)),
        ("avg_win", figure(avg_win, None)),
        ("avg_loss", figure(avg_loss, None)),
        ("total_pnl", figure(total_pnl, None)),
        ("risk_adjusted_return", figure(risk_adjusted_return, None)),
    ]
}
