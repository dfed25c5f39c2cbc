use std::collections::BTreeSet;
use std::time::Duration;

use super::key::{Key, key};
use super::value::{self, within};

/// `[events]`
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// Age at which whole blocks of events go.
    pub retention_days: u32,
    /// Size of all events at which the oldest blocks go.
    pub retention_bytes: u64,
    /// What ends a trading pair's name.
    pub quote_currencies: Vec<String>,
    /// How long after a batch's first event it is committed at the latest.
    pub commit_interval: Duration,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            retention_days: 30,
            retention_bytes: 8 << 30,
            quote_currencies: ["USDT", "USDC", "FDUSD", "TUSD", "BUSD"].map(String::from).into(),
            commit_interval: Duration::from_millis(650),
        }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            events.retention_days,
            value::Whole<u32>,
            |days| within(u64::from(*days), 1, 3650),
            "Days that events are kept, 1 to 3650."
        ),
        key!(
            events.retention_bytes,
            value::Size,
            retention_bytes,
            "Bytes that all events may take, at least 1MiB; the oldest go first. With a unit: \"500MiB\", \"8GiB\"."
        ),
        key!(
            events.quote_currencies,
            value::Words,
            quote_currencies,
            "What ends the name of a trading pair: USDT makes BTCUSDT one."
        ),
        key!(
            events.commit_interval,
            value::Time,
            commit_interval,
            "How long after it was read an event is on disk at the latest, \"50ms\" to \"10s\"."
        ),
    ]
}

fn retention_bytes(bytes: &u64) -> Result<(), String> {
    if *bytes < 1 << 20 { Err("must be at least 1MiB".into()) } else { Ok(()) }
}

fn quote_currencies(names: &Vec<String>) -> Result<(), String> {
    if names.is_empty() {
        return Err("is empty, so no trading pair would be recognised: name at least one".into());
    }
    let mut seen = BTreeSet::new();
    for name in names {
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        if !(2..=10).contains(&name.len()) || !name.chars().all(fits) {
            return Err(format!("{name:?} is not a quote currency: use 2 to 10 capital letters or digits"));
        }
        if !seen.insert(name) {
            return Err(format!("{name:?} is listed twice: remove one"));
        }
    }
    Ok(())
}

fn commit_interval(interval: &Duration) -> Result<(), String> {
    if (Duration::from_millis(50)..=Duration::from_secs(10)).contains(interval) {
        return Ok(());
    }
    Err("must be from 50ms to 10s".into())
}
