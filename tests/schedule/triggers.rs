//! What comes from outside: messages, intents, trades, shadow tests.

use quantum_clm::app::registry::{Registry, Undeployed};
use quantum_clm::app::schedule::Trades;
use quantum_clm::domain::intent::{IntentKey, Severity, Subject};
use quantum_clm::domain::job::{Priority, Trigger};
use quantum_clm::domain::model::ModelType;
use quantum_clm::domain::rules::{Finding, Raise};
use quantum_clm::domain::schedule::{Decision, NewTrigger, Target};
use quantum_clm::domain::time::Micros;

use super::bed::{Bed, anna, by_hand, drift, named};
use crate::registry::bed::{FORCED, file, new_version};

const BTC: &str = "xgboost_btcusdt_1h";
const ETH: &str = "xgboost_ethusdt_1h";
const MULTI: &str = "nhits_multi_4h";

#[test]
fn a_trigger_and_its_job_are_written_together() {
    let bed = Bed::of(&[BTC]);
    let recorded = bed.trigger(&drift(BTC), bed.at(0));
    let [job] = &recorded.jobs[..] else { panic!("{recorded:?}") };
    assert_eq!((job.model.as_str(), job.trigger, job.priority), (BTC, Trigger::DriftDetected, Priority::Normal));
    assert_eq!(job.triggered_by, "model.drift_detected");
    let evidence = "the drift score is 0.4; it was never trained; it is trained every 7 days";
    assert_eq!(job.evidence, evidence, "everything that speaks for it");
    assert_eq!(bed.triggers()[0].decision, Decision::Started { job_id: job.id });
    assert_eq!(bed.jobs().len(), 1);

    let undone: Result<(), quantum_clm::app::schedule::ScheduleError> = bed.app.store.write(|txn| {
        bed.app.schedule.trigger(txn, &by_hand(Target::Named(named(ETH))), bed.at(1)).map(drop)?;
        Err(quantum_clm::store::StoreError::Closed("the message could not be noted".to_owned()).into())
    });
    assert!(undone.is_err());
    assert_eq!((bed.jobs().len(), bed.triggers().len()), (1, 1), "a trigger without its message");
}

#[test]
fn the_same_again_joins_the_open_job() {
    let bed = Bed::of(&[BTC]);
    let job = bed.trigger(&drift(BTC), bed.at(0)).jobs[0].id;
    for new in [drift(BTC), by_hand(Target::Model(BTC.to_owned()))] {
        let recorded = bed.trigger(&new, bed.at(0));
        assert!(recorded.jobs.is_empty(), "{recorded:?}");
        assert_eq!(recorded.triggers[0].decision, Decision::Joined { job_id: job });
    }
    assert_eq!(bed.jobs().len(), 1);
}

#[test]
fn what_comes_during_the_cooldown_is_kept_merged_and_done_once() {
    let bed = Bed::of(&[BTC]);
    let _ = bed.trigger(&drift(BTC), bed.at(0));
    bed.fail_a_job();
    let regime = NewTrigger {
        target: Target::Regime { old: None, new: "bear".into(), affected: vec![BTC.into()] },
        reason: Trigger::RegimeChange,
        ..drift(BTC)
    };
    for new in [drift(BTC), drift(BTC), regime] {
        assert!(bed.trigger(&new, bed.at(1)).jobs.is_empty());
    }
    assert_eq!(bed.decisions(), ["started", "waiting", "merged", "waiting"]);
    let Decision::Waiting { why, until } = &bed.triggers()[1].decision else { panic!() };
    assert!(why.contains("scheduler.cooldown") && until.is_some_and(|until| until < bed.at(7)), "{why} {until:?}");

    let bed = bed.restart();
    assert_eq!(bed.step(bed.at(5)).started, 0, "within the cooldown");
    assert_eq!(bed.step(bed.at(7)).started, 1, "after it");
    assert_eq!(bed.decisions(), ["started", "started", "merged", "started"]);
    assert_eq!(bed.step(bed.at(20)).started, 0, "once");
    assert_eq!(bed.jobs()[1].trigger, Trigger::DriftDetected, "the first that came says why");
}

#[test]
fn what_somebody_asks_for_goes_past_the_cooldown() {
    let bed = Bed::of(&[BTC]);
    let _ = bed.trigger(&drift(BTC), bed.at(0));
    bed.fail_a_job();
    let recorded = bed.trigger(&by_hand(Target::Named(named(BTC))), bed.at(1));
    assert_eq!((recorded.jobs[0].priority, recorded.jobs[0].triggered_by.as_str()), (Priority::High, "anna"));
}

#[test]
fn a_model_that_nobody_knows() {
    let bed = Bed::of(&[BTC]);
    let recorded = bed.trigger(&drift("xgboost_dogeusdt_1h"), bed.at(0));
    let [record] = &recorded.triggers[..] else { panic!("{recorded:?}") };
    assert_eq!((record.model.as_ref(), record.decision.as_str()), (None, "dropped"));
    assert!(record.decision.words().contains("no model \"xgboost_dogeusdt_1h\" is known"), "{record:?}");
    let asked = bed.trigger(&by_hand(Target::Named(named("xgboost_dogeusdt_1h"))), bed.at(0));
    assert_eq!(asked.jobs[0].model.as_str(), "xgboost_dogeusdt_1h", "what somebody asks for begins a new model");
}

#[test]
fn figures_that_are_no_reason_leave_a_row() {
    let bed = Bed::new(|config| {
        config.scheduler.models = vec![named(BTC)];
        config.scheduler.drift = 0.5;
    });
    assert!(bed.trigger(&drift(BTC), bed.at(0)).jobs.is_empty());
    let degraded = NewTrigger { reason: Trigger::PerformanceDegraded, figure: Some(0.6), ..drift(BTC) };
    assert!(bed.trigger(&degraded, bed.at(0)).jobs.is_empty());
    assert_eq!(bed.decisions(), ["dropped", "dropped"]);
    let degraded = NewTrigger { figure: Some(0.4), ..degraded };
    assert_eq!(bed.trigger(&degraded, bed.at(0)).jobs.len(), 1);
}

#[test]
fn hostile_words_stay_words() {
    let bed = Bed::of(&[BTC]);
    let long = "x".repeat(10_000);
    let new = NewTrigger {
        evidence: format!("a\u{0}b\n\u{1b}[31m{long}é"),
        by: long.clone(),
        target: Target::Named(named(BTC)),
        ..drift(BTC)
    };
    let recorded = bed.trigger(&new, bed.at(0));
    assert_eq!(recorded.jobs.len(), 1, "{recorded:?}");
    let text = &recorded.triggers[0].evidence;
    assert!(text.starts_with("a b  [31mx") && text.len() <= 1_000 && !text.contains(char::is_control), "{text}");
    let nobody = NewTrigger { target: Target::Model(long), ..new };
    assert!(bed.trigger(&nobody, bed.at(1)).triggers[0].decision.words().len() < 200);
}

#[test]
fn trades_are_counted_for_whom_they_are_new_data() {
    let bed = Bed::of(&[BTC, ETH, MULTI]);
    let btc = BTC.parse().unwrap();
    let stranger = "bot-7".parse().unwrap();
    let of = |model, symbol, count| Trades { model, symbol, count };
    bed.trades(&[of(None, Some("btcusdt"), 30), of(Some(&btc), Some("ethusdt"), 5)], bed.at(0));
    bed.trades(&[of(Some(&stranger), Some("ethusdt"), 7), of(None, None, 100)], bed.at(0));
    let counts = [BTC, ETH, MULTI].map(|model| bed.entry(model, bed.at(0)).trades);
    assert_eq!(counts, [35, 7, 37]);
}

#[test]
fn enough_trades_begin_a_training_once_and_counting_anew() {
    let bed = Bed::of(&["dlinear_btcusdt_1h"]);
    bed.worker();
    let trades = |count| Trades { model: None, symbol: Some("btcusdt"), count };
    bed.trades(&[trades(99)], bed.at(0));
    assert_eq!(bed.step(bed.at(0)).started, 0);
    bed.trades(&[trades(1)], bed.at(0));
    let bed = bed.restart();
    bed.worker();
    assert_eq!(bed.step(bed.at(0)).started, 1);
    let job = &bed.jobs()[0];
    assert_eq!((job.trigger, job.triggered_by.as_str()), (Trigger::DataThreshold, "scheduler"));
    assert_eq!(job.evidence, "100 new trades since the last training; 100 are enough");
    assert_eq!(bed.entry("dlinear_btcusdt_1h", bed.at(0)).trades, 0);
    assert_eq!(bed.triggers()[0].decision, Decision::Started { job_id: job.id }, "and is in the history");
}

#[test]
fn trades_before_a_job_of_somebody_else_are_too_old() {
    let bed = Bed::of(&["dlinear_btcusdt_1h"]);
    bed.worker();
    let trades = |count| Trades { model: None, symbol: Some("btcusdt"), count };
    bed.trades(&[trades(99)], bed.at(0));
    let _ = bed.trigger(&by_hand(Target::Named(named("dlinear_btcusdt_1h"))), bed.at(0));
    bed.trades(&[trades(1)], bed.at(0));
    assert_eq!(bed.entry("dlinear_btcusdt_1h", bed.at(0)).trades, 1);
}

fn raise(bed: &Bed, subject: Subject, window: &str, action: &str) {
    let raise = Raise {
        key: IntentKey { rule: "test".into(), subject, window: window.into() },
        severity: Severity::Medium,
        reason: "Confidence fell to 0.41".into(),
        suggested_action: action.into(),
        count: 1,
        threshold: 0,
        at: bed.began,
    };
    let write = |txn: &quantum_clm::store::WriteTxn| txn.apply_findings(&[Finding::Raise(raise)], bed.began);
    bed.app.store.write(write).unwrap();
}

#[test]
fn an_intent_that_suggests_it_is_followed_once() {
    let bed = Bed::of(&[BTC, ETH]);
    raise(&bed, Subject::Symbol("BTCUSDT".into()), "before", "retrain");
    bed.step(bed.at(0));
    assert!(bed.triggers().is_empty(), "what was there before the first look is history");

    raise(&bed, Subject::Symbol("BTCUSDT".into()), "1", "retrain");
    raise(&bed, Subject::Symbol("BTCUSDT".into()), "2", "investigate");
    raise(&bed, Subject::Unit("a.service".into()), "3", "retrain");
    raise(&bed, Subject::Model(ETH.into()), "4", "retrain");
    let bed = bed.restart();
    assert_eq!(bed.step(bed.at(0)).started, 2);
    let jobs = bed.jobs();
    assert_eq!(jobs.iter().map(|job| job.model.as_str()).collect::<Vec<_>>(), [BTC, ETH]);
    let told = jobs[0].evidence.starts_with("intent 2 suggests it: Confidence fell to 0.41; ");
    assert!(told, "{}", jobs[0].evidence);
    assert_eq!(bed.decisions(), ["started", "dropped", "started"]);

    // The same intent again is worse, not another one.
    raise(&bed, Subject::Symbol("BTCUSDT".into()), "1", "retrain");
    let bed = bed.restart();
    bed.step(bed.at(1));
    assert_eq!(bed.triggers().len(), 3);
}

#[test]
fn a_bad_shadow_test_of_what_is_in_production_counts_once() {
    let bed = Bed::new(|_| {});
    let id = BTC.parse().unwrap();
    // Files of versions are beside the point here.
    let undeployed = |bed: &Bed| Registry::new(bed.app.store.clone(), &bed.app.config, Box::new(Undeployed));
    let shadow = |bed: &Bed, version: &str, drift: f64, at: Micros| {
        let input = crate::registry::bed::evaluation("shadow_test", 30, drift);
        undeployed(bed).evaluate(&anna(at), &id, &version.parse().unwrap(), &input).unwrap();
    };
    for version in ["v1", "v2"] {
        undeployed(&bed).register(&anna(bed.at(0)), &id, &new_version(Some(version))).unwrap();
        undeployed(&bed).attach(&anna(bed.at(0)), &id, &version.parse().unwrap(), &file(1), u64::MAX).unwrap();
    }
    let root = crate::registry::bed::ask("root", quantum_clm::domain::role::Role::Admin);
    undeployed(&bed).promote(&root, &id, &"v1".parse().unwrap(), FORCED, true).unwrap();
    shadow(&bed, "v1", 0.004, bed.at(1));
    shadow(&bed, "v2", -0.004, bed.at(1));
    bed.step(bed.at(10));
    assert!(bed.triggers().is_empty(), "v1 does well, and v2 is not in production: {:?}", bed.triggers());

    shadow(&bed, "v1", -0.004, bed.at(11));
    let bed = bed.restart();
    bed.step(bed.at(11));
    bed.step(bed.at(12));
    let triggers = bed.triggers();
    let [record] = &triggers[..] else { panic!("{triggers:?}") };
    assert_eq!((record.reason, record.decision.as_str()), (Trigger::PerformanceDegraded, "started"));
    assert!(record.evidence.contains("v1, which is in production, has a Sharpe ratio of -"), "{}", record.evidence);
}

#[test]
fn a_message_that_names_a_type_only_means_each_of_them() {
    let bed = Bed::of(&[BTC, ETH, MULTI]);
    let new = NewTrigger { target: Target::Type(ModelType::Xgboost), ..drift(BTC) };
    let recorded = bed.trigger(&new, bed.at(0));
    assert_eq!(recorded.jobs.iter().map(|job| job.model.as_str()).collect::<Vec<_>>(), [BTC, ETH]);
}

#[test]
fn a_storm_of_messages_makes_no_more_jobs_than_may_begin() {
    let models: Vec<String> = (0..60).map(|number| format!("xgboost_s{number:02}usdt_1h")).collect();
    let bed = Bed::of(&models.iter().map(String::as_str).collect::<Vec<_>>());
    // The last model's comes first, and one of each is repeated.
    for (second, model) in models.iter().rev().enumerate() {
        let at = bed.at(0).plus(second as u64 * Micros::SECOND);
        let _ = bed.trigger(&drift(model), at);
        let _ = bed.trigger(&drift(model), at);
    }
    assert_eq!(bed.jobs().len(), 4, "scheduler.starts_per_hour");
    let of = |wanted: &str| bed.decisions().iter().filter(|decision| **decision == wanted).count();
    assert_eq!(
        (of("started"), of("waiting"), of("merged"), of("joined")),
        (4, 56, 56, 4),
        "each is told what came of it"
    );
    let Decision::Waiting { why, until } = &bed.triggers()[8].decision else { panic!("{:?}", bed.triggers()[8]) };
    assert!(why.contains("4 trainings an hour are enough (scheduler.starts_per_hour)"), "{why}");
    assert_eq!(*until, Some(bed.at(1)));
    // What somebody asks for is not held back.
    let asked = bed.trigger(&by_hand(Target::Named(named(&models[0]))), bed.at(0).plus(61 * Micros::SECOND));
    assert_eq!(asked.jobs.len(), 1);
    let bed = bed.restart();
    let (from, until) = (bed.at(0).plus(62 * Micros::SECOND), bed.at(3).plus(Micros::HOUR / 2));
    let begun: Vec<String> = bed.run(from, until).into_iter().map(|(_, model)| model).collect();
    let oldest: Vec<String> = models.iter().rev().skip(4).take(begun.len()).cloned().collect();
    assert_eq!(begun.len(), 12, "four in each of three hours");
    assert_eq!(begun, oldest, "whoever waits the longest goes first");
}
