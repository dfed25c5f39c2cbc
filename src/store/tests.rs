use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::domain::batch::EventBatch;
use crate::domain::counter::CounterKind;
use crate::domain::event::{Decision, EventRef, Level, OWN_SOURCE};
use crate::domain::feed::{Gap, GapCause, Position};
use crate::domain::id::{EventId, IntentId};
use crate::domain::intent::Severity;
use crate::domain::rules::{Finding, Raise, unit_key};
use crate::domain::time::{Hour, Micros};

const NOW: Micros = Micros(1_768_621_479_809_316);

#[derive(Clone, Debug, PartialEq)]
struct Owned {
    id: EventId,
    ts: u64,
    unit: String,
    message: String,
    level: Level,
    symbol: Option<String>,
    correlation_id: Option<String>,
    decision: Option<Decision>,
    confidence: Option<f64>,
    fields: Option<String>,
    own: bool,
}

impl Owned {
    fn borrow(&self) -> EventRef<'_> {
        EventRef {
            id: self.id,
            ts: Micros(self.ts),
            unit: &self.unit,
            source: if self.own { OWN_SOURCE } else { "ai_engine" },
            host: "host",
            level: self.level,
            message: &self.message,
            symbol: self.symbol.as_deref(),
            correlation_id: self.correlation_id.as_deref(),
            decision: self.decision,
            confidence: self.confidence,
            fields: self.fields.as_deref(),
        }
    }

    fn from(event: EventRef<'_>) -> Self {
        Self {
            id: event.id,
            ts: event.ts.0,
            unit: event.unit.into(),
            message: event.message.into(),
            level: event.level,
            symbol: event.symbol.map(str::to_owned),
            correlation_id: event.correlation_id.map(str::to_owned),
            decision: event.decision,
            confidence: event.confidence,
            fields: event.fields.map(str::to_owned),
            own: event.is_own(),
        }
    }
}

fn event(number: u64) -> Owned {
    Owned {
        id: EventId::ZERO,
        ts: NOW.0 + number * 1_000,
        unit: format!("unit-{}.service", number % 3),
        message: format!("event {number}"),
        level: if number.is_multiple_of(10) { Level::ERROR } else { Level::INFO },
        symbol: number.is_multiple_of(2).then(|| format!("S{}USDT", number % 5)),
        correlation_id: number.is_multiple_of(7).then(|| format!("id-{number}")),
        decision: number.is_multiple_of(4).then_some(Decision::Sell),
        confidence: number.is_multiple_of(4).then_some(0.57),
        fields: None,
        own: false,
    }
}

fn append(store: &Store, events: &[Owned]) -> Vec<Owned> {
    let mut batch = EventBatch::new();
    events.iter().for_each(|event| batch.push(event.borrow()));
    store
        .write::<_, StoreError>(|txn| {
            batch.number(txn.feed().last.first_at(NOW));
            txn.append(&batch)?;
            txn.finish_feed(None)
        })
        .expect("a commit");
    batch.iter().map(Owned::from).collect()
}

fn new_store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&directory.path().join("q.redb")).expect("a new file");
    (directory, store)
}

fn owned() -> impl Strategy<Value = Owned> {
    let text = "[ -~äλ\u{1f600}]{0,40}";
    (
        (0..u64::MAX / 2, "[a-c]{1,2}\\.service", text, 0..8_u8, any::<bool>()),
        (
            prop::option::of("[A-Z]{2,4}USDT"),
            prop::option::of("[0-9a-f]{0,8}"),
            prop::option::of(prop_oneof![Just(Decision::Buy), Just(Decision::Sell), Just(Decision::Hold)]),
            prop::option::of(0.0..=1.0_f64),
            prop::option::of(Just("{\"a\":1}".to_owned())),
        ),
    )
        .prop_map(|((ts, unit, message, level, own), (symbol, correlation_id, decision, confidence, fields))| {
            Owned {
                id: EventId::ZERO,
                ts,
                unit,
                message,
                level: Level::new(level).expect("a level"),
                symbol,
                correlation_id,
                decision,
                confidence,
                fields,
                own,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_block_gives_back_what_went_in(events in prop::collection::vec(owned(), 1..200), tail in any::<bool>()) {
        let mut events = events;
        let mut id = EventId::new(5, 7);
        for (at, event) in events.iter_mut().enumerate() {
            event.id = id;
            id = if at % 5 == 4 { EventId::new(id.ms() + 3, 0) } else { id.next() };
        }
        let encoded = block::encode(events.iter().map(Owned::borrow), tail).expect("a block");
        let block = block::Block::open(&encoded.bytes).expect("a block that opens");
        let back: Vec<Owned> = block.iter().map(Owned::from).collect();
        prop_assert_eq!(&back, &events);
        let header = encoded.header;
        prop_assert_eq!((header.first, header.last), (events[0].id, events[events.len() - 1].id));
        for event in &events {
            if let Some(id) = &event.correlation_id {
                prop_assert!(bloom::may_contain(&encoded.correlation, id), "the filter lost {id}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_in_a_block_is_an_error(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut events: Vec<Owned> = (0..50).map(event).collect();
        (0..).zip(&mut events).for_each(|(seq, event)| event.id = EventId::new(7, seq));
        let mut bytes = block::encode(events.iter().map(Owned::borrow), false).expect("a block").bytes;
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(block) = block::Block::open(&bytes) {
            // A few bits of a zstd frame's header carry no content: then the events must be the same.
            let back: Vec<Owned> = block.iter().map(Owned::from).collect();
            prop_assert!(back == events, "bit {bit} of byte {at} made other events");
        }
    }

    #[test]
    fn any_bytes_are_no_panic_for_the_codec(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = block::Block::open(&bytes);
        let _ = codec::decode::<crate::domain::intent::Intent>(&bytes);
        let _ = codec::decode::<FeedState>(&bytes);
        let _ = feed::split_tail(&bytes);
    }
}

/// Searches page by page, as a command does.
fn search_all(store: &Store, filter: &EventFilter, limit: usize, blocks: usize) -> Vec<Owned> {
    let mut all = Vec::new();
    let mut before = EventId::MAX;
    loop {
        let found = store.search(filter, before, limit, blocks).expect("a search");
        all.extend(found.events.iter().map(Owned::from));
        match found.next {
            Some(next) => {
                assert!(next < before, "the search does not move on");
                before = next;
            }
            None => return all,
        }
    }
}

#[test]
fn searches_agree_with_a_plain_list_whatever_the_commits_and_pages() {
    let (_directory, store) = new_store();
    let mut all = Vec::new();
    let mut number = 0;
    for size in [1, 10, 5_000, 3, 4_095, 1, 700, 9_000, 2] {
        let events: Vec<Owned> = (number..number + size).map(event).collect();
        number += size;
        all.extend(append(&store, &events));
    }
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "ids do not increase");
    let filters = [
        EventFilter::default(),
        EventFilter { unit: Some("unit-1.service".into()), ..Default::default() },
        EventFilter { symbol: Some("S4USDT".into()), level: Some(Level::ERROR), ..Default::default() },
        EventFilter { decision: Some(Decision::Sell), ..Default::default() },
        EventFilter { decision: Some(Decision::Buy), ..Default::default() },
        EventFilter { correlation_id: Some("id-7007".into()), ..Default::default() },
        EventFilter { grep: Some("event 123".into()), ..Default::default() },
        EventFilter {
            since: Some(Micros(NOW.0 + 4_000_000)),
            until: Some(Micros(NOW.0 + 6_000_000)),
            ..Default::default()
        },
    ];
    for filter in filters {
        let mut expect: Vec<Owned> = all.iter().filter(|event| filter.matches(&event.borrow())).cloned().collect();
        expect.reverse();
        for (limit, blocks) in [(usize::MAX, usize::MAX), (7, 1), (1_000, 2)] {
            if limit < 10 && expect.len() > 3_000 {
                continue;
            }
            let found = search_all(&store, &filter, limit, blocks);
            assert_eq!(found.len(), expect.len(), "{filter:?} in pages of {limit}");
            assert!(found == expect, "{filter:?} in pages of {limit}: other events or another order");
        }
    }
    for after in [0, 1, 11, 4_096, 5_011, 18_000, all.len() - 1] {
        let id = if after == 0 { EventId::ZERO } else { all[after - 1].id };
        let events: Vec<Owned> = store.events_after(id, usize::MAX).expect("events").iter().map(Owned::from).collect();
        assert!(events == all[after..], "events after the {after}th");
        let start = store.window_start((all.len() - after) as u64).expect("a window");
        assert_eq!(start, id, "the window of the newest {}", all.len() - after);
    }
    assert_eq!(store.window_start(1_000_000).expect("a window"), EventId::ZERO);
}

#[test]
fn counters_add_up_by_the_events_hour_and_leave_the_appliances_own_events_out() {
    let (_directory, store) = new_store();
    let mut events: Vec<Owned> = (0..100).map(event).collect();
    events[0].ts -= Micros::HOUR;
    events[1].own = true;
    append(&store, &events[..50]);
    append(&store, &events[50..]);
    let mut expect: BTreeMap<CounterKey, u64> = BTreeMap::new();
    for event in events.iter().filter(|event| !event.own) {
        let hour = Micros(event.ts).hour();
        *expect.entry((hour, CounterKind::Unit, event.unit.clone())).or_default() += 1;
        if let Some(symbol) = &event.symbol {
            *expect.entry((hour, CounterKind::Symbol, symbol.clone())).or_default() += 1;
        }
        if event.level.is_error() {
            *expect.entry((hour, CounterKind::Errors, event.unit.clone())).or_default() += 1;
        }
    }
    let found: BTreeMap<CounterKey, u64> = store
        .counters(&CounterFilter::default(), usize::MAX)
        .expect("counters")
        .into_iter()
        .map(|counter| ((counter.hour, counter.kind, counter.name), counter.count))
        .collect();
    assert_eq!(found, expect);
    let keys = store.counter_changes().take();
    assert!(keys.is_none() || keys == Some(expect.into_keys().collect()), "changed counters were not told");
}

#[test]
fn a_failed_closure_leaves_nothing_behind_and_ids_go_on() {
    let (_directory, store) = new_store();
    append(&store, &[event(1)]);
    let before = store.feed();
    let mut batch = EventBatch::new();
    batch.push(event(2).borrow());
    let result = store.write::<(), StoreError>(|txn| {
        batch.number(txn.feed().last.first_at(NOW));
        txn.append(&batch)?;
        txn.put_out(OutboxKind::Intent, NOW, "{}".into())?;
        txn.finish_feed(None)?;
        Err(StoreError::Damaged { what: "test", why: "on purpose".into() })
    });
    assert!(result.is_err());
    assert_eq!(store.feed(), before, "the writer's memory is ahead of the file");
    assert_eq!(search_all(&store, &EventFilter::default(), 10, 10).len(), 1);
    assert!(store.outbox_after(0, 10).expect("outbox").is_empty());
}

/// A file that stops to answer.
#[derive(Debug)]
struct Failing {
    file: redb::backends::FileBackend,
    fails: Arc<AtomicBool>,
}

impl Failing {
    fn check(&self) -> std::io::Result<()> {
        if self.fails.load(Ordering::SeqCst) { Err(std::io::Error::other("the disk is gone")) } else { Ok(()) }
    }
}

impl redb::StorageBackend for Failing {
    fn len(&self) -> std::io::Result<u64> {
        self.check().and_then(|()| self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.check().and_then(|()| self.file.read(offset, out))
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.check().and_then(|()| self.file.set_len(len))
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.check().and_then(|()| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.check().and_then(|()| self.file.write(offset, data))
    }
}

#[test]
fn a_disk_that_fails_within_a_transaction_and_is_back_fails_that_one_only() {
    let (_directory, store) = new_store();
    let all = append(&store, &(0..3).map(event).collect::<Vec<_>>());
    let fails = Arc::new(AtomicBool::new(false));
    {
        let mut database = store.database.write().expect("the lock");
        drop(database.take());
        let file = std::fs::File::options().read(true).write(true).open(&store.path).expect("the file");
        let file = redb::backends::FileBackend::new(file).expect("not locked");
        let backend = Failing { file, fails: fails.clone() };
        // Without a cache, so that the transaction itself reads.
        *database = Some(Handle::Whole(
            Database::builder().set_cache_size(0).create_with_backend(backend).expect("the same database"),
        ));
    }
    let failed = store.write::<(), StoreError>(|txn| {
        fails.store(true, Ordering::SeqCst);
        let result = txn.trim(Retention { days: 1, bytes: 0 }, NOW).map(drop);
        fails.store(false, Ordering::SeqCst);
        result
    });
    assert!(matches!(failed, Err(StoreError::Redb(_))), "{failed:?}");
    let more = append(&store, &(3..6).map(event).collect::<Vec<_>>());
    let stored: Vec<Owned> =
        store.events_after(EventId::ZERO, usize::MAX).expect("events").iter().map(Owned::from).collect();
    assert_eq!(stored, [all, more].concat());
    // A closure that fails for a reason of its own breaks nothing.
    let failed = store.write::<(), StoreError>(|_| Err(StoreError::Closed("no reason".into())));
    assert!(failed.is_err() && store.lock_writer().broken.is_none());
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let (directory, store) = new_store();
    let path = directory.path().join("q.redb");
    let gap = Gap { cause: GapCause::Vacuumed, since: None, until: NOW, unit: None, lost: None };
    let position = Position { cursor: "s=1;i=2".into(), ts: NOW };
    append(&store, &(0..5_000).map(event).collect::<Vec<_>>());
    let raise = Raise {
        key: unit_key("error_rate", "a.service", Hour(7)),
        severity: Severity::Medium,
        reason: "r".into(),
        suggested_action: "investigate".into(),
        count: 21,
        threshold: 20,
        at: NOW,
    };
    store
        .write::<_, StoreError>(|txn| {
            txn.record_gap(EventId::new(1, 1), &gap)?;
            txn.tick(NOW)?;
            txn.apply_findings(&[Finding::Raise(raise.clone()), Finding::Raise(raise.clone())], NOW)?;
            txn.put_follower("redis", &FollowerPosition { event: EventId::new(3, 3), outbox: 1, note: "n".into() })?;
            txn.finish_feed(Some(&position))
        })
        .expect("a commit");
    let (feed, committed) = (store.feed(), *store.committed().borrow());
    store.close();
    let store = Store::open(&path).expect("the same file");
    assert_eq!(store.feed(), feed);
    assert_eq!(*store.committed().borrow(), committed);
    assert_eq!(store.feed().position, Some(position));
    assert_eq!(store.gaps(10).expect("gaps"), [StoredGap { id: EventId::new(1, 1), gap }]);
    assert_eq!(store.follower("redis").expect("a follower").outbox, 1);
    assert_eq!(store.intents(None, None, IntentId(u64::MAX), 10).expect("intents").len(), 1);
    let messages = store.outbox_after(0, 10).expect("outbox");
    assert_eq!(messages.len(), 1, "the same finding twice is one message");
    assert!(messages[0].payload.contains("\"unit\":\"a.service\""), "{}", messages[0].payload);
}

#[test]
fn retention_removes_whole_blocks_by_age_and_by_bytes_and_keeps_the_ids_going() {
    let (_directory, store) = new_store();
    let all = append(&store, &(0..20_000).map(event).collect::<Vec<_>>());
    let trim = |retention, now| store.trim(retention, now).expect("a trim");
    let keep = Retention { days: 30, bytes: u64::MAX };
    assert_eq!(trim(keep, NOW).blocks, 0);
    let half = Retention { days: 30, bytes: store.feed().block_bytes * 11 / 20 };
    assert_eq!(trim(half, NOW).blocks, 2, "the two oldest of four blocks");
    let left = search_all(&store, &EventFilter::default(), usize::MAX, usize::MAX);
    assert_eq!(left.len(), 20_000 - 2 * block::MAX_EVENTS);
    assert_eq!(left.last(), all.get(2 * block::MAX_EVENTS), "the oldest went");
    assert_eq!(trim(keep, Micros(NOW.0 + 40 * Micros::DAY)).blocks, 2);
    assert_eq!(store.feed().kept, 20_000 - 4 * block::MAX_EVENTS as u64);
    let feed = store.feed();
    let path = store.path().to_owned();
    store.close();
    let store = Store::open(&path).expect("the same file");
    assert_eq!(store.feed(), feed, "what was removed came back into the figures with the restart");
    assert!(append(&store, &[event(1)])[0].id > all[19_999].id);
}

#[test]
fn the_file_and_its_copy_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, store) = new_store();
    let target = directory.path().join("copy.redb");
    store.copy_to(&target).expect("a copy");
    for path in [store.path(), &target] {
        let mode = std::fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{} can be read by others", path.display());
    }
}

#[test]
fn a_copy_of_the_whole_file_opens_and_holds_the_same() {
    let (directory, store) = new_store();
    append(&store, &(0..9_000).map(event).collect::<Vec<_>>());
    let target = directory.path().join("copy.redb");
    let report = store.copy_to(&target).expect("a copy");
    assert_eq!(report.rows["headers"], 2);
    let copy = Store::open(&target).expect("the copy");
    assert_eq!(copy.feed(), store.feed());
    assert!(
        search_all(&copy, &EventFilter::default(), usize::MAX, usize::MAX)
            == search_all(&store, &EventFilter::default(), usize::MAX, usize::MAX)
    );
}

mod refusals {
    use redb::{Database, TableDefinition};

    use super::*;

    fn refused(path: &std::path::Path) -> OpenError {
        match Store::open(path) {
            Ok(_) => panic!("{} was opened", path.display()),
            Err(error) => error,
        }
    }

    #[test]
    fn a_file_of_another_kind_of_a_later_schema_or_in_use_is_refused_in_words() {
        let (directory, store) = new_store();
        let path = directory.path().join("q.redb");
        assert!(matches!(refused(&path), OpenError::InUse { .. }));
        store
            .write::<_, StoreError>(|txn| {
                let identity = open::Identity { program: "quantum-clm".into(), schema: 99, written_by: "9.9.9".into() };
                txn.txn.open_table(schema::META)?.insert("identity", codec::encode(&identity)?.as_slice())?;
                Ok(())
            })
            .expect("a commit");
        store.close();
        let text = refused(&path).to_string();
        assert!(text.contains("schema version 99, written by quantum-clm 9.9.9"), "{text}");

        let text_file = directory.path().join("text");
        std::fs::write(&text_file, "no database").expect("a file");
        assert!(matches!(refused(&text_file), OpenError::Foreign { .. }));
        assert_eq!(std::fs::read(&text_file).expect("a file"), b"no database", "a refused file was changed");

        let other = directory.path().join("other.redb");
        let database = Database::create(&other).expect("a database");
        let txn = database.begin_write().expect("a transaction");
        txn.open_table(TableDefinition::<u64, u64>::new("theirs")).expect("a table");
        txn.commit().expect("a commit");
        drop(database);
        assert!(matches!(refused(&other), OpenError::Foreign { .. }));

        assert!(matches!(refused(&directory.path().join("no/such/q.redb")), OpenError::Io { .. }));
    }

    #[test]
    fn an_unknown_table_is_refused() {
        let (directory, store) = new_store();
        store
            .write::<_, StoreError>(|txn| {
                txn.txn.open_table(TableDefinition::<u64, u64>::new("theirs"))?;
                Ok(())
            })
            .expect("a commit");
        store.close();
        let text = refused(&directory.path().join("q.redb")).to_string();
        assert!(text.contains("unknown table \"theirs\""), "{text}");
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused_or_whole_and_never_a_panic() {
        let (directory, store) = new_store();
        append(&store, &(0..9_000).map(event).collect::<Vec<_>>());
        store.close();
        let whole = std::fs::read(directory.path().join("q.redb")).expect("the file");
        for eighth in 1..8 {
            let path = directory.path().join(format!("cut{eighth}.redb"));
            std::fs::write(&path, &whole[..whole.len() * eighth / 8]).expect("a file");
            let error = refused(&path);
            assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Foreign { .. }), "{error}");
        }
    }

    #[test]
    fn flipped_bytes_are_an_error_or_do_no_harm_and_never_a_panic() {
        let (directory, store) = new_store();
        append(&store, &(0..9_000).map(event).collect::<Vec<_>>());
        let expect = search_all(&store, &EventFilter::default(), usize::MAX, usize::MAX);
        store.close();
        let whole = std::fs::read(directory.path().join("q.redb")).expect("the file");
        let path = directory.path().join("flipped.redb");
        for step in 0..60 {
            let mut bytes = whole.clone();
            let at = step * bytes.len() / 60;
            for byte in bytes.iter_mut().skip(at).take(48) {
                *byte ^= 0xa5;
            }
            std::fs::write(&path, &bytes).expect("a file");
            let Ok(store) = Store::open(&path) else { continue };
            let found = store.search(&EventFilter::default(), EventId::MAX, usize::MAX, usize::MAX);
            if let Ok(found) = found {
                let events: Vec<Owned> = found.events.iter().map(Owned::from).collect();
                let wrong = events.iter().any(|event| !expect.contains(event));
                assert!(!wrong, "flipped bytes at {at} became other events");
            }
            store.close();
        }
    }
}
