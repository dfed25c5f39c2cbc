//! From the times that versions carry to what was in production when.
//!
//! The predecessor kept three times a version and wrote over them: `created_at`, the last `promoted_at`, the last
//! `retired_at`. So of a version that came back by a rollback its first time in production is not known any more, and
//! nothing is said about it. What is known is put in the order of time:
//!
//! - a version is in production from its promotion until the next promotion, or until it was retired;
//! - a retirement within a minute before a promotion is a part of it: the predecessor wrote them as two files;
//! - of several versions that say that they are in production, the one promoted last is, and the others were retired when
//!   the next one was promoted;
//! - what nobody ended, or came back unseen, is put right at the time of the import.

use std::collections::BTreeMap;

use super::record::VersionRecord;
use crate::domain::model::{ModelStatus, VersionName};
use crate::domain::time::Micros;

/// How long before a promotion the retirement that belongs to it may have been written.
const TOGETHER: u64 = 60 * Micros::SECOND;

/// What happened to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// It was made.
    Made,
    /// It left production, and nothing took its place.
    Retired,
    /// It went into production.
    Promoted,
}

/// One step of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When.
    pub at: Micros,
    /// Which version.
    pub version: VersionName,
    /// What happened to it.
    pub moment: Moment,
    /// Whether it is known from the files; what is not was found so by the import.
    pub known: bool,
    /// What is in production after it.
    pub production: Option<VersionName>,
}

/// What a version's times come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// When it was made.
    pub made: Micros,
    /// When it last went into production.
    pub promoted: Option<Micros>,
    /// When it last left production.
    pub retired: Option<Micros>,
    /// What was in production before it.
    pub succeeded: Option<VersionName>,
    /// It says that it is in production, and is not: another one was promoted later.
    pub displaced: bool,
}

/// A model's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// What is in production.
    pub production: Option<VersionName>,
    /// Its steps, in the order of time.
    pub turns: Vec<Turn>,
    /// Each version's times.
    pub lives: BTreeMap<VersionName, Life>,
}

/// The past of a model with these versions, of which each has a name of its own. No time is after `now`.
pub fn past(versions: &[VersionRecord], now: Micros) -> Past {
    let mut past = Past::default();
    for version in versions {
        past.lives.insert(version.version.clone(), life(version, now));
    }
    past.production = in_production(versions, &past.lives);
    let mut moments = Vec::new();
    for version in versions {
        let Some(life) = past.lives.get_mut(&version.version) else { continue };
        life.displaced =
            version.status == ModelStatus::Production && past.production.as_ref() != Some(&version.version);
        moments.push((life.made, Moment::Made, &version.version));
        if !matches!(version.status, ModelStatus::Production | ModelStatus::Retired) {
            continue;
        }
        if let Some(promoted) = life.promoted {
            moments.push((promoted, Moment::Promoted, &version.version));
            // An earlier one ended a time in production whose beginning was written over.
            if let Some(retired) = life.retired.filter(|&retired| retired >= promoted) {
                moments.push((retired, Moment::Retired, &version.version));
            }
        }
    }
    moments.sort();
    past.turns = turns(&moments, &mut past.lives);
    let last = past.turns.last().and_then(|turn| turn.production.clone());
    if last != past.production {
        past.settle(last, now);
    }
    past
}

impl Past {
    /// The files do not say how it came to be as it is: it is so from now on.
    fn settle(&mut self, last: Option<VersionName>, now: Micros) {
        let turn = match (&self.production, last) {
            (Some(current), _) => (current.clone(), Moment::Promoted),
            (None, Some(last)) => (last, Moment::Retired),
            (None, None) => return,
        };
        let (version, moment) = turn;
        self.turns.push(Turn { at: now, version, moment, known: false, production: self.production.clone() });
    }
}

fn life(version: &VersionRecord, now: Micros) -> Life {
    let VersionRecord { created_at, promoted_at, retired_at, status, .. } = version;
    let times = [*created_at, *promoted_at, *retired_at];
    let made = created_at.or_else(|| times.into_iter().flatten().min()).unwrap_or(now).min(now);
    let promoted = promoted_at.or((*status == ModelStatus::Production).then_some(made));
    Life {
        // Whatever the clock did: first it was made.
        made: made.min(promoted.unwrap_or(made)),
        promoted: promoted.map(|at| at.min(now)),
        retired: retired_at.map(|at| at.min(now)),
        ..Life::default()
    }
}

/// Of those that say so, the one promoted last; of two at the same instant the younger one, or else by name.
fn in_production(versions: &[VersionRecord], lives: &BTreeMap<VersionName, Life>) -> Option<VersionName> {
    let claims = versions.iter().filter(|version| version.status == ModelStatus::Production);
    let order = |version: &&VersionRecord| {
        let life = lives.get(&version.version);
        (life.and_then(|life| life.promoted), life.map(|life| life.made), version.version.clone())
    };
    claims.max_by_key(order).map(|version| version.version.clone())
}

fn turns(moments: &[(Micros, Moment, &VersionName)], lives: &mut BTreeMap<VersionName, Life>) -> Vec<Turn> {
    let mut production: Option<VersionName> = None;
    let mut turns = Vec::new();
    for (index, &(at, moment, version)) in moments.iter().enumerate() {
        match moment {
            Moment::Made => {}
            Moment::Promoted => {
                let previous = production.replace(version.clone()).filter(|previous| previous != version);
                if let Some(previous) = previous.as_ref().and_then(|previous| lives.get_mut(previous)) {
                    let since = previous.promoted.unwrap_or_default();
                    // Nobody wrote that it was retired, or that was another time.
                    previous.retired = previous.retired.filter(|&retired| retired >= since).or(Some(at));
                }
                let before = previous.or_else(|| just_left(&turns, version));
                if let Some(life) = lives.get_mut(version) {
                    life.succeeded = before;
                }
            }
            Moment::Retired => {
                let replaced = moments[index + 1..].iter().take_while(|later| later.0.0 - at.0 <= TOGETHER);
                let replaced = replaced.clone().any(|later| later.1 == Moment::Promoted && later.2 != version);
                if replaced || production.as_ref() != Some(version) {
                    continue;
                }
                production = None;
            }
        }
        turns.push(Turn { at, version: version.clone(), moment, known: true, production: production.clone() });
    }
    turns
}

/// What was in production last, where nothing is.
fn just_left(turns: &[Turn], version: &VersionName) -> Option<VersionName> {
    turns.iter().rev().find_map(|turn| turn.production.clone()).filter(|last| last != version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::clm3::Source;
    use crate::domain::model::{Digest, ModelType};

    /// A number for a version's name, a status and its times.
    type Numbered = (usize, (usize, [Option<u64>; 3]));

    const NOW: Micros = Micros(1_000_000 * Micros::SECOND);

    /// `name status created promoted retired`, times in seconds, `-` where there is none.
    fn versions(text: &str) -> Vec<VersionRecord> {
        let line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let time = |word: &str| word.parse().ok().map(|seconds: u64| Micros(seconds * Micros::SECOND));
            let status = ModelStatus::ALL.into_iter().find(|status| status.as_str() == words[1]).unwrap();
            record(words[0], status, [time(words[2]), time(words[3]), time(words[4])])
        };
        text.split(';').map(line).collect()
    }

    fn record(
        name: &str,
        status: ModelStatus,
        [created_at, promoted_at, retired_at]: [Option<Micros>; 3],
    ) -> VersionRecord {
        VersionRecord {
            source: Source { path: format!("models/m/{name}.json"), sha256: Digest([0; 32]) },
            version: name.parse().unwrap(),
            model_type: ModelType::Other,
            status,
            created_at,
            promoted_at,
            retired_at,
            parent: None,
            job: None,
            regime: None,
            data_from: None,
            data_until: None,
            feature_count: None,
            parameters: BTreeMap::new(),
            train_metrics: BTreeMap::new(),
            validation_metrics: BTreeMap::new(),
            artifact: None,
        }
    }

    /// `time:version>what is in production`, with `?` for what the import found so.
    fn told(past: &Past) -> String {
        let name = |name: &Option<VersionName>| name.as_ref().map_or("-".to_owned(), ToString::to_string);
        let turn = |turn: &Turn| {
            let at = if turn.at == NOW { "now".to_owned() } else { turn.at.seconds().to_string() };
            let sign = match turn.moment {
                Moment::Made => '+',
                Moment::Promoted => '^',
                Moment::Retired => 'v',
            };
            let known = if turn.known { "" } else { "?" };
            format!("{at}{known} {sign}{} {}", turn.version, name(&turn.production))
        };
        past.turns.iter().map(turn).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_past_in_the_order_of_time() {
        for (what, given, expected, production) in [
            ("one that was never promoted", "a shadow 10 - -", "10 +a -", None),
            ("a promotion", "a production 10 20 -", "10 +a -; 20 ^a a", Some("a")),
            (
                "a promotion that retired another, written as two files",
                "a retired 10 20 40; b production 30 41 -",
                "10 +a -; 20 ^a a; 30 +b a; 41 ^b b",
                Some("b"),
            ),
            (
                "a retirement after which nothing came",
                "a retired 10 20 40; b candidate 30 - -",
                "10 +a -; 20 ^a a; 30 +b a; 40 va -",
                None,
            ),
            (
                "a pause between two",
                "a retired 10 20 40; b production 30 4000 -",
                "10 +a -; 20 ^a a; 30 +b a; 40 va -; 4000 ^b b",
                Some("b"),
            ),
            (
                "a rollback: the first time of the one that came back was written over",
                "a production 10 60 41; b retired 30 41 60",
                "10 +a -; 30 +b -; 41 ^b b; 60 ^a a",
                Some("a"),
            ),
            (
                "two that say that they are in production",
                "a production 10 50 -; b production 20 40 -",
                "10 +a -; 20 +b -; 40 ^b b; 50 ^a a",
                Some("a"),
            ),
            (
                "two promoted at the same time",
                "a production 10 50 -; b production 20 50 -",
                "10 +a -; 20 +b -; 50 ^a a; 50 ^b b",
                Some("b"),
            ),
            ("a promotion without its time", "a production 10 - -", "10 +a -; 10 ^a a", Some("a")),
            ("no time at all", "a production - - -", "now +a -; now ^a a", Some("a")),
            ("a retirement without its time", "a retired 10 20 -", "10 +a -; 20 ^a a; now? va -", None),
            (
                "one that was promoted after the one that is in production",
                "a production 10 20 -; b retired 15 30 -",
                "10 +a -; 15 +b -; 20 ^a a; 30 ^b b; now? ^a a",
                Some("a"),
            ),
            ("retired without having been promoted", "a retired 10 - 20", "10 +a -", None),
            ("promoted before it was made", "a production 30 20 -", "20 +a -; 20 ^a a", Some("a")),
            ("from the future", "a production 10 9999999 -", "10 +a -; now ^a a", Some("a")),
        ] {
            let past = past(&versions(given), NOW);
            assert_eq!(told(&past), expected, "{what}");
            assert_eq!(past.production.as_ref().map(VersionName::as_str), production, "{what}");
        }
    }

    #[test]
    fn what_each_version_is_told_of_it() {
        let past = past(&versions("a production 10 20 -; b production 15 40 -; c retired 12 30 40"), NOW);
        let life = |name: &str| past.lives[&name.parse::<VersionName>().unwrap()].clone();
        let seconds = |at: Option<Micros>| at.map(Micros::seconds);
        assert!(life("a").displaced && !life("b").displaced && !life("c").displaced);
        assert_eq!(seconds(life("a").retired), Some(30), "when the next one came");
        assert_eq!(life("c").succeeded.as_ref().map(VersionName::as_str), Some("a"));
        assert_eq!(life("b").succeeded.as_ref().map(VersionName::as_str), Some("c"));
        assert_eq!(life("a").succeeded, None);
    }

    proptest! {
        #[test]
        fn any_times_make_a_past_that_ends_where_the_files_say(
            mut given in prop::collection::vec((0..6_usize, prop::array::uniform3(prop::option::of(0..300_u64))), 0..8),
            turn in 0..8_usize,
        ) {
            let make = |given: &[Numbered]| -> Vec<VersionRecord> {
                given.iter().map(|(number, (status, times))| {
                    let times = times.map(|time| time.map(|seconds| Micros(seconds * 10 * Micros::SECOND)));
                    record(&format!("v{number}"), ModelStatus::ALL[*status], times)
                }).collect()
            };
            let mut numbered: Vec<_> = given.drain(..).enumerate().collect();
            let versions = make(&numbered);
            let made = past(&versions, NOW);
            prop_assert!(made.turns.is_sorted_by_key(|turn| turn.at), "{}", told(&made));
            let last = made.turns.last().and_then(|turn| turn.production.clone());
            prop_assert_eq!(&last, &made.production, "{}", told(&made));
            prop_assert_eq!(made.turns.iter().filter(|turn| turn.moment == Moment::Made).count(), versions.len());
            let claimed = versions.iter().any(|version| version.status == ModelStatus::Production);
            prop_assert_eq!(made.production.is_some(), claimed);
            for life in made.lives.values() {
                prop_assert!(life.made <= NOW && life.promoted.is_none_or(|at| at >= life.made));
            }
            if !numbered.is_empty() {
                let turn = turn % numbered.len();
                numbered.rotate_left(turn);
            }
            prop_assert_eq!(past(&make(&numbered), NOW), made, "the order of the files matters");
        }
    }
}
