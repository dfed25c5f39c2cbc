//! Webhooks: what is sent, when it is tried again, when it is given up.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::bus::BusEvent;
use super::time::Micros;

/// What a webhook is called in the configuration: 1 to 64 of `a` to `z`, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookName(String);

/// A text that is no webhook's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's name is 1 to 64 small letters, digits, \"-\" and \"_\"")]
pub struct BadWebhookName;

impl WebhookName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebhookName {
    type Err = BadWebhookName;

    fn from_str(text: &str) -> Result<Self, BadWebhookName> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadWebhookName)
        }
    }
}

impl TryFrom<String> for WebhookName {
    type Error = BadWebhookName;

    fn try_from(text: String) -> Result<Self, BadWebhookName> {
        text.parse()
    }
}

impl fmt::Display for WebhookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for WebhookName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl JsonSchema for WebhookName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WebhookName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" })
    }
}

/// The event that an administrator sends to see whether a webhook works.
pub const TEST_EVENT: &str = "clm.test";

/// What is posted: the payload of Standard Webhooks, with the id that the header has too. The same bytes at every try.
pub fn body(id: &str, event: &BusEvent) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        r#type: &'a str,
        timestamp: &'a str,
        id: &'a str,
        data: &'a serde_json::Value,
    }
    let BusEvent { event_type, payload, timestamp, .. } = event;
    // Text and JSON values are always written.
    serde_json::to_string(&Body { r#type: event_type, timestamp, id, data: payload }).unwrap_or_default()
}

/// How a webhook gets on: what is remembered of it over a restart, beside the last event that it is through with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Tries of the event that is next.
    pub attempts: u32,
    /// Failures in a row, of whichever event.
    pub failures: u32,
    /// When they began.
    pub failing_since: Option<Micros>,
    /// The last of them, in words.
    pub last_error: Option<String>,
    /// Not before.
    pub next_try: Option<Micros>,
    /// The last time that an event was taken.
    pub last_success: Option<Micros>,
    /// Events given up, ever.
    pub given_up: u64,
}

/// How the pauses between two tries grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The first, in microseconds; each further one is twice as long.
    pub first: u64,
    /// The longest, in microseconds.
    pub most: u64,
}

impl Pauses {
    /// Five seconds to an hour: a receiver that is started again is soon served, one that is gone for a night is asked some
    /// twenty times.
    pub const USUAL: Self = Self { first: 5 * Micros::SECOND, most: Micros::HOUR };

    /// The pause behind that many failures in a row: between half and all of a step that doubles. `random` is any number.
    pub fn after(self, failures: u32, random: u64) -> u64 {
        let doublings = failures.saturating_sub(1);
        let step = 1_u64.checked_shl(doublings).and_then(|factor| self.first.checked_mul(factor));
        let step = step.unwrap_or(self.most).min(self.most);
        step / 2 + step / 1_000 * (random % 501)
    }
}

impl Progress {
    /// The event was taken.
    pub fn delivered(&mut self, now: Micros) {
        let given_up = self.given_up;
        *self = Self { last_success: Some(now), given_up, ..Self::default() };
    }

    /// It was not. The receiver may have said for how long (in microseconds) it wants to be left alone.
    pub fn failed(&mut self, now: Micros, why: String, pauses: Pauses, wished: Option<u64>, random: u64) {
        self.attempts = self.attempts.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.last_error = Some(why);
        let pause = pauses.after(self.failures, random).max(wished.unwrap_or(0).min(pauses.most));
        self.next_try = Some(now.plus(pause));
    }

    /// Whether an event that was put out at `at` is given up: neither it nor the failures are younger than `limit`
    /// microseconds. So an appliance that was switched off for a week gives nothing up at the first failure.
    pub fn is_over(&self, at: Micros, now: Micros, limit: u64) -> bool {
        self.failing_since.is_some_and(|since| now.0.saturating_sub(at.0.max(since.0)) >= limit)
    }

    /// Microseconds until the next try. A clock that was set back must not make a wait longer than any pause is.
    pub fn wait(&self, now: Micros, pauses: Pauses) -> u64 {
        self.next_try.map_or(0, |at| at.0.saturating_sub(now.0)).min(pauses.most)
    }
}

/// Why something was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// It was its turn.
    Queue,
    /// Somebody wanted to see whether it works.
    Test,
    /// Somebody sent it once more.
    Replay,
}

impl Occasion {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Test => "test",
            Self::Replay => "replay",
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It did not.
    Failed,
    /// Nobody will try it again.
    GivenUp,
}

impl Outcome {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// One line of a webhook's delivery log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Delivery {
    /// The event's place in the outbox; 0 for a test.
    pub seq: u64,
    /// What the receiver knows a repeat by.
    pub id: String,
    /// `clm.model_promoted`, ….
    pub event_type: String,
    /// When the try began, or the event was given up.
    pub at: Micros,
    /// The how manieth try it was; 0 where there was none of its own.
    pub attempt: u32,
    /// Why it was sent.
    pub occasion: Occasion,
    /// What became of it.
    pub outcome: Outcome,
    /// What the receiver answered, where it did.
    pub status: Option<u16>,
    /// What was wrong, in words; empty where nothing was.
    pub why: String,
    /// How long it took, in microseconds.
    pub took: u64,
    /// When it is tried again, if it is.
    pub next_try: Option<Micros>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_768_621_479_000_000);
    const DAY: u64 = Micros::DAY;

    #[test]
    fn names() {
        for name in ["ops", "a-1_b", "0"] {
            assert_eq!(name.parse::<WebhookName>().unwrap().as_str(), name);
        }
        for name in ["", "Ops", "a.b", "a b", "ä", &"a".repeat(65)] {
            assert_eq!(name.parse::<WebhookName>(), Err(BadWebhookName), "{name}");
        }
    }

    #[test]
    fn pauses_double_from_seconds_to_an_hour() {
        let least: Vec<u64> = (1..=12).map(|failures| Pauses::USUAL.after(failures, 0) * 2 / Micros::SECOND).collect();
        assert_eq!(least, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        for failures in [1, 5, 40, u32::MAX] {
            for random in [0, 500, 501, u64::MAX] {
                let (least, most) = (Pauses::USUAL.after(failures, 0), Pauses::USUAL.after(failures, 500));
                assert_eq!(most, least * 2);
                assert!((least..=most).contains(&Pauses::USUAL.after(failures, random)));
            }
        }
    }

    #[test]
    fn what_a_receiver_wishes_counts_up_to_the_longest_pause() {
        let wait = |wished| {
            let mut progress = Progress::default();
            progress.failed(NOW, "503".into(), Pauses::USUAL, wished, 0);
            progress.wait(NOW, Pauses::USUAL) / Micros::SECOND
        };
        assert_eq!([wait(None), wait(Some(0)), wait(Some(120 * Micros::SECOND)), wait(Some(DAY))], [2, 2, 120, 3_600]);
    }

    #[test]
    fn given_up_when_event_and_failures_are_old() {
        let mut progress = Progress::default();
        assert!(!progress.is_over(Micros(0), NOW, 3 * DAY), "nothing has failed");
        progress.failed(NOW, "500".into(), Pauses::USUAL, None, 0);
        assert!(!progress.is_over(Micros(0), NOW.plus(3 * DAY - 1), 3 * DAY), "an old event, young failures");
        assert!(progress.is_over(Micros(0), NOW.plus(3 * DAY), 3 * DAY));
        assert!(!progress.is_over(NOW.plus(DAY), NOW.plus(3 * DAY), 3 * DAY), "a young event, old failures");
        assert!(progress.is_over(NOW.plus(DAY), NOW.plus(4 * DAY), 3 * DAY));
        progress.delivered(NOW);
        assert_eq!((progress.failures, progress.next_try, progress.failing_since), (0, None, None));
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_a_wait() {
        let mut progress = Progress::default();
        progress.failed(NOW, String::new(), Pauses::USUAL, None, 0);
        assert_eq!(progress.wait(NOW.minus(300 * DAY), Pauses::USUAL), Micros::HOUR);
        assert_eq!(progress.wait(NOW.plus(DAY), Pauses::USUAL), 0);
    }

    #[test]
    fn the_body_is_the_standards() {
        let event = BusEvent {
            event_type: "clm.model_promoted".into(),
            payload: serde_json::json!({"model_id": "m"}),
            correlation_id: "c".into(),
            timestamp: "2026-01-17T03:44:39.809Z".into(),
        };
        assert_eq!(
            body("7-ab", &event),
            r#"{"type":"clm.model_promoted","timestamp":"2026-01-17T03:44:39.809Z","id":"7-ab","data":{"model_id":"m"}}"#
        );
    }
}
