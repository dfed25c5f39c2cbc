use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::time::Micros;

/// What kind of program a model is. The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ModelType {
    /// Gradient-boosted trees.
    Xgboost,
    /// Gradient-boosted trees.
    Lightgbm,
    /// A neural forecaster.
    Nhits,
    /// A neural forecaster.
    Patchtst,
    /// A neural forecaster.
    Tft,
    /// A linear forecaster.
    Dlinear,
    /// Reinforcement learning.
    RlV2,
    /// Reinforcement learning.
    RlV3,
    /// Anything else.
    Other,
}

impl ModelType {
    /// Every type.
    pub const ALL: [Self; 9] = [
        Self::Xgboost,
        Self::Lightgbm,
        Self::Nhits,
        Self::Patchtst,
        Self::Tft,
        Self::Dlinear,
        Self::RlV2,
        Self::RlV3,
        Self::Other,
    ];

    /// As API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xgboost => "xgboost",
            Self::Lightgbm => "lightgbm",
            Self::Nhits => "nhits",
            Self::Patchtst => "patchtst",
            Self::Tft => "tft",
            Self::Dlinear => "dlinear",
            Self::RlV2 => "rl_v2",
            Self::RlV3 => "rl_v3",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ModelType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// No model type.
    #[error("{0:?} is no model type: use xgboost, lightgbm, nhits, patchtst, tft, dlinear, rl_v2, rl_v3 or other")]
    Type(String),
    /// No model id.
    #[error("{0:?} is no model id: it has 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or digit")]
    Model(String),
    /// No version.
    #[error("{0:?} is no version: it has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit")]
    Version(String),
    /// An id that no new model has.
    #[error(
        "{0:?} is no id of a new model: use <type>_<symbol or multi>_<timeframe>, with _<regime> where there is one, in \
             lower case, such as xgboost_btcusdt_1h"
    )]
    NotCanonical(String),
    /// A part of a new model's id.
    #[error("{what} {text:?}: use 1 to 32 of a-z and 0-9")]
    Part {
        /// `symbol`, `timeframe` or `regime`.
        what: &'static str,
        /// What was given.
        text: String,
    },
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

impl FromStr for ModelType {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| BadName::Type(shown(text)))
    }
}

/// A file name, a URL part and a word in a log in one: no separator, no blank, never `.` or `..`.
fn is_plain(text: &str, most: usize) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=most).contains(&text.len()) && text.as_bytes()[0].is_ascii_alphanumeric() && text.bytes().all(fits)
}

macro_rules! plain_name {
    ($name:ident, $most:literal, $bad:ident, $about:literal) => {
        impl $name {
            /// The longest.
            pub const MOST: usize = $most;

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                if is_plain(text, Self::MOST) { Ok(Self(text.to_owned())) } else { Err(BadName::$bad(shown(text))) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
                    "maxLength": $most,
                    "description": $about,
                })
            }
        }
    };
}

/// A model's id: `<type>_<symbol or multi>_<timeframe>`, with `_<regime>` behind it for a model of one regime, lower
/// case. Imported ones are kept as they were. It is a file name below `production/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ModelId(String);

plain_name!(ModelId, 128, Model, "<type>_<symbol or multi>_<timeframe>, with _<regime> where there is one.");

/// A version's name: `vYYYYMMDD_HHMMSS`; imported ones are kept as they were. Never given twice within a model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct VersionName(String);

plain_name!(VersionName, 64, Version, "vYYYYMMDD_HHMMSS; imported ones as they were.");

impl VersionName {
    /// The name of a version that is registered at `at`.
    pub fn at(at: Micros) -> Self {
        Self(at.datetime().format("v%Y%m%d_%H%M%S").to_string())
    }

    /// Whether it is a name as new versions have it.
    pub fn is_of_today(&self) -> bool {
        let digits = |range: std::ops::Range<usize>| {
            self.0.get(range).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
        };
        self.0.len() == 16 && self.0.starts_with('v') && digits(1..9) && &self.0[9..10] == "_" && digits(10..16)
    }
}

/// What a model is about: the parts of a new one's id.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ModelName {
    /// What kind of program.
    pub model_type: ModelType,
    /// The symbol, lower case; none for a model of several.
    pub symbol: Option<String>,
    /// `1h`, `15m`, ….
    pub timeframe: String,
    /// The market's regime that it is for.
    pub regime: Option<String>,
}

impl ModelName {
    /// The parts, in lower case, if each may stand in an id.
    pub fn new(
        model_type: ModelType,
        symbol: Option<&str>,
        timeframe: &str,
        regime: Option<&str>,
    ) -> Result<Self, BadName> {
        let part = |what, text: &str| {
            let lower = text.to_ascii_lowercase();
            let fits =
                (1..=32).contains(&lower.len()) && lower.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            if fits { Ok(lower) } else { Err(BadName::Part { what, text: shown(text) }) }
        };
        Ok(Self {
            model_type,
            symbol: symbol.map(|text| part("symbol", text)).transpose()?.filter(|symbol| symbol != "multi"),
            timeframe: part("timeframe", timeframe)?,
            regime: regime.map(|text| part("regime", text)).transpose()?,
        })
    }

    /// What a new model of this id is about. No part has a `_`, so an id reads in one way only.
    pub fn of(id: &ModelId) -> Result<Self, BadName> {
        let bad = || BadName::NotCanonical(shown(id.as_str()));
        let kinds = ModelType::ALL.into_iter();
        let (model_type, rest) = kinds
            .filter_map(|kind| Some((kind, id.as_str().strip_prefix(kind.as_str())?.strip_prefix('_')?)))
            .next()
            .ok_or_else(bad)?;
        let parts: Vec<&str> = rest.split('_').collect();
        let (symbol, timeframe, regime) = match parts[..] {
            [symbol, timeframe] => (symbol, timeframe, None),
            [symbol, timeframe, regime] => (symbol, timeframe, Some(regime)),
            _ => return Err(bad()),
        };
        let name = Self::new(model_type, Some(symbol), timeframe, regime).map_err(|_| bad())?;
        if name.id() == *id { Ok(name) } else { Err(bad()) }
    }

    /// The id that a new model of these parts has.
    pub fn id(&self) -> ModelId {
        let symbol = self.symbol.as_deref().unwrap_or("multi");
        let mut id = format!("{}_{symbol}_{}", self.model_type.as_str(), self.timeframe);
        if let Some(regime) = &self.regime {
            id.push('_');
            id.push_str(regime);
        }
        ModelId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_new_models() {
        let id =
            |symbol, regime| ModelName::new(ModelType::RlV3, symbol, "1h", regime).map(|name| name.id().to_string());
        assert_eq!(id(Some("BTCUSDT"), None).as_deref(), Ok("rl_v3_btcusdt_1h"));
        assert_eq!(id(None, None).as_deref(), Ok("rl_v3_multi_1h"));
        assert_eq!(id(Some("multi"), Some("Bull")).as_deref(), Ok("rl_v3_multi_1h_bull"));
        assert!(id(Some("BTC/USDT"), None).is_err());
        assert!(id(Some(""), None).is_err());
        assert!(id(None, Some("a_b")).is_err(), "an id could be read in two ways");
    }

    #[test]
    fn an_id_says_what_the_model_is_about() {
        for (symbol, regime) in [(None, None), (Some("btcusdt"), None), (Some("1inchusdt"), Some("bull"))] {
            for kind in ModelType::ALL {
                let name = ModelName::new(kind, symbol, "15m", regime).expect("a name");
                assert_eq!(ModelName::of(&name.id()), Ok(name));
            }
        }
        for text in [
            "xgboost_BTCUSDT_1h",
            "xgboost",
            "xgboost_1h",
            "xgboost__1h",
            "rl_v9_multi_1h",
            "xgboost_a_b_c_d",
            "xgboost_a.b_1h",
            "Xgboost_multi_1h",
        ] {
            let id = text.parse().expect("an id");
            assert_eq!(ModelName::of(&id), Err(BadName::NotCanonical(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_name_is_never_a_way_out_of_a_directory() {
        for text in ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "-f", "a b", "a\n", "ä", "%2e"] {
            assert!(text.parse::<ModelId>().is_err(), "{text:?}");
            assert!(text.parse::<VersionName>().is_err(), "{text:?}");
        }
        for text in ["xgboost_BTCUSDT_1h", "v1", "1.0.0", "v20260101_000000"] {
            assert_eq!(text.parse::<ModelId>().map(|id| id.to_string()).as_deref(), Ok(text));
            assert_eq!(text.parse::<VersionName>().map(|name| name.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn versions_are_named_after_their_second() {
        let at: Micros = "2026-01-17T03:46:06.5Z".parse().expect("an instant");
        let name = VersionName::at(at);
        assert_eq!(name.as_str(), "v20260117_034606");
        assert!(name.is_of_today());
        assert!(!"v1".parse::<VersionName>().expect("a name").is_of_today());
    }
}
