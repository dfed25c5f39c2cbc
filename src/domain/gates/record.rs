use super::note::{count, probability, threshold as shown};
use super::{Gate, GateAnswer, GateOutcome, Terms};
use crate::domain::performance::{Moments, cautious_psr, psr};

/// The fewest days with a loss at which the size of losses can be judged. Found by simulation: with fewer, strategies of
/// many small wins and rare large losses pass on losses that they have not met yet.
pub const LOSING_DAYS: u64 = 8;

/// Days beyond which nobody waits: a hundred years.
const FOREVER: u64 = 36_500;

/// A record of returns, as the gates of probability see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    days: u64,
    losing: u64,
    /// None where the returns do not vary.
    moments: Option<Moments>,
}

impl Record {
    pub(super) fn of(returns: &[f64]) -> Self {
        let losing = returns.iter().filter(|gain| **gain < 0.0).count();
        Self { days: returns.len() as u64, losing: losing as u64, moments: Moments::of(returns) }
    }

    /// Whether a gate that asks for `least` against `benchmark` opens, and with what to tell; and how many more days it
    /// would take, where it does not and some number would do. `luck` is the Sharpe ratio a period that the record may
    /// owe to having been chosen: it is believed only as far as it goes beyond that.
    pub(super) fn answer(
        &self,
        gate: Gate,
        benchmark: f64,
        luck: f64,
        least: f64,
        terms: &Terms,
    ) -> (GateAnswer, Option<u64>) {
        let value = self.moments.map(|moments| psr(&moments, benchmark));
        let cautious = self.moments.map(|moments| cautious_psr(&moments, luck));
        let wait = self.wait(luck, least, terms);
        let few_days = self.days < terms.min_periods;
        let few_losses = self.losing < LOSING_DAYS;
        let days = count(self.days, "day");
        let more = more(wait);
        let told = value.map(|value| format!("{} {} over {days}", name(gate), probability(value, least)));
        let (outcome, note) = match (told, value.zip(cautious)) {
            (Some(told), Some((value, cautious))) => {
                if few_days {
                    let missing = count(terms.min_periods - self.days, "more day");
                    let note = format!("{told} of returns: believed from {} days on, {missing}", terms.min_periods);
                    (GateOutcome::NotEnoughData, note)
                } else if few_losses {
                    let note = format!(
                        "{told}, but only {} of them lost: from {LOSING_DAYS} losing days on it can be told what losses \
                         cost; {more}",
                        self.losing
                    );
                    (GateOutcome::NotEnoughData, note)
                } else if value < least {
                    (GateOutcome::Fail, format!("{told}, below {}: {more}", shown(least)))
                } else if cautious < least {
                    let note = format!(
                        "{told} would do in a longer record; in one so short{} it counts as {}, below {}: {more}",
                        if luck > benchmark { ", uneven or chosen among several" } else { " or uneven" },
                        probability(cautious, least),
                        shown(least)
                    );
                    (GateOutcome::NotEnoughData, note)
                } else {
                    (GateOutcome::Pass, format!("{told}: at least {} is asked for", shown(least)))
                }
            }
            _ => (GateOutcome::NotEnoughData, format!("the {days} of returns do not vary: nothing to judge by")),
        };
        let wait = wait.filter(|_| outcome != GateOutcome::Pass);
        let margin = value.map(|value| value - least);
        (GateAnswer { gate, value, threshold: least, margin, outcome, reported: false, note }, wait)
    }

    /// Days more until the gate opens, were the returns to go on like these (the minimum track record length, by
    /// [`cautious_psr`] and with as many losing days as it takes). None where no number within reason would do.
    fn wait(&self, luck: f64, least: f64, terms: &Terms) -> Option<u64> {
        let moments = self.moments.filter(|_| self.losing > 0)?;
        let opens = |days: u64| {
            let losing = u128::from(self.losing) * u128::from(days) >= u128::from(LOSING_DAYS) * u128::from(self.days);
            let moments = Moments { n: days, ..moments };
            days >= terms.min_periods && losing && cautious_psr(&moments, luck) >= least
        };
        let (mut closed, mut open) = (self.days, self.days.saturating_add(FOREVER));
        if opens(closed) {
            return Some(0);
        }
        if !opens(open) {
            return None;
        }
        while open - closed > 1 {
            let middle = closed.midpoint(open);
            if opens(middle) { open = middle } else { closed = middle }
        }
        Some(open - self.days)
    }
}

fn name(gate: Gate) -> &'static str {
    match gate {
        Gate::Dsr => "DSR",
        Gate::PsrWithShadow => "PSR with the shadow test",
        _ => "PSR",
    }
}

fn more(wait: Option<u64>) -> String {
    match wait {
        Some(days) => format!("at this rate, {} of returns would do", count(days, "more day")),
        None => "at this rate, no number of days would do".to_owned(),
    }
}
