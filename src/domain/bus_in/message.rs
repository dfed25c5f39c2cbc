use serde_json::{Map, Value};

use super::{Fields, MESSAGE_BYTES, Topic};
use crate::domain::instant;
use crate::domain::model::{ModelId, ModelName, ModelType};
use crate::domain::request::depth::{DEPTH, is_too_deep};
use crate::domain::time::Micros;

/// The longest text in a message, in bytes.
const TEXT_BYTES: usize = 256;

/// The most models that one message names.
const MOST_MODELS: usize = 1_000;

/// A message that cannot be read: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {why}")]
pub struct Malformed {
    /// `payload`, `payload/model_type`, `event_type`, ….
    pub at: String,
    /// In words.
    pub why: String,
}

impl Malformed {
    pub(super) fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: at.into(), why: why.into() }
    }
}

/// Which model a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its id, as the sender knows it.
    pub model: ModelId,
    /// What kind of program it is.
    pub model_type: ModelType,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// `model.drift_detected`
    DriftDetected {
        /// Of which model.
        about: About,
        /// How far it moved, in the sender's measure.
        drift_score: f64,
        /// When.
        detected_at: Micros,
    },
    /// `performance.degraded`
    PerformanceDegraded {
        /// Of which model.
        about: About,
        /// What its Sharpe ratio fell to.
        sharpe_ratio: f64,
        /// When.
        detected_at: Micros,
    },
    /// `manual.training_requested`
    TrainingRequested {
        /// What is to be trained.
        name: ModelName,
        /// By whom, in the sender's words.
        requested_by: String,
    },
    /// `market.regime_changed`
    RegimeChanged {
        /// What it was, where that was known.
        old_regime: Option<String>,
        /// What it is.
        new_regime: String,
        /// Which models that concerns: ids.
        affected_models: Vec<ModelId>,
        /// When.
        detected_at: Micros,
    },
}

impl Message {
    /// Reads a message of one of the types that ask for something. Fields that are not known are nobody's business.
    pub fn read(topic: Topic, fields: &Fields) -> Result<Self, Malformed> {
        if fields.is_too_large() {
            return Err(Malformed::new("the message", format!("it has more than {MESSAGE_BYTES} bytes")));
        }
        let said = fields.get("event_type").filter(|said| !said.is_empty() && *said != topic.as_str().as_bytes());
        if let Some(said) = said {
            let why = format!("{} came on the stream of {topic}", shown(&String::from_utf8_lossy(said)));
            return Err(Malformed::new("event_type", why));
        }
        let payload = fields.get("payload").ok_or_else(|| Malformed::new("payload", "it is missing"))?;
        let object = object("payload", payload)?;
        let payload = Payload(&object);
        match topic {
            Topic::DriftDetected => Ok(Self::DriftDetected {
                about: payload.about()?,
                drift_score: payload.number("drift_score")?,
                detected_at: payload.instant("detected_at")?,
            }),
            Topic::PerformanceDegraded => Ok(Self::PerformanceDegraded {
                about: payload.about()?,
                sharpe_ratio: payload.number("sharpe_ratio")?,
                detected_at: payload.instant("detected_at")?,
            }),
            Topic::TrainingRequested => Ok(Self::TrainingRequested {
                name: payload.name()?,
                requested_by: payload.text("requested_by")?.to_owned(),
            }),
            Topic::RegimeChanged => Ok(Self::RegimeChanged {
                old_regime: payload.optional_text("old_regime")?.map(str::to_owned),
                new_regime: payload.text("new_regime")?.to_owned(),
                affected_models: payload.models("affected_models")?,
                detected_at: payload.instant("detected_at")?,
            }),
            Topic::TradeClosed => Err(Malformed::new("event_type", "a trade asks for nothing")),
        }
    }

    /// Which of the types it is.
    pub fn topic(&self) -> Topic {
        match self {
            Self::DriftDetected { .. } => Topic::DriftDetected,
            Self::PerformanceDegraded { .. } => Topic::PerformanceDegraded,
            Self::TrainingRequested { .. } => Topic::TrainingRequested,
            Self::RegimeChanged { .. } => Topic::RegimeChanged,
        }
    }

    /// What it is about: a model, or the market.
    pub fn subject(&self) -> String {
        match self {
            Self::DriftDetected { about, .. } | Self::PerformanceDegraded { about, .. } => {
                format!("model {}", about.model)
            }
            Self::TrainingRequested { name, .. } => format!("model {}", name.id()),
            Self::RegimeChanged { .. } => "market".to_owned(),
        }
    }

    /// What it says, in words and figures.
    pub fn told(&self) -> String {
        match self {
            Self::DriftDetected { drift_score, detected_at, .. } => {
                format!("drift score {drift_score} at {}", detected_at.rfc3339())
            }
            Self::PerformanceDegraded { sharpe_ratio, detected_at, .. } => {
                format!("Sharpe ratio {sharpe_ratio} at {}", detected_at.rfc3339())
            }
            Self::TrainingRequested { requested_by, .. } => format!("asked for by {requested_by}"),
            Self::RegimeChanged { old_regime, new_regime, affected_models, detected_at } => {
                let old = old_regime.as_deref().unwrap_or("unknown");
                let named = affected_models.len();
                format!("regime {new_regime} after {old} at {}; models named: {named}", detected_at.rfc3339())
            }
        }
    }
}

/// The JSON object in a field.
pub(super) fn object(at: &str, json: &[u8]) -> Result<Map<String, Value>, Malformed> {
    if is_too_deep(json) {
        return Err(Malformed::new(at, format!("it nests deeper than {DEPTH}")));
    }
    match serde_json::from_slice(json) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(Malformed::new(at, format!("it is {}, and should be an object", kind(&other)))),
        Err(error) => Err(Malformed::new(at, format!("it is not JSON: {error}"))),
    }
}

/// The fields of a payload, each read as what it should be.
struct Payload<'a>(&'a Map<String, Value>);

impl<'a> Payload<'a> {
    fn get(&self, name: &str) -> Result<&'a Value, Malformed> {
        self.0.get(name).ok_or_else(|| Malformed::new(place(name), "it is missing"))
    }

    fn text(&self, name: &str) -> Result<&'a str, Malformed> {
        let value = self.get(name)?;
        text(value).map_err(|why| Malformed::new(place(name), why))
    }

    /// A text that may be null, or may be left out.
    fn optional_text(&self, name: &str) -> Result<Option<&'a str>, Malformed> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(name).map(Some),
        }
    }

    fn number(&self, name: &str) -> Result<f64, Malformed> {
        let value = self.get(name)?;
        let number = value.as_f64().filter(|number| number.is_finite());
        number.ok_or_else(|| Malformed::new(place(name), format!("it is {}, and should be a number", kind(value))))
    }

    fn instant(&self, name: &str) -> Result<Micros, Malformed> {
        let text = self.text(name)?;
        // Python's isoformat() writes no zone where it was told none; the bus means UTC then.
        instant::calendar(text).ok_or_else(|| {
            Malformed::new(place(name), format!("{} is no ISO 8601 time, such as 2026-01-17T03:46:06Z", shown(text)))
        })
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Malformed> {
        self.text(name)?.parse().map_err(|error: T::Err| Malformed::new(place(name), error.to_string()))
    }

    fn about(&self) -> Result<About, Malformed> {
        Ok(About { model: self.parsed("model_id")?, model_type: self.parsed("model_type")? })
    }

    fn name(&self) -> Result<ModelName, Malformed> {
        let (model_type, symbol) = (self.parsed("model_type")?, self.optional_text("symbol")?);
        let timeframe = self.text("timeframe")?;
        ModelName::new(model_type, symbol, timeframe, None)
            .map_err(|error| Malformed::new("payload", error.to_string()))
    }

    fn models(&self, name: &str) -> Result<Vec<ModelId>, Malformed> {
        let value = self.get(name)?;
        let Value::Array(items) = value else {
            return Err(Malformed::new(place(name), format!("it is {}, and should be a list", kind(value))));
        };
        if items.len() > MOST_MODELS {
            let why = format!("it has {} models, and at most {MOST_MODELS} are read", items.len());
            return Err(Malformed::new(place(name), why));
        }
        let model = |(at, item): (usize, &Value)| {
            let model = text(item).and_then(|text| text.parse().map_err(|error| format!("{error}")));
            model.map_err(|why| Malformed::new(format!("{}/{at}", place(name)), why))
        };
        items.iter().enumerate().map(model).collect()
    }
}

fn place(name: &str) -> String {
    format!("payload/{name}")
}

/// A text that says something and is no novel.
fn text(value: &Value) -> Result<&str, String> {
    let Value::String(text) = value else { return Err(format!("it is {}, and should be a text", kind(value))) };
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > TEXT_BYTES {
        return Err(format!("it has {} bytes, and at most {TEXT_BYTES} are read", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("it holds control characters".to_owned());
    }
    Ok(text)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What somebody else wrote, in a sentence of ours.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests;
