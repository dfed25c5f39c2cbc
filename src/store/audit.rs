use redb::{ReadableTable, Table, WriteTransaction};

use super::codec::{self, records};
use super::schema::{AUDIT, META};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::access::Actor;
use crate::domain::audit::{AuditEntry, AuditRecord, Broken, Head, Outcome, Verifier};
use crate::domain::time::Micros;

/// The row of [`META`] that holds the log's end.
pub(super) const HEAD: &str = "audit";

/// Records that one snapshot reads while the chain is verified: a pinned snapshot makes the file grow.
const A_SNAPSHOT: u64 = 10_000;

/// Rows that one page may look at: a filter without a hit answers with where it stands.
const A_PAGE: usize = 20_000;

records! {
    AuditRecord = 2, "audit record";
    Head = 1, "end of the audit log";
}

/// Which audit records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this actor.
    pub by: Option<String>,
    /// Of actions that begin with this: `user.` is everything about users.
    pub action: Option<String>,
    /// About this subject.
    pub subject: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Not before.
    pub since: Option<Micros>,
    /// Before.
    pub until: Option<Micros>,
}

impl AuditFilter {
    fn fits(&self, record: &AuditRecord) -> bool {
        self.by.as_ref().is_none_or(|by| record.by == *by)
            && self.action.as_ref().is_none_or(|action| record.action.starts_with(action.as_str()))
            && self.subject.as_ref().is_none_or(|subject| record.subject == *subject)
            && self.outcome.is_none_or(|outcome| record.outcome == outcome)
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
    }
}

impl Store {
    /// Records with numbers below `before` that fit, newest first; and where to go on, if there may be more.
    pub fn audit(
        &self,
        filter: &AuditFilter,
        before: u64,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, Option<u64>), StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for (looked, row) in txn.open_table(AUDIT)?.range(..before)?.rev().enumerate() {
                let (seq, row) = row?;
                if found.len() >= limit || looked >= A_PAGE {
                    return Ok((found, Some(seq.value() + 1)));
                }
                let record: AuditRecord = codec::decode(row.value())?;
                if filter.fits(&record) {
                    found.push(record);
                }
            }
            Ok((found, None))
        })
    }

    /// Goes along the whole chain; its end, or the first record that is not what was written. Records that come in
    /// meanwhile are left for the next time.
    pub fn verify_audit(&self) -> Result<Result<Head, Broken>, StoreError> {
        let (head, last) = self.read(|ReadTxn { txn }| {
            // A file whose log has not begun has no end of it yet.
            let head = txn.open_table(META)?.get(HEAD)?.map(|row| codec::decode(row.value()));
            let last = txn.open_table(AUDIT)?.last()?.map_or(0, |(seq, _)| seq.value());
            Ok((head.unwrap_or(Ok(Head::default()))?, last))
        })?;
        if last > head.count {
            let why = format!("it stands behind the log's end, which is record {}", head.count);
            return Ok(Err(Broken { seq: head.count + 1, why }));
        }
        let mut verifier = Verifier::default();
        let mut next = 0;
        while next <= head.count {
            let last = next.saturating_add(A_SNAPSHOT - 1).min(head.count);
            let step = self.read(|ReadTxn { txn }| {
                for row in txn.open_table(AUDIT)?.range(next..=last)? {
                    let (seq, row) = row?;
                    let record = codec::decode::<AuditRecord>(row.value()).map_err(|error| error.to_string());
                    if let Err(broken) = verifier.next(seq.value(), record.as_ref().map_err(Clone::clone)) {
                        return Ok(Err(broken));
                    }
                }
                Ok(Ok(()))
            })?;
            if let Err(broken) = step {
                return Ok(Err(broken));
            }
            next = last + 1;
        }
        Ok(verifier.finish(head))
    }
}

impl WriteTxn {
    /// Appends an entry behind the log's end.
    pub fn audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        append(&mut self.txn.open_table(META)?, &mut self.txn.open_table(AUDIT)?, entry)
    }
}

fn append(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    log: &mut Table<'_, u64, &'static [u8]>,
    entry: AuditEntry,
) -> Result<(), StoreError> {
    let head = match meta.get(HEAD)? {
        Some(row) => codec::decode(row.value())?,
        None => Head::default(),
    };
    let record = AuditRecord::behind(head, entry);
    // What stands there already is never written over: a damaged head must not cost a record.
    if log.get(record.seq)?.is_some() {
        return Err(StoreError::Damaged {
            what: "end of the audit log",
            why: format!("the log goes on behind record {}", head.count),
        });
    }
    log.insert(record.seq, codec::encode(&record)?.as_slice())?;
    let head = Head { count: record.seq, hash: record.hash };
    meta.insert(HEAD, codec::encode(&head)?.as_slice())?;
    Ok(())
}

/// A record of schema 1, which had no chain.
#[derive(bincode::Encode, bincode::Decode)]
struct Unchained {
    at: Micros,
    by: String,
    action: String,
    subject: String,
    why: String,
}

records! { Unchained = 1, "audit record"; }

/// Schema 1 to 2: the records are chained as they stand, in order.
pub(super) fn chain(txn: &WriteTransaction) -> Result<(), StoreError> {
    let (mut meta, mut log) = (txn.open_table(META)?, txn.open_table(AUDIT)?);
    let mut old: Vec<Unchained> = Vec::new();
    for row in log.iter()? {
        old.push(codec::decode(row?.1.value())?);
    }
    log.retain(|_, _| false)?;
    for Unchained { at, by, action, subject, why } in old {
        let actor = Actor::person(by, "");
        append(&mut meta, &mut log, AuditEntry::done(at, &actor, &action, subject, why))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_768_621_479_809_316);

    fn with_records(count: u64) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("q.redb")).unwrap();
        for number in 0..count {
            let actor = Actor::person(format!("user{}", number % 2), "10.0.0.1");
            let action = ["user.add", "user.role", "token.revoke"][number as usize % 3];
            let mut entry = AuditEntry::done(NOW.plus(number), &actor, action, format!("user u{number}"), "");
            if number % 5 == 4 {
                entry.outcome = Outcome::Refused;
            }
            store.write(|txn| txn.audit(entry)).unwrap();
        }
        (directory, store)
    }

    /// Changes rows as somebody would who has the file and redb.
    fn tamper(store: &Store, change: impl FnOnce(&mut Table<'_, u64, &'static [u8]>)) {
        store
            .write(|txn| {
                change(&mut txn.txn.open_table(AUDIT)?);
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    fn row(table: &Table<'_, u64, &'static [u8]>, seq: u64) -> Vec<u8> {
        table.get(seq).unwrap().unwrap().value().to_vec()
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended() {
        let (_directory, store) = with_records(23);
        let (mut seen, mut before) = (Vec::new(), u64::MAX);
        loop {
            let (page, next) = store.audit(&AuditFilter::default(), before, 5).unwrap();
            seen.extend(page.iter().map(|record| record.seq));
            match next {
                Some(next) => before = next,
                None => break,
            }
        }
        assert_eq!(seen, (1..=23).rev().collect::<Vec<_>>());
    }

    #[test]
    fn every_filter() {
        let (_directory, store) = with_records(23);
        let table = [
            (AuditFilter { by: Some("user1".into()), ..Default::default() }, 11),
            (AuditFilter { action: Some("user.".into()), ..Default::default() }, 16),
            (AuditFilter { subject: Some("user u7".into()), ..Default::default() }, 1),
            (AuditFilter { outcome: Some(Outcome::Refused), ..Default::default() }, 4),
            (AuditFilter { since: Some(NOW.plus(20)), ..Default::default() }, 3),
            (AuditFilter { until: Some(NOW.plus(20)), ..Default::default() }, 20),
        ];
        for (filter, count) in table {
            let (found, next) = store.audit(&filter, u64::MAX, 100).unwrap();
            assert_eq!((found.len(), next), (count, None), "{filter:?}");
        }
    }

    #[test]
    fn an_empty_log_and_a_whole_one_verify() {
        let (_directory, store) = with_records(0);
        assert_eq!(store.verify_audit().unwrap(), Ok(Head::default()));
        let (_directory, store) = with_records(7);
        assert_eq!(store.verify_audit().unwrap().unwrap().count, 7);
    }

    #[test]
    fn any_flipped_byte_of_any_record_is_found() {
        let (_directory, store) = with_records(3);
        let length = |seq| store.read(|ReadTxn { txn }| Ok(txn.open_table(AUDIT)?.get(seq)?.unwrap().value().len()));
        for seq in 1..=3 {
            for at in 0..length(seq).unwrap() {
                let flip = |table: &mut Table<'_, u64, &'static [u8]>| {
                    let mut bytes = row(table, seq);
                    bytes[at] ^= 0x01;
                    table.insert(seq, bytes.as_slice()).unwrap();
                };
                tamper(&store, flip);
                let broken = store.verify_audit().unwrap().expect_err("a flipped byte");
                assert_eq!(broken.seq, seq, "byte {at}: {broken}");
                tamper(&store, flip);
            }
        }
        assert!(store.verify_audit().unwrap().is_ok());
    }

    #[test]
    fn dropped_reordered_and_cut_off_records_are_found() {
        let (_directory, store) = with_records(6);
        let mut kept = Vec::new();
        tamper(&store, |table| kept = (1..=6).map(|seq| row(table, seq)).collect());
        let put = |rows: &[(u64, usize)]| {
            tamper(&store, |table| {
                table.retain(|_, _| false).unwrap();
                for (seq, from) in rows {
                    table.insert(seq, kept[*from].as_slice()).unwrap();
                }
            });
        };
        for (what, rows, first) in [
            ("dropped", &[(1, 0), (2, 1), (4, 3), (5, 4), (6, 5)][..], 3),
            ("dropped, the rest moved up", &[(1, 0), (2, 1), (3, 3), (4, 4), (5, 5)], 3),
            ("reordered", &[(1, 0), (2, 2), (3, 1), (4, 3), (5, 4), (6, 5)], 2),
            ("the end cut off", &[(1, 0), (2, 1), (3, 2), (4, 3)], 5),
            ("all gone", &[], 1),
        ] {
            put(rows);
            let broken = store.verify_audit().unwrap().expect_err(what);
            assert_eq!(broken.seq, first, "{what}: {broken}");
        }
    }

    #[test]
    fn a_head_that_was_set_back_costs_no_record() {
        let (_directory, store) = with_records(3);
        let head = codec::encode(&Head::default()).unwrap();
        store
            .write(|txn| {
                txn.txn.open_table(META)?.insert(HEAD, head.as_slice())?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        let actor = Actor::person("a", "b");
        let entry = AuditEntry::done(NOW, &actor, "user.add", "user x", "");
        assert!(matches!(store.write(|txn| txn.audit(entry)), Err(StoreError::Damaged { .. })));
        assert_eq!(store.verify_audit().unwrap().unwrap_err().seq, 1);
    }
}
