//! Instants as people write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use super::time::Micros;

/// A text that is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use 2026-01-17, \"2026-01-17 03:46\" (UTC), RFC 3339, -2h, \"1h ago\", today or yesterday")]
pub struct BadInstant;

/// Reads an instant: RFC 3339; `2026-01-17`, with or without `03:46` or `03:46:06` (UTC); `now`, `today`, `yesterday`;
/// `-2h`, `90s ago`, `1h30m ago`.
pub fn parse(text: &str, now: Micros) -> Result<Micros, BadInstant> {
    let text = text.trim();
    let midnight = Micros(now.0 - now.0 % Micros::DAY);
    match text.to_ascii_lowercase().as_str() {
        "now" => return Ok(now),
        "today" => return Ok(midnight),
        "yesterday" => return Ok(midnight.minus(Micros::DAY)),
        _ => {}
    }
    let ago = text.strip_prefix('-').or_else(|| text.strip_suffix("ago").filter(|rest| !rest.is_empty()));
    ago.and_then(span).map(|micros| now.minus(micros)).or_else(|| calendar(text)).ok_or(BadInstant)
}

/// The instant of a calendar's day or time; UTC where it has no zone.
pub(crate) fn calendar(text: &str) -> Option<Micros> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc().into());
    }
    let text = text.replacen('T', " ", 1);
    let at = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
        .or_else(|| Some(NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))?;
    Some(at.and_utc().into())
}

/// Microseconds of `2h`, `1h 30m`, `90 minutes`.
fn span(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ms" => 1_000,
            "s" | "sec" | "second" | "seconds" => Micros::SECOND,
            "m" | "min" | "minute" | "minutes" => 60 * Micros::SECOND,
            "h" | "hour" | "hours" => Micros::HOUR,
            "d" | "day" | "days" => Micros::DAY,
            "w" | "week" | "weeks" => 7 * Micros::DAY,
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        rest = rest[end..].trim_start();
    }
    (sum > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        let now = calendar("2026-01-17T03:46:06Z").unwrap();
        for (text, expected) in [
            ("now", "2026-01-17T03:46:06.000Z"),
            ("Today", "2026-01-17T00:00:00.000Z"),
            ("yesterday", "2026-01-16T00:00:00.000Z"),
            ("2026-01-02", "2026-01-02T00:00:00.000Z"),
            ("2026-01-02 03:04", "2026-01-02T03:04:00.000Z"),
            ("2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02 03:04:05.25", "2026-01-02T03:04:05.250Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"),
            (" -2h ", "2026-01-17T01:46:06.000Z"),
            ("1h ago", "2026-01-17T02:46:06.000Z"),
            ("1h30m ago", "2026-01-17T02:16:06.000Z"),
            ("-1 h 30 min", "2026-01-17T02:16:06.000Z"),
            ("1 week ago", "2026-01-10T03:46:06.000Z"),
            ("-99999d", "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(parse(text, now).map(Micros::rfc3339), Ok(expected.to_owned()), "{text}");
        }
        for text in ["", "-", "ago", "tomorrow", "2h", "-2", "-2 fortnights", "2026-13-01", "2026-01-02 25:00", "-0s"] {
            assert!(parse(text, now).is_err(), "{text}");
        }
        assert!(parse(&format!("-{}w", u64::MAX), now).is_err());
    }
}
