//! From entries to a delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::doubt::{Lack, lack};
use super::export::{Entry, Field};
use super::matches::{Origin, Units};
use crate::domain::batch::EventBatch;
use crate::domain::event::{EventRef, Level, OWN_SOURCE, OWN_UNIT};
use crate::domain::feed::{Delivery, Gap, GapCause, Position, Progress};
use crate::domain::history::Places;
use crate::domain::id::EventId;
use crate::domain::normalise::{Normaliser, Scratch};
use crate::domain::source::source_of;
use crate::domain::time::Micros;

/// A delivery has at most this many events: as many as a block of the store.
const EVENTS: usize = 4096;

/// A delivery is full with this much text.
const TEXT_BYTES: usize = 1 << 20;

/// What has been read and not been delivered, and the position after it.
pub(super) struct Intake {
    units: Units,
    sources: BTreeMap<String, String>,
    normaliser: Arc<Normaliser>,
    host: String,
    /// Units of which an entry without a priority was read twice: they write such.
    unranked: BTreeSet<String>,
    scratch: Scratch,
    batch: EventBatch,
    gaps: Vec<Gap>,
    cursor: Vec<u8>,
    ts: Micros,
    /// Whether the position differs from the one delivered last.
    moved: bool,
    /// Lines that the predecessor's history had already, and whether that changed since the last delivery.
    places: Places,
    passed: bool,
}

impl Intake {
    pub(super) fn new(
        units: Units,
        sources: BTreeMap<String, String>,
        normaliser: Arc<Normaliser>,
        host: String,
    ) -> Self {
        Self {
            units,
            sources,
            normaliser,
            host,
            unranked: BTreeSet::new(),
            scratch: Scratch::default(),
            batch: EventBatch::new(),
            gaps: Vec::new(),
            cursor: Vec::new(),
            ts: Micros(0),
            moved: false,
            places: Places::default(),
            passed: false,
        }
    }

    /// Passes over the lines that were taken from the predecessor's history.
    pub(super) fn pass_over(&mut self, places: Places) {
        self.places = places;
    }

    /// Where reading begins on the very first start, if what was taken from a history says so.
    pub(super) fn begin(&self) -> Option<Micros> {
        self.places.begin()
    }

    pub(super) fn units(&self) -> &Units {
        &self.units
    }

    /// Takes one entry in if it is whole: an event, a gap, or nothing but a step of the position. If a field seems to be
    /// missing, nothing is done, and the answer is `false`.
    #[must_use]
    pub(super) fn take(&mut self, entry: &Entry<'_>) -> bool {
        let origin = self.units.origin(entry);
        let doubtful = match (lack(entry, &self.units, origin), origin) {
            (None, _) => false,
            (Some(Lack::Priority), Some(Origin::Unit(unit))) => !self.unranked.contains(unit),
            _ => true,
        };
        if !doubtful {
            self.accept(entry, origin);
        }
        !doubtful
    }

    /// Takes one entry in as it is.
    pub(super) fn take_anyway(&mut self, entry: &Entry<'_>) {
        let origin = self.units.origin(entry);
        if let (Some(Lack::Priority), Some(Origin::Unit(unit))) = (lack(entry, &self.units, origin), origin) {
            self.unranked.insert(unit.to_owned());
        }
        self.accept(entry, origin);
    }

    fn accept(&mut self, entry: &Entry<'_>, origin: Option<Origin<'_>>) {
        let ts = Micros(entry.realtime());
        match origin {
            Some(Origin::Unit(unit)) => self.event(entry, unit, ts),
            Some(Origin::Suppressed { unit, lost }) => {
                let unit = Some(unit.to_owned());
                self.gap(Gap { cause: GapCause::Suppressed, since: None, until: ts, unit, lost });
            }
            None => {}
        }
        self.stand(entry.cursor(), ts);
    }

    fn event(&mut self, entry: &Entry<'_>, unit: &str, ts: Micros) {
        let Some(message) = entry.get(Field::Message) else { return };
        if self.places.has(unit) {
            self.passed = true;
            if self.places.pass_over(unit, ts) {
                return;
            }
        }
        let line = String::from_utf8_lossy(message);
        let host = entry.get(Field::Hostname).and_then(|host| std::str::from_utf8(host).ok());
        let priority = entry.number(Field::Priority).and_then(|priority| Level::new(u8::try_from(priority).ok()?));
        let found = self.normaliser.normalise(&line, &mut self.scratch);
        self.batch.push(EventRef {
            id: EventId::ZERO,
            ts,
            unit,
            source: source_of(unit, &self.sources),
            host: host.unwrap_or(&self.host),
            level: found.level.or(priority).unwrap_or(Level::INFO),
            message: found.message,
            symbol: found.symbol,
            correlation_id: found.correlation_id,
            decision: found.decision,
            confidence: found.confidence,
            fields: None,
        });
    }

    /// Records a gap here, and as an event in its place.
    pub(super) fn gap(&mut self, gap: Gap) {
        self.batch.push(EventRef {
            id: EventId::ZERO,
            ts: gap.until,
            unit: OWN_UNIT,
            source: OWN_SOURCE,
            host: &self.host,
            level: Level::WARNING,
            message: &gap.message(),
            symbol: None,
            correlation_id: None,
            decision: None,
            confidence: None,
            fields: None,
        });
        self.gaps.push(gap);
    }

    /// Sets the position to one that was delivered earlier.
    pub(super) fn resume(&mut self, position: &Position) {
        self.stand(position.cursor.as_bytes(), position.ts);
        self.moved = false;
    }

    /// Sets the position without an event.
    pub(super) fn stand(&mut self, cursor: &[u8], ts: Micros) {
        self.cursor.clear();
        self.cursor.extend_from_slice(cursor);
        self.ts = ts;
        self.moved = true;
    }

    /// The position after what was taken in; `None` before the first entry.
    pub(super) fn position(&self) -> Option<Position> {
        let cursor = String::from_utf8_lossy(&self.cursor).into_owned();
        (!cursor.is_empty()).then_some(Position { cursor, ts: self.ts })
    }

    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= EVENTS || self.batch.text_bytes() >= TEXT_BYTES
    }

    /// Whether there is an event to deliver.
    pub(super) fn has_events(&self) -> bool {
        !self.batch.is_empty()
    }

    /// Everything since the last delivery.
    pub(super) fn deliver(&mut self, progress: Progress) -> Delivery {
        let position = if self.moved { self.position() } else { None };
        self.moved = false;
        let places = std::mem::take(&mut self.passed).then(|| self.places.clone());
        let (events, gaps) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.gaps));
        Delivery { events, position, gaps, places, progress }
    }
}
