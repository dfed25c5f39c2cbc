//! Leases, and calling off.

use std::time::Duration;

use quantum_clm::joblog::Stream;
use quantum_clm::runner::{How, Limits, RunError, Status, Verdict};

use super::bed::{Bed, LEASE, kill, until};
use crate::support::wait_for;

const SLEEPS: &str = "trap '' TERM; touch ready; while :; do sleep 1000; done";

#[test]
fn a_lease_that_is_not_renewed_ends_everything() {
    let bed = Bed::new();
    let mut running = bed.runner.start(&bed.run(), bed.spec(SLEEPS), until(Duration::from_secs(2))).unwrap();
    bed.wait_file("ready");
    let record = bed.end_of(&mut running);
    assert_eq!((&record.how, record.verdict()), (&How::Fenced, Verdict::Lost));
}

#[test]
fn a_lease_that_is_renewed_does_not() {
    let bed = Bed::new();
    let script = "touch ready; while [ ! -e done ]; do sleep 0.05; done";
    let mut running = bed.runner.start(&bed.run(), bed.spec(script), until(LEASE)).unwrap();
    bed.wait_file("ready");
    running.renew_lease(until(Duration::from_secs(3))).unwrap();
    running.renew_lease(until(LEASE)).unwrap();
    // Longer than the lease that was replaced.
    assert_eq!(running.wait(Duration::from_secs(4)).unwrap(), None);
    std::fs::write(bed.work().join("done"), "").unwrap();
    assert_eq!(bed.end_of(&mut running).how, How::Exit { code: 0 });
}

#[test]
fn a_program_has_time_to_end() {
    let bed = Bed::new();
    let script = "trap 'cp cancel.json seen; echo goodbye; exit 5' TERM; touch ready; while :; do sleep 0.05; done";
    let mut running = bed.start(script);
    bed.wait_file("ready");
    running.cancel("a better idea", Duration::from_secs(60)).unwrap();
    let record = bed.end_of(&mut running);
    assert_eq!((record.how, record.status), (How::Cancelled, Some(Status::Exit(5))));
    assert!(bed.said().contains(&"goodbye".to_owned()), "{:?}", bed.said());
    assert!(bed.log().iter().any(|(stream, text)| *stream == Stream::Note && text.contains("a better idea")));
    assert_eq!(std::fs::read_to_string(bed.work().join("seen")).unwrap(), r#"{"why":"a better idea"}"#);
}

#[test]
fn its_time_is_cut_short() {
    let bed = Bed::new();
    let mut running = bed.start(SLEEPS);
    bed.wait_file("ready");
    running.cancel("not wanted", LEASE).unwrap();
    wait_for("the supervisor asks it", || bed.log().iter().any(|(_, text)| text.contains("not wanted")));
    running.kill().unwrap();
    // What was killed is not asked politely any more.
    running.cancel("not wanted", LEASE).unwrap();
    assert_eq!(bed.end_of(&mut running).how, How::Cancelled);
}

#[test]
fn a_stopped_program_hears_it() {
    let bed = Bed::new();
    let mut running = bed.start("trap 'exit 6' TERM; touch ready; while :; do sleep 0.05; done");
    bed.wait_file("ready");
    kill("STOP", bed.pid("program"));
    running.cancel("not wanted", LEASE).unwrap();
    assert_eq!(bed.end_of(&mut running).status, Some(Status::Exit(6)));
}

#[test]
fn a_program_that_ends_before_it_hears_of_it_has_ended() {
    let bed = Bed::new();
    let mut running = bed.start("exit 0");
    wait_for("its end", || bed.run().join("exit.json").exists());
    running.cancel("too late", LEASE).unwrap();
    assert_eq!(bed.end_of(&mut running).how, How::Exit { code: 0 });
}

#[test]
fn a_stopped_supervisor_does_not_hold_a_program_beyond_its_lease() {
    let bed = Bed::new();
    let mut running = bed.start(SLEEPS);
    bed.wait_file("ready");
    kill("STOP", bed.pid("supervisor"));
    running.renew_lease(until(Duration::ZERO)).unwrap();
    assert_eq!(bed.end_of(&mut running).how, How::Lost);
}

#[test]
fn who_removes_the_directory_wants_nothing_of_it() {
    let bed = Bed::new();
    let running = bed.start_with(SLEEPS, Limits::default());
    bed.wait_file("ready");
    let supervisor = bed.pid("supervisor");
    std::fs::rename(bed.run(), bed.path().join("elsewhere")).unwrap();
    wait_for("nobody is left", || bed.living().is_empty());
    drop(running);
    kill("KILL", supervisor);
}

#[test]
fn a_run_whose_directory_is_gone_is_over() {
    for supervisor_too in [false, true] {
        let bed = Bed::new();
        let mut running = bed.start(SLEEPS);
        bed.wait_file("ready");
        let supervisor = bed.pid("supervisor");
        if supervisor_too {
            kill("STOP", supervisor);
        }
        std::fs::rename(bed.run(), bed.path().join("elsewhere")).unwrap();
        if supervisor_too {
            kill("KILL", supervisor);
        }
        assert_eq!(bed.end_of(&mut running).how, How::Lost);
    }
}

#[test]
fn an_order_that_cannot_be_read_puts_nothing_off() {
    let bed = Bed::new();
    let mut running = bed.runner.start(&bed.run(), bed.spec(SLEEPS), until(Duration::from_secs(3))).unwrap();
    bed.wait_file("ready");
    std::fs::write(bed.run().join("order"), "nonsense").unwrap();
    assert_eq!(bed.end_of(&mut running).how, How::Fenced);
}

#[test]
fn nothing_begins_when_its_lease_is_over() {
    let bed = Bed::new();
    let late = bed.runner.start(&bed.run(), bed.spec("touch ready"), until(Duration::ZERO));
    assert!(matches!(late, Err(RunError::Late)), "{late:?}");
    // Nothing was left of it.
    bed.start("exit 0").wait(LEASE).unwrap().expect("its end");
}
