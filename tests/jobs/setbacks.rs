//! What is nobody's fault: how often it is borne, and after which pauses.

use std::sync::atomic::Ordering;

use quantum_clm::domain::job::{Assignment, Ending, FailureKind, JobState};
use quantum_clm::domain::time::Micros;

use super::bed::{Bed, beat, failed, over, report, run};

/// The worker's disk is full, or something like that.
fn fails(bed: &Bed, lease: &Assignment) -> Ending {
    over(bed.jobs().report(lease.job, &report(lease, failed(FailureKind::Infrastructure))).unwrap())
}

fn with_setbacks(setbacks: u32) -> Bed {
    let mut config = Bed::new().config;
    config.setbacks = setbacks;
    Bed::with(config)
}

#[test]
fn pauses_grow_to_half_an_hour_and_then_it_has_failed() {
    let bed = with_setbacks(8);
    let job = bed.create("btcusdt");
    let mut lease = bed.lease("w1").unwrap();
    for pause in [30, 60, 120, 240, 480, 960, 1_800, 1_800] {
        assert_eq!(fails(&bed, &lease), Ending::Requeued);
        bed.pass(pause - 1);
        assert!(bed.lease("w1").is_none(), "within a pause of {pause} s");
        bed.pass(1);
        lease = bed.lease("w1").unwrap_or_else(|| panic!("nothing after a pause of {pause} s"));
    }
    assert_eq!(fails(&bed, &lease), Ending::Failed);
    assert_eq!(bed.get(job.id).failure.unwrap().kind, FailureKind::Infrastructure);
}

#[test]
fn a_pause_ends_on_time_whatever_the_clock_says() {
    let mut bed = Bed::new();
    bed.create("btcusdt");
    let mut lease = bed.lease("w1").unwrap();
    for (pause, back) in [(30, true), (60, false)] {
        assert_eq!(fails(&bed, &lease), Ending::Requeued);
        match back {
            true => bed.clock.fetch_sub(Micros::DAY, Ordering::SeqCst),
            false => bed.clock.fetch_add(2 * Micros::DAY, Ordering::SeqCst),
        };
        bed.pass(pause - 1);
        assert!(bed.lease("w1").is_none(), "the clock cut a pause of {pause} s short");
        bed.pass(1);
        lease = bed.lease("w1").unwrap_or_else(|| panic!("the clock drew out a pause of {pause} s"));
    }
    // Where the daemon starts again, the stored instant is all that it has: it is believed for half an hour.
    assert_eq!(fails(&bed, &lease), Ending::Requeued);
    bed.clock.fetch_sub(10 * Micros::DAY, Ordering::SeqCst);
    bed.reopen();
    bed.pass(1_799);
    assert!(bed.lease("w1").is_none());
    bed.pass(1);
    assert!(bed.lease("w1").is_some(), "it waits for a clock that was set");
}

#[test]
fn a_pause_goes_on_where_the_daemon_starts_again() {
    let mut bed = Bed::new();
    bed.create("btcusdt");
    assert_eq!(fails(&bed, &bed.lease("w1").unwrap()), Ending::Requeued);
    bed.pass(10);
    bed.reopen();
    assert!(bed.lease("w1").is_none(), "the restart ended its pause");
    bed.pass(20);
    assert!(bed.lease("w1").is_some(), "the restart began its pause anew");
}

#[test]
fn who_gets_further_than_before_begins_to_count_anew() {
    let bed = with_setbacks(2);
    let job = bed.create("btcusdt");
    for pause in [30, 60] {
        assert_eq!(fails(&bed, &bed.lease("w1").unwrap()), Ending::Requeued);
        bed.pass(pause);
    }
    let train = run(bed.done(&bed.lease("w1").unwrap()));
    assert_eq!(bed.get(job.id).setbacks, 0);
    assert_eq!(fails(&bed, &train), Ending::Requeued);
    bed.pass(30);
    // The same step again is not further.
    let train = run(bed.done(&bed.lease("w1").unwrap()));
    assert_eq!(bed.get(job.id).setbacks, 1);
    assert_eq!(fails(&bed, &train), Ending::Requeued);
    bed.pass(60);
    assert_eq!(fails(&bed, &run(bed.done(&bed.lease("w1").unwrap()))), Ending::Failed);
}

#[test]
fn a_lost_worker_is_a_setback_and_nothing_is_called_failed_while_processes_may_live() {
    let bed = with_setbacks(1);
    let job = bed.create("btcusdt");
    let first = bed.lease("w1").unwrap();
    bed.jobs().beat(job.id, &beat(first.epoch)).unwrap();
    bed.pass(119);
    assert_eq!(bed.get(job.id).state, JobState::Lost);
    bed.pass(1);
    let back = bed.get(job.id);
    assert_eq!((back.state, back.setbacks), (JobState::Pending, 1));
    bed.pass(30);
    bed.lease("w2").unwrap();
    bed.pass(119);
    assert_eq!(bed.get(job.id).state, JobState::Lost, "one setback is all it may have, but its processes may live");
    bed.pass(1);
    let failed = bed.get(job.id);
    assert_eq!((failed.state, failed.failure.unwrap().kind), (JobState::Failed, FailureKind::Infrastructure));
    assert!(failed.steps.iter().all(|record| record.outcome.is_some()), "{:?}", failed.steps);
}

#[test]
fn what_the_program_does_is_no_setback() {
    let kinds = [
        FailureKind::Program,
        FailureKind::Signal,
        FailureKind::OutOfMemory,
        FailureKind::TimeLimit,
        FailureKind::NoProgress,
        FailureKind::Answer,
        FailureKind::Configuration,
    ];
    let bed = Bed::new();
    for (number, kind) in kinds.into_iter().enumerate() {
        let job = bed.create(&format!("s{number}"));
        let lease = bed.lease("w1").unwrap();
        assert_eq!(over(bed.jobs().report(job.id, &report(&lease, failed(kind))).unwrap()), Ending::Failed, "{kind:?}");
        assert_eq!(bed.get(job.id).failure.unwrap().kind, kind);
    }
}
