use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::access::Actor;
use super::account::hex;
use super::time::Micros;

/// SHA-256 of an audit record; all zeros before the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// What the first record follows on.
    pub const START: Self = Self([0; 32]);
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Serialize for ChainHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether something was done. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Done.
    Done,
    /// Asked for by somebody who may not, or who did not show that they may.
    Refused,
}

/// A word that is no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use done or refused")]
pub struct BadOutcome;

impl FromStr for Outcome {
    type Err = BadOutcome;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Done, Self::Refused].into_iter().find(|outcome| outcome.as_str() == text).ok_or(BadOutcome)
    }
}

impl Outcome {
    /// As answers and the hash write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// What goes into the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When; of several attempts, the last.
    pub at: Micros,
    /// Who, and from where.
    pub actor: Actor,
    /// What was done or asked for: `intent.acknowledge`, `sign-in`, ….
    pub action: String,
    /// To what: `intent 7`, `user anna`, ….
    pub subject: String,
    /// Why, in the actor's words; or why it was refused.
    pub why: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// Attempts that this record stands for. Changes have a record each; refusals that repeat within a minute share one.
    pub times: u64,
}

impl AuditEntry {
    /// One thing that was done.
    pub fn done(at: Micros, actor: &Actor, action: &str, subject: impl Into<String>, why: impl Into<String>) -> Self {
        let (action, subject, why) = (action.to_owned(), subject.into(), why.into());
        Self { at, actor: actor.clone(), action, subject, why, outcome: Outcome::Done, times: 1 }
    }
}

/// An entry in its place: record `seq` of the log, behind `previous`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AuditRecord {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When; of several attempts, the last.
    pub at: Micros,
    /// Who.
    pub by: String,
    /// From where: an IP address, or `socket`; empty in records of the first version, which did not have it.
    pub address: String,
    /// What was done or asked for.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Why.
    pub why: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// Attempts that it stands for.
    pub times: u64,
    /// The hash of the record before.
    pub previous: ChainHash,
    /// The hash of this one.
    pub hash: ChainHash,
}

impl AuditRecord {
    /// `entry` behind the log's end.
    pub fn behind(head: Head, entry: AuditEntry) -> Self {
        let AuditEntry { at, actor: Actor { name: by, address, kind: _ }, action, subject, why, outcome, times } =
            entry;
        let (seq, previous) = (head.count + 1, head.hash);
        let hash = ChainHash::START;
        let mut record = Self { seq, at, by, address, action, subject, why, outcome, times, previous, hash };
        record.hash = record.digest();
        record
    }

    /// The hash of what the record says: SHA-256 over the hash of the record before (32 bytes), then number, time in
    /// microseconds and times (8 bytes each, big-endian), then the UTF-8 texts by, address, action, subject, why and
    /// outcome, each behind its length (8 bytes, big-endian). Lengths make sure that no two records look the same.
    pub fn digest(&self) -> ChainHash {
        let mut hash = Sha256::new();
        hash.update(self.previous.0);
        for number in [self.seq, self.at.0, self.times] {
            hash.update(number.to_be_bytes());
        }
        for text in [&self.by, &self.address, &self.action, &self.subject, &self.why, self.outcome.as_str()] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        ChainHash(hash.finalize().into())
    }
}

/// The log's end. Kept beside the log, in the transaction of each record: a chain alone cannot show that its last links
/// were taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// Records, which is the number of the last.
    pub count: u64,
    /// The hash of the last.
    pub hash: ChainHash,
}

/// The first record that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("record {seq}: {why}")]
pub struct Broken {
    /// Its number.
    pub seq: u64,
    /// What is wrong.
    pub why: String,
}

/// Goes along the chain from its first record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verifier {
    end: Head,
}

impl Verifier {
    /// The next record, stored under the number `key`; `Err` where it could not be read.
    pub fn next(&mut self, key: u64, record: Result<&AuditRecord, String>) -> Result<(), Broken> {
        let expected = self.end.count + 1;
        let broken = |why: &str| Broken { seq: expected, why: why.to_owned() };
        if key != expected {
            return Err(broken("it is missing"));
        }
        let record = record.map_err(|why| Broken { seq: expected, why: format!("it cannot be read: {why}") })?;
        if record.seq != expected {
            return Err(broken(&format!("record {} stands in its place", record.seq)));
        }
        if record.digest() != record.hash {
            return Err(broken("it was changed: its hash does not fit what it says"));
        }
        if record.previous != self.end.hash {
            return Err(broken("it does not follow on the record before it: one of the two was replaced"));
        }
        self.end = Head { count: expected, hash: record.hash };
        Ok(())
    }

    /// The end of the log, as the file keeps it.
    pub fn finish(self, head: Head) -> Result<Head, Broken> {
        if self.end.count < head.count {
            let why = format!("it is missing, and the log should have {} records", head.count);
            return Err(Broken { seq: self.end.count + 1, why });
        }
        if self.end != head {
            let why = "the log does not end as the file says it does: the last records were replaced".to_owned();
            return Err(Broken { seq: self.end.count.max(1), why });
        }
        Ok(self.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(number: u64) -> AuditEntry {
        let actor = Actor::person(format!("user{}", number % 3), "10.0.0.1");
        let why = format!("reason {number}");
        AuditEntry::done(Micros(1_000_000 + number), &actor, "user.role", format!("user u{number}"), why)
    }

    fn log(length: u64) -> (Vec<AuditRecord>, Head) {
        let (mut records, mut head) = (Vec::new(), Head::default());
        for number in 0..length {
            let record = AuditRecord::behind(head, entry(number));
            head = Head { count: record.seq, hash: record.hash };
            records.push(record);
        }
        (records, head)
    }

    fn verify(records: &[AuditRecord], head: Head) -> Result<Head, Broken> {
        let mut verifier = Verifier::default();
        for record in records {
            verifier.next(record.seq, Ok(record))?;
        }
        verifier.finish(head)
    }

    #[test]
    fn the_form_of_the_hash_is_fixed() {
        let (records, _) = log(1);
        let expected = "dcad59ecb36b0adf445a2dc75bfe4c147b69a0d54a7c3b4b6cced1bd8356499e";
        assert_eq!(records[0].hash.to_string(), expected);
    }

    #[test]
    fn what_is_whole_verifies() {
        for length in [0, 1, 7] {
            let (records, head) = log(length);
            assert_eq!(verify(&records, head), Ok(head));
        }
    }

    #[test]
    fn every_kind_of_damage_is_found_and_named() {
        type Damage = fn(&mut Vec<AuditRecord>);
        let table: [(&str, Damage, u64); 8] = [
            ("a changed text", |log| log[3].why.push('!'), 4),
            (
                "a moved border between texts",
                |log| {
                    let c = log[2].subject.remove(0);
                    log[2].action.push(c);
                },
                3,
            ),
            ("a changed hash", |log| log[4].hash.0[7] ^= 1, 5),
            (
                "a record changed with its hash",
                |log| {
                    log[1].by = "mallory".into();
                    log[1].hash = log[1].digest();
                },
                3,
            ),
            (
                "the last one changed with its hash",
                |log| {
                    log[6].by = "mallory".into();
                    log[6].hash = log[6].digest();
                },
                7,
            ),
            ("a dropped record", |log| drop(log.remove(2)), 3),
            ("two swapped", |log| log.swap(4, 5), 5),
            ("the end cut off", |log| log.truncate(5), 6),
        ];
        for (what, damage, first) in table {
            let (mut records, head) = log(7);
            damage(&mut records);
            let broken = verify(&records, head).expect_err(what);
            assert_eq!(broken.seq, first, "{what}: {broken}");
        }
        let (records, head) = log(2);
        let mut verifier = Verifier::default();
        verifier.next(1, Ok(&records[0])).unwrap();
        assert_eq!(verifier.next(2, Err("garbage".into())).unwrap_err().seq, 2);
        assert_eq!(verifier.finish(Head { count: 0, ..head }).unwrap_err().seq, 1);
    }

    proptest! {
        #[test]
        fn no_two_different_records_have_the_same_hash(texts in prop::collection::vec("[a-b]{0,3}", 5), at in 0..3_u64) {
            let record = |texts: &[String], at: u64| {
                let actor = Actor::person(&texts[0], &texts[1]);
                let entry = AuditEntry::done(Micros(at), &actor, &texts[2], texts[3].clone(), texts[4].clone());
                AuditRecord::behind(Head::default(), entry)
            };
            let one = record(&texts, at);
            for turn in 1..5 {
                let mut other = texts.clone();
                other.rotate_left(turn);
                prop_assert_eq!(other == texts, record(&other, at).hash == one.hash);
            }
            prop_assert_ne!(record(&texts, at + 1).hash, one.hash);
        }
    }
}
