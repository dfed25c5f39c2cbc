use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::{DailyReturns, MOST_DAYS};
use crate::domain::time::Micros;

const DAY_MICROS: i64 = 86_400_000_000;

/// Microseconds since the epoch of an instant as programs write it: RFC 3339, also with a blank instead of the T, and
/// UTC where there is no zone (Python's `isoformat` of a naive time).
pub(super) fn instant(text: &str) -> Option<i64> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_micros());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let naive = formats.into_iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let zoned = || DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z").ok();
    naive.map(|at| at.and_utc().timestamp_micros()).or_else(|| Some(zoned()?.timestamp_micros()))
}

/// The number of a calendar day, in days since the epoch.
pub(super) fn day_number(text: &str) -> Option<i64> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() / 86_400)
}

/// The UTC day of an instant.
pub(super) fn day_of(micros: i64) -> i64 {
    micros.div_euclid(DAY_MICROS)
}

/// The last day that may have returns already: tomorrow, for clocks that differ.
pub(super) fn last_day(now: Micros) -> i64 {
    i64::try_from(now.0).map_or(i64::MAX, day_of).saturating_add(1)
}

/// Compounds returns, each with its day, in order of the days, into days without holes. What is wrong otherwise.
pub(super) fn compound(returns: impl Iterator<Item = (i64, f64)>, now: Micros) -> Result<DailyReturns, String> {
    let mut first = None;
    let mut days: Vec<f64> = Vec::new();
    for (day, gain) in returns {
        let first = *first.get_or_insert(day);
        let index = check(first, day, now)?;
        // The factor of the day's capital for now; its return at the end.
        days.resize((index + 1).max(days.len()), 1.0);
        if let Some(factor) = days.get_mut(index) {
            *factor *= 1.0 + gain;
        }
    }
    let first_day = first.and_then(|day| u32::try_from(day).ok()).ok_or("is empty")?;
    // A million returns of one day could compound beyond what a number holds.
    let most = f64::MAX.sqrt();
    let returns = days.into_iter().map(|factor| factor.min(most) - 1.0).collect();
    Ok(DailyReturns { first_day, returns })
}

/// The index of `day` in a series that begins on `first`.
fn check(first: i64, day: i64, now: Micros) -> Result<usize, String> {
    if first < 0 || u32::try_from(day).is_err() {
        return Err("begins before 1970".to_owned());
    }
    if day > last_day(now) {
        return Err("ends in the future".to_owned());
    }
    match usize::try_from(day - first) {
        Ok(index) if index < MOST_DAYS => Ok(index),
        _ => Err(format!("covers more than {MOST_DAYS} days")),
    }
}
