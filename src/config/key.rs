use std::sync::LazyLock;

use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::value::{Codec, Fault};
use super::{
    Config, adapters, artifacts, auth, backup, events, gates, http, jobs, journal, notify, promotion, redis, rules,
    scheduler, worker,
};

/// One key: its name, what it means, and how it is read into [`Config`] and shown.
pub(super) struct Key {
    /// With its section: `redis.stream`.
    pub(super) name: String,
    /// One sentence for people.
    pub(super) doc: &'static str,
    /// A line to imitate, for a key that is a table of names of the operator's.
    pub(super) example: Option<&'static str>,
    field: Box<dyn Field>,
}

/// Makes a [`Key`] of the path of its field, the codec of its value, a check beyond the value's type, and its sentence.
macro_rules! key {
    ($first:ident $(. $next:ident)*, $codec:ty, $check:expr, $doc:expr) => {
        $crate::config::key::Key::new::<$codec>(
            [stringify!($first) $(, stringify!($next))*].join("."),
            $doc,
            |config| &config.$first $(. $next)*,
            |config| &mut config.$first $(. $next)*,
            $check,
        )
    };
}
pub(super) use key;

impl Key {
    pub(super) fn new<C: Codec>(
        name: String,
        doc: &'static str,
        get: fn(&Config) -> &C::Value,
        get_mut: fn(&mut Config) -> &mut C::Value,
        check: fn(&C::Value) -> Result<(), String>,
    ) -> Self {
        Self { name, doc, example: None, field: Box::new(Typed::<C> { get, get_mut, check }) }
    }

    /// Marks the key as a table of the operator's own names, such as `example`.
    pub(super) fn table(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// The section and the key in it: `("redis", "stream")`.
    pub(super) fn split(&self) -> (&str, &str) {
        self.name.rsplit_once('.').unwrap_or(("", &self.name))
    }

    /// The environment variable: `QUANTUM_CLM_REDIS_STREAM`.
    pub(super) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// Sets it as a variable or a flag gives it; what is wrong otherwise.
    pub(super) fn set_text(&self, config: &mut Config, text: &str) -> Result<(), String> {
        self.field.set_text(config, text)
    }

    /// Sets it as the file gives it; what is wrong, and where, otherwise.
    pub(super) fn set_toml(&self, config: &mut Config, value: &Spanned<DeValue<'_>>) -> Result<(), Fault> {
        self.field.set_toml(config, value)
    }

    /// Its value without secrets.
    pub(super) fn show(&self, config: &Config) -> Value {
        self.field.show(config)
    }
}

/// What every variable begins with.
pub(super) const VARIABLE_PREFIX: &str = "QUANTUM_CLM_";

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let sections = [
        super::keys(),
        http::keys(),
        journal::keys(),
        events::keys(),
        redis::keys(),
        rules::keys(),
        notify::keys(),
        auth::keys(),
        artifacts::keys(),
        gates::keys(),
        promotion::keys(),
        jobs::keys(),
        worker::keys(),
        adapters::keys(),
        scheduler::keys(),
        backup::keys(),
    ];
    sections.into_iter().flatten().collect()
});

/// Every key, in the order of the sample file.
pub(super) fn keys() -> &'static [Key] {
    &KEYS
}

/// The key of that full name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

/// Whether keys stand under `name`.
pub(super) fn is_section(name: &str) -> bool {
    keys().iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The candidate that `name` is most likely a slip of.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (name.len().min(candidate.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What the unknown `name` was probably meant to be: a key or section of a similar name, or the key of that very name
/// in another section.
pub(super) fn suggestion(name: &str) -> Option<&'static str> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let names = || keys().iter().map(|key| key.name.as_str());
    let sections = names().filter_map(|name| name.rsplit_once('.').map(|(section, _)| section));
    let elsewhere = || {
        let mut same = keys().iter().filter(|key| key.split().1 == last);
        same.next().filter(|_| same.next().is_none()).map(|key| key.name.as_str())
    };
    let similar_elsewhere = || {
        let key = nearest(last, keys().iter().map(|key| key.split().1))?;
        keys().iter().find(|candidate| candidate.split().1 == key).map(|key| key.name.as_str())
    };
    nearest(name, names().chain(sections)).or_else(elsewhere).or_else(similar_elsewhere)
}

trait Field: Send + Sync {
    fn set_text(&self, config: &mut Config, text: &str) -> Result<(), String>;
    fn set_toml(&self, config: &mut Config, value: &Spanned<DeValue<'_>>) -> Result<(), Fault>;
    fn show(&self, config: &Config) -> Value;
}

struct Typed<C: Codec> {
    get: fn(&Config) -> &C::Value,
    get_mut: fn(&mut Config) -> &mut C::Value,
    check: fn(&C::Value) -> Result<(), String>,
}

impl<C: Codec> Field for Typed<C> {
    fn set_text(&self, config: &mut Config, text: &str) -> Result<(), String> {
        let value = C::text(text)?;
        (self.check)(&value)?;
        *(self.get_mut)(config) = value;
        Ok(())
    }

    fn set_toml(&self, config: &mut Config, value: &Spanned<DeValue<'_>>) -> Result<(), Fault> {
        let read = C::toml(value)?;
        (self.check)(&read).map_err(|message| Fault::at(value, message))?;
        *(self.get_mut)(config) = read;
        Ok(())
    }

    fn show(&self, config: &Config) -> Value {
        C::show((self.get)(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions() {
        for (name, expected) in [
            ("redis.strem", Some("redis.stream")),
            ("redis.max_len", Some("redis.maxlen")),
            ("redsi", Some("redis")),
            ("stream", Some("redis.stream")),
            ("journal.unit", Some("journal.units")),
            ("rules.least_severity", Some("rules.error_rate.least_severity")),
            ("data-file", Some("data_file")),
            ("weather", None),
            ("x", None),
        ] {
            assert_eq!(suggestion(name), expected, "{name}");
        }
    }

    #[test]
    fn every_key_has_a_name_of_its_own_a_sentence_and_a_default_that_reads_back() {
        let defaults = Config::default();
        for key in keys() {
            assert_eq!(keys().iter().filter(|other| other.variable() == key.variable()).count(), 1, "{}", key.name);
            assert!(key.doc.ends_with('.'), "{}", key.name);
            let text = match key.show(&defaults) {
                Value::String(text) => text,
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                other => other.to_string(),
            };
            let mut config = defaults.clone();
            if key.example.is_none() {
                key.set_text(&mut config, &text).unwrap_or_else(|message| panic!("{}: {message}", key.name));
            }
            assert_eq!(config, defaults, "{}", key.name);
        }
    }
}
