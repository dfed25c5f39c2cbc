use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::journal::one_unit;
use super::key::{Key, key, nearest};
use super::value::{self, Codec, Fault, within};
use crate::domain::event::Level;
use crate::domain::rules::error_rate::Limits;

/// `[rules]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// `[rules.error_rate]`
    pub error_rate: ErrorRate,
}

/// `[rules.error_rate]`, and the same keys a unit under `[rules.error_rate.units."<unit>"]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorRate {
    /// Errors an hour above which an intent opens.
    pub threshold_per_hour: u64,
    /// The least severity that counts.
    pub least_severity: Level,
    /// Units with limits of their own.
    pub units: BTreeMap<String, ErrorLimits>,
}

impl Default for ErrorRate {
    fn default() -> Self {
        Self { threshold_per_hour: 20, least_severity: Level::WARNING, units: BTreeMap::new() }
    }
}

impl ErrorRate {
    /// The limits of one unit.
    pub fn limits(&self, unit: &str) -> Limits {
        let own = self.units.get(unit).cloned().unwrap_or_default();
        Limits {
            threshold: own.threshold_per_hour.unwrap_or(self.threshold_per_hour),
            least_severity: own.least_severity.unwrap_or(self.least_severity),
        }
    }
}

/// What one unit may differ in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorLimits {
    /// Errors an hour above which an intent opens.
    pub threshold_per_hour: Option<u64>,
    /// The least severity that counts.
    pub least_severity: Option<Level>,
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            rules.error_rate.threshold_per_hour,
            value::Whole<u64>,
            |errors| threshold(*errors),
            "Errors of one unit in one hour above which an intent opens."
        ),
        key!(
            rules.error_rate.least_severity,
            value::Severity,
            value::anything,
            "The least severity that counts as an error: a name such as \"warning\" or \"error\", or a number from 0 to 7."
        ),
        key!(
            rules.error_rate.units,
            UnitLimits,
            limits,
            "Units with limits of their own; what one does not set it takes from above."
        )
        .table("\"quantum-risk-brain.service\" = { threshold_per_hour = 50, least_severity = \"error\" }"),
    ]
}

fn threshold(errors: u64) -> Result<(), String> {
    within(errors, 0, 1_000_000_000)
}

fn limits(units: &BTreeMap<String, ErrorLimits>) -> Result<(), String> {
    units.keys().try_for_each(|unit| one_unit(unit))
}

/// A table of tables, one a unit.
struct UnitLimits;

/// What `[rules.error_rate.units."<unit>"]` may hold.
const LIMIT_KEYS: [&str; 2] = ["threshold_per_hour", "least_severity"];

impl Codec for UnitLimits {
    type Value = BTreeMap<String, ErrorLimits>;

    fn text(text: &str) -> Result<Self::Value, String> {
        let document = format!("units = {text}");
        let example = "write it as { \"name.service\" = { threshold_per_hour = 50 } }";
        let table = DeTable::parse(&document).map_err(|error| format!("{}: {example}", error.message()))?;
        let units =
            table.get_ref().get("units").filter(|_| table.get_ref().len() == 1).ok_or_else(|| example.to_owned())?;
        Self::toml(units).map_err(|fault| fault.message)
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Fault> {
        let mut units = BTreeMap::new();
        for (unit, limits) in value::table(value)? {
            let limits = value::table(limits).map_err(|fault| {
                fault.because(format!(
                    "{:?} takes {} (a unit's name with a dot needs quotes)",
                    unit.get_ref(),
                    LIMIT_KEYS.join(" and ")
                ))
            })?;
            let mut read = ErrorLimits::default();
            for (key, value) in limits {
                match key.get_ref().as_ref() {
                    "threshold_per_hour" => {
                        let errors = value::Whole::<u64>::toml(value)?;
                        threshold(errors).map_err(|message| Fault::at(value, message))?;
                        read.threshold_per_hour = Some(errors);
                    }
                    "least_severity" => read.least_severity = Some(value::Severity::toml(value)?),
                    other if matches!(value.get_ref(), DeValue::Table(_)) => {
                        let unit = format!("{}.{other}", unit.get_ref());
                        return Err(Fault {
                            at: Some(key.span().start),
                            message: format!("a unit's name with a dot needs quotes: write it as {unit:?}"),
                        });
                    }
                    other => {
                        let hint = nearest(other, LIMIT_KEYS).map_or_else(
                            || format!("a unit takes {}", LIMIT_KEYS.join(" and ")),
                            |near| format!("did you mean {near:?}?"),
                        );
                        let message = format!("unknown key {other:?} of {:?}: {hint}", unit.get_ref());
                        return Err(Fault { at: Some(key.span().start), message });
                    }
                }
            }
            units.insert(unit.get_ref().clone().into_owned(), read);
        }
        Ok(units)
    }

    fn show(units: &Self::Value) -> Value {
        let shown = units.iter().map(|(unit, limits)| {
            let mut object = Map::new();
            if let Some(errors) = limits.threshold_per_hour {
                object.insert("threshold_per_hour".into(), json!(errors));
            }
            if let Some(level) = limits.least_severity {
                object.insert("least_severity".into(), json!(level.name()));
            }
            (unit.clone(), Value::Object(object))
        });
        Value::Object(shown.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_in_a_variable() {
        let text = "{ \"a.service\" = { threshold_per_hour = 5 }, \"b.service\" = { least_severity = \"error\" } }";
        let units = UnitLimits::text(text).unwrap();
        assert_eq!(units["a.service"], ErrorLimits { threshold_per_hour: Some(5), least_severity: None });
        assert_eq!(units["b.service"], ErrorLimits { threshold_per_hour: None, least_severity: Some(Level::ERROR) });
        assert_eq!(UnitLimits::text(&value::to_toml(&UnitLimits::show(&units))).as_ref(), Ok(&units));
        assert!(limits(&units).is_ok());

        for (text, part) in [
            ("5", "expected a table, found a whole number"),
            ("{} \nmore = 1", "write it as"),
            ("{ a.service = { threshold_per_hour = 5 } }", "a unit's name with a dot needs quotes"),
            ("{ \"a.service\" = { threshold = 5 } }", "unknown key \"threshold\" of \"a.service\""),
            ("{ \"a.service\" = { threshold_per_hour = -5 } }", "negative"),
            ("{ \"a.service\" = { least_severity = \"bad\" } }", "is not a level"),
        ] {
            let message = UnitLimits::text(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
        assert!(limits(&BTreeMap::from([("a".to_owned(), ErrorLimits::default())])).is_err());
    }
}
