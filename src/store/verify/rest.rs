//! The file's own rows, and what is sent, taken in and raised.

use std::collections::{BTreeMap, BTreeSet};

use super::super::feed_history::FeedHistory;
use super::super::follower::FollowerPosition;
use super::super::idempotency::Carried;
use super::super::jobs::{self, JobCounts};
use super::super::open::Identity;
use super::super::outbox::OutboxMessage;
use super::super::publications::{Fingerprint, Publication};
use super::super::restored::{self, RestoreMark};
use super::super::schema::{
    BACKUPS, DEAD_LETTERS, DELIVERIES, FOLLOWERS, IDEMPOTENCY, INBOX, INTENT_KEYS, INTENTS, META, OUTBOX, PUBLICATIONS,
    RULES,
};
use super::super::{StoreError, audit, backups, codec, feed_history, models, open, sessions};
use super::Ledger;
use super::walk::{Fault, Walk, decode, must, refers};
use crate::domain::audit::Head;
use crate::domain::backup::{Attempt, Part};
use crate::domain::bus_in::{DeadLetter, InboxRow, Topic};
use crate::domain::event::Level;
use crate::domain::intent::Intent;
use crate::domain::rules::RuleSet;
use crate::domain::rules::error_rate::{ErrorRate, Limits};
use crate::domain::webhook::Delivery;

pub(super) fn meta(walk: &mut Walk<'_>, ledger: &mut Ledger) -> Result<(), StoreError> {
    let mut unknown = Vec::new();
    walk.each("meta", META, |name, row| {
        match name {
            open::IDENTITY => drop(decode::<Identity>(row)?),
            audit::HEAD => ledger.people.head(decode::<Head>(row)?),
            jobs::NUMBERS => ledger.work.said(decode::<JobCounts>(row)?),
            models::NUMBERS => ledger.models.last_evaluation(decode::<models::Numbers>(row)?.evaluation),
            sessions::NUMBERS => {
                decode::<sessions::Numbers>(row)?;
            }
            backups::FIRST_START => {
                decode::<backups::FirstStart>(row)?;
            }
            feed_history::HISTORY => drop(decode::<FeedHistory>(row)?),
            restored::RESTORED => drop(decode::<RestoreMark>(row)?),
            other => unknown.push(other.to_owned()),
        }
        Ok(())
    })?;
    for name in unknown {
        walk.report.notes.push(format!("the row {name:?} of meta was not looked into: nothing is known of it here"));
    }
    Ok(())
}

pub(super) fn rules(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    // The limits are the configuration's; the rows are read alike under any.
    let limits = Limits { threshold: 1, least_severity: Level::ERROR };
    let mut rules = RuleSet::new(vec![Box::new(ErrorRate::new(limits, BTreeMap::new()))]);
    walk.each("rules", RULES, |(rule, key), row| rules.restore(rule, key, row).map_err(Fault::record))
}

pub(super) fn intents(walk: &mut Walk<'_>, ledger: &mut Ledger) -> Result<(), StoreError> {
    let keys = &mut ledger.intents;
    walk.each("intents", INTENTS, |number, row| {
        let intent: Intent = decode(row)?;
        must(intent.id.0 == number, "the record is that of another intent")?;
        let key = codec::encode(&intent.key).map_err(Fault::record)?;
        refers(keys.insert(key, number).is_none(), || "another intent has its key".to_owned())
    })
}

pub(super) fn intent_keys(walk: &mut Walk<'_>, ledger: &mut Ledger) -> Result<(), StoreError> {
    let mut missing = std::mem::take(&mut ledger.intents);
    walk.each("intent_keys", INTENT_KEYS, |key, number| {
        refers(missing.remove(key) == Some(number), || format!("intent {number} has not this key"))
    })?;
    for number in missing.into_values() {
        walk.fault(Part::References, "intents", &number.to_string(), "it is not found by its key");
    }
    Ok(())
}

pub(super) fn outbox(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    walk.each("outbox", OUTBOX, |seq, row| {
        let message: OutboxMessage = decode(row)?;
        must(message.seq == seq, "the record is that of another message")
    })
}

pub(super) fn followers(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    walk.each("followers", FOLLOWERS, |_, row| decode::<FollowerPosition>(row).map(drop))
}

pub(super) fn deliveries(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    walk.each("deliveries", DELIVERIES, |_, row| decode::<Delivery>(row).map(drop))
}

pub(super) fn idempotency(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    walk.each("idempotency", IDEMPOTENCY, |_, row| decode::<Carried>(row).map(drop))
}

pub(super) fn publications(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    walk.each("publications", PUBLICATIONS, |(_, digest), row| {
        decode::<Publication>(row)?;
        must(digest.len() == size_of::<Fingerprint>(), "its key is no digest")
    })
}

pub(super) fn inbox(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    let topics: BTreeSet<&str> = Topic::ALL.map(Topic::as_str).into_iter().collect();
    walk.each("inbox", INBOX, |(topic, ..), row| {
        decode::<InboxRow>(row)?;
        must(topics.contains(topic), "its stream is unknown")
    })
}

pub(super) fn backups(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    walk.each("backups", BACKUPS, |number, row| {
        let attempt: Attempt = decode(row)?;
        must(attempt.number == number, "the record is that of another attempt")
    })
}

pub(super) fn letters(walk: &mut Walk<'_>, _: &mut Ledger) -> Result<(), StoreError> {
    walk.each("dead_letters", DEAD_LETTERS, |number, row| {
        let letter: DeadLetter = decode(row)?;
        must(letter.number == number, "the record is that of another number")
    })
}
