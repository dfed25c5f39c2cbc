use std::collections::HashMap;

use super::access::Actor;
use super::audit::{AuditEntry, Outcome};
use super::time::Micros;

/// Something that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who asked, as far as that is known.
    pub actor: Actor,
    /// For what, or at which border it ended: `sign-in`, `access.role`, ….
    pub action: &'static str,
    /// What it was about: `user anna`, `POST /api/users`, ….
    pub subject: String,
    /// Why it was refused.
    pub why: String,
}

/// What stands in for several names that differ.
const SEVERAL: &str = "several";

/// How long a pair that was written has to wait for its next record.
const QUIET: u64 = 60 * Micros::SECOND;

/// The action of what is no longer told apart.
const BEYOND: &str = "access";

/// Refused attempts that wait to be written.
///
/// They cost nobody's request a commit, and nobody can fill the disk with them: those of one address and action share a
/// record, at most one a minute, and beyond [`Refusals::KEYS`] pairs a minute they share one altogether. A record counts
/// the attempts that it stands for, so none goes unmentioned.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    waiting: HashMap<(String, String), Waiting>,
    /// Those beyond the limit.
    more: Waiting,
}

#[derive(Clone, Debug, Default)]
struct Waiting {
    actor: Option<Actor>,
    subject: String,
    why: String,
    times: u64,
    last: Micros,
    /// Nothing more of this pair is written before.
    quiet_until: Micros,
}

impl Waiting {
    /// Whether it must still wait. A clock that was set back does not make that longer.
    fn is_quiet(&self, now: Micros) -> bool {
        now < self.quiet_until && self.quiet_until.0 - now.0 <= QUIET
    }
}

impl Refusals {
    /// Pairs of address and action that are told apart within a minute.
    pub const KEYS: usize = 32;

    /// Takes one in.
    pub fn add(&mut self, refusal: Refusal, now: Micros) {
        let Refusal { actor, action, subject, why } = refusal;
        let key = (actor.address.clone(), action.to_owned());
        let full = self.waiting.len() >= Self::KEYS && !self.waiting.contains_key(&key);
        let waiting = if full { &mut self.more } else { self.waiting.entry(key).or_default() };
        match &mut waiting.actor {
            Some(before) if waiting.times > 0 => {
                for (before, new) in [
                    (&mut before.name, &actor.name),
                    (&mut before.address, &actor.address),
                    (&mut waiting.subject, &subject),
                    (&mut waiting.why, &why),
                ] {
                    if before != new {
                        SEVERAL.clone_into(before);
                    }
                }
            }
            _ => (waiting.actor, waiting.subject, waiting.why) = (Some(actor), subject, why),
        }
        waiting.times += 1;
        waiting.last = now;
    }

    /// Takes out what is to be written now.
    pub fn due(&mut self, now: Micros) -> Vec<AuditEntry> {
        self.take(now, false)
    }

    /// Takes out everything: nothing will come after it.
    pub fn all(&mut self, now: Micros) -> Vec<AuditEntry> {
        self.take(now, true)
    }

    /// Takes back what could not be written.
    pub fn give_back(&mut self, entries: Vec<AuditEntry>) {
        for entry in entries {
            let waiting = match self.waiting.get_mut(&(entry.actor.address.clone(), entry.action.clone())) {
                Some(waiting) => waiting,
                None => &mut self.more,
            };
            if waiting.times == 0 {
                (waiting.actor, waiting.subject, waiting.why) = (Some(entry.actor), entry.subject, entry.why);
                waiting.last = entry.at;
            }
            waiting.times += entry.times;
            waiting.quiet_until = Micros(0);
        }
    }

    fn take(&mut self, now: Micros, all: bool) -> Vec<AuditEntry> {
        let mut entries = Vec::new();
        let pairs = self.waiting.iter_mut().map(|((_, action), waiting)| (action.as_str(), waiting));
        for (action, waiting) in pairs.chain([(BEYOND, &mut self.more)]) {
            if waiting.times == 0 || (waiting.is_quiet(now) && !all) {
                continue;
            }
            let Some(actor) = waiting.actor.take() else { continue };
            entries.push(AuditEntry {
                at: waiting.last,
                actor,
                action: action.to_owned(),
                subject: std::mem::take(&mut waiting.subject),
                why: std::mem::take(&mut waiting.why),
                outcome: Outcome::Refused,
                times: std::mem::take(&mut waiting.times),
            });
            waiting.quiet_until = now.plus(QUIET);
        }
        self.waiting.retain(|_, waiting| waiting.times > 0 || waiting.is_quiet(now));
        entries.sort_by_key(|entry| entry.at);
        entries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Micros = Micros(1_768_621_479_000_000);
    const SECOND: u64 = Micros::SECOND;

    fn refusal(name: &str, address: &str, action: &'static str) -> Refusal {
        let actor = Actor::person(name, address);
        Refusal { actor, action, subject: format!("user {name}"), why: "wrong password".into() }
    }

    #[test]
    fn the_first_is_written_at_once_and_more_of_it_share_a_record_a_minute() {
        let mut refusals = Refusals::default();
        refusals.add(refusal("anna", "10.0.0.1", "sign-in"), NOW);
        let first = refusals.due(NOW);
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].actor.name.as_str(), first[0].times, first[0].outcome), ("anna", 1, Outcome::Refused));
        for n in 0..500 {
            refusals.add(refusal(if n == 7 { "bob" } else { "anna" }, "10.0.0.1", "sign-in"), NOW.plus(n));
        }
        assert_eq!(refusals.due(NOW.plus(30 * SECOND)), []);
        let more = refusals.due(NOW.plus(60 * SECOND));
        assert_eq!(more.len(), 1);
        assert_eq!(
            (more[0].actor.name.as_str(), more[0].actor.address.as_str(), more[0].subject.as_str(), more[0].times),
            ("several", "10.0.0.1", "several", 500)
        );
        assert_eq!((more[0].why.as_str(), more[0].at), ("wrong password", NOW.plus(499)));
        // What has been quiet for a minute is as new.
        assert_eq!(refusals.due(NOW.plus(120 * SECOND)), []);
        refusals.add(refusal("anna", "10.0.0.1", "sign-in"), NOW.plus(121 * SECOND));
        assert_eq!(refusals.due(NOW.plus(121 * SECOND)).len(), 1);
    }

    #[test]
    fn what_could_not_be_written_comes_again() {
        let mut refusals = Refusals::default();
        refusals.add(refusal("anna", "10.0.0.1", "sign-in"), NOW);
        let taken = refusals.due(NOW);
        refusals.give_back(taken.clone());
        assert_eq!(refusals.due(NOW), taken);
        refusals.give_back(taken);
        refusals.add(refusal("anna", "10.0.0.1", "sign-in"), NOW.plus(1));
        assert_eq!(refusals.due(NOW.plus(1))[0].times, 2);
    }

    #[test]
    fn a_stop_takes_everything() {
        let mut refusals = Refusals::default();
        refusals.add(refusal("anna", "10.0.0.1", "sign-in"), NOW);
        refusals.due(NOW);
        refusals.add(refusal("anna", "10.0.0.1", "sign-in"), NOW.plus(1));
        assert_eq!(refusals.all(NOW.plus(2)).len(), 1);
    }

    proptest! {
        /// However many addresses take part: a bounded number of records a minute, and every attempt is in one of them.
        #[test]
        fn records_are_few_and_count_every_attempt(addresses in prop::collection::vec(0..300_u16, 1..2_000), step in 1..SECOND) {
            let mut refusals = Refusals::default();
            let (mut now, mut records, mut told) = (NOW, 0, 0);
            for address in &addresses {
                refusals.add(refusal("anna", &format!("10.0.0.{address}"), "sign-in"), now);
                for entry in refusals.due(now) {
                    records += 1;
                    told += entry.times;
                }
                now = now.plus(step);
            }
            let minutes = (now.0 - NOW.0) / (60 * SECOND) + 1;
            prop_assert!(records <= minutes * (Refusals::KEYS as u64 + 1), "{records} records in {minutes} minutes");
            told += refusals.all(now).iter().map(|entry| entry.times).sum::<u64>();
            prop_assert_eq!(told, addresses.len() as u64);
        }
    }
}
