use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::COUNTERS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::batch::EventBatch;
use crate::domain::counter::{Counter, CounterKind};
use crate::domain::time::{Hour, Micros};

/// Which counter.
pub type CounterKey = (Hour, CounterKind, String);

/// Beyond this many changed counters that nobody asked for, only "all of them" is remembered.
const MAX_CHANGES: usize = 100_000;

#[derive(bincode::Encode, bincode::Decode)]
struct Row {
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
            let table = txn.open_table(COUNTERS)?;
            let mut found = Vec::new();
            for (hour, kind, name) in keys {
                if let Some(row) = table.get((hour.0, code(*kind), name.as_str()))? {
                    found.push(counter(*hour, *kind, name, row.value())?);
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

fn counter(hour: Hour, kind: CounterKind, name: &str, row: &[u8]) -> Result<Counter, StoreError> {
    let row: Row = codec::decode(row)?;
    Ok(Counter { hour, kind, name: name.to_owned(), count: row.count, changed: row.changed })
}

impl ReadTxn {
    fn counters(&self, filter: &CounterFilter, limit: usize) -> Result<Vec<Counter>, StoreError> {
        let since = filter.since.map_or(0, |hour| hour.0);
        let until = filter.until.map_or(u32::MAX, |hour| hour.0);
        let table = self.txn.open_table(COUNTERS)?;
        let mut found = Vec::new();
        if since >= until {
            return Ok(found);
        }
        for row in table.range((since, 0, "")..(until, 0, ""))? {
            let (key, value) = row?;
            let (hour, kind, name) = key.value();
            let kind = CounterKind::ALL.into_iter().find(|known| code(*known) == kind);
            let Some(kind) = kind else {
                return Err(StoreError::Damaged { what: "counter", why: format!("unknown kind in hour {hour}") });
            };
            if filter.kind.is_none_or(|wanted| wanted == kind)
                && filter.name.as_ref().is_none_or(|wanted| wanted == name)
            {
                if found.len() >= limit {
                    break;
                }
                found.push(counter(Hour(hour), kind, name, value.value())?);
            }
        }
        Ok(found)
    }
}

impl WriteTxn {
    /// Counts a batch: a unit, a symbol, errors a unit, each by the event's own UTC hour. The appliance's own events are
    /// not counted.
    pub fn count(&self, events: &EventBatch, now: Micros) -> Result<(), StoreError> {
        let mut grown: BTreeMap<(u32, u8, &str), u64> = BTreeMap::new();
        for at in 0..events.len() {
            let Some(event) = events.get(at).filter(|event| !event.is_own()) else { continue };
            let hour = event.ts.hour().0;
            *grown.entry((hour, code(CounterKind::Unit), event.unit)).or_default() += 1;
            if let Some(symbol) = event.symbol {
                *grown.entry((hour, code(CounterKind::Symbol), symbol)).or_default() += 1;
            }
            if event.is_error() {
                *grown.entry((hour, code(CounterKind::Errors), event.unit)).or_default() += 1;
            }
        }
        let mut table = self.txn.open_table(COUNTERS)?;
        let mut changed = self.counters.borrow_mut();
        for (key, by) in grown {
            let had = match table.get(key)? {
                Some(row) => codec::decode::<Row>(row.value())?.count,
                None => 0,
            };
            table.insert(key, codec::encode(&Row { count: had + by, changed: now })?.as_slice())?;
            if let Some(kind) = CounterKind::ALL.into_iter().find(|known| code(*known) == key.1) {
                changed.insert((Hour(key.0), kind, key.2.to_owned()));
            }
        }
        Ok(())
    }
}
