use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::batch::EventBatch;
use crate::domain::id::{EventId, IntentId};
use crate::domain::intent::{Intent, IntentKey, IntentState, Raised};
use crate::domain::rules::RuleSet;

const THRESHOLD: u64 = 4;

#[derive(Clone, Copy, Debug)]
enum Fact {
    Event { unit: u8, at: Micros, level: Level },
    Tick(Micros),
}

fn event(unit: u8, at: Micros, level: Level) -> EventRef<'static> {
    EventRef {
        id: EventId::ZERO,
        ts: at,
        unit: ["a.service", "b.service"][usize::from(unit % 2)],
        source: "unknown",
        host: "h",
        level,
        message: "m",
        symbol: None,
        correlation_id: None,
        decision: None,
        confidence: None,
        fields: None,
    }
}

fn rules() -> RuleSet {
    let limits = Limits { threshold: THRESHOLD, least_severity: Level::WARNING };
    let strict = Limits { threshold: 1, least_severity: Level::ERROR };
    RuleSet::new(vec![Box::new(ErrorRate::new(limits, BTreeMap::from([("b.service".into(), strict)])))])
}

/// What the store does with findings, in memory: the intents, and the messages that the stream got.
#[derive(Debug, Default, PartialEq)]
struct World {
    intents: BTreeMap<IntentKey, Intent>,
    messages: Vec<(IntentKey, Severity, String)>,
    rows: BTreeMap<String, Vec<u8>>,
}

impl World {
    fn apply(&mut self, outcome: crate::domain::rules::Outcome) {
        for finding in outcome.findings {
            match finding {
                Finding::Raise(raise) => {
                    let message = (raise.key.clone(), raise.severity, raise.reason.clone());
                    let id = IntentId(self.intents.len() as u64);
                    match self.intents.get_mut(&raise.key) {
                        None => {
                            self.intents.insert(raise.key.clone(), Intent::open(id, raise));
                            self.messages.push(message);
                        }
                        Some(intent) => {
                            if intent.raise_again(&raise) == Raised::Worse {
                                self.messages.push(message);
                            }
                        }
                    }
                }
                Finding::Clear { key, why, at } => {
                    let intent = self.intents.get_mut(&key).expect("only what was raised is cleared");
                    // As in the store: what is resolved stays as it is.
                    let _ = intent.resolve(crate::domain::intent::Note { by: "rule".into(), why, at });
                }
            }
        }
        for change in outcome.changes {
            match change.value {
                Some(value) => self.rows.insert(change.key, value),
                None => self.rows.remove(&change.key),
            };
        }
    }

    /// Folds `facts` in batches that end at `cuts`; after each batch the rules are made anew from their stored rows,
    /// as after a crash, where `restart` says so.
    fn run(facts: &[Fact], cuts: &[usize], restart: bool) -> Self {
        let mut world = Self::default();
        let mut set = rules();
        for (at, fact) in facts.iter().enumerate() {
            match *fact {
                Fact::Event { unit, at, level } => {
                    let mut batch = EventBatch::new();
                    batch.push(event(unit, at, level));
                    set.events(&batch);
                }
                Fact::Tick(at) => set.tick(at),
            }
            if cuts.contains(&at) {
                world.apply(set.finish());
                if restart {
                    set = rules();
                    for (key, value) in &world.rows {
                        set.restore(NAME, key, value).expect("own rows can be read");
                    }
                }
            }
        }
        world.apply(set.finish());
        world
    }

    fn the(&self, unit: &str, hour: u32) -> &Intent {
        self.intents.get(&unit_key(NAME, unit, Hour(hour))).expect("an intent of that unit and hour")
    }
}

fn at(hour: u32, second: u64) -> Micros {
    Hour(hour).start().plus(second * Micros::SECOND)
}

fn errors(hour: u32, many: u64) -> Vec<Fact> {
    (0..many).map(|second| Fact::Event { unit: 0, at: at(hour, second), level: Level::ERROR }).collect()
}

#[test]
fn at_the_threshold_nothing_opens_and_above_it_one_intent_does() {
    assert!(World::run(&errors(10, THRESHOLD), &[], false).intents.is_empty(), "{THRESHOLD} errors are not too many");
    let world = World::run(&errors(10, THRESHOLD + 1), &[], false);
    let intent = world.the("a.service", 10);
    assert_eq!((intent.severity, intent.count), (Severity::Medium, THRESHOLD + 1));
    assert_eq!(intent.reason, "High error rate: 5 errors/hour");
}

#[test]
fn a_storm_gives_one_intent_two_messages_and_the_full_count() {
    let world = World::run(&errors(10, 500), &[], false);
    assert_eq!(world.intents.len(), 1);
    assert_eq!(world.the("a.service", 10).count, 500);
    let severities: Vec<_> = world.messages.iter().map(|(_, severity, _)| *severity).collect();
    assert_eq!(severities, [Severity::Medium, Severity::High], "one message when it opens, one when it rises");
}

#[test]
fn the_first_quiet_full_hour_resolves_and_the_grace_is_kept() {
    let mut facts = errors(10, 9);
    facts.extend(errors(11, 9));
    facts.push(Fact::Tick(Hour(13).start().plus(GRACE_MICROS - 1)));
    let world = World::run(&facts, &[], false);
    assert_eq!(world.the("a.service", 10).state(), IntentState::Open, "hour 12 is not over yet, late events may come");
    facts.push(Fact::Tick(Hour(13).start().plus(GRACE_MICROS)));
    let world = World::run(&facts, &[], false);
    for hour in [10, 11] {
        let resolved = world.the("a.service", hour).resolved.as_ref().expect("resolved by hour 12");
        assert_eq!(resolved.at, Hour(12).end());
    }
}

#[test]
fn late_events_within_the_grace_count_and_later_ones_raise_nothing() {
    let mut facts = errors(10, THRESHOLD);
    facts.push(Fact::Tick(Hour(11).start().plus(GRACE_MICROS - 1)));
    facts.extend(errors(10, 1));
    assert_eq!(World::run(&facts, &[], false).intents.len(), 1, "within the grace");
    facts[THRESHOLD as usize] = Fact::Tick(Hour(11).start().plus(GRACE_MICROS));
    assert!(World::run(&facts, &[], false).intents.is_empty(), "after the grace");
}

#[test]
fn a_tick_from_a_clock_far_ahead_is_taken_back_by_the_next() {
    let mut facts = vec![Fact::Tick(at(5_000, 0)), Fact::Tick(at(10, 600))];
    facts.extend(errors(10, THRESHOLD + 1));
    assert_eq!(World::run(&facts, &[], false).intents.len(), 1, "a wrong clock silenced the rule");
}

#[test]
fn a_unit_has_its_own_limits() {
    let two = |level| (0..2).map(move |second| Fact::Event { unit: 1, at: at(5, second), level }).collect::<Vec<_>>();
    assert!(World::run(&two(Level::WARNING), &[], false).intents.is_empty(), "a warning is under its least severity");
    assert_eq!(World::run(&two(Level::ERROR), &[], false).intents.len(), 1);
}

fn fact() -> impl Strategy<Value = Fact> {
    let level = prop_oneof![Just(Level::ERROR), Just(Level::WARNING), Just(Level::INFO)];
    prop_oneof![
        12 => (0..2_u8, 100..106_u32, 0..3_600_u64, level)
            .prop_map(|(unit, hour, second, level)| Fact::Event { unit, at: at(hour, second), level }),
        1 => (100..108_u32, 0..3_600_u64).prop_map(|(hour, second)| Fact::Tick(at(hour, second))),
    ]
}

proptest! {
    #[test]
    fn same_facts_same_intents_whatever_the_batches_and_restarts(
        facts in prop::collection::vec(fact(), 0..400),
        cuts in prop::collection::vec(0..400_usize, 0..40),
    ) {
        let whole = World::run(&facts, &[], false);
        prop_assert_eq!(&World::run(&facts, &cuts, false), &whole, "batches changed the outcome");
        prop_assert_eq!(&World::run(&facts, &cuts, true), &whole, "restarts changed the outcome");
    }

    #[test]
    fn one_intent_a_unit_and_hour_and_messages_only_when_it_opens_or_worsens(
        facts in prop::collection::vec(fact(), 0..400),
    ) {
        let world = World::run(&facts, &[], false);
        for (key, intent) in &world.intents {
            let said: Vec<_> = world.messages.iter().filter(|(of, ..)| of == key).map(|(_, how, _)| *how).collect();
            prop_assert!(said.windows(2).all(|pair| pair[0] < pair[1]), "said twice: {said:?}");
            prop_assert_eq!(said.last(), Some(&intent.severity));
            prop_assert!(intent.count > intent.threshold);
        }
    }
}
