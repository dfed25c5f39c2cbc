//! What is said to Redis about a consumer group.

use std::time::Duration;

use super::super::condition::MirrorError;
use super::super::connection::Connection;
use super::super::resp::Reply;
use super::super::stream::{self, Entry, EntryId};
use crate::domain::bus_in::Topic;

/// A consumer group of ours, and we in it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) consumer: String,
}

/// How a group stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The newest message that somebody was handed.
    pub(super) delivered: EntryId,
    /// Messages that are handed out and not acknowledged.
    pub(super) pending: u64,
    /// Messages that nobody was handed yet.
    pub(super) lag: u64,
}

/// Which messages are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// Those that nobody was handed.
    New,
    /// Our own that are not acknowledged, behind this one.
    OwnAfter(EntryId),
}

impl Group {
    pub(super) fn of(topic: Topic, consumer: &str) -> Self {
        Self { stream: topic.stream(), name: topic.group(), consumer: consumer.to_owned() }
    }

    /// Makes the group where it is not there; whether it was made. One that is there goes on where it stands. A new one
    /// begins at the stream's end, because nobody wants last week's drift to start a training; only where the group went
    /// missing under us it begins behind `position`, so that nothing is lost that came meanwhile.
    pub(super) async fn join(
        &self,
        connection: &mut Connection,
        position: Option<EntryId>,
    ) -> Result<bool, MirrorError> {
        let from = match (position, self.last(connection).await?) {
            // Redis was emptied: whatever comes is new.
            (Some(_), None) => "0".to_owned(),
            (Some(position), Some(last)) if position <= last => position.to_string(),
            _ => "$".to_owned(),
        };
        let command: [&[u8]; 6] =
            [b"XGROUP", b"CREATE", self.stream.as_bytes(), self.name.as_bytes(), from.as_bytes(), b"MKSTREAM"];
        match connection.ask(&command).await {
            Ok(_) => Ok(true),
            Err(MirrorError::Refused(line)) if line.starts_with("BUSYGROUP") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The largest id that the stream ever held; `None` where there is none.
    async fn last(&self, connection: &mut Connection) -> Result<Option<EntryId>, MirrorError> {
        let info = match connection.ask(&[b"XINFO", b"STREAM", self.stream.as_bytes()]).await {
            Err(MirrorError::Refused(line)) if line.contains("no such key") => return Ok(None),
            other => other?,
        };
        Ok(info.field("last-generated-id").and_then(Reply::text).and_then(|text| text.parse().ok()))
    }

    /// How it stands; `None` where it is not there.
    pub(super) async fn state(&self, connection: &mut Connection) -> Result<Option<State>, MirrorError> {
        let groups = match connection.ask(&[b"XINFO", b"GROUPS", self.stream.as_bytes()]).await {
            Err(MirrorError::Refused(line)) if line.contains("no such key") => return Ok(None),
            other => other?,
        };
        let ours = |group: &&Reply| group.field("name").and_then(Reply::text) == Some(self.name.as_str());
        let Some(group) = groups.items().iter().find(ours) else { return Ok(None) };
        let delivered = group.field("last-delivered-id").and_then(Reply::text).and_then(|text| text.parse().ok());
        let number = |name: &str| group.field(name).and_then(Reply::integer).unwrap_or(0);
        match delivered {
            Some(delivered) => Ok(Some(State { delivered, pending: number("pending"), lag: number("lag") })),
            None => Err(MirrorError::NotRedis("XINFO GROUPS without last-delivered-id".into())),
        }
    }

    /// Has it begin again behind `entry`.
    pub(super) async fn set(&self, connection: &mut Connection, entry: EntryId) -> Result<(), MirrorError> {
        let entry = entry.to_string();
        let command: [&[u8]; 5] = [b"XGROUP", b"SETID", self.stream.as_bytes(), self.name.as_bytes(), entry.as_bytes()];
        connection.ask(&command).await.map(drop)
    }

    /// Messages, at most so many.
    pub(super) async fn read(
        &self,
        connection: &mut Connection,
        which: Which,
        count: usize,
    ) -> Result<Vec<Entry>, MirrorError> {
        let (count, from) = match which {
            Which::New => (count.to_string(), ">".to_owned()),
            Which::OwnAfter(entry) => (count.to_string(), entry.to_string()),
        };
        let command: [&[u8]; 9] = [
            b"XREADGROUP",
            b"GROUP",
            self.name.as_bytes(),
            self.consumer.as_bytes(),
            b"COUNT",
            count.as_bytes(),
            b"STREAMS",
            self.stream.as_bytes(),
            from.as_bytes(),
        ];
        // A list of streams, each with its name; nothing at all where there is no message.
        let Reply::Array(streams) = connection.ask(&command).await? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for stream in streams {
            if let Reply::Array(mut pair) = stream
                && let Some(Reply::Array(items)) = pair.pop()
            {
                entries.extend(stream::entries(items));
            }
        }
        Ok(entries)
    }

    /// Messages that lie with another consumer for longer than `idle`, behind `after`: they are ours from now on. Also
    /// where to go on looking, if there is more.
    pub(super) async fn claim(
        &self,
        connection: &mut Connection,
        after: EntryId,
        idle: Duration,
        count: usize,
    ) -> Result<(Vec<Entry>, Option<EntryId>), MirrorError> {
        let (from, most, idle) = (after.next().to_string(), count.to_string(), idle.as_millis());
        let command: [&[u8]; 6] =
            [b"XPENDING", self.stream.as_bytes(), self.name.as_bytes(), from.as_bytes(), b"+", most.as_bytes()];
        let pending = connection.ask(&command).await?;
        let mut last = None;
        let mut idles = Vec::new();
        for row in pending.items() {
            let [id, consumer, since, ..] = row.items() else { continue };
            let Some(id) = id.text().and_then(|text| text.parse::<EntryId>().ok()) else { continue };
            last = Some(id);
            let long = since.integer().is_some_and(|since| u128::from(since) >= idle);
            if long && consumer.text() != Some(self.consumer.as_str()) {
                idles.push(id.to_string());
            }
        }
        let more = last.filter(|_| pending.items().len() >= count);
        if idles.is_empty() {
            return Ok((Vec::new(), more));
        }
        let idle = idle.to_string();
        let mut command: Vec<&[u8]> =
            vec![b"XCLAIM", self.stream.as_bytes(), self.name.as_bytes(), self.consumer.as_bytes(), idle.as_bytes()];
        command.extend(idles.iter().map(String::as_bytes));
        match connection.ask(&command).await? {
            Reply::Array(items) => Ok((stream::entries(items), more)),
            other => Err(MirrorError::NotRedis(format!("XCLAIM answers {other:?}"))),
        }
    }

    /// Acknowledges messages: Redis forgets that they were handed out.
    pub(super) async fn acknowledge(
        &self,
        connection: &mut Connection,
        entries: &[EntryId],
    ) -> Result<(), MirrorError> {
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = entries.iter().map(EntryId::to_string).collect();
        let mut command: Vec<&[u8]> = vec![b"XACK", self.stream.as_bytes(), self.name.as_bytes()];
        command.extend(ids.iter().map(String::as_bytes));
        connection.ask(&command).await?;
        Ok(())
    }
}

/// Waits until one of the streams holds something behind the id that stands beside it, at most for `patience`.
pub(super) async fn wait(
    connection: &mut Connection,
    streams: &[(String, EntryId)],
    patience: Duration,
) -> Result<(), MirrorError> {
    // Redis takes 0 for ever.
    let patience = patience.as_millis().max(1).to_string();
    let ids: Vec<String> = streams.iter().map(|(_, after)| after.to_string()).collect();
    let mut command: Vec<&[u8]> = vec![b"XREAD", b"COUNT", b"1", b"BLOCK", patience.as_bytes(), b"STREAMS"];
    command.extend(streams.iter().map(|(stream, _)| stream.as_bytes()));
    command.extend(ids.iter().map(String::as_bytes));
    connection.ask(&command).await.map(drop)
}
