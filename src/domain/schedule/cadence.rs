use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::domain::time::Micros;

/// The instants that a cron expression of five fields names, in UTC.
#[derive(Clone, Debug)]
pub struct CronTimes {
    text: String,
    cron: Cron,
}

/// A text that is no cron expression, or names no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no cron expression: {why}; use five fields in UTC such as \"30 2 * * 0\" (Sundays at 02:30)")]
pub struct BadCron {
    text: String,
    why: String,
}

impl FromStr for CronTimes {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        let bad = |why: String| BadCron { text: text.chars().take(64).collect(), why };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| bad(error.to_string()))?;
        let times = Self { text: text.trim().to_owned(), cron };
        // 31 February is well formed.
        if times.after(Micros(0)).is_none() {
            return Err(bad("it never comes".to_owned()));
        }
        Ok(times)
    }
}

impl CronTimes {
    /// The first instant after `at`; none only beyond the calendar's end.
    pub fn after(&self, at: Micros) -> Option<Micros> {
        self.cron.find_next_occurrence(&at.datetime(), false).ok().map(Micros::from).filter(|next| *next > at)
    }
}

impl PartialEq for CronTimes {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for CronTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How often a model is trained by the clock.
#[derive(Clone, Debug, PartialEq)]
pub enum Cadence {
    /// Not by the clock.
    Off,
    /// So many microseconds after its last training.
    Every(u64),
    /// At these instants.
    Cron(Box<CronTimes>),
}

impl Cadence {
    /// When a model is due that was last trained at `last`, or never and is known since `since`. It lies in the past for one
    /// that is overdue: what was missed meanwhile is one training, not many.
    pub fn due(&self, last: Option<Micros>, since: Micros) -> Option<Micros> {
        match self {
            Self::Off => None,
            Self::Every(span) => Some(last.map_or(since, |last| last.plus(*span))),
            Self::Cron(times) => times.after(last.unwrap_or(since)),
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Every(span) => write!(f, "every {}", super::words::span(*span)),
            Self::Cron(times) => write!(f, "{times} (cron)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        text.parse().expect("an instant")
    }

    #[test]
    fn instants_of_expressions() {
        for (text, from, next) in [
            ("30 2 * * 0", "2026-01-17T03:46:06Z", "2026-01-18T02:30:00Z"),
            ("30 2 * * SUN", "2026-01-18T02:30:00Z", "2026-01-25T02:30:00Z"),
            ("0 0 29 2 *", "2026-01-17T03:46:06Z", "2028-02-29T00:00:00Z"),
            ("*/15 * * * *", "2026-01-17T03:46:06.000001Z", "2026-01-17T04:00:00Z"),
            ("@daily", "2026-12-31T23:59:59.999999Z", "2027-01-01T00:00:00Z"),
        ] {
            let times: CronTimes = text.parse().expect(text);
            assert_eq!(times.after(at(from)), Some(at(next)), "{text} after {from}");
        }
        for text in ["", "* * * *", "0 0 31 2 *", "61 * * * *", "0 0 0 * * *", "every day", "0 0 * * 8"] {
            assert!(text.parse::<CronTimes>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_long_pause_is_one_training() {
        let (last, since) = (at("2026-01-01T00:00:00Z"), at("2025-12-01T00:00:00Z"));
        let every = Cadence::Every(24 * Micros::HOUR);
        let cron = Cadence::Cron(Box::new("0 3 * * *".parse().expect("an expression")));
        assert_eq!(every.due(Some(last), since), Some(at("2026-01-02T00:00:00Z")), "whatever the present is");
        assert_eq!(cron.due(Some(last), since), Some(at("2026-01-01T03:00:00Z")));
        assert_eq!(every.due(None, since), Some(since), "what was never trained is due");
        assert_eq!(cron.due(None, since), Some(at("2025-12-01T03:00:00Z")), "but a cron expression names its instants");
        assert_eq!(Cadence::Off.due(Some(last), since), None);
    }
}
