use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::domain::model::EvaluationKind;

/// The most trades, values or predictions of one evaluation.
pub const MOST_ITEMS: usize = 1_000_000;

/// The most days of one evaluation: a hundred years.
pub const MOST_DAYS: usize = 36_500;

/// Something in an evaluation that does not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// Where: `trades.17.return`.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub why: String,
}

/// An evaluation as programs send it: returns or trades wherever there are any, so that the figures are computed here.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationInput {
    /// How the version was tried.
    #[serde(rename = "type")]
    pub kind: EvaluationKind,
    /// Returns of the capital, a day or a shorter period each. With `trades` beside them, these give the figures of the
    /// capital (Sharpe, drawdown, …) and the trades those of trades (win rate, profit factor, …).
    #[serde(default)]
    pub returns: Option<ReturnsInput>,
    /// The trades; at most 1,000,000. Without `returns`, the trades of a UTC day compound into its return.
    #[serde(default)]
    pub trades: Option<Bounded<TradeInput>>,
    /// Predictions and whether they came true, at most 1,000,000; without them, the trades that have a confidence.
    #[serde(default)]
    pub predictions: Option<Bounded<PredictionInput>>,
    /// Figures as the program knows them. Those that can be computed from the above are computed instead.
    #[serde(default)]
    pub metrics: Option<MetricsInput>,
    /// Days that the evaluation covers, where neither returns nor trades say it.
    #[serde(default)]
    pub period_days: Option<f64>,
}

/// Returns of the capital: days (`first_day`), or equal shorter periods (`start` and `period_seconds`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnsInput {
    /// The UTC day of the first value, where each value is one day's: `2026-01-01`.
    #[serde(default)]
    pub first_day: Option<String>,
    /// When the first period begins (RFC 3339), where periods are shorter than a day. A period belongs to the UTC day
    /// that it begins on.
    #[serde(default)]
    pub start: Option<String>,
    /// Seconds of a period; must divide a day.
    #[serde(default)]
    pub period_seconds: Option<u32>,
    /// The returns as shares of the capital (0.01 is one per cent), without holes: -1 to 10 each, at most 1,000,000.
    pub values: Bounded<f64>,
}

/// One closed trade. A line of the trade log fits as it is: what nothing is computed from is passed over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TradeInput {
    /// When it was closed: RFC 3339 (UTC where no zone is given), or microseconds since the epoch.
    #[serde(alias = "timestamp")]
    pub closed_at: Closed,
    /// What it brought, as a share of the capital, after costs: -1 to 10.
    #[serde(default, rename = "return")]
    pub gain: Option<f64>,
    /// The same in per cent, instead of `return`.
    #[serde(default)]
    pub pnl_percent: Option<f64>,
    /// How sure the model was, 0 to 1.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// Passed over.
    #[serde(default)]
    pub symbol: Passed,
    /// Passed over.
    #[serde(default)]
    pub side: Passed,
    /// Passed over.
    #[serde(default)]
    pub duration_seconds: Passed,
    /// Passed over.
    #[serde(default)]
    pub entry_price: Passed,
    /// Passed over.
    #[serde(default)]
    pub exit_price: Passed,
    /// Passed over.
    #[serde(default)]
    pub model_id: Passed,
    /// Passed over.
    #[serde(default)]
    pub model: Passed,
    /// Passed over: the return says it.
    #[serde(default)]
    pub outcome_label: Passed,
    /// Passed over.
    #[serde(default)]
    pub strategy_id: Passed,
    /// Passed over.
    #[serde(default)]
    pub position_size: Passed,
    /// Passed over.
    #[serde(default)]
    pub quantity: Passed,
    /// Passed over.
    #[serde(default)]
    pub exit_reason: Passed,
    /// Passed over.
    #[serde(default)]
    pub reason: Passed,
    /// Passed over.
    #[serde(default)]
    pub fee_usd: Passed,
    /// Passed over.
    #[serde(default)]
    pub exit_order_id: Passed,
    /// Passed over.
    #[serde(default)]
    pub source: Passed,
}

/// A prediction, and whether it came true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictionInput {
    /// How sure the model was, 0 to 1.
    pub confidence: f64,
    /// Whether it was right.
    pub came_true: bool,
}

/// Figures as a program reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsInput {
    /// How many trades.
    #[serde(default)]
    pub total_trades: Option<u64>,
    /// Share of trades that won, 0 to 1.
    #[serde(default)]
    pub win_rate: Option<f64>,
    /// What was won over what was lost.
    #[serde(default)]
    pub profit_factor: Option<f64>,
    /// Annual.
    #[serde(default)]
    pub sharpe_ratio: Option<f64>,
    /// Annual.
    #[serde(default)]
    pub sortino_ratio: Option<f64>,
    /// Annual return over the largest drawdown.
    #[serde(default)]
    pub calmar_ratio: Option<f64>,
    /// The largest loss from a peak, as a share of it, 0 to 1.
    #[serde(default)]
    pub max_drawdown: Option<f64>,
    /// Mean return of the trades that won.
    #[serde(default)]
    pub avg_win: Option<f64>,
    /// Mean return of the trades that lost; negative.
    #[serde(default)]
    pub avg_loss: Option<f64>,
    /// The return over the whole time, as a share of the capital.
    #[serde(default)]
    pub total_pnl: Option<f64>,
    /// Total return over the largest drawdown.
    #[serde(default)]
    pub risk_adjusted_return: Option<f64>,
}

/// An instant as the writers of trades write it, in microseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closed(pub i64);

impl<'de> Deserialize<'de> for Closed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Instant;
        impl Visitor<'_> for Instant {
            type Value = Closed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("RFC 3339 such as 2026-01-17T03:46:06Z, or microseconds since the epoch")
            }

            fn visit_u64<E: Error>(self, micros: u64) -> Result<Closed, E> {
                i64::try_from(micros).map(Closed).map_err(|_| E::custom("not microseconds since the epoch"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Closed, E> {
                super::daily::instant(text)
                    .map(Closed)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Instant)
    }
}

impl JsonSchema for Closed {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Closed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

/// Something that is taken and not kept: a million of them cost nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for Passed {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Passed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean", "null"] })
    }
}

/// A list of at most [`MOST_ITEMS`]: what is longer is refused while it is read, before it takes memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounded<T>(pub Vec<T>);

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Bounded<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bounded<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    if list.len() == MOST_ITEMS {
                        return Err(A::Error::custom("more than 1,000,000: send daily `returns` instead"));
                    }
                    list.push(item);
                }
                Ok(Bounded(list))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Bounded<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "items": items, "maxItems": MOST_ITEMS })
    }
}
