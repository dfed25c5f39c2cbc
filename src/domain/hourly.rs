//! Hourly counters as series for a chart: equal steps of time, the busiest names apart, the rest together.

use std::collections::BTreeMap;

use super::counter::{Counter, CounterKind};
use super::time::Hour;

/// A stretch of hours in equal steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first hour.
    pub first: Hour,
    /// Hours in a step.
    pub hours: u32,
    /// How many steps.
    pub count: usize,
}

impl Steps {
    /// `count` steps of `hours`, of which the last holds `now`. They begin at multiples of their length in UTC, so that
    /// they stay where they are while time goes on.
    pub fn until(now: Hour, hours: u32, count: usize) -> Self {
        let last = now.0 - now.0 % hours;
        Self { first: Hour(last.saturating_sub(hours * (count as u32 - 1))), hours, count }
    }

    /// Where each step begins.
    pub fn starts(&self) -> impl Iterator<Item = Hour> {
        (0..self.count as u32).map(|step| Hour(self.first.0 + step * self.hours))
    }

    /// The hour after the last.
    pub fn end(&self) -> Hour {
        Hour(self.first.0 + self.hours * self.count as u32)
    }

    fn step(&self, hour: Hour) -> Option<usize> {
        let step = (hour.0.checked_sub(self.first.0)? / self.hours) as usize;
        (step < self.count).then_some(step)
    }
}

/// Counters added up, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    sums: BTreeMap<(CounterKind, String), Vec<u64>>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The unit or symbol; `None` for all that have no line of their own.
    pub name: Option<String>,
    /// How many names are in it.
    pub names: usize,
    /// A figure a step.
    pub counts: Vec<u64>,
}

impl Series {
    /// All steps together.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Figures {
    /// Adds one counter, if it lies within the steps.
    pub fn add(&mut self, steps: &Steps, counter: &Counter) {
        let Some(step) = steps.step(counter.hour) else { return };
        let key = (counter.kind, counter.name.clone());
        let counts = self.sums.entry(key).or_insert_with(|| vec![0; steps.count]);
        if let Some(count) = counts.get_mut(step) {
            *count += counter.count;
        }
    }

    /// The series of a kind: the `most` busiest names, the busiest first, and one for the rest.
    pub fn series(&self, kind: CounterKind, most: usize) -> Vec<Series> {
        let named = self.sums.iter().filter(|((of, _), _)| *of == kind);
        let mut all: Vec<Series> = named
            .map(|((_, name), counts)| Series { name: Some(name.clone()), names: 1, counts: counts.clone() })
            .collect();
        all.sort_by(|one, other| other.total().cmp(&one.total()).then_with(|| one.name.cmp(&other.name)));
        // A rest of one would only hide its name.
        if all.len() <= most + 1 {
            return all;
        }
        let rest = all.split_off(most);
        let mut other = Series { name: None, names: rest.len(), counts: vec![0; rest[0].counts.len()] };
        for series in rest {
            other.counts.iter_mut().zip(series.counts).for_each(|(sum, count)| *sum += count);
        }
        all.push(other);
        all
    }

    /// All of a kind in all steps.
    pub fn total(&self, kind: CounterKind) -> u64 {
        self.sums.iter().filter(|((of, _), _)| *of == kind).flat_map(|(_, counts)| counts).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Micros;

    fn counter(hour: u32, name: &str, count: u64) -> Counter {
        Counter { hour: Hour(hour), kind: CounterKind::Unit, name: name.into(), count, changed: Micros(0) }
    }

    #[test]
    fn steps_stay_where_they_are_while_time_goes_on() {
        let steps = Steps::until(Hour(1_003), 4, 3);
        assert_eq!(steps, Steps::until(Hour(1_000), 4, 3));
        assert_eq!(steps.starts().map(|hour| hour.0).collect::<Vec<_>>(), [992, 996, 1_000]);
        assert_eq!(steps.end(), Hour(1_004));
        assert_eq!(Steps::until(Hour(1_004), 4, 3).first, Hour(996));
    }

    #[test]
    fn the_busiest_apart_and_the_rest_together() {
        let steps = Steps::until(Hour(101), 1, 2);
        let mut figures = Figures::default();
        for (hour, name, count) in
            [(100, "a", 1), (101, "a", 1), (101, "b", 9), (100, "c", 3), (100, "d", 3), (99, "a", 99), (102, "a", 99)]
        {
            figures.add(&steps, &counter(hour, name, count));
        }
        let shown = |most| -> Vec<(Option<String>, usize, Vec<u64>)> {
            figures.series(CounterKind::Unit, most).into_iter().map(|s| (s.name, s.names, s.counts)).collect()
        };
        let named = |name: &str, counts: [u64; 2]| (Some(name.to_owned()), 1, counts.to_vec());
        assert_eq!(shown(2), [named("b", [0, 9]), named("c", [3, 0]), (None, 2, vec![4, 1])]);
        assert_eq!(shown(3), [named("b", [0, 9]), named("c", [3, 0]), named("d", [3, 0]), named("a", [1, 1])]);
        assert_eq!((figures.total(CounterKind::Unit), figures.total(CounterKind::Symbol)), (17, 0));
    }
}
