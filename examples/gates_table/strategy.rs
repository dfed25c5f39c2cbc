//! Strategies whose true Sharpe ratio is known, and what the gates make of their records. Also a module of the tests.

#![allow(clippy::expect_used, reason = "parameters of distributions are constants here")]

use quantum_clm::domain::gates::{Evidence, Goal, Terms, Trial, judge, passed, plain};
use quantum_clm::domain::model::{Figures, PlainFigures};
use quantum_clm::domain::performance::{DAYS_A_YEAR, DailyReturns, Series, evaluate_series};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Gamma, LogNormal, StandardNormal, StudentT};

/// How the returns of single trades are distributed, before any edge: mean zero, variance one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Returns {
    /// Normal.
    Normal,
    /// Student's t with five degrees of freedom.
    Student,
    /// Wins with this probability, and loses so much more that nothing is left; the sizes vary by a half (gamma
    /// distributed, shape 4).
    RareLosses(f64),
    /// The mirror image: loses with this probability.
    RareWins(f64),
    /// Wins with this probability; sizes vary as a lognormal with sigma 1, so the worst loss is still to come.
    WildRareLosses(f64),
}

impl Returns {
    fn draw(self, random: &mut SmallRng) -> f64 {
        match self {
            Self::Normal => random.sample(StandardNormal),
            Self::Student => StudentT::new(5.0).expect("five degrees").sample(random) / (5.0_f64 / 3.0).sqrt(),
            Self::RareLosses(wins) => lopsided(wins, Gamma::new(4.0, 0.25).expect("a shape"), 1.25, random),
            Self::RareWins(loses) => -lopsided(loses, Gamma::new(4.0, 0.25).expect("a shape"), 1.25, random),
            Self::WildRareLosses(wins) => {
                lopsided(wins, LogNormal::new(-0.5, 1.0).expect("a sigma"), std::f64::consts::E, random)
            }
        }
    }
}

/// Wins of mean one with probability `wins`, losses that take it all back else; `sizes` has mean one and this mean square.
fn lopsided(wins: f64, sizes: impl Distribution<f64>, mean_square: f64, random: &mut SmallRng) -> f64 {
    let loss = wins / (1.0 - wins);
    let deviation = (mean_square * (wins + (1.0 - wins) * loss * loss)).sqrt();
    let size: f64 = sizes.sample(random);
    if random.random_bool(wins) { size / deviation } else { -size * loss / deviation }
}

/// A strategy and how long it is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strategy {
    /// How its trades turn out.
    pub(crate) returns: Returns,
    /// Its true annual Sharpe ratio; zero without any edge.
    pub(crate) sharpe: f64,
    /// Trades in the record, spread over the days at random.
    pub(crate) trades: usize,
    /// Days of the record.
    pub(crate) days: usize,
    /// How alike two strategies of the same search are: the correlation of their trades.
    pub(crate) alike: f64,
    /// How much of a day's return comes again the next day.
    pub(crate) echo: f64,
}

impl Strategy {
    /// Without an edge and like no other.
    pub(crate) fn new(returns: Returns, trades: usize, days: usize) -> Self {
        Self { returns, sharpe: 0.0, trades, days, alike: 0.0, echo: 0.0 }
    }

    /// The records of `number` strategies of one search.
    fn records(&self, number: usize, random: &mut SmallRng) -> Vec<Series> {
        // Small positions, so that no-edge strategies do not fail on their drawdown: the gates that follow are on their
        // own.
        const DEVIATION_A_DAY: f64 = 0.001;
        let rate = self.trades as f64 / self.days as f64;
        // Of a day with a random number of trades: √rate·mean/√(mean² + deviation²).
        let share = self.sharpe / DAYS_A_YEAR.sqrt() / rate.sqrt();
        let drift = share / (1.0 - share * share).max(0.01).sqrt();
        let scale = DEVIATION_A_DAY / rate.sqrt();
        let when: Vec<usize> = (0..self.trades).map(|_| random.random_range(0..self.days)).collect();
        let common: Vec<f64> = match self.alike > 0.0 {
            true => (0..self.trades).map(|_| self.returns.draw(random)).collect(),
            false => vec![0.0; self.trades],
        };
        let one = |_| {
            let mut days = vec![0.0; self.days];
            let mut trades = Vec::with_capacity(self.trades);
            for (day, common) in when.iter().zip(&common) {
                let own = self.returns.draw(random);
                let gain = self.alike.sqrt() * common + (1.0 - self.alike).sqrt() * own + drift;
                trades.push(gain * scale);
                days[*day] += gain * scale;
            }
            if self.echo > 0.0 {
                for day in 1..days.len() {
                    days[day] = self.echo * days[day - 1] + (1.0 - self.echo * self.echo).sqrt() * days[day];
                }
            }
            Series { daily: Some(DailyReturns { first_day: 20_000, returns: days }), trades, calibration: Vec::new() }
        };
        (0..number).map(one).collect()
    }
}

/// The gates that a record gets through, in per cent of all records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Through {
    /// The five plain gates.
    pub(crate) five: f64,
    /// All that lead to candidate.
    pub(crate) candidate: f64,
    /// All that lead to production, but for the shadow test's own size and the artifacts: the record stands for
    /// out-of-sample and shadow returns together.
    pub(crate) production: f64,
    /// The probabilities alone, were the five plain gates off: candidate.
    pub(crate) evidence_candidate: f64,
    /// And production.
    pub(crate) evidence_production: f64,
}

/// Tries `trials` strategies, shows the gates the best of them by Sharpe ratio, `repetitions` times over.
pub(crate) fn through(strategy: Strategy, trials: usize, repetitions: usize, seed: u64) -> Through {
    let mut random = SmallRng::seed_from_u64(seed);
    let off = Terms {
        sharpe_min: None,
        win_rate_min: None,
        profit_factor_min: None,
        max_drawdown_max: None,
        trades_min: None,
        ..Terms::default()
    };
    let mut counts = [0_u32; 5];
    for _ in 0..repetitions {
        let records = strategy.records(trials, &mut random);
        let figures: Vec<Figures> =
            records.iter().map(|record| evaluate_series(record, &PlainFigures::default())).collect();
        let sharpe = |at: usize| figures[at].sharpe_per_period.unwrap_or(0.0);
        let best = (0..trials).max_by(|one, other| sharpe(*one).total_cmp(&sharpe(*other))).expect("a trial");
        let five = passed(&plain(&figures[best].plain, &Terms::default()));
        counts[0] += u32::from(five);
        // Most have no chance; what the probabilities say of these is known without asking.
        if figures[best].psr.is_none_or(|psr| psr < 0.9) {
            continue;
        }
        let tried: Vec<Trial<'_>> =
            (0..trials).map(|at| Trial { sharpe_per_period: sharpe(at), daily: records[at].daily.as_ref() }).collect();
        let evidence = Evidence {
            plain: &figures[best].plain,
            out_of_sample: records[best].daily.as_ref(),
            trained_on: 0,
            shadow: None,
            trials: &tried,
            artifacts_ok: true,
            require_shadow: false,
        };
        let [candidate, production] =
            [Goal::Candidate, Goal::Production].map(|goal| judge(goal, &evidence, &off).passed);
        counts[1] += u32::from(five && candidate);
        counts[2] += u32::from(five && production);
        counts[3] += u32::from(candidate);
        counts[4] += u32::from(production);
    }
    let [five, candidate, production, evidence_candidate, evidence_production] =
        counts.map(|count| 100.0 * f64::from(count) / repetitions as f64);
    Through { five, candidate, production, evidence_candidate, evidence_production }
}
