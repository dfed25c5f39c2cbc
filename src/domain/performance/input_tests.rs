//! What programs send, and what is made of it.

use serde_json::json;

use super::*;
use crate::domain::model::FigureOrigin;
use crate::domain::time::Micros;

/// 2026-06-01.
const NOW: Micros = Micros(1_780_272_000_000_000);

fn read(input: serde_json::Value) -> Result<EvaluationInput, String> {
    serde_json::from_str(&input.to_string()).map_err(|error| error.to_string())
}

fn evaluated(input: serde_json::Value) -> Evaluated {
    evaluate(&read(input).unwrap(), NOW).unwrap()
}

fn refused(input: serde_json::Value) -> Vec<(String, String)> {
    let misfits = evaluate(&read(input).unwrap(), NOW).unwrap_err();
    misfits.into_iter().map(|misfit| (misfit.field, misfit.why)).collect()
}

#[test]
fn trades_of_a_day_compound_and_days_between_are_zero() {
    let found = evaluated(json!({"type": "backtest", "trades": [
        {"timestamp": "2026-01-03T23:59:59Z", "pnl_percent": -5.0, "symbol": "BTCUSDT", "outcome_label": null},
        {"closed_at": "2026-01-01T10:00:00", "return": 0.1, "confidence": 0.75},
        {"closed_at": "2026-01-02T00:30:00+01:00", "return": 0.1, "confidence": 0.72},
    ]}));
    let daily = found.series.daily.unwrap();
    assert_eq!(daily.day(0).unwrap().to_string(), "2026-01-01");
    let expected = [0.21, 0.0, -0.05];
    assert!(daily.returns.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-12), "{:?}", daily.returns);
    assert_eq!(found.series.trades, [0.1, 0.1, -0.05], "in order of their end");
    assert_eq!(found.period_days, 3.0);
    assert_eq!(found.figures.plain.total_trades.map(|figure| figure.value), Some(3.0));
    assert_eq!(found.series.calibration.len(), 1);
    let bin = found.series.calibration[0];
    assert_eq!((bin.from, bin.until, bin.came_true, bin.count), (0.7, 0.8, 1.0, 2));
}

#[test]
fn shorter_periods_compound_into_the_days_that_they_begin_on() {
    let found = evaluated(json!({"type": "walk_forward", "returns":
        {"start": "2026-01-01T12:00:00Z", "period_seconds": 21600, "values": [0.1, 0.1, -0.5, 1.0, 0.0, 0.0, 0.02]}}));
    let daily = found.series.daily.unwrap().returns;
    assert_eq!(daily.len(), 3);
    assert!((daily[0] - 0.21).abs() < 1e-12 && daily[1].abs() < 1e-12 && (daily[2] - 0.02).abs() < 1e-12, "{daily:?}");
}

#[test]
fn what_can_be_computed_is_not_taken_as_reported() {
    let found = evaluated(json!({
        "type": "shadow_test",
        "returns": {"first_day": "2026-01-01", "values": [0.01, -0.005, 0.02]},
        "metrics": {"sharpe_ratio": 99.0, "total_trades": 120, "win_rate": 0.1},
    }));
    let plain = found.figures.plain;
    assert_eq!(plain.sharpe_ratio.unwrap().origin, FigureOrigin::Computed);
    assert!(plain.sharpe_ratio.unwrap().value < 99.0);
    assert_eq!(plain.win_rate.unwrap().value, 2.0 / 3.0);
    assert_eq!(plain.total_trades.unwrap().origin, FigureOrigin::Reported);

    let reported = evaluated(json!({"type": "backtest", "period_days": 90, "metrics": {"sharpe_ratio": 1.45}}));
    assert_eq!(reported.figures.plain.sharpe_ratio.unwrap().origin, FigureOrigin::Reported);
    assert_eq!((reported.figures.psr, reported.period_days, reported.series.is_empty()), (None, 90.0, true));
}

#[test]
fn a_year_of_one_trade_a_day_from_a_program() {
    let trades: Vec<_> = (0..365)
        .map(|day| json!({"closed_at": 1_735_689_600_000_000_u64 + day * 86_400_000_000, "return": 0.001}))
        .collect();
    assert_eq!(evaluated(json!({"type": "backtest", "trades": trades})).figures.periods, Some(365));
}

#[test]
fn what_does_not_do_is_named() {
    let day = "2026-01-01T00:00:00Z";
    for (input, field, part) in [
        (json!({"type": "backtest"}), "", "nothing to judge by"),
        (json!({"type": "backtest", "trades": []}), "", "nothing to judge by"),
        (json!({"type": "backtest", "trades": [{"closed_at": day}]}), "trades.0.return", "missing"),
        (
            json!({"type": "backtest", "trades": [{"closed_at": day, "return": 0.1, "pnl_percent": 1}]}),
            "trades.0",
            "both",
        ),
        (
            json!({"type": "backtest", "trades": [{"closed_at": day, "return": -1.01}]}),
            "trades.0.return",
            "-1.01 is no share",
        ),
        (
            json!({"type": "backtest", "trades": [{"closed_at": day, "pnl_percent": 1001}]}),
            "trades.0.pnl_percent",
            "no share",
        ),
        (
            json!({"type": "backtest", "trades": [{"closed_at": "2027-01-01T00:00:00Z", "return": 0.1}]}),
            "trades",
            "future",
        ),
        (
            json!({"type": "backtest", "trades": [{"closed_at": 1, "return": 0.1}, {"closed_at": day, "return": 0.1}]}),
            "",
            "",
        ),
        (
            json!({"type": "backtest", "returns": {"first_day": "2026-13-01", "values": [0.1]}}),
            "returns.first_day",
            "no day",
        ),
        (
            json!({"type": "backtest", "returns": {"first_day": "2026-01-01", "values": [0.1, 11]}}),
            "returns.values.1",
            "no share",
        ),
        (json!({"type": "backtest", "returns": {"first_day": "2026-01-01", "values": []}}), "returns", "is empty"),
        (json!({"type": "backtest", "returns": {"values": [0.1]}}), "returns", "takes `first_day`"),
        (
            json!({"type": "backtest", "returns": {"start": day, "period_seconds": 7, "values": [0.1]}}),
            "returns.period_seconds",
            "does not divide a day",
        ),
        (
            json!({"type": "backtest", "returns": {"start": day, "period_seconds": 0, "values": [0.1]}}),
            "returns.period_seconds",
            "does not divide a day",
        ),
        (
            json!({"type": "backtest", "returns": {"start": "yesterday", "period_seconds": 60, "values": [0.1]}}),
            "returns.start",
            "no instant",
        ),
        (
            json!({"type": "backtest", "predictions": [{"confidence": 1.2, "came_true": true}]}),
            "predictions.0.confidence",
            "0 to 1",
        ),
        (json!({"type": "backtest", "metrics": {"win_rate": 58}}), "metrics.win_rate", "58 is not from 0 to 1"),
        (json!({"type": "backtest", "metrics": {"win_rate": 0.5}, "period_days": -1}), "period_days", "must be from 0"),
    ] {
        if part.is_empty() {
            assert!(evaluate(&read(input.clone()).unwrap(), NOW).is_ok(), "{input} is refused");
            continue;
        }
        let misfits = refused(input.clone());
        assert_eq!(misfits[0].0, field, "{input}: {misfits:?}");
        assert!(misfits[0].1.contains(part), "{input}: {misfits:?}");
    }
}

#[test]
fn many_misfits_are_counted_rather_than_listed() {
    let values = vec![20.0; 500];
    let misfits = refused(json!({"type": "backtest", "returns": {"first_day": "2024-01-01", "values": values}}));
    assert_eq!(misfits.len(), 17);
    assert!(misfits[16].1.contains("484 more") || misfits[16].1.contains("485 more"), "{:?}", misfits[16]);
}

#[test]
fn what_is_no_evaluation_is_not_read() {
    for (input, part) in [
        (json!({"trades": []}), "missing field `type`"),
        (json!({"type": "guess"}), "unknown variant `guess`"),
        (json!({"type": "backtest", "trade": []}), "unknown field `trade`"),
        (json!({"type": "backtest", "trades": [{"closed_at": "today", "return": 0.1}]}), "RFC 3339"),
        (json!({"type": "backtest", "trades": [{"closed_at": 1, "returns": 0.1}]}), "unknown field `returns`"),
        (json!({"type": "backtest", "returns": {"first_day": "2026-01-01", "values": [null]}}), "invalid type: null"),
    ] {
        let error = read(input.clone()).unwrap_err();
        assert!(error.contains(part), "{input}: {error}");
    }
    let infinite = "{\"type\": \"backtest\", \"returns\": {\"first_day\": \"2026-01-01\", \"values\": [1e999]}}";
    assert!(serde_json::from_str::<EvaluationInput>(infinite).is_err(), "infinity is read");
}

#[test]
fn more_than_a_million_is_refused_while_it_is_read() {
    let text = format!("[{}0]", "0,".repeat(MOST_ITEMS));
    let error = serde_json::from_str::<Bounded<f64>>(&text).unwrap_err().to_string();
    assert!(error.contains("more than 1,000,000: send daily `returns`"), "{error}");
    let text = format!("[{}0]", "0,".repeat(MOST_ITEMS - 1));
    assert_eq!(serde_json::from_str::<Bounded<f64>>(&text).unwrap().0.len(), MOST_ITEMS);
}

#[test]
fn a_million_trades() {
    let trade = |at: i64| TradeInput {
        closed_at: Closed(1_699_920_000_000_000 + (at * 7_919 % 1_000_000) * 60_000_000),
        gain: Some(if at % 9 < 5 { 0.001 } else { -0.001 }),
        ..TradeInput::default()
    };
    let trades = Some(Bounded((0..1_000_000).map(trade).collect()));
    let kind = crate::domain::model::EvaluationKind::Backtest;
    let input = EvaluationInput { kind, returns: None, trades, predictions: None, metrics: None, period_days: None };
    let found = evaluate(&input, NOW).unwrap();
    assert_eq!(found.figures.plain.total_trades.map(|figure| figure.value), Some(1e6));
    assert_eq!(found.figures.periods, Some(695));
}
