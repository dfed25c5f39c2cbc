use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::DeValue;

use super::key::{Key, key};
use super::number::{Fraction, OFF};
use super::value::{self, Codec, Fault, Item, ListOf, Switch, Time, Whole, anything, within};
use crate::domain::job::MOST_SPAN_DAYS;
use crate::domain::model::{ModelId, ModelName, ModelType};
use crate::domain::schedule::{Cadence, Calendar, CronTimes, QuietHours, Rules};

/// The longest interval and the longest cooldown.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// `[scheduler]`
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduler {
    /// Whether anything is trained but what somebody asks for.
    pub enabled: bool,
    /// Models that are trained although the registry may not have them yet.
    pub models: Vec<ModelName>,
    /// When nothing is begun.
    pub quiet: Vec<QuietHours>,
    /// So many new trades are a reason; 0: no number is.
    pub trades: u64,
    /// A Sharpe ratio below this is a reason.
    pub sharpe: f64,
    /// The least drift score that is one.
    pub drift: f64,
    /// The least time between two trainings of a model.
    pub cooldown: Duration,
    /// How many trainings that nobody asked for by hand begin in an hour.
    pub starts_per_hour: u32,
    /// Days of data that a training takes.
    pub span_days: u32,
    /// How long after its last training a model is trained again, where that is not as usual.
    pub intervals: BTreeMap<Whose, Interval>,
    /// When models are trained instead.
    pub cron: BTreeMap<Whose, CronTimes>,
}

impl Default for Scheduler {
    fn default() -> Self {
        let rules = Rules::default();
        Self {
            enabled: rules.enabled,
            models: Vec::new(),
            quiet: Vec::new(),
            trades: rules.trades,
            sharpe: rules.sharpe,
            drift: rules.drift,
            cooldown: Duration::from_micros(rules.cooldown),
            starts_per_hour: rules.starts_per_hour,
            span_days: 90,
            intervals: BTreeMap::new(),
            cron: BTreeMap::new(),
        }
    }
}

impl Scheduler {
    /// What the scheduler decides by: what is not configured is as usual.
    pub fn rules(&self) -> Rules {
        let mut rules = Rules {
            enabled: self.enabled,
            // Hours that leave no time were refused when the configuration was read.
            calendar: Calendar::new(&self.quiet).unwrap_or_default(),
            trades: self.trades,
            sharpe: self.sharpe,
            drift: self.drift,
            cooldown: micros(self.cooldown),
            starts_per_hour: self.starts_per_hour,
            ..Rules::default()
        };
        let intervals = self.intervals.iter().map(|(whose, interval)| (whose, interval.cadence()));
        // An expression goes before an interval: it says more.
        let expressions = self.cron.iter().map(|(whose, times)| (whose, Cadence::Cron(Box::new(times.clone()))));
        for (whose, cadence) in intervals.chain(expressions) {
            match whose {
                Whose::Type(kind) => rules.types.insert(*kind, cadence),
                Whose::Model(model) => rules.models.insert(model.clone(), cadence),
            };
        }
        rules
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whose interval: that of all models of a type, or of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// `xgboost`
    Type(ModelType),
    /// `xgboost_btcusdt_1h`
    Model(ModelId),
}

impl FromStr for Whose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(kind) = text.parse() {
            return Ok(Self::Type(kind));
        }
        // A word without a `_` was meant to be a type: a model's id has three parts.
        let wrong: String = text.chars().take(64).collect();
        let model = text.parse().ok().filter(|_| text.contains('_'));
        model.map(Self::Model).ok_or_else(|| format!("{wrong:?} is neither a model type nor a model's id"))
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(kind) => kind.fmt(f),
            Self::Model(model) => model.fmt(f),
        }
    }
}

/// How long after its last training a model is trained again; `None`: not by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Option<Duration>);

impl Interval {
    fn cadence(self) -> Cadence {
        self.0.map_or(Cadence::Off, |time| Cadence::Every(micros(time)))
    }
}

impl Item for Interval {
    fn parse(word: &str) -> Result<Self, String> {
        if word.trim() == OFF {
            return Ok(Self(None));
        }
        let time = Time::text(word).map_err(|message| format!("{message}; {OFF:?} for none"))?;
        let fits = (Duration::from_secs(60)..=LONGEST).contains(&time);
        if fits { Ok(Self(Some(time))) } else { Err(format!("{word} is not from 1m to 3660d")) }
    }

    fn show(&self) -> String {
        self.0.as_ref().map(Time::show).and_then(|shown| shown.as_str().map(str::to_owned)).unwrap_or(OFF.to_owned())
    }
}

impl Item for CronTimes {
    fn parse(word: &str) -> Result<Self, String> {
        word.parse().map_err(|error: crate::domain::schedule::BadCron| error.to_string())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Item for QuietHours {
    fn parse(word: &str) -> Result<Self, String> {
        word.parse().map_err(|error: crate::domain::schedule::BadQuietHours| error.to_string())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Item for ModelName {
    fn parse(word: &str) -> Result<Self, String> {
        let id: ModelId = word.parse().map_err(|error: crate::domain::model::BadName| error.to_string())?;
        Self::of(&id).map_err(|error| error.to_string())
    }

    fn show(&self) -> String {
        self.id().to_string()
    }
}

/// What stands between two values of a variable whose values have blanks and commas.
const BETWEEN: char = ';';

/// The parts of a variable.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(BETWEEN).map(str::trim).filter(|part| !part.is_empty())
}

/// A table of types and models; in a variable `name=value`, with `;` between them.
struct ByModel<T>(PhantomData<T>);

impl<T: Item> Codec for ByModel<T> {
    type Value = BTreeMap<Whose, T>;

    fn text(text: &str) -> Result<Self::Value, String> {
        let mut values = BTreeMap::new();
        for part in parts(text) {
            let (whose, word) = part.split_once('=').ok_or("expected name=value, with ; between them")?;
            if values.insert(whose.trim().parse()?, T::parse(word.trim())?).is_some() {
                return Err(format!("{:?} is given twice: remove one", whose.trim()));
            }
        }
        Ok(values)
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Fault> {
        let mut values = BTreeMap::new();
        for (name, value) in value::table(value)? {
            let whose: Whose = name.get_ref().parse().map_err(|message: String| Fault::at(name, message))?;
            let DeValue::String(word) = value.get_ref() else { return value::wrong(value, "text in quotes") };
            let read = T::parse(word).map_err(|message| Fault::at(value, format!("{whose}: {message}")))?;
            values.insert(whose, read);
        }
        Ok(values)
    }

    fn show(values: &Self::Value) -> Value {
        let shown = values.iter().map(|(whose, value)| (whose.to_string(), json!(value.show())));
        Value::Object(shown.collect::<Map<_, _>>())
    }
}

/// A list of hours of the week; in a variable with `;` between them.
struct Hours;

impl Codec for Hours {
    type Value = Vec<QuietHours>;

    fn text(text: &str) -> Result<Self::Value, String> {
        parts(text).map(QuietHours::parse).collect()
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Fault> {
        ListOf::<QuietHours>::toml(value)
    }

    fn show(hours: &Self::Value) -> Value {
        ListOf::<QuietHours>::show(hours)
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            scheduler.enabled,
            Switch,
            anything,
            "Whether models are trained by themselves: by the clock, by triggers, by new trades. What somebody asks for is \
             trained either way."
        ),
        key!(
            scheduler.models,
            ListOf<ModelName>,
            |models| distinct(models),
            "Models that are trained although the registry may not have them yet, such as [\"xgboost_btcusdt_1h\"]. Those \
             that it has need not be listed."
        ),
        key!(
            scheduler.quiet,
            Hours,
            |hours: &Vec<QuietHours>| Calendar::new(hours).map(drop).map_err(|error| error.to_string()),
            "Hours in UTC in which no training begins, such as [\"Mon-Fri 13:00-21:00\", \"Sat\", \"22:00-02:00\"]: what \
             comes then waits for their end. In a variable with \";\" between them."
        ),
        key!(
            scheduler.trades,
            Whole<u64>,
            |count| within(*count, 0, 1_000_000_000),
            "So many closed trades since its last training are a reason to train a model; 0 for never."
        ),
        key!(
            scheduler.sharpe,
            Fraction,
            |least| between(*least, -100.0, 100.0),
            "A Sharpe ratio below this, in a message or in a shadow test of the version in production, is a reason."
        ),
        key!(
            scheduler.drift,
            Fraction,
            |least| between(*least, 0.0, 1e12),
            "The least drift score that is a reason; 0 takes the sender's word for it."
        ),
        key!(
            scheduler.cooldown,
            Time,
            |time| if *time <= LONGEST { Ok(()) } else { Err("must be from 0s to 3660d".into()) },
            "The least time between two trainings of a model, but for those that somebody asks for."
        ),
        key!(
            scheduler.starts_per_hour,
            Whole<u32>,
            |count| within(u64::from(*count), 1, 10_000),
            "How many trainings begin in an hour by the clock, by new trades or upon messages and intents, so that not \
             everything begins at once after a night of being off or a storm of messages. The rest waits its turn."
        ),
        key!(
            scheduler.span_days,
            Whole<u32>,
            |days| within(u64::from(*days), 1, MOST_SPAN_DAYS.into()),
            "Days of data that a training takes which the scheduler asks for."
        ),
        key!(
            scheduler.intervals,
            ByModel<Interval>,
            anything,
            "How long after its last training a model is trained again, by model type or by model: a duration, or \"off\". \
             As usual, xgboost and lightgbm take 168h, nhits and patchtst 336h, rl_v3 24h, and all others are off."
        )
        .table("xgboost = \"72h\""),
        key!(
            scheduler.cron,
            ByModel<CronTimes>,
            anything,
            "When models are trained instead of after an interval, by model type or by model: cron expressions of five fields, \
             in UTC."
        )
        .table("nhits_multi_1h = \"30 2 * * SUN\""),
    ]
}

fn between(number: f64, least: f64, most: f64) -> Result<(), String> {
    if (least..=most).contains(&number) { Ok(()) } else { Err(format!("must be from {least} to {most}")) }
}

fn distinct(models: &[ModelName]) -> Result<(), String> {
    let mut ids: Vec<_> = models.iter().map(ModelName::id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} is listed twice: remove one", pair[0])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Micros;

    #[test]
    fn intervals_and_expressions() {
        let intervals = ByModel::<Interval>::text("xgboost=72h; rl_v3=off; nhits_multi_1h = 30m").expect("intervals");
        let cron = ByModel::<CronTimes>::text("nhits_multi_1h=30 2 * * 0,3; dlinear=@daily").expect("expressions");
        let rules = Scheduler { intervals, cron, ..Scheduler::default() }.rules();
        let cadence = |id: &str| {
            let id: ModelId = id.parse().expect("an id");
            let kind = ModelName::of(&id).expect("a name").model_type;
            rules.cadence(&id, kind).to_string()
        };
        for (model, words) in [
            ("xgboost_btcusdt_1h", "every 3 days"),
            ("lightgbm_btcusdt_1h", "every 7 days"),
            ("rl_v3_multi_1h", "off"),
            ("nhits_multi_1h", "30 2 * * 0,3 (cron)"),
            ("nhits_btcusdt_1h", "every 14 days"),
            ("dlinear_multi_1h", "@daily (cron)"),
            ("tft_multi_1h", "off"),
        ] {
            assert_eq!(cadence(model), words, "{model}");
        }
        for bad in ["xgboost", "xgbost=1h", "xgboost=1 year", "xgboost=1s", "xgboost=1h;xgboost=2h", "xgboost=-1h"] {
            assert!(ByModel::<Interval>::text(bad).is_err(), "{bad}");
        }
        assert!(ByModel::<CronTimes>::text("xgboost=0 0 31 2 *").is_err());
    }

    #[test]
    fn what_is_not_configured_is_as_usual() {
        let rules = Scheduler::default().rules();
        assert_eq!(rules, Rules::default());
        assert_eq!(rules.cooldown, 6 * Micros::HOUR);
    }

    #[test]
    fn quiet_hours_in_a_variable() {
        let hours = Hours::text("Mon-Fri 13:00-21:00; Sat").expect("hours");
        assert_eq!(Hours::show(&hours), json!(["Mon-Fri 13:00-21:00", "Sat"]));
        assert!(Hours::text("Mon-Fri 13:00").is_err());
    }

    #[test]
    fn models_are_named_once_and_in_full() {
        let list = ListOf::<ModelName>::text("xgboost_btcusdt_1h nhits_multi_1h").expect("models");
        assert!(distinct(&list).is_ok());
        let twice = ListOf::<ModelName>::text("xgboost_multi_1h xgboost_multi_1h").expect("models");
        assert!(distinct(&twice).is_err_and(|message| message.contains("xgboost_multi_1h")));
        assert!(ListOf::<ModelName>::text("xgboost_BTCUSDT_1h").is_err());
    }
}
