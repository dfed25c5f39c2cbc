//! By the clock: intervals, restarts, nights of being off, and what holds trainings back.

use quantum_clm::config::Config;
use quantum_clm::domain::job::{Program, Trigger};
use quantum_clm::domain::schedule::{Decision, Hold, Target, Verdict};

use super::bed::{Bed, HOUR, anna, by_hand, drift, named};
use crate::registry::bed::new_version;

const BTC: &str = "xgboost_btcusdt_1h";

#[test]
fn what_was_trained_lately_is_not_trained_because_of_a_restart() {
    let bed = Bed::new(|_| {});
    bed.app.registry.register(&anna(bed.began), &BTC.parse().unwrap(), &new_version(Some("v1"))).unwrap();
    let mut bed = bed;
    for hours in [0, 1, 2, 100, 167] {
        bed = bed.restart();
        bed.worker();
        assert_eq!(bed.step(bed.at(hours)).started, 0, "{hours} hours later");
    }
    assert_eq!(bed.step(bed.at(168)).started, 1, "a week later");
    let job = &bed.jobs()[0];
    assert_eq!((job.trigger, job.triggered_by.as_str()), (Trigger::Periodic, "scheduler"));
    let bed = bed.restart();
    bed.worker();
    assert_eq!(bed.step(bed.at(169)).started, 0, "its job is open");
}

#[test]
fn a_night_of_being_off_does_not_begin_everything_at_once() {
    let symbols = ["btc", "eth", "sol", "ada", "xrp", "bnb", "dot", "ltc", "trx", "uni"];
    let bed = Bed::new(|config: &mut Config| {
        config.scheduler.models = symbols.map(|symbol| named(&format!("xgboost_{symbol}usdt_1h"))).into();
    });
    bed.worker();
    let created = bed.run(bed.began, bed.at(5));
    let mut models: Vec<_> = created.iter().map(|(_, model)| model).collect();
    models.sort();
    models.dedup();
    assert_eq!((created.len(), models.len()), (10, 10), "each once: {created:?}");
    for (at, _) in &created {
        let within = created.iter().filter(|(other, _)| *other <= *at && at.0 - other.0 < HOUR).count();
        assert!(within <= 4, "{within} within an hour");
    }
    assert!(created[0].0 > bed.began, "and not with the first look");
}

#[test]
fn the_clock_begins_nothing_that_nobody_would_do() {
    let bed = Bed::of(&[BTC]);
    assert_eq!(bed.step(bed.at(2)).started, 0);
    let entry = bed.entry(BTC, bed.at(3));
    assert!(matches!(entry.outlook.verdict, Verdict::Hold { why: Hold::NoWorker { .. }, .. }), "{entry:?}");
    bed.worker_with(&[Program::Data, Program::Train]);
    assert_eq!(bed.step(bed.at(4)).started, 0, "it could not evaluate");
    bed.worker();
    assert_eq!(bed.step(bed.at(5)).started, 1, "a worker came");
}

#[test]
fn off_means_by_hand_only() {
    let bed = Bed::new(|config| {
        config.scheduler.models = vec![named(BTC)];
        config.scheduler.enabled = false;
    });
    bed.worker();
    assert_eq!(bed.step(bed.at(500)).started, 0);
    assert!(bed.trigger(&drift(BTC), bed.at(500)).jobs.is_empty());
    assert_eq!(bed.trigger(&by_hand(Target::Named(named(BTC))), bed.at(500)).jobs.len(), 1);
    assert_eq!(bed.decisions(), ["dropped", "started"]);
}

#[test]
fn no_training_hours_hold_back_until_they_are_over() {
    let bed = Bed::new(|config| {
        config.scheduler.models = vec![named(BTC)];
        // All but Sunday's last hour.
        config.scheduler.quiet = ["Mon-Sat", "Sun 00:00-23:00"].map(|text| text.parse().unwrap()).into();
    });
    let calendar = &bed.app.schedule.rules().calendar;
    let (quiet, free) = match calendar.free_from(bed.began) {
        free if free == bed.began => (bed.at(2), calendar.free_from(bed.at(2))),
        free => (bed.began, free),
    };
    assert!(bed.trigger(&drift(BTC), quiet).jobs.is_empty());
    let Decision::Waiting { why, until } = &bed.triggers()[0].decision else { panic!() };
    assert_eq!((why.as_str(), *until), ("these are no-training hours", Some(free)));
    assert_eq!(bed.step(free.minus(1)).started, 0);
    let bed = bed.restart();
    assert_eq!(bed.step(free).started, 1);
}

#[test]
fn a_training_that_was_called_off_is_not_asked_for_again_at_once() {
    let bed = Bed::of(&[BTC]);
    bed.worker();
    let created = bed.run(bed.began, bed.at(2));
    let [(at, _)] = created[..] else { panic!("{created:?}") };
    let job = bed.jobs()[0].id;
    bed.app.jobs.cancel(&anna(at), job, "not today").unwrap();
    assert!(bed.run(at, at.plus(167 * HOUR)).is_empty());
    assert_eq!(bed.run(at.plus(168 * HOUR), at.plus(169 * HOUR)).len(), 1);
}

#[test]
fn a_full_queue_keeps_what_waits() {
    let bed = Bed::new(|config| {
        config.scheduler.models = vec![named(BTC), named("nhits_multi_1h")];
        config.jobs.waiting = 1;
    });
    let _ = bed.trigger(&drift(BTC), bed.at(0));
    assert!(bed.trigger(&drift("nhits_multi_1h"), bed.at(0)).jobs.is_empty());
    let Decision::Waiting { why, .. } = &bed.triggers()[1].decision else { panic!("{:?}", bed.triggers()) };
    assert!(why.contains("jobs.waiting"), "{why}");
    assert_eq!(bed.step(bed.at(1)).started, 0);
    bed.fail_a_job();
    assert_eq!(bed.step(bed.at(2)).started, 1, "a place is free");
}
