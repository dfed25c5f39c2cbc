use std::fmt;
use std::str::FromStr;

use crate::domain::time::Micros;

const MINUTE: u64 = 60 * Micros::SECOND;
const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// 1 January 1970 was a Thursday; weeks begin on Mondays here.
const EPOCH: u64 = 3 * DAY as u64;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Hours of the week, in UTC, in which nothing is trained: `Mon-Fri 13:00-21:00`, `Sat,Sun`, `22:00-02:00`. What ends at or
/// before its beginning ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    text: String,
    /// From minute of the week to minute of the week; nothing wraps.
    spans: Vec<(u32, u32)>,
}

/// A text that names no hours of the week.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} are no hours of the week: {why}; use \"Mon-Fri 13:00-21:00\", \"Sat,Sun\" or \"22:00-02:00\" (UTC)")]
pub struct BadQuietHours {
    text: String,
    why: &'static str,
}

impl FromStr for QuietHours {
    type Err = BadQuietHours;

    fn from_str(text: &str) -> Result<Self, BadQuietHours> {
        let bad = |why| BadQuietHours { text: text.chars().take(64).collect(), why };
        let words: Vec<&str> = text.split_whitespace().collect();
        let starts_with_letter = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic());
        let (days, times) = match words[..] {
            [days, times] => (Some(days), Some(times)),
            [days] if starts_with_letter(days) => (Some(days), None),
            [times] => (None, Some(times)),
            _ => return Err(bad("they are days, hours, or days and hours")),
        };
        let days = match days {
            None => [true; 7],
            Some(days) => days_of(days).ok_or_else(|| bad("a day is one of Mon, Tue, Wed, Thu, Fri, Sat, Sun"))?,
        };
        let (from, until) = match times {
            None => (0, DAY),
            Some(times) => {
                let (from, until) = times.split_once('-').ok_or_else(|| bad("hours are from-until"))?;
                let clock = |text| minute_of_day(text).ok_or_else(|| bad("a time is from 00:00 to 24:00"));
                (clock(from)?, clock(until)?)
            }
        };
        if from == until || from == DAY {
            return Err(bad("that is no time at all"));
        }
        let mut spans = Vec::new();
        for day in (0..7).filter(|day| days[*day as usize]) {
            let begins = day * DAY + from;
            let ends = day * DAY + if until > from { until } else { until + DAY };
            spans.push((begins, ends.min(WEEK)));
            if ends > WEEK {
                spans.push((0, ends - WEEK));
            }
        }
        Ok(Self { text: words.join(" "), spans })
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `Mon-Fri`, `Sat`, `Mon,Wed-Fri`; a range may go on beyond Sunday.
fn days_of(text: &str) -> Option<[bool; 7]> {
    let day = |word: &str| DAYS.iter().position(|name| name.eq_ignore_ascii_case(word));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let mut at = first;
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Some(days)
}

fn minute_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| -> Option<u32> {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let (hours, minutes) = (two(hours)?, two(minutes).filter(|_| minutes.len() == 2)?);
    (minutes < 60 && (hours < 24 || (hours, minutes) == (24, 0))).then_some(hours * 60 + minutes)
}

/// All no-training hours together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Sorted; none touches the next.
    spans: Vec<(u32, u32)>,
}

/// Hours that leave no time for training at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leave no minute of the week for training; scheduler.enabled = false turns the scheduler off")]
pub struct AlwaysQuiet;

impl Calendar {
    /// Of all of them.
    pub fn new(hours: &[QuietHours]) -> Result<Self, AlwaysQuiet> {
        let mut all: Vec<_> = hours.iter().flat_map(|hours| &hours.spans).copied().collect();
        all.sort_unstable();
        let mut spans: Vec<(u32, u32)> = Vec::new();
        for (from, until) in all {
            match spans.last_mut() {
                Some((_, end)) if from <= *end => *end = (*end).max(until),
                _ => spans.push((from, until)),
            }
        }
        if spans == [(0, WEEK)] { Err(AlwaysQuiet) } else { Ok(Self { spans }) }
    }

    /// The first instant from `at` on at which training may begin: `at` itself outside of the hours.
    pub fn free_from(&self, at: Micros) -> Micros {
        let mut free = at;
        // The second look is for hours that go on from Sunday to Monday; more than two never touch.
        for _ in 0..2 {
            let minute = (free.0 / MINUTE + EPOCH) % u64::from(WEEK);
            let inside = |(from, until): &&(u32, u32)| (u64::from(*from)..u64::from(*until)).contains(&minute);
            let Some((_, until)) = self.spans.iter().find(inside) else { break };
            free = Micros((free.0 / MINUTE + u64::from(*until) - minute) * MINUTE);
        }
        free
    }

    /// Whether nothing may begin at `at`.
    pub fn is_quiet(&self, at: Micros) -> bool {
        self.free_from(at) != at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(hours: &[&str]) -> Result<Calendar, AlwaysQuiet> {
        let hours: Vec<_> = hours.iter().map(|text| text.parse().expect("hours")).collect();
        Calendar::new(&hours)
    }

    #[test]
    fn training_may_begin_when_the_hours_are_over() {
        // 17 January 2026 was a Saturday.
        for (hours, at, free) in [
            (&["Mon-Fri 13:00-21:00"][..], "2026-01-16T12:59:59Z", "2026-01-16T12:59:59Z"),
            (&["Mon-Fri 13:00-21:00"], "2026-01-16T13:00:00Z", "2026-01-16T21:00:00Z"),
            (&["Mon-Fri 13:00-21:00"], "2026-01-16T20:59:59.9Z", "2026-01-16T21:00:00Z"),
            (&["Mon-Fri 13:00-21:00"], "2026-01-17T14:00:00Z", "2026-01-17T14:00:00Z"),
            (&["Sat"], "2026-01-17T00:00:00Z", "2026-01-18T00:00:00Z"),
            (&["sat,sun"], "2026-01-17T10:00:00Z", "2026-01-19T00:00:00Z"),
            (&["Fri-Mon 9:00-24:00"], "2026-01-19T10:00:00Z", "2026-01-20T00:00:00Z"),
            (&["22:00-02:00"], "2026-01-16T23:30:00Z", "2026-01-17T02:00:00Z"),
            (&["22:00-02:00"], "2026-01-17T01:30:00Z", "2026-01-17T02:00:00Z"),
            (&["Fri 22:00-02:00"], "2026-01-18T01:00:00Z", "2026-01-18T01:00:00Z"),
            // From Sunday into Monday, and what begins there.
            (&["Sun 22:00-02:00"], "2026-01-18T23:00:00Z", "2026-01-19T02:00:00Z"),
            (&["Sun 22:00-02:00", "Mon 02:00-05:00"], "2026-01-18T23:00:00Z", "2026-01-19T05:00:00Z"),
            (&["13:00-15:00", "Sat 14:00-18:00"], "2026-01-17T13:30:00Z", "2026-01-17T18:00:00Z"),
            (&[], "2026-01-17T13:30:00Z", "2026-01-17T13:30:00Z"),
        ] {
            let (at, free): (Micros, Micros) = (at.parse().expect("at"), free.parse().expect("free"));
            let calendar = calendar(hours).expect("some time is left");
            assert_eq!(calendar.free_from(at).rfc3339(), free.rfc3339(), "{hours:?} at {}", at.rfc3339());
            assert_eq!(calendar.is_quiet(at), at != free, "{hours:?} at {}", at.rfc3339());
        }
    }

    #[test]
    fn what_is_no_hours() {
        for text in [
            "",
            "Mond",
            "Mon-",
            "25:00-26:00",
            "13:00",
            "13:00-13:00",
            "24:00-02:00",
            "13:0-14:00",
            "Mon 13:00-14:00 x",
            "13:00-14:00 Mon",
            "-",
            "13:60-14:00",
        ] {
            let read = text.parse::<QuietHours>();
            assert!(read.is_err(), "{text:?}: {read:?}");
        }
    }

    #[test]
    fn some_minute_of_the_week_is_left() {
        assert_eq!(calendar(&["Mon-Sun"]), Err(AlwaysQuiet));
        assert_eq!(calendar(&["00:00-12:00", "12:00-24:00"]), Err(AlwaysQuiet));
        let last: Micros = "2026-01-18T23:59:00Z".parse().expect("an instant");
        let nearly = calendar(&["Mon-Sat", "Sun 00:00-23:59"]).expect("a minute is left");
        assert_eq!(nearly.free_from(last.minus(6 * Micros::DAY)), last);
    }
}
