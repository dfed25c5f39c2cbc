use std::collections::BTreeMap;

use super::{KEPT, OTHER, Row, SETS, SLOT, SOURCES, TradePath};
use crate::domain::id::EventId;
use crate::domain::stage::Stage;
use crate::domain::time::Micros;

/// The figures of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Where the window begins: at the piece of time in which it was asked to.
    pub since: Micros,
    /// Decisions by source (the stages, then all others): BUY, SELL, HOLD.
    pub decisions: [[u64; 3]; SOURCES],
    /// What became of the signals that want to trade.
    pub flow: [StageFlow; 4],
    /// How many they are.
    pub to_trade: u64,
    /// Signals that say HOLD, or nothing, and how many of them were nevertheless seen at execution.
    pub others: (u64, u64),
    /// Why signals stopped before execution, the most frequent first.
    pub reasons: Vec<Reason>,
    /// Symbols of the window with their signals and decisions, the busiest first.
    pub symbols: Vec<(String, u64)>,
}

/// What became of the signals at one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageFlow {
    /// Which.
    pub stage: Stage,
    /// Signals seen there.
    pub seen: u64,
    /// Those of them that were seen nowhere before.
    pub began: u64,
    /// Those of them that were seen at the very next stage, too.
    pub next: u64,
    /// Those of them that were seen at any later stage.
    pub on: u64,
    /// Those of them for which it was the last one.
    pub stopped: u64,
}

/// What stages said last about signals that stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Where they stopped.
    pub stage: Option<Stage>,
    /// The text, with marks for what differs; `None` for all that are not told apart.
    pub text: Option<String>,
    /// How many.
    pub count: u64,
    /// An event that said so, the newest.
    pub example: Option<EventId>,
}

impl TradePath {
    /// The figures from `since` on, for one symbol where one is given, with at most `most` reasons.
    pub fn summary(&self, since: Micros, symbol: Option<&str>, most: usize) -> Summary {
        let first = self.slot(since);
        // A symbol that never came has no figures.
        let wanted = symbol.map(|name| self.symbols.numbers.get(name).copied().unwrap_or(u16::MAX));
        let (mut sums, mut busy) = (Sums::default(), BTreeMap::<u16, u64>::new());
        for ((_, number), row) in self.rows.range((first, 0)..) {
            *busy.entry(*number).or_default() += row.weight();
            if wanted.is_none_or(|wanted| wanted == *number) {
                sums.take(row);
            }
        }
        let mut reasons: BTreeMap<u16, u64> = BTreeMap::new();
        for ((_, number, reason), count) in self.blocked.range((first, 0, 0)..) {
            if wanted.is_none_or(|wanted| wanted == *number) {
                *reasons.entry(*reason).or_default() += u64::from(*count);
            }
        }
        let mut symbols: Vec<(String, u64)> = busy
            .into_iter()
            .filter(|(number, count)| *number != OTHER && *count > 0)
            .filter_map(|(number, count)| Some((self.symbols.name(number)?.clone(), count)))
            .collect();
        symbols.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let [trading, others] = sums.signals;
        Summary {
            since: Micros(u64::from(first) * SLOT),
            decisions: sums.decisions,
            flow: Stage::ALL.map(|stage| flow(stage, &trading)),
            to_trade: trading.iter().sum(),
            others: (others.iter().sum(), flow(Stage::Execution, &others).seen),
            reasons: self.reasons(reasons, most),
            symbols,
        }
    }

    fn reasons(&self, counts: BTreeMap<u16, u64>, most: usize) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = counts
            .into_iter()
            .map(|(number, count)| {
                let known = self.reasons.name(number);
                Reason {
                    stage: known.map(|(stage, _)| *stage),
                    text: known.map(|(_, text)| text.clone()),
                    count,
                    example: known.and_then(|_| self.examples.get(usize::from(number)).copied()),
                }
            })
            .collect();
        reasons.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.text.cmp(&other.text)));
        reasons.truncate(most);
        reasons
    }

    /// Where the longest window begins.
    pub fn oldest(now: Micros) -> Micros {
        now.minus(KEPT)
    }
}

/// Figures that may outgrow 32 bits once they are added up.
#[derive(Default)]
struct Sums {
    decisions: [[u64; 3]; SOURCES],
    signals: [[u64; SETS]; 2],
}

impl Sums {
    fn take(&mut self, row: &Row) {
        let figures = self.decisions.iter_mut().flatten().zip(row.decisions.iter().flatten());
        figures.for_each(|(sum, figure)| *sum += u64::from(*figure));
        let figures = self.signals.iter_mut().flatten().zip(row.signals.iter().flatten());
        figures.for_each(|(sum, figure)| *sum += u64::from(*figure));
    }
}

impl Row {
    fn weight(&self) -> u64 {
        let decisions = self.decisions.iter().flatten();
        decisions.chain(self.signals.iter().flatten()).map(|figure| u64::from(*figure)).sum()
    }
}

fn flow(stage: Stage, signals: &[u64; SETS]) -> StageFlow {
    let here = 1_usize << stage.index();
    let sum = |fits: &dyn Fn(usize) -> bool| -> u64 {
        let sets = signals.iter().enumerate().filter(|(set, _)| set & here != 0 && fits(*set));
        sets.map(|(_, count)| count).sum()
    };
    StageFlow {
        stage,
        seen: sum(&|_| true),
        began: sum(&|set| set & (here - 1) == 0),
        next: sum(&|set| set & (here << 1) != 0),
        on: sum(&|set| set >= 2 * here),
        stopped: sum(&|set| set < 2 * here),
    }
}
