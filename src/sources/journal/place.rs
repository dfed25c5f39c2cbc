//! Where to start reading: the stored position if the journal still has it, and otherwise the right place after it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::export::Entry;
use super::journalctl::{Among, Failure, Journalctl, Seen};
use super::matches::Units;
use crate::config::JournalStart;
use crate::domain::feed::{Gap, GapCause, Position};
use crate::domain::time::Micros;
use crate::observe::now;
use crate::process::StopFlag;

/// How long an entry is read again that seems to lack a field.
const FINISHED_WITHIN: Duration = Duration::from_millis(200);

/// A place in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The entry to start with; the oldest without one.
    pub(super) from: Option<Position>,
    /// Whether that entry was taken in already, or is not wanted.
    pub(super) taken: bool,
    /// Whether that entry matches, so that the first entry read must be it.
    pub(super) certain: bool,
    /// What was lost before.
    pub(super) gap: Option<Gap>,
}

/// Asks the journal about its entries.
pub(super) struct Surveyor<'a> {
    pub(super) journalctl: &'a Journalctl,
    pub(super) units: &'a Units,
    pub(super) stop: &'a StopFlag,
}

impl Surveyor<'_> {
    fn probe(&self, args: &[&str], among: Among, count: usize) -> Result<Vec<Seen>, Failure> {
        self.journalctl.probe(args, among, count, self.units, self.stop)
    }

    fn first(&self, args: &[&str], among: Among) -> Result<Option<Seen>, Failure> {
        Ok(self.probe(args, among, 1)?.pop())
    }

    /// Whether the journal has exactly this entry (among those that match, or all).
    ///
    /// journalctl looks for the nearest entry at or after a cursor that it does not find, without a word; so the whole
    /// cursor is compared.
    pub(super) fn has(&self, cursor: &str, among: Among) -> Result<bool, Failure> {
        let first = self.first(&["-n", "1", &format!("--cursor={cursor}")], among)?;
        Ok(first.is_some_and(|seen| seen.position.cursor == cursor))
    }

    /// Shows `take` this entry, again and again, until it says that it is whole, or until nothing can be missing any
    /// more; whether it was whole.
    ///
    /// A writer needs microseconds to finish an entry, unless it is held up in the middle. One that has written another
    /// entry after it has finished it for certain.
    pub(super) fn again(&self, cursor: &[u8], take: &mut dyn FnMut(&Entry<'_>) -> bool) -> Result<bool, Failure> {
        let cursor = String::from_utf8_lossy(cursor);
        let from = format!("--cursor={cursor}");
        let until = Instant::now() + FINISHED_WITHIN;
        let mut pause = Duration::from_millis(1);
        let mut finished = false;
        loop {
            let last = finished || Instant::now() >= until;
            let (mut there, mut whole) = (false, false);
            self.journalctl.entries(&["-n", "2", &from], Among::All, self.stop, &mut |entry| {
                if entry.cursor() != cursor.as_bytes() {
                    finished |= sequence(&String::from_utf8_lossy(entry.cursor())) == sequence(&cursor);
                    return ControlFlow::Break(());
                }
                there = true;
                whole = take(entry);
                if whole { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if whole || last || !there {
                return Ok(whole);
            }
            if !finished {
                self.stop.sleep(pause);
                pause *= 2;
            }
        }
    }

    /// The first matching entry after `position` (which need not match), the first of all without one.
    pub(super) fn after(&self, position: Option<&Position>) -> Result<Option<Position>, Failure> {
        let seen = match position {
            None => self.probe(&[], Among::Matching, 1)?,
            Some(position) => self.probe(&["-n", "2", &format!("--cursor={}", position.cursor)], Among::Matching, 2)?,
        };
        Ok(seen.into_iter().map(|seen| seen.position).find(|seen| position.is_none_or(|p| p.cursor != seen.cursor)))
    }

    /// The cursor of the entry right after `position`, ours or not.
    pub(super) fn next(&self, position: &Position) -> Result<Option<String>, Failure> {
        let seen = self.probe(&["-n", "2", &format!("--cursor={}", position.cursor)], Among::All, 2)?;
        Ok(seen.into_iter().map(|seen| seen.position.cursor).find(|cursor| *cursor != position.cursor))
    }

    /// The newest entry.
    pub(super) fn newest(&self, among: Among) -> Result<Option<Position>, Failure> {
        Ok(self.first(&["-n", "1"], among)?.map(|seen| seen.position))
    }

    /// Where the very first start begins.
    pub(super) fn begin(&self, start: JournalStart) -> Result<Place, Failure> {
        let from = match start {
            JournalStart::Head => None,
            JournalStart::Now => {
                let from = self.newest(Among::All)?;
                return Ok(Place { taken: from.is_some(), from, ..Place::default() });
            }
            // Of a directory it is the last boot that the directory knows. A journal that knows no boot is read from its
            // head: a line too many on the first start is better than one too few.
            JournalStart::Boot => match self.first(&[], Among::CurrentBoot) {
                Ok(first) => first,
                Err(failure) if self.journalctl.directory().is_some() => {
                    tracing::info!("no boot found in the journal, reading it from its head: {}", failure.summary);
                    None
                }
                Err(failure) => return Err(failure),
            },
        };
        // An entry that is not ours can be counted as taken, so that there is a position before the first event.
        let taken = from.as_ref().is_some_and(|first| !first.ours);
        Ok(Place { taken, from: from.map(|first| first.position), ..Place::default() })
    }

    /// Where a first start begins that reads what happened at `at` or later.
    pub(super) fn begin_at(&self, at: Micros) -> Result<Place, Failure> {
        let before = at.minus(1);
        let until = format!("--until=@{}.{:06}", before.seconds(), before.0 % 1_000_000);
        let from = self.first(&["-r", "-n", "1", &until], Among::All)?.map(|seen| seen.position);
        Ok(Place { taken: from.is_some(), from, ..Place::default() })
    }

    /// Where to go on after `position`.
    ///
    /// The usual case is that the journal has that entry. If not, whatever it has up to that entry's time counts as
    /// read, and reading goes on behind: journalctl's own choice, the nearest place by sequence number, passes over
    /// entries that were written under numbers used before (a journal set back to an earlier state).
    pub(super) fn resume(&self, position: &Position) -> Result<Place, Failure> {
        let from = Some(position.clone());
        if self.has(&position.cursor, Among::Matching)? {
            return Ok(Place { from, taken: true, certain: true, gap: None });
        }
        // Not ours (any more): other units may have been configured meanwhile.
        if self.has(&position.cursor, Among::All)? {
            return Ok(Place { from, taken: true, certain: false, gap: None });
        }
        let (secs, micros) = (position.ts.seconds(), position.ts.0 % 1_000_000);
        let until = format!("--until=@{secs}.{micros:06}");
        let before = |among| self.first(&["-r", "-n", "1", &until], among);
        let last_read = before(Among::All)?.map(|seen| seen.position);
        let cause = match &last_read {
            // Vacuuming takes the oldest first: where older ones of the same sequence are left, it was not that.
            Some(last) if sequence(&last.cursor) == sequence(&position.cursor) => GapCause::CursorUnknown,
            Some(_) if before(Among::Matching)?.is_some() => GapCause::CursorUnknown,
            _ => GapCause::Vacuumed,
        };
        let until = self.after(last_read.as_ref())?.map_or_else(now, |next| next.ts);
        let gap = Gap { cause, since: Some(position.ts), until, unit: None, lost: None };
        Ok(Place { taken: last_read.is_some(), from: last_read, certain: false, gap: Some(gap) })
    }
}

/// The part of a cursor that names the sequence its number belongs to.
fn sequence(cursor: &str) -> Option<&str> {
    cursor.split(';').find_map(|part| part.strip_prefix("s="))
}
