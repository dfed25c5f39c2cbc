//! How pages write instants, spans and figures. Templates hand fields on by reference, code by value: both will do.

use std::borrow::Cow;
use std::fmt;

use askama::filters::HtmlSafe;

use crate::domain::event::{Decision, first_chars};
use crate::domain::time::Micros;

/// A value, or a reference to one, as deep as templates make them.
pub(in crate::http) trait Given<T> {
    /// The value.
    fn given(self) -> T;
}

impl<T> Given<T> for T {
    fn given(self) -> T {
        self
    }
}

impl<T: Copy> Given<T> for &T {
    fn given(self) -> T {
        *self
    }
}

impl<T: Copy> Given<T> for &&T {
    fn given(self) -> T {
        **self
    }
}

/// An instant as an HTML element: UTC as its text, and for programs as its attribute. The script adds the viewer's own
/// time as its title.
pub(in crate::http) struct Time {
    at: Micros,
    form: &'static str,
}

/// To the day.
pub(in crate::http) fn day(at: impl Given<Micros>) -> Time {
    Time { at: at.given(), form: "%Y-%m-%d" }
}

/// To the second.
pub(in crate::http) fn time(at: impl Given<Micros>) -> Time {
    Time { at: at.given(), form: "%Y-%m-%d %H:%M:%S" }
}

/// To the minute.
pub(in crate::http) fn minute(at: impl Given<Micros>) -> Time {
    Time { at: at.given(), form: "%Y-%m-%d %H:%M" }
}

/// To the millisecond.
pub(in crate::http) fn exact(at: impl Given<Micros>) -> Time {
    Time { at: at.given(), form: "%Y-%m-%d %H:%M:%S%.3f" }
}

// It writes digits and its own tags, nothing that came from outside.
impl HtmlSafe for Time {}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.datetime();
        write!(f, "<time datetime=\"{}\">{}</time>", self.at.rfc3339(), at.format(self.form))
    }
}

/// How long something takes or is ago, in the two largest units: `3 d 4 h`, `2 min 5 s`, `1.250 s`, `250 ms`.
pub(in crate::http) fn span(micros: impl Given<u64>) -> String {
    let micros = micros.given();
    const MINUTE: u64 = 60 * Micros::SECOND;
    let two = |large: u64, name: &str, small: u64, small_name: &str| {
        let (first, second) = (micros / large, micros % large / small);
        if second == 0 { format!("{first} {name}") } else { format!("{first} {name} {second} {small_name}") }
    };
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..10_000_000 => format!("{}.{:03} s", micros / Micros::SECOND, micros / 1_000 % 1_000),
        _ if micros < MINUTE => format!("{} s", micros / Micros::SECOND),
        _ if micros < Micros::HOUR => two(MINUTE, "min", Micros::SECOND, "s"),
        _ if micros < Micros::DAY => two(Micros::HOUR, "h", MINUTE, "min"),
        _ => two(Micros::DAY, "d", Micros::HOUR, "h"),
    }
}

/// How long it is since `at`, to the second.
pub(in crate::http) fn since(at: impl Given<Micros>, now: impl Given<Micros>) -> String {
    let passed = now.given().0.saturating_sub(at.given().0) / Micros::SECOND;
    if passed < 10 { format!("{passed} s") } else { span(passed * Micros::SECOND) }
}

/// How long ago `at` was: `3 d 4 h ago`, `just now` within a second or where it lies ahead.
pub(in crate::http) fn ago(at: impl Given<Micros>, now: impl Given<Micros>) -> String {
    let (at, now) = (at.given(), now.given());
    let passed = now.0.saturating_sub(at.0);
    // Two units only where the smaller one says something: a figure that jumps every second draws the eye for nothing.
    let unit = [Micros::DAY, Micros::HOUR, 60 * Micros::SECOND].into_iter().find(|unit| passed >= 10 * unit);
    match (passed, unit) {
        (0..Micros::SECOND, _) => "just now".to_owned(),
        (_, Some(unit)) => format!("{} ago", span(passed - passed % unit)),
        _ => format!("{} ago", since(at, now)),
    }
}

/// `12,345,678`.
pub(in crate::http) fn count(number: impl Given<u64>) -> String {
    let digits = number.given().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 shadow`, `12 shadows`.
pub(in crate::http) fn counted(number: impl Given<u32>, what: &str) -> String {
    match number.given() {
        1 => format!("1 {what}"),
        number => format!("{} {what}s", count(u64::from(number))),
    }
}

/// `1.5 GiB`.
pub(in crate::http) fn bytes(number: impl Given<u64>) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = 0;
    let mut value = number.given() as f64;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// `42.0 %` with a space that does not break, and a dash where there is nothing to have a share of.
pub(in crate::http) fn share(part: impl Given<u64>, whole: impl Given<u64>) -> String {
    let (part, whole) = (part.given(), whole.given());
    if whole == 0 { "–".to_owned() } else { format!("{:.1}\u{a0}%", part as f64 * 100.0 / whole as f64) }
}

/// `1.45`: a ratio such as Sharpe's.
pub(in crate::http) fn ratio(value: impl Given<f64>) -> String {
    signed(format!("{:.2}", value.given()))
}

/// `42.0 %` of a share, with a space that does not break.
pub(in crate::http) fn percent(share: impl Given<f64>) -> String {
    signed(format!("{:.1}\u{a0}%", share.given() * 100.0))
}

/// `63.4`, of 100.
pub(in crate::http) fn score(score: impl Given<f64>) -> String {
    format!("{:.1}", score.given())
}

/// `97.3 %` of a probability; what is rounded to certainty is none.
pub(in crate::http) fn probability(probability: impl Given<f64>) -> String {
    match probability.given() {
        certain if certain > 0.9995 => "> 99.9\u{a0}%".to_owned(),
        never if never < 0.0005 => "< 0.1\u{a0}%".to_owned(),
        other => percent(other),
    }
}

/// With a minus that is as wide as a plus; what is rounded to nothing has none.
pub(in crate::http) fn signed(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if !rest.bytes().any(|byte| matches!(byte, b'1'..=b'9')) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// The most characters of a message in a list; its own page has all of it.
const LISTED_CHARS: usize = 300;

/// A message as lists show it.
pub(in crate::http) fn listed(message: &str) -> Cow<'_, str> {
    let first = first_chars(message, LISTED_CHARS);
    if first.len() == message.len() { Cow::Borrowed(message) } else { Cow::Owned(format!("{first}…")) }
}

/// A unit without the suffix that all of them have.
pub(in crate::http) fn unit(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

/// The class of a decision's badge.
pub(in crate::http) fn decision_class(decision: impl Given<Decision>) -> &'static str {
    match decision.given() {
        Decision::Buy => "buy",
        Decision::Sell => "sell",
        Decision::Hold => "hold",
    }
}

/// `0.69`, with as many digits as it has, up to six.
pub(in crate::http) fn confidence(confidence: impl Given<f64>) -> String {
    format!("{:.6}", confidence.given()).trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (micros, expect) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (250_000, "250 ms"),
            (1_250_000, "1.250 s"),
            (59 * Micros::SECOND, "59 s"),
            (60 * Micros::SECOND, "1 min"),
            (125 * Micros::SECOND, "2 min 5 s"),
            (Micros::HOUR + 60 * Micros::SECOND, "1 h 1 min"),
            (Micros::DAY * 3 + Micros::HOUR * 4, "3 d 4 h"),
        ] {
            assert_eq!(span(micros), expect);
        }
        assert_eq!(ago(Micros(0), Micros(1_900_000)), "1 s ago");
        assert_eq!(ago(Micros(5), Micros(0)), "just now", "a clock that stepped back");
        let long = 12 * 60 * Micros::SECOND + 5 * Micros::SECOND;
        assert_eq!(ago(Micros(0), Micros(long)), "12 min ago");
        assert_eq!(ago(Micros(0), Micros(3 * Micros::HOUR + long)), "3 h 12 min ago");
        assert_eq!(ago(Micros(0), Micros(15 * Micros::HOUR + long)), "15 h ago");
    }

    #[test]
    fn figures() {
        assert_eq!(
            ["0", "999", "1,000", "12,345,678"],
            [0, 999, 1_000, 12_345_678].map(count).each_ref().map(String::as_str)
        );
        assert_eq!(
            ["0 B", "1023 B", "1.5 KiB", "512 MiB"],
            [0, 1_023, 1_536, 512 << 20].map(bytes).each_ref().map(String::as_str)
        );
        assert_eq!([share(1, 4), share(0, 0)], ["25.0\u{a0}%", "–"]);
        assert_eq!([percent(0.1234), percent(-0.0001), percent(-1.0)], ["12.3\u{a0}%", "0.0\u{a0}%", "−100.0\u{a0}%"]);
        assert_eq!(
            [probability(0.973), probability(0.9999), probability(0.0)],
            ["97.3\u{a0}%", "> 99.9\u{a0}%", "< 0.1\u{a0}%"]
        );
        assert_eq!([ratio(1.449), ratio(-0.001), score(49.9)], ["1.45", "0.00", "49.9"]);
        assert_eq!([confidence(0.69), confidence(1.0), confidence(0.0)], ["0.69", "1", "0"]);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let long = "é".repeat(LISTED_CHARS);
        assert_eq!(listed(&long), long);
        assert_eq!(listed(&format!("{long}é")), format!("{long}…"));
    }

    #[test]
    fn an_instant_is_an_element() {
        let at = Micros(1_768_621_479_809_316);
        assert_eq!(exact(at).to_string(), "<time datetime=\"2026-01-17T03:44:39.809Z\">2026-01-17 03:44:39.809</time>");
        assert_eq!(time(at).to_string(), "<time datetime=\"2026-01-17T03:44:39.809Z\">2026-01-17 03:44:39</time>");
    }
}
