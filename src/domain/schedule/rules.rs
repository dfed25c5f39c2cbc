use std::collections::BTreeMap;

use super::cadence::Cadence;
use super::quiet::Calendar;
use crate::domain::model::{ModelId, ModelType};
use crate::domain::time::Micros;

/// By which rules the scheduler decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Whether anything is trained but what somebody asks for.
    pub enabled: bool,
    /// How often a model of a type is trained; not by the clock where the type is missing.
    pub types: BTreeMap<ModelType, Cadence>,
    /// How often single models are, whatever their type.
    pub models: BTreeMap<ModelId, Cadence>,
    /// When nothing is begun.
    pub calendar: Calendar,
    /// So many trades since the last training are enough; 0: no number is.
    pub trades: u64,
    /// A Sharpe ratio below this is a reason.
    pub sharpe: f64,
    /// A drift score below this is none.
    pub drift: f64,
    /// The least time between two trainings of a model, in microseconds.
    pub cooldown: u64,
    /// How many trainings the scheduler begins in an hour that nobody asked for by hand.
    pub starts_per_hour: u32,
}

impl Default for Rules {
    /// SPEC C13.
    fn default() -> Self {
        let every = |hours: u64| Cadence::Every(hours * Micros::HOUR);
        Self {
            enabled: true,
            types: BTreeMap::from([
                (ModelType::Xgboost, every(168)),
                (ModelType::Lightgbm, every(168)),
                (ModelType::Nhits, every(336)),
                (ModelType::Patchtst, every(336)),
                (ModelType::RlV3, every(24)),
            ]),
            models: BTreeMap::new(),
            calendar: Calendar::default(),
            trades: 100,
            sharpe: 0.5,
            drift: 0.0,
            cooldown: 6 * Micros::HOUR,
            starts_per_hour: 4,
        }
    }
}

impl Rules {
    /// How often this model is trained.
    pub fn cadence(&self, model: &ModelId, kind: ModelType) -> &Cadence {
        self.models.get(model).or_else(|| self.types.get(&kind)).unwrap_or(&Cadence::Off)
    }
}
