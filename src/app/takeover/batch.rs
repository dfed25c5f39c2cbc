//! A batch of the stream's entries becomes events, in one transaction with how far that came.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::app::App;
use crate::domain::batch::EventBatch;
use crate::domain::event::{EventRef, Level};
use crate::domain::history::{Historic, NotTaken, Terms, Verdict, id_of, judge, read};
use crate::domain::id::EventId;
use crate::domain::normalise::Scratch;
use crate::domain::source::source_of;
use crate::domain::time::Micros;
use crate::mirror::HistoryEntry;
use crate::store::{FeedHistory, StoreError, WriteTxn};

/// Odd entries that are told one by one.
const TOLD: usize = 100;

/// What of the store's own lines is kept in memory to know a line again: unit, time and text, as one number.
type Line = u64;

/// An import under way.
pub(super) struct Importer {
    app: App,
    /// How far it came; as the file has it, unless nothing is to be written.
    pub(super) row: FeedHistory,
    /// Whether the journal was not read yet: then it passes over what this import finds.
    first: bool,
    dry_run: bool,
    now: Micros,
    oldest: Micros,
    seen: HashSet<Line>,
}

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file says otherwise than this process.
    #[error("somebody else took the history in at the same time")]
    Overtaken,
}

/// An entry that can be read.
struct Readable {
    id: EventId,
    event: Historic,
}

impl Importer {
    /// Goes on at `row`.
    pub(super) fn new(app: App, row: FeedHistory, first: bool, dry_run: bool, now: Micros) -> Result<Self, StoreError> {
        let keep = u64::from(app.config.events.retention_days) * Micros::DAY;
        let mut oldest = now.minus(keep);
        let feed = app.store.feed();
        if feed.events > feed.kept
            && let Some(first) = app.store.events_after(row.last, 1)?.get(0)
        {
            // What is older was removed for its size: what is older still would be as well.
            oldest = oldest.max(first.ts);
        }
        let mut seen = HashSet::new();
        let mut after = EventId::ZERO;
        while after < row.last {
            let events = app.store.events_after(after, 1)?;
            let Some(last) = events.iter().next_back() else { break };
            after = last.id;
            let taken = events.iter().filter(|event| event.id <= row.last);
            seen.extend(taken.map(|event| line(event.unit, event.ts, event.message)));
        }
        Ok(Self { app, row, first, dry_run, now, oldest, seen })
    }

    /// Takes the next entries in.
    pub(super) fn take(&mut self, entries: &[HistoryEntry]) -> Result<(), BatchError> {
        let mut row = self.row.clone();
        let mut readable = Vec::with_capacity(entries.len());
        for entry in entries {
            row.entries += 1;
            row.upto = entry.id;
            let found =
                read(entry.event.as_deref(), self.now).and_then(|event| Ok((id_of(entry.id, self.now)?, event)));
            match found {
                Ok((id, event)) => readable.push(Readable { id, event }),
                Err(why) => leave(&mut row, entry, why),
            }
        }
        let times = readable.iter().map(|entry| entry.event.ts);
        let (Some(since), Some(until)) = (times.clone().min(), times.max()) else { return self.put(row, &[]) };
        // The store's own lines of these times; what comes in meanwhile is newer than any of them.
        let own = self.app.store.lines_between(row.last.next(), since, until)?;
        self.put_with(row, &readable, own)
    }

    /// Writes down that the end was reached.
    pub(super) fn finish(
        &mut self,
        audit: impl FnOnce(&FeedHistory) -> crate::domain::audit::AuditEntry,
    ) -> Result<(), BatchError> {
        let mut row = self.row.clone();
        row.finished = Some(self.now);
        if !self.dry_run {
            let entry = audit(&row);
            self.app.store.write(|txn| {
                self.agree(txn, &mut row)?;
                txn.put_feed_history(&row)?;
                Ok::<_, BatchError>(txn.audit(entry)?)
            })?;
        }
        self.row = row;
        Ok(())
    }

    fn put(&mut self, row: FeedHistory, readable: &[Readable]) -> Result<(), BatchError> {
        self.put_with(row, readable, Default::default())
    }

    /// Whether the file is where this import left it. What the journal has passed over meanwhile is the journal's to say.
    fn agree(&self, txn: &WriteTxn, row: &mut FeedHistory) -> Result<(), BatchError> {
        let stored = txn.feed_history()?;
        let came = |row: &FeedHistory| (row.server.clone(), row.stream.clone(), row.upto, row.entries);
        match &stored {
            Some(stored) if came(stored) != came(&self.row) && self.row.entries > 0 => Err(BatchError::Overtaken),
            None if self.row.entries > 0 => Err(BatchError::Overtaken),
            _ => {
                if let Some(stored) = stored.filter(|_| !self.first) {
                    row.places = stored.places;
                }
                Ok(())
            }
        }
    }

    fn put_with(
        &mut self,
        mut row: FeedHistory,
        readable: &[Readable],
        own: HashMap<(String, Micros), u32>,
    ) -> Result<(), BatchError> {
        let (app, dry_run) = (self.app.clone(), self.dry_run);
        if dry_run {
            let before = app.store.events_after(self.row.last, 1)?.get(0).map(|event| event.id);
            self.row = self.judge(row, readable, own, before).0;
            return Ok(());
        }
        let row = app.store.write(|txn| {
            self.agree(txn, &mut row)?;
            let before = txn.first_after(row.last)?;
            let (row, events) = self.judge(row, readable, own, before);
            crate::failpoint!("history.judged");
            txn.backfill(&events)?;
            txn.put_feed_history(&row)?;
            Ok::<_, BatchError>(row)
        })?;
        crate::failpoint!("history.stored");
        self.row = row;
        Ok(())
    }

    /// What becomes of each entry.
    fn judge(
        &mut self,
        mut row: FeedHistory,
        readable: &[Readable],
        mut own: HashMap<(String, Micros), u32>,
        before: Option<EventId>,
    ) -> (FeedHistory, EventBatch) {
        let mut events = EventBatch::new();
        let mut scratch = Scratch::default();
        for Readable { id, event } in readable {
            let found = self.app.normaliser.normalise(&event.message, &mut scratch);
            let twice = !self.seen.insert(line(&event.unit, event.ts, found.message));
            let stored = !twice && own.get_mut(&(event.unit.clone(), event.ts)).is_some_and(take_one);
            if self.first && !twice {
                row.places.published(&event.unit, event.ts);
            }
            let terms = Terms { oldest: self.oldest, after: row.last, before };
            if let Err(why) = judge(*id, event, Verdict { stored, twice }, &terms) {
                leave(&mut row, &HistoryEntry { id: (*id).into(), event: None }, why);
                continue;
            }
            row.first.get_or_insert(*id);
            row.last = *id;
            row.taken += 1;
            events.push(EventRef {
                id: *id,
                ts: event.ts,
                unit: &event.unit,
                source: source_of(&event.unit, &self.app.config.journal.sources),
                host: event.host.as_deref().unwrap_or(&self.app.host),
                level: found.level.or(event.level).unwrap_or(Level::INFO),
                message: found.message,
                // The predecessor saw the whole line, of which only the beginning is left.
                symbol: found.symbol.or(event.symbol.as_deref()),
                correlation_id: found.correlation_id.or(event.correlation_id.as_deref()),
                decision: found.decision,
                confidence: found.confidence,
                fields: None,
            });
        }
        (row, events)
    }
}

fn take_one(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

fn leave(row: &mut FeedHistory, entry: &HistoryEntry, why: NotTaken) {
    *row.left.entry(why.word().to_owned()).or_default() += 1;
    if why.is_odd() && row.odd.len() < TOLD {
        row.odd.push((entry.id, why.to_string()));
    }
}

fn line(unit: &str, ts: Micros, message: &str) -> Line {
    let mut hasher = DefaultHasher::new();
    (unit, ts.0, message).hash(&mut hasher);
    hasher.finish()
}
