//! Messages that came to nothing, as entries of `quantum:dlq:<type>`: what they said, what was wrong, how often they were
//! tried, and where they stood.

use super::super::condition::MirrorError;
use super::super::connection::Connection;
use super::super::resp;
use super::super::stream::{self, EntryId, Landed};
use crate::domain::bus_in::{DeadLetter, Topic};

/// The stream's rolling window.
const MAXLEN: &str = "10000";

/// How far back a letter is looked for that may stand there already.
const LOOK_BACK: usize = 1_000;

/// What our own fields begin with where theirs might be called the same.
const OURS: [&str; 5] = ["original_id", "original_stream", "error", "tries", "failed_at"];

/// Appends letters of one type to its dead letters. Those that may stand there already (`again`) are looked for first.
pub(super) async fn send(
    connection: &mut Connection,
    topic: Topic,
    letters: &[(&DeadLetter, bool)],
) -> Result<(), MirrorError> {
    let key = topic.dead_letters();
    loop {
        let end = stream::watch(connection, &key).await?;
        let mut last = end.map_or(EntryId::default(), |end| end.last);
        let mut there = Vec::new();
        if letters.iter().any(|(_, again)| *again) {
            let newest = stream::newest_first(connection, &key, None, EntryId::default(), LOOK_BACK).await?;
            there.extend(newest.iter().filter_map(|entry| {
                let text = |name| std::str::from_utf8(entry.field(name)?).ok();
                Some((text("original_id")?.to_owned(), text("failed_at")?.to_owned()))
            }));
        }
        let mut bytes = Vec::new();
        let mut commands = 0;
        stream::begin(&mut bytes);
        for (letter, again) in letters {
            let known = (letter.entry.to_string(), letter.at.rfc3339());
            if *again && there.contains(&known) {
                continue;
            }
            last = last.then(EntryId { ms: letter.at.millis(), seq: letter.number });
            pack(&mut bytes, &key, last, letter);
            commands += 1;
        }
        if commands == 0 || matches!(stream::land(connection, &key, bytes, commands).await?, Landed::Whole(_)) {
            return Ok(());
        }
    }
}

/// Our fields stand first: whoever looks for one finds ours, whatever the message held.
fn pack(bytes: &mut Vec<u8>, key: &str, entry: EntryId, letter: &DeadLetter) {
    let (entry, original, stream) = (entry.to_string(), letter.entry.to_string(), letter.topic.stream());
    let (tries, failed_at) = (letter.tries.to_string(), letter.at.rfc3339());
    let mut command: Vec<&[u8]> = vec![b"XADD", key.as_bytes(), b"MAXLEN", b"~", MAXLEN.as_bytes(), entry.as_bytes()];
    let values = [original.as_str(), &stream, &letter.error, &tries, &failed_at];
    for (name, value) in OURS.iter().zip(values) {
        command.extend([name.as_bytes(), value.as_bytes()]);
    }
    for (name, value) in letter.fields.iter() {
        command.extend([name, value]);
    }
    resp::command(bytes, &command);
}
