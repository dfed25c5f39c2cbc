use crate::domain::model::{ModelId, ModelName, ModelType};

/// Which models a trigger means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This one, as it was written: it may be none that anybody knows.
    Model(String),
    /// The one that has these parts, also where it is not there yet.
    Named(ModelName),
    /// Those of a type, where a message names no more.
    Type(ModelType),
    /// Those that trade the symbol; one of several symbols is not meant.
    Symbol(String),
    /// After a change of the market's regime: those that are named, and those for the regime that ended, of which the data
    /// is now whole, or for the one that began, which trade from now on.
    Regime {
        /// What ended, where that was known.
        old: Option<String>,
        /// What began.
        new: String,
        /// Model ids, or model types, that the message names.
        affected: Vec<String>,
    },
    /// None: what speaks for a training does not say of what.
    Nobody,
}

impl Target {
    /// Whether it means this model.
    pub fn means(&self, id: &ModelId, name: &ModelName) -> bool {
        let is_id = |text: &str| id.as_str().eq_ignore_ascii_case(text);
        match self {
            Self::Nobody => false,
            Self::Model(text) => is_id(text),
            Self::Named(wanted) => name == wanted,
            Self::Type(kind) => name.model_type == *kind,
            Self::Symbol(symbol) => name.symbol.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(symbol)),
            Self::Regime { old, new, affected } => {
                let of_regime = |own: &String| {
                    [old.as_ref(), Some(new)].into_iter().flatten().any(|of| own.eq_ignore_ascii_case(of))
                };
                let is_named = |text: &String| is_id(text) || name.model_type.as_str().eq_ignore_ascii_case(text);
                name.regime.as_ref().is_some_and(of_regime) || affected.iter().any(is_named)
            }
        }
    }

    /// The model that is wanted although it may not be there yet.
    pub fn wanted(&self) -> Option<&ModelName> {
        match self {
            Self::Named(name) => Some(name),
            _ => None,
        }
    }

    /// In words, for the record of one that nobody knows.
    pub fn words(&self) -> String {
        match self {
            Self::Nobody => "it names neither a model nor a symbol".to_owned(),
            Self::Model(text) => format!("no model {:?} is known", short(text)),
            Self::Named(name) => format!("no model {} is known", name.id()),
            Self::Type(kind) => format!("no model of type {kind} is known"),
            Self::Symbol(symbol) => format!("no model of the symbol {:?} is known", short(symbol)),
            Self::Regime { old, new, .. } => {
                let ended = old.as_deref().map(|old| format!(" or {:?}", short(old))).unwrap_or_default();
                format!("no model is for the regime {:?}{ended}, and none that is known is named", short(new))
            }
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_meant() {
        let models = ["xgboost_btcusdt_1h", "xgboost_multi_1h", "lightgbm_btcusdt_4h", "xgboost_ethusdt_1h_bull"];
        let named = |text: &str| ModelName::of(&text.parse().expect("an id")).expect("a name");
        let regime = |old: &str, new: &str, affected: &[&str]| Target::Regime {
            old: Some(old.into()),
            new: new.into(),
            affected: affected.iter().map(|text| text.to_string()).collect(),
        };
        for (target, meant) in [
            (Target::Model("xgboost_BTCUSDT_1h".into()), &[models[0]][..]),
            (Target::Model("../etc".into()), &[]),
            (Target::Named(named(models[2])), &[models[2]]),
            (Target::Named(named("nhits_multi_1h")), &[]),
            (Target::Type(ModelType::Xgboost), &[models[0], models[1], models[3]]),
            (Target::Symbol("BTCUSDT".into()), &[models[0], models[2]]),
            (regime("Bull", "bear", &[]), &[models[3]]),
            (regime("bear", "bull", &[models[0]]), &[models[0], models[3]]),
            (regime("bear", "sideways", &["lightgbm"]), &[models[2]]),
            (regime("bear", "sideways", &[]), &[]),
        ] {
            let ids = models.iter().filter(|text| target.means(&text.parse().expect("an id"), &named(text)));
            assert_eq!(ids.copied().collect::<Vec<_>>(), meant, "{target:?}");
        }
    }
}
