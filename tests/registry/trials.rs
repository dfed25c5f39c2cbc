use quantum_clm::domain::gates::{Gate, Goal, Trials};
use quantum_clm::domain::model::DataWindow;
use quantum_clm::domain::time::Micros;

use super::bed::{Bed, FORCED, NOW, anna, bad, evaluation, good, good_shadow, model, name, new_version, root};

fn trials(bed: &Bed, version: &str) -> Trials {
    let verdicts = bed.registry.verdicts(&model(), &name(version)).unwrap();
    let candidate = verdicts.into_iter().find(|verdict| verdict.goal == Goal::Candidate).unwrap();
    candidate.trials.expect("trials")
}

#[test]
fn every_try_counts_also_those_that_failed_or_were_deleted_or_repeated() {
    let bed = Bed::new();
    for version in ["v1", "v2", "v3"] {
        bed.register(version);
    }
    bed.evaluate("v1", &good());
    assert_eq!(trials(&bed, "v1").counted, 1);
    bed.evaluate("v1", &good());
    assert_eq!(trials(&bed, "v1").counted, 2, "trying again until it passes is trying twice");
    bed.evaluate("v2", &bad());
    bed.registry.apply_gates(&anna(), &model(), &name("v2")).unwrap();
    bed.evaluate("v3", &evaluation("walk_forward", 100, 0.0));
    bed.registry.delete(&anna(), &model(), &name("v3"), "tidying").unwrap();
    assert_eq!(trials(&bed, "v1").counted, 4);
    bed.evaluate("v1", &good_shadow());
    assert_eq!(trials(&bed, "v1").counted, 4, "a shadow test is no trial");
    let reported = serde_json::json!({ "type": "backtest", "metrics": { "sharpe_ratio": 2.0 }, "period_days": 90 });
    bed.evaluate("v1", &serde_json::from_value(reported).unwrap());
    assert_eq!(trials(&bed, "v1").counted, 5, "what is only reported was tried, too");
}

#[test]
fn a_promotion_begins_a_new_round_but_makes_no_luck_undone() {
    let bed = Bed::new();
    for version in ["v1", "v2", "v3"] {
        bed.register(version);
        bed.attach(version);
    }
    for _ in 0..3 {
        bed.evaluate("v1", &good());
    }
    bed.evaluate("v2", &good());
    bed.registry.promote(&root(), &model(), &name("v1"), FORCED, true).unwrap();
    bed.evaluate("v3", &good());
    assert_eq!(trials(&bed, "v3").counted, 1);
    assert_eq!(trials(&bed, "v2").counted, 5, "v2 was tried beside v1's three, and v3 came after");
    let bed = bed.reopen();
    assert_eq!(trials(&bed, "v2").counted, 5);
    bed.evaluate("v2", &good());
    assert_eq!(trials(&bed, "v2").counted, 6, "the same returns, sent again after the promotion, are no new luck");
}

#[test]
fn another_models_tries_are_not_counted() {
    let bed = Bed::new();
    bed.register("v1");
    bed.evaluate("v1", &good());
    let other = "tft_multi_1h".parse().unwrap();
    bed.registry.register(&anna(), &other, &new_version(Some("v1"))).unwrap();
    bed.registry.evaluate(&anna(), &other, &name("v1"), &good()).unwrap();
    assert_eq!(trials(&bed, "v1").counted, 1);
}

/// Otherwise good words beside bad returns would open the plain gates for these.
#[test]
fn what_is_reported_counts_no_more_once_there_are_returns() {
    let bed = Bed::new();
    bed.register("v1");
    bed.evaluate("v1", &bad());
    let reported = serde_json::json!({
        "type": "backtest", "period_days": 90,
        "metrics": {
            "sharpe_ratio": 2.0, "win_rate": 0.6, "profit_factor": 2.0, "max_drawdown": 0.05, "total_trades": 200,
        },
    });
    bed.evaluate("v1", &serde_json::from_value(reported).unwrap());
    let verdicts = bed.registry.verdicts(&model(), &name("v1")).unwrap();
    let shadow = verdicts.into_iter().find(|verdict| verdict.goal == Goal::Shadow).unwrap();
    assert!(!shadow.passed, "reported figures opened the gates of bad returns: {shadow:?}");
    assert_eq!(bed.status("v1").as_str(), "training");
}

/// Returns of the training window are not out of sample, whatever the evaluation says; a walk-forward says itself which
/// days each of its models did not see.
#[test]
fn a_backtest_counts_from_the_end_of_the_training_data_on() {
    let bed = Bed::new();
    for (version, kind, trained_until, note) in [
        ("v1", "backtest", 400, None),
        ("v2", "backtest", 300, Some("4 days of the backtest were left out")),
        ("v3", "backtest", 10, Some("all 200 days of the backtest")),
        ("v4", "walk_forward", 10, None),
    ] {
        let mut new = new_version(Some(version));
        new.provenance.data =
            Some(DataWindow { from: NOW.minus(500 * Micros::DAY), until: NOW.minus(trained_until * Micros::DAY) });
        bed.registry.register(&anna(), &model(), &new).unwrap();
        bed.evaluate(version, &evaluation(kind, 200, 0.004));
        let verdicts = bed.registry.verdicts(&model(), &name(version)).unwrap();
        let candidate = verdicts.into_iter().find(|verdict| verdict.goal == Goal::Candidate).unwrap();
        let psr = candidate.gates.iter().find(|answer| answer.gate == Gate::Psr).unwrap();
        match note {
            Some(note) => assert!(psr.note.contains(note), "{version}: {psr:?}"),
            None => assert!(psr.note.contains("over 200 days") && !psr.note.contains("left out"), "{version}: {psr:?}"),
        }
        assert_eq!(psr.value.is_some(), version != "v3", "{version}: {psr:?}");
    }
}
