//! Appending to a stream as a whole or not at all.
//!
//! A batch is `MULTI … EXEC` under a `WATCH` that began before the stream's end was looked at. So it lands exactly behind
//! what was seen there, or not at all: not after somebody else's entry, not in half when Redis runs out of memory, and not
//! late out of the buffer of a connection that was given up. That leaves one question after any accident, which is what
//! the stream ends with, and nothing to repair.

use super::condition::MirrorError;
use super::connection::Connection;
use super::resp::{self, Reply};
pub(super) use crate::domain::bus_in::EntryId;
use crate::domain::bus_in::Fields;

/// A stream's end, watched since just before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The largest id it ever held, also when that entry is gone.
    pub(super) last: EntryId,
    /// How many entries it holds.
    pub(super) length: u64,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    fields: Reply,
}

impl Entry {
    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&[u8]> {
        match self.fields.field(name) {
            Some(Reply::Bulk(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// All of it; `None` where the stream has dropped it since.
    pub(super) fn into_fields(self) -> Option<Fields> {
        let Reply::Array(items) = self.fields else { return None };
        let mut items = items.into_iter();
        let mut fields = Vec::new();
        while let (Some(Reply::Bulk(name)), Some(Reply::Bulk(value))) = (items.next(), items.next()) {
            fields.push((name, value));
        }
        Some(Fields::new(fields))
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Landed {
    /// It stands in the stream, whose end after it is this (`None`: the stream was removed since).
    Whole(Option<End>),
    /// The stream changed after it was looked at, and nothing of the batch stands in it.
    Not,
}

/// Watches the stream and reads where it ends; `None` where there is no such key.
pub(super) async fn watch(connection: &mut Connection, key: &str) -> Result<Option<End>, MirrorError> {
    let mut bytes = Vec::new();
    resp::command(&mut bytes, &[b"UNWATCH"]);
    watch_commands(&mut bytes, key);
    let mut replies = connection.pipeline(&bytes, 3).await?;
    let info = replies.pop();
    if let Some(Reply::Error(line)) = replies.iter().find(|reply| matches!(reply, Reply::Error(_))) {
        return Err(MirrorError::Refused(line.clone()));
    }
    end(info)
}

fn watch_commands(bytes: &mut Vec<u8>, key: &str) {
    resp::command(bytes, &[b"WATCH", key.as_bytes()]);
    resp::command(bytes, &[b"XINFO", b"STREAM", key.as_bytes()]);
}

fn end(info: Option<Reply>) -> Result<Option<End>, MirrorError> {
    let info = match info {
        Some(Reply::Error(line)) if line.contains("no such key") => return Ok(None),
        Some(Reply::Error(line)) => return Err(MirrorError::Refused(line)),
        Some(info) => info,
        None => return Err(MirrorError::NotRedis("XINFO without an answer".into())),
    };
    let last = info.field("last-generated-id").and_then(Reply::text).and_then(|text| text.parse().ok());
    let length = info.field("length").and_then(Reply::integer);
    match (last, length) {
        (Some(last), Some(length)) => Ok(Some(End { last, length })),
        _ => Err(MirrorError::NotRedis("XINFO STREAM without last-generated-id".into())),
    }
}

/// Begins the bytes of a batch.
pub(super) fn begin(bytes: &mut Vec<u8>) {
    resp::command(bytes, &[b"MULTI"]);
}

/// Sends a batch that was begun with [`begin`] and holds `commands` commands, and looks at the stream's end again.
pub(super) async fn land(
    connection: &mut Connection,
    key: &str,
    mut batch: Vec<u8>,
    commands: usize,
) -> Result<Landed, MirrorError> {
    resp::command(&mut batch, &[b"EXEC"]);
    watch_commands(&mut batch, key);
    let mut replies = connection.pipeline(&batch, commands + 4).await?;
    let info = replies.pop();
    let watched = replies.pop();
    let executed = replies.pop();
    // A command that Redis did not even queue says why; EXEC then only says that there was one.
    if let Some(Reply::Error(line)) = replies.into_iter().chain(watched).find(|reply| matches!(reply, Reply::Error(_)))
    {
        return Err(MirrorError::Refused(line));
    }
    match executed {
        Some(Reply::Nil) => Ok(Landed::Not),
        Some(Reply::Error(line)) => Err(MirrorError::Refused(cause(line))),
        Some(Reply::Array(results)) => {
            match results.into_iter().find_map(|result| match result {
                Reply::Error(line) => Some(line),
                _ => None,
            }) {
                Some(line) => Err(MirrorError::Refused(line)),
                None => Ok(Landed::Whole(end(info)?)),
            }
        }
        other => Err(MirrorError::NotRedis(format!("EXEC answers {other:?}"))),
    }
}

/// What EXEC found, where it was EXEC itself that found it.
fn cause(line: String) -> String {
    match line.strip_prefix("EXECABORT Transaction discarded because of: ") {
        Some(cause) => cause.to_owned(),
        None => line,
    }
}

/// Up to `count` entries from `from` down to `to`, newest first.
pub(super) async fn newest_first(
    connection: &mut Connection,
    key: &str,
    from: Option<EntryId>,
    to: EntryId,
    count: usize,
) -> Result<Vec<Entry>, MirrorError> {
    let from = from.map_or_else(|| "+".to_owned(), |id| id.to_string());
    let (to, count) = (to.to_string(), count.to_string());
    let command: [&[u8]; 6] =
        [b"XREVRANGE", key.as_bytes(), from.as_bytes(), to.as_bytes(), b"COUNT", count.as_bytes()];
    let Reply::Array(items) = connection.ask(&command).await? else {
        return Err(MirrorError::NotRedis("XREVRANGE without a list".into()));
    };
    Ok(entries(items))
}

/// Up to `count` entries after `after`, oldest first.
pub(super) async fn oldest_first(
    connection: &mut Connection,
    key: &str,
    after: EntryId,
    count: usize,
) -> Result<Vec<Entry>, MirrorError> {
    let (from, count) = (after.next().to_string(), count.to_string());
    let command: [&[u8]; 6] = [b"XRANGE", key.as_bytes(), from.as_bytes(), b"+", b"COUNT", count.as_bytes()];
    let Reply::Array(items) = connection.ask(&command).await? else {
        return Err(MirrorError::NotRedis("XRANGE without a list".into()));
    };
    Ok(entries(items))
}

/// The entries of a reply.
pub(super) fn entries(items: Vec<Reply>) -> Vec<Entry> {
    let entry = |item| {
        let Reply::Array(mut pair) = item else { return None };
        let (fields, id) = (pair.pop()?, pair.pop()?);
        Some(Entry { id: id.text()?.parse().ok()?, fields })
    };
    items.into_iter().filter_map(entry).collect()
}

/// Removes entries.
pub(super) async fn remove(connection: &mut Connection, key: &str, ids: &[EntryId]) -> Result<(), MirrorError> {
    for ids in ids.chunks(1_000) {
        let ids: Vec<String> = ids.iter().map(EntryId::to_string).collect();
        let mut command: Vec<&[u8]> = vec![b"XDEL", key.as_bytes()];
        command.extend(ids.iter().map(String::as_bytes));
        connection.ask(&command).await?;
    }
    Ok(())
}
