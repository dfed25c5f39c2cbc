//! Messages of the bus, as other programs send them.

use std::collections::BTreeMap;

use quantum_clm::domain::bus_in::{DeadLetter, EntryId, Fields, LetterState, Topic};
use quantum_clm::domain::time::Micros;

use super::redis::RedisServer;

/// Where people's wishes come on.
pub(crate) const STREAM: &str = "quantum:stream:manual.training_requested";

/// Our consumer group there.
pub(crate) const GROUP: &str = "quantum:group:clm_service:manual.training_requested";

/// A wish for a training.
pub(crate) fn payload(by: &str) -> String {
    format!(r#"{{"model_type":"nhits","symbol":"BTCUSDT","timeframe":"4h","requested_by":"{by}"}}"#)
}

/// Sends one; its id.
pub(crate) fn ask(redis: &mut RedisServer, by: &str) -> String {
    let (event_type, payload) = ("manual.training_requested", payload(by));
    let fields = ["event_type", event_type, "payload", &payload, "trace_id", "", "source", "a test"];
    let mut command = vec!["XADD", STREAM, "MAXLEN", "~", "10000", "*"];
    command.extend(fields);
    redis.run(&command)
}

/// Messages that were handed out and are not acknowledged.
pub(crate) fn pending(redis: &mut RedisServer) -> u64 {
    let summary: Vec<redis::Value> = redis.run(&["XPENDING", STREAM, GROUP]);
    redis::from_redis_value(summary.into_iter().next().expect("a summary")).expect("a count")
}

/// What the stream of dead letters holds, oldest first; of fields of one name, the first.
pub(crate) fn dead_letters(redis: &mut RedisServer) -> Vec<BTreeMap<String, String>> {
    let entries: Vec<(String, Vec<String>)> = redis.run(&["XRANGE", "quantum:dlq:manual.training_requested", "-", "+"]);
    let letter = |(_, fields): (String, Vec<String>)| {
        fields.chunks(2).rev().map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    };
    entries.into_iter().map(letter).collect()
}

/// A message that came to nothing, of [`STREAM`].
pub(crate) fn dead_letter(number: u64, payload: &str) -> DeadLetter {
    DeadLetter {
        number,
        topic: Topic::TrainingRequested,
        entry: EntryId { ms: 1_718_621_479_809, seq: number },
        at: Micros(1_718_621_479_809_000),
        tries: 3,
        error: "payload/model_type: it is missing".into(),
        fields: Fields::of([("event_type", Topic::TrainingRequested.as_str()), ("payload", payload)]),
        cut: false,
        state: LetterState::Waiting,
    }
}
