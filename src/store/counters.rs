use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use redb::{ReadTransaction, ReadableTable};

use super::codec::{self, records};
use super::schema::COUNTERS;
use super::{ReadTxn, Store, StoreError, WriteTxn, feed};
use crate::domain::batch::EventBatch;
use crate::domain::counter::{Counter, CounterKind};
use crate::domain::event::EventRef;
use crate::domain::time::{Hour, Micros};

/// Which counter.
pub type CounterKey = (Hour, CounterKind, String);

/// Beyond this many changed counters that nobody asked for, only "all of them" is remembered.
const MAX_CHANGES: usize = 100_000;

#[derive(bincode::Encode, bincode::Decode)]
pub(super) struct Row {
    count: u64,
    changed: Micros,
}

records! { Row = 1, "counter"; }

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterFilter {
    /// Only this kind.
    pub kind: Option<CounterKind>,
    /// Only this unit or symbol.
    pub name: Option<String>,
    /// From this hour on.
    pub since: Option<Hour>,
    /// Up to and without this hour.
    pub until: Option<Hour>,
    /// Only behind this one.
    pub after: Option<CounterKey>,
}

/// Counters that changed since somebody last asked. Lost with the process: who starts anew asks for all.
#[derive(Debug, Default)]
pub struct CounterChanges {
    keys: Mutex<Option<BTreeSet<CounterKey>>>,
}

impl CounterChanges {
    pub(super) fn add(&self, changed: BTreeSet<CounterKey>) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys.as_mut() {
            known.extend(changed);
            if known.len() > MAX_CHANGES {
                *keys = None;
            }
        }
    }

    /// From now on, everything counts as changed.
    pub fn all(&self) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether nothing changed since the last [`CounterChanges::take`].
    pub fn is_empty(&self) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// Takes the changed keys; `None` says that any may have changed.
    pub fn take(&self) -> Option<BTreeSet<CounterKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).replace(BTreeSet::new())
    }
}

/// The kind that is stored as `stored`.
pub(super) fn kind(stored: u8) -> Option<CounterKind> {
    CounterKind::ALL.into_iter().find(|known| code(*known) == stored)
}

fn code(kind: CounterKind) -> u8 {
    match kind {
        CounterKind::Unit => 0,
        CounterKind::Symbol => 1,
        CounterKind::Errors => 2,
    }
}

impl Store {
    /// The counters that fit, by hour, kind and name.
    pub fn counters(&self, filter: &CounterFilter, limit: usize) -> Result<Vec<Counter>, StoreError> {
        self.read(|txn| txn.counters(filter, limit))
    }

    /// The counters of these keys that exist.
    pub fn counters_of(&self, keys: &BTreeSet<CounterKey>) -> Result<Vec<Counter>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut tail = tail_counts(txn)?;
            let table = txn.open_table(COUNTERS)?;
            let mut found = Vec::new();
            for key in keys {
                let stored = match table.get((key.0.0, code(key.1), key.2.as_str()))? {
                    Some(row) => Some(codec::decode::<Row>(row.value())?),
                    None => None,
                };
                if let Some(row) = Row::sum(stored, tail.remove(key)) {
                    found.push(row.counter(key.clone()));
                }
            }
            Ok(found)
        })
    }

    /// The counters that grew at `since` or later: those whose Redis keys must still stand.
    pub fn counters_changed_since(&self, since: Micros) -> Result<Vec<Counter>, StoreError> {
        let mut counters = self.counters(&CounterFilter::default(), usize::MAX)?;
        counters.retain(|counter| counter.changed >= since);
        Ok(counters)
    }
}

impl Row {
    fn sum(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => {
                Some(Self { count: one.count + other.count, changed: one.changed.max(other.changed) })
            }
            (one, other) => one.or(other),
        }
    }

    fn counter(self, (hour, kind, name): CounterKey) -> Counter {
        Counter { hour, kind, name, count: self.count, changed: self.changed }
    }
}

/// The counters that an event adds to: its unit's, its symbol's, its unit's errors, in its own UTC hour. None for the
/// appliance's own events.
fn counted<'a>(event: &EventRef<'a>) -> impl Iterator<Item = (Hour, CounterKind, &'a str)> {
    let hour = event.ts.hour();
    let unit = (hour, CounterKind::Unit, event.unit);
    let errors = event.is_error().then_some((hour, CounterKind::Errors, event.unit));
    let symbol = event.symbol.map(|symbol| (hour, CounterKind::Symbol, symbol));
    [Some(unit), errors, symbol].into_iter().flatten().filter({
        let own = event.is_own();
        move |_| !own
    })
}

/// An event's counters changed when it was committed, which its id tells.
fn committed_at(event: &EventRef<'_>) -> Micros {
    Micros::from_millis(event.id.ms())
}

fn tail_counts(txn: &ReadTransaction) -> Result<BTreeMap<CounterKey, Row>, StoreError> {
    let mut counts: BTreeMap<CounterKey, Row> = BTreeMap::new();
    feed::each_of_tail(txn, |event| {
        for (hour, kind, name) in counted(event) {
            let row = counts.entry((hour, kind, name.to_owned())).or_insert(Row { count: 0, changed: Micros(0) });
            row.count += 1;
            row.changed = committed_at(event);
        }
    })?;
    Ok(counts)
}

impl ReadTxn {
    fn counters(&self, filter: &CounterFilter, limit: usize) -> Result<Vec<Counter>, StoreError> {
        let behind = filter.after.as_ref().map_or(Hour(0), |after| after.0);
        let since = filter.since.unwrap_or_default().max(behind);
        let until = filter.until.unwrap_or(Hour(u32::MAX));
        let fits = |key: &CounterKey| {
            let (hour, kind, name) = key;
            (since..until).contains(hour)
                && filter.after.as_ref().is_none_or(|after| key > after)
                && filter.kind.is_none_or(|wanted| wanted == *kind)
                && filter.name.as_ref().is_none_or(|wanted| wanted == name)
        };
        let mut counts = tail_counts(&self.txn)?;
        counts.retain(|key, _| fits(key));
        if since < until {
            for row in self.txn.open_table(COUNTERS)?.range((since.0, 0, "")..(until.0, 0, ""))? {
                let (key, value) = row?;
                let (hour, kind, name) = key.value();
                let Some(kind) = self::kind(kind) else {
                    return Err(StoreError::Damaged { what: "counter", why: format!("unknown kind in hour {hour}") });
                };
                let key = (Hour(hour), kind, name.to_owned());
                if fits(&key) {
                    let tail = counts.remove(&key);
                    if let Some(row) = Row::sum(Some(codec::decode(value.value())?), tail) {
                        counts.insert(key, row);
                    }
                }
            }
        }
        Ok(counts.into_iter().take(limit).map(|(key, row)| row.counter(key)).collect())
    }
}

impl WriteTxn {
    pub(super) fn note_changed_counters(&self, events: &EventBatch) {
        let mut changed: BTreeSet<(Hour, CounterKind, &str)> = BTreeSet::new();
        for at in 0..events.len() {
            changed.extend(events.get(at).iter().flat_map(counted));
        }
        let changed = changed.into_iter().map(|(hour, kind, name)| (hour, kind, name.to_owned()));
        self.counters.borrow_mut().extend(changed);
    }

    /// Adds the events of a new block to the table. Those of the tail are counted by whoever reads: a commit then
    /// touches no counter's page.
    pub(super) fn count_block(&self, events: &EventBatch) -> Result<(), StoreError> {
        let mut grown: BTreeMap<(u32, u8, &str), Row> = BTreeMap::new();
        for at in 0..events.len() {
            let Some(event) = events.get(at) else { continue };
            for (hour, kind, name) in counted(&event) {
                let row = grown.entry((hour.0, code(kind), name)).or_insert(Row { count: 0, changed: Micros(0) });
                row.count += 1;
                row.changed = committed_at(&event);
            }
        }
        let mut table = self.txn.open_table(COUNTERS)?;
        for (key, row) in grown {
            let had = match table.get(key)? {
                Some(row) => Some(codec::decode::<Row>(row.value())?),
                None => None,
            };
            if let Some(row) = Row::sum(had, Some(row)) {
                table.insert(key, codec::encode(&row)?.as_slice())?;
            }
        }
        Ok(())
    }
}
