//! The odds of the gates, on a small scale: `make gates-table` measures them on a large one.

use crate::strategy::{Returns, Strategy, through};

/// As many records of each strategy as take about a tenth of a second.
const REPETITIONS: usize = 600;

/// What a rate of `percent` may be measured as: three standard errors more.
fn about(percent: f64) -> f64 {
    percent + 3.0 * (percent * (100.0 - percent) / REPETITIONS as f64).sqrt()
}

#[test]
fn without_an_edge_hardly_anything_gets_through() {
    for (returns, trades, days) in [
        (Returns::Normal, 20, 60),
        (Returns::Normal, 100, 120),
        (Returns::Student, 50, 60),
        (Returns::RareLosses(0.9), 100, 60),
        (Returns::RareLosses(0.98), 100, 60),
        (Returns::RareLosses(0.98), 500, 60),
        (Returns::RareWins(0.9), 100, 60),
        (Returns::WildRareLosses(0.9), 50, 60),
    ] {
        let found = through(Strategy::new(returns, trades, days), 1, REPETITIONS, 1);
        let record = format!("{returns:?}, {trades} trades in {days} days: {found:?}");
        assert!(found.evidence_candidate <= about(5.0), "candidate, {record}");
        assert!(found.evidence_production <= about(1.0), "production, {record}");
        assert!(found.candidate <= found.evidence_candidate.min(found.five), "the five gates help, {record}");
    }
}

#[test]
fn a_search_without_an_edge_finds_hardly_anything() {
    for alike in [0.0, 0.5, 0.9] {
        let strategy = Strategy { alike, ..Strategy::new(Returns::Normal, 60, 60) };
        let found = through(strategy, 10, REPETITIONS / 6, 2);
        let most = 5.0 + 3.0 * (5.0 * 95.0 / (REPETITIONS / 6) as f64).sqrt();
        assert!(found.evidence_candidate <= most, "best of 10, correlation {alike}: {found:?}");
    }
}

#[test]
fn an_edge_that_is_plain_to_see_gets_through() {
    let strategy = Strategy { sharpe: 4.0, ..Strategy::new(Returns::Normal, 500, 250) };
    let found = through(strategy, 1, REPETITIONS / 6, 3);
    assert!(found.candidate > 85.0 && found.production > 60.0, "{found:?}");
}
