//! What the gates answer, and their laws.

use proptest::prelude::*;

use super::*;
use crate::domain::model::{Figure, FigureOrigin, PlainFigures};
use crate::domain::performance::{DailyReturns, Moments, Series, evaluate_series, psr};
use crate::domain::time::Micros;

fn reported(sharpe: f64, win_rate: f64, profit_factor: f64, drawdown: f64, trades: f64) -> PlainFigures {
    let figure = |value| Some(Figure { value, origin: FigureOrigin::Reported });
    PlainFigures {
        sharpe_ratio: figure(sharpe),
        win_rate: figure(win_rate),
        profit_factor: figure(profit_factor),
        max_drawdown: figure(drawdown),
        total_trades: figure(trades),
        ..PlainFigures::default()
    }
}

fn good() -> PlainFigures {
    reported(1.45, 0.58, 1.65, 0.08, 100.0)
}

fn bad() -> PlainFigures {
    reported(0.6, 0.48, 1.1, 0.22, 100.0)
}

/// Days that win and lose in turn, wins being larger.
fn daily(first_day: u32, days: usize, win: f64) -> DailyReturns {
    DailyReturns { first_day, returns: (0..days).map(|at| if at % 2 == 0 { win } else { -0.01 }).collect() }
}

fn evidence<'a>(
    plain: &'a PlainFigures,
    out_of_sample: Option<&'a DailyReturns>,
    trials: &'a [Trial<'a>],
) -> Evidence<'a> {
    Evidence { plain, out_of_sample, trained_on: 0, shadow: None, trials, artifacts_ok: true, require_shadow: true }
}

fn answer(verdict: &Verdict, gate: Gate) -> &GateAnswer {
    verdict.gates.iter().find(|answer| answer.gate == gate).unwrap()
}

#[test]
fn the_five_on_a_good_and_a_bad_version() {
    let terms = Terms { accept_reported: true, ..Terms::default() };
    let good_one = judge(Goal::Candidate, &evidence(&good(), None, &[]), &terms);
    assert!(good_one.passed && good_one.score > 50.0, "{good_one:?}");
    assert!(answer(&good_one, Gate::Psr).note.starts_with("accepted as reported"), "{good_one:?}");
    let bad_one = judge(Goal::Candidate, &evidence(&bad(), None, &[]), &terms);
    assert!(!bad_one.passed && bad_one.score < 50.0, "{bad_one:?}");
    let answers = plain(&bad(), &terms);
    assert_eq!(
        failure_reason(&answers),
        "Sharpe 0.600 < 1.0; WinRate 0.480 < 0.52; ProfitFactor 1.100 < 1.3; MaxDD 0.220 > 0.15"
    );
    assert_eq!(failure_reason(&plain(&good(), &terms)), "");
    let notes: Vec<&str> = answers.iter().map(|answer| answer.note.as_str()).collect();
    assert_eq!(
        notes,
        [
            "annual Sharpe ratio 0.600: 0.400 short of 1.0 (as reported)",
            "win rate 0.480: 0.040 short of 0.52 (as reported)",
            "profit factor 1.100: 0.200 short of 1.3 (as reported)",
            "largest drawdown 0.220: 0.070 more than 0.15 (as reported)",
            "number of trades 100: at least 50 is asked for (as reported)",
        ]
    );
}

#[test]
fn what_is_exactly_at_its_gate_passes() {
    let at = reported(1.0, 0.52, 1.3, 0.15, 50.0);
    let answers = plain(&at, &Terms::default());
    assert!(passed(&answers), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.margin == Some(0.0) && answer.reported));
    assert!((score(&at, false) - 50.0).abs() < 1e-9, "at every gate the score is 50, not {}", score(&at, false));
    let almost = plain(&reported(0.9999, 0.52, 1.3, 0.15, 49.0), &Terms::default());
    assert_eq!(failure_reason(&almost), "Sharpe 0.9999 < 1.0; Trades 49 < 50");
}

#[test]
fn a_gate_that_is_off_is_not_there() {
    let terms = Terms { sharpe_min: None, trades_min: None, candidate_dsr: None, ..Terms::default() };
    let verdict = judge(Goal::Candidate, &evidence(&good(), None, &[]), &terms);
    let gates: Vec<Gate> = verdict.gates.iter().map(|answer| answer.gate).collect();
    assert_eq!(gates, [Gate::WinRate, Gate::ProfitFactor, Gate::MaxDrawdown, Gate::Psr]);
}

#[test]
fn the_score_is_capped_whichever_gate_fails() {
    assert_eq!(score(&reported(3.0, 0.7, 3.0, 0.5, 10.0), true), 49.9);
    assert_eq!(score(&reported(3.0, 0.7, 3.0, 0.1, 100.0), false), 100.0);
    assert_eq!(score(&reported(-1.0, 0.4, 0.5, 0.1, 100.0), false), 0.0);
    let expected = 0.5 * 72.5 + 0.3 * 87.5 + 0.2 * 75.0;
    assert!((score(&good(), false) - expected).abs() < 1e-9, "{}", score(&good(), false));
}

#[test]
fn reported_figures_reach_shadow_and_no_further() {
    let plain = good();
    let terms = Terms::default();
    assert!(judge(Goal::Shadow, &evidence(&plain, None, &[]), &terms).passed);
    let verdict = judge(Goal::Candidate, &evidence(&plain, None, &[]), &terms);
    assert_eq!(answer(&verdict, Gate::Psr).outcome, GateOutcome::NotEnoughData);
    assert!(answer(&verdict, Gate::Dsr).note.contains("reported figures are no evidence"), "{verdict:?}");
    assert!(!verdict.passed && verdict.score <= 49.9 && verdict.wait_days.is_none());
}

#[test]
fn a_long_good_record_passes_and_the_value_is_psr() {
    let record = daily(20_000, 200, 0.016);
    let figures = evaluate_series(&Series { daily: Some(record.clone()), ..Series::default() }, &good());
    let trials = [Trial { sharpe_per_period: figures.sharpe_per_period.unwrap(), daily: Some(&record) }];
    let mut found = evidence(&figures.plain, Some(&record), &trials);
    found.require_shadow = false;
    let terms = Terms { max_drawdown_max: None, win_rate_min: None, ..Terms::default() };
    let verdict = judge(Goal::Production, &found, &terms);
    assert!(verdict.passed, "{}", verdict.obstacles());
    let expected = psr(&Moments::of(&record.returns).unwrap(), 0.0);
    assert_eq!(answer(&verdict, Gate::Psr).value, Some(expected));
    assert_eq!(answer(&verdict, Gate::Dsr).value, Some(expected), "one trial: DSR is PSR");
    assert_eq!(verdict.wait_days, None);
}

#[test]
fn a_short_record_says_how_long_to_wait() {
    let plain = good();
    let terms = Terms::default();
    let of = |days: usize, win: f64| {
        let record = daily(20_000, days, win);
        judge(Goal::Candidate, &evidence(&plain, Some(&record), &[]), &terms)
    };
    let short = of(20, 0.012);
    assert_eq!(answer(&short, Gate::Psr).outcome, GateOutcome::NotEnoughData);
    assert!(answer(&short, Gate::Psr).note.contains("believed from 30 days on, 10 more days"), "{short:?}");
    let closed = of(100, 0.012);
    assert_eq!(answer(&closed, Gate::Psr).outcome, GateOutcome::Fail);
    let wait = closed.wait_days.unwrap();
    assert!(answer(&closed, Gate::Psr).note.contains(&format!("{wait} more days of returns would do")), "{closed:?}");
    let then = of(100 + wait as usize + 2, 0.012);
    assert_eq!(answer(&then, Gate::Psr).outcome, GateOutcome::Pass, "after the wait: {then:?}");
    let losing = of(100, 0.009);
    assert!(answer(&losing, Gate::Psr).note.contains("no number of days would do"), "{losing:?}");
    assert_eq!(losing.wait_days, None);
}

#[test]
fn losses_that_were_not_seen_yet_are_asked_for() {
    let mut record = DailyReturns { first_day: 20_000, returns: vec![0.001; 60] };
    record.returns[10] = -0.001;
    record.returns[40] = -0.002;
    record.returns[50] = 0.002;
    let plain = good();
    let verdict = judge(Goal::Candidate, &evidence(&plain, Some(&record), &[]), &Terms::default());
    let psr = answer(&verdict, Gate::Psr);
    assert!(psr.value > Some(0.99) && psr.outcome == GateOutcome::NotEnoughData, "{psr:?}");
    assert!(psr.note.contains("only 2 of them lost"), "{psr:?}");
    assert_eq!(verdict.wait_days, Some(180.0), "8 losing days at the rate of 2 in 60: {psr:?}");
    let flat = DailyReturns { first_day: 20_000, returns: vec![0.001; 60] };
    let verdict = judge(Goal::Candidate, &evidence(&plain, Some(&flat), &[]), &Terms::default());
    assert!(answer(&verdict, Gate::Psr).note.contains("do not vary"), "{verdict:?}");
}

#[test]
fn production_asks_for_the_shadow_test_and_the_files() {
    let plain = good();
    let record = daily(20_000, 200, 0.016);
    let terms = Terms::default();
    let mut found = evidence(&plain, Some(&record), &[]);
    found.artifacts_ok = false;
    let verdict = judge(Goal::Production, &found, &terms);
    assert_eq!(answer(&verdict, Gate::ShadowTrades).outcome, GateOutcome::NotEnoughData);
    assert_eq!(answer(&verdict, Gate::ShadowDays).note, "no shadow test yet: 14 days are asked for");
    assert_eq!(answer(&verdict, Gate::Artifacts).outcome, GateOutcome::Fail);

    let tested = daily(20_200, 20, 0.016);
    let trades = |value, origin| Some(Figure { value, origin });
    for (shadow, trades_outcome, days_outcome) in [
        (
            Shadow { daily: Some(&tested), trades: trades(120.0, FigureOrigin::Computed), period_days: 20.0 },
            GateOutcome::Pass,
            GateOutcome::Pass,
        ),
        (
            Shadow { daily: Some(&tested), trades: trades(120.0, FigureOrigin::Reported), period_days: 20.0 },
            GateOutcome::Pass,
            GateOutcome::Pass,
        ),
        (
            Shadow { daily: Some(&tested), trades: trades(60.0, FigureOrigin::Computed), period_days: 20.0 },
            GateOutcome::NotEnoughData,
            GateOutcome::Pass,
        ),
        (
            Shadow { daily: None, trades: trades(120.0, FigureOrigin::Reported), period_days: 20.0 },
            GateOutcome::NotEnoughData,
            GateOutcome::NotEnoughData,
        ),
    ] {
        found.shadow = Some(shadow);
        let verdict = judge(Goal::Production, &found, &terms);
        assert_eq!(answer(&verdict, Gate::ShadowTrades).outcome, trades_outcome, "{verdict:?}");
        assert_eq!(answer(&verdict, Gate::ShadowDays).outcome, days_outcome, "{verdict:?}");
    }
    found.require_shadow = false;
    let verdict = judge(Goal::Production, &found, &terms);
    assert!(verdict.gates.iter().all(|answer| answer.gate != Gate::ShadowTrades), "{verdict:?}");
}

#[test]
fn a_day_that_both_records_have_counts_once() {
    let one = DailyReturns { first_day: 100, returns: vec![0.1, 0.2, 0.3] };
    for (first_day, returns, expected) in [
        (101, vec![9.0, 9.0, 0.4], vec![0.1, 0.2, 0.3, 0.4]),
        (103, vec![0.4], vec![0.1, 0.2, 0.3, 0.4]),
        (200, vec![0.4], vec![0.1, 0.2, 0.3, 0.4]),
        (90, vec![9.0; 13], vec![0.1, 0.2, 0.3]),
        (90, vec![9.0; 5], vec![0.1, 0.2, 0.3]),
    ] {
        let shadow = DailyReturns { first_day, returns };
        assert_eq!(*together(&one, Some(&shadow)), *expected, "shadow from day {first_day}");
    }
    assert_eq!(*together(&one, None), one.returns);
}

#[test]
fn trials_that_are_alike_count_as_fewer() {
    let record = daily(20_000, 60, 0.012);
    let other = DailyReturns { first_day: 20_000, returns: record.returns.iter().map(|gain| -gain).collect() };
    let trial = |sharpe_per_period, daily| Trial { sharpe_per_period, daily };
    let trials = |tried: &[Trial<'_>]| super::trials(tried, 60, 30);
    let same = trials(&[trial(0.1, Some(&record)), trial(0.2, Some(&record)), trial(0.3, Some(&record))]);
    assert!((same.effective - 1.0).abs() < 1e-9 && same.benchmark < 1e-9, "{same:?}");
    assert!((same.sharpe_variance - 1.0 / 59.0).abs() < 1e-12, "{same:?}");
    let unknown = trials(&[trial(0.1, None), trial(0.2, None), trial(0.3, Some(&record))]);
    assert_eq!((unknown.counted, unknown.effective, unknown.correlation), (3, 3.0, None));
    let opposite = trials(&[trial(0.1, Some(&record)), trial(-0.1, Some(&other))]);
    assert_eq!(opposite.effective, 2.0, "what is opposite is not more than two: {opposite:?}");
    let apart = daily(30_000, 60, 0.012);
    assert_eq!(trials(&[trial(0.1, Some(&record)), trial(0.1, Some(&apart))]).correlation, None);
    let half = trials(&[trial(0.1, Some(&record)), trial(0.1, Some(&record)), trial(0.1, None)]);
    assert!(
        half.correlation.is_some_and(|found| (found - 1.0 / 3.0).abs() < 1e-9),
        "one known pair of three: {half:?}"
    );
    assert_eq!(
        trials(&[]),
        Trials { counted: 0, effective: 1.0, correlation: None, sharpe_variance: 0.0, benchmark: 0.0 }
    );
}

/// Otherwise one absurd record, or many that hardly vary, would decide over everybody's gate.
#[test]
fn only_estimates_say_how_much_trials_vary() {
    let trial = |sharpe_per_period, daily| Trial { sharpe_per_period, daily };
    let (record, two_days, long) = (daily(20_000, 60, 0.012), daily(20_100, 2, 0.012), daily(10_000, 20_000, 0.012));
    let of = |tried: &[Trial<'_>]| trials(tried, 60, 30);
    for absurd in [trial(1e200, None), trial(50.0, Some(&two_days)), trial(f64::NAN, Some(&record))] {
        let found = of(&[trial(0.1, Some(&record)), absurd]);
        assert_eq!((found.counted, found.sharpe_variance), (2, 1.0 / 59.0), "{absurd:?}");
    }
    let wild = of(&[trial(1e200, Some(&record)), trial(-1e200, Some(&record)), trial(0.1, None)]);
    assert!(wild.sharpe_variance.is_finite() && wild.benchmark.is_finite(), "{wild:?}");
    let diluted = of(&[trial(0.0, Some(&long)), trial(0.0, Some(&long)), trial(0.1, Some(&record))]);
    assert!(diluted.sharpe_variance >= 1.0 / 59.0, "long trials made a short record's error small: {diluted:?}");
}

/// Otherwise the backtest, sent again as a shadow test, would be its own confirmation.
#[test]
fn a_shadow_test_is_of_later_days() {
    let (plain, record) = (good(), daily(20_000, 200, 0.016));
    let trades = Some(Figure { value: 120.0, origin: FigureOrigin::Computed });
    for (first_day, days, trades_outcome, days_outcome) in [
        (20_000, 200, GateOutcome::NotEnoughData, GateOutcome::NotEnoughData),
        (20_190, 20, GateOutcome::NotEnoughData, GateOutcome::NotEnoughData),
        (20_199, 15, GateOutcome::NotEnoughData, GateOutcome::Pass),
        (20_200, 14, GateOutcome::Pass, GateOutcome::Pass),
    ] {
        let tested = daily(first_day, days, 0.016);
        let mut found = evidence(&plain, Some(&record), &[]);
        found.shadow = Some(Shadow { daily: Some(&tested), trades, period_days: 20.0 });
        let verdict = judge(Goal::Production, &found, &Terms::default());
        let [trades, days] = [Gate::ShadowTrades, Gate::ShadowDays].map(|gate| answer(&verdict, gate));
        assert_eq!((trades.outcome, days.outcome), (trades_outcome, days_outcome), "{verdict:?}");
        assert_eq!(trades.note.contains("before the out-of-sample days end"), first_day < 20_200, "{trades:?}");
    }
}

#[test]
fn days_of_the_training_are_no_evidence() {
    let until = |day: u64, more: u64| Micros(day * Micros::DAY + more);
    let record = || DailyReturns { first_day: 100, returns: vec![0.1, 0.2, 0.3] };
    assert_eq!(after_training(record(), until(100, 0)), (Some(record()), 0));
    let last = DailyReturns { first_day: 102, returns: vec![0.3] };
    assert_eq!(after_training(record(), until(101, 1)), (Some(last), 2), "a day that the training reaches into");
    assert_eq!(after_training(record(), until(103, 0)), (None, 3));
    let plain = good();
    let mut found = evidence(&plain, None, &[]);
    found.trained_on = 3;
    let verdict = judge(Goal::Candidate, &found, &Terms { accept_reported: true, ..Terms::default() });
    let psr = answer(&verdict, Gate::Psr);
    assert!(psr.outcome == GateOutcome::NotEnoughData && psr.note.contains("all 3 days of the backtest"), "{psr:?}");
}

fn series() -> impl Strategy<Value = DailyReturns> {
    let one = prop_oneof![8 => -0.05..0.06_f64, 1 => Just(0.0), 1 => -1.0..10.0_f64];
    (0..60_u32, proptest::collection::vec(one, 0..90))
        .prop_map(|(first_day, returns)| DailyReturns { first_day, returns })
}

fn figure() -> impl Strategy<Value = Option<Figure>> {
    let origin = prop_oneof![Just(FigureOrigin::Computed), Just(FigureOrigin::Reported)];
    proptest::option::weighted(0.9, (-5.0..200.0_f64, origin).prop_map(|(value, origin)| Figure { value, origin }))
}

fn plain_figures() -> impl Strategy<Value = PlainFigures> {
    [figure(), figure(), figure(), figure(), figure()].prop_map(
        |[sharpe_ratio, win_rate, profit_factor, max_drawdown, total_trades]| PlainFigures {
            sharpe_ratio,
            win_rate,
            profit_factor,
            max_drawdown,
            total_trades,
            ..PlainFigures::default()
        },
    )
}

proptest! {
    #[test]
    fn nothing_passes_that_is_not_known_and_everything_is_finite(
        plain in plain_figures(),
        record in proptest::option::of(series()),
        shadow in proptest::option::of(series()),
        tried in proptest::collection::vec((-2.0..2.0_f64, proptest::option::of(series())), 0..6),
        require_shadow: bool,
    ) {
        let trials: Vec<Trial<'_>> =
            tried.iter().map(|(sharpe_per_period, daily)| Trial { sharpe_per_period: *sharpe_per_period, daily: daily.as_ref() }).collect();
        let mut found = evidence(&plain, record.as_ref(), &trials);
        found.require_shadow = require_shadow;
        found.shadow = shadow.as_ref().map(|daily| Shadow { daily: Some(daily), trades: None, period_days: 20.0 });
        for goal in [Goal::Shadow, Goal::Candidate, Goal::Production] {
            let verdict = judge(goal, &found, &Terms::default());
            prop_assert_eq!(verdict.passed, verdict.gates.iter().all(|answer| answer.outcome == GateOutcome::Pass));
            for answer in &verdict.gates {
                prop_assert!(answer.outcome != GateOutcome::Pass || answer.value.is_some(), "{answer:?}");
                prop_assert!(answer.value.is_none_or(f64::is_finite) && answer.margin.is_none_or(f64::is_finite), "{answer:?}");
                prop_assert!(answer.value.is_some() == answer.margin.is_some() && !answer.note.is_empty(), "{answer:?}");
            }
            prop_assert!((0.0..=100.0).contains(&verdict.score), "{}", verdict.score);
            prop_assert!(verdict.passed || verdict.score <= 49.9, "{}", verdict.score);
            if let Some(trials) = verdict.trials {
                let most = f64::from(trials.counted.max(1));
                prop_assert!((1.0..=most).contains(&trials.effective), "{trials:?}");
                prop_assert!(trials.benchmark >= 0.0 && trials.benchmark.is_finite(), "{trials:?}");
                let value = |gate| answer(&verdict, gate).value;
                prop_assert!(value(Gate::Dsr) <= value(Gate::Psr), "{verdict:?}");
                if trials.counted <= 1 {
                    prop_assert_eq!(value(Gate::Dsr), value(Gate::Psr));
                }
            }
        }
    }

    #[test]
    fn better_figures_never_score_less(plain in plain_figures(), more in 0.0..1.0_f64, which in 0..3_usize) {
        let mut better = plain;
        let figures = [&mut better.sharpe_ratio, &mut better.win_rate, &mut better.profit_factor];
        if let Some(Some(figure)) = figures.into_iter().nth(which) {
            figure.value += more;
        }
        for failed in [false, true] {
            prop_assert!(score(&better, failed) >= score(&plain, failed) - 1e-9);
        }
    }
}
