//! Calling a job off, wherever it stands.

use quantum_clm::app::jobs::JobError;
use quantum_clm::domain::job::{Assignment, Ending, FailureKind, JobId, JobState, ReportAnswer, StepEnd};

use super::bed::{Bed, beat, failed, finished, over, report, run};

/// A job that `reach` brought to where the test wants it, and what its worker has.
fn job(reach: impl FnOnce(&Bed, JobId) -> Option<Assignment>) -> (Bed, JobId, Option<Assignment>) {
    let bed = Bed::new();
    let id = bed.create("btcusdt").id;
    let has = reach(&bed, id);
    (bed, id, has)
}

/// Calls it off; where it stands then.
fn cancel(bed: &Bed, id: JobId) -> JobState {
    bed.jobs().cancel(&bed.ask(), id, "not needed").unwrap().state
}

fn leased(bed: &Bed, _: JobId) -> Option<Assignment> {
    bed.lease("w1")
}

fn running(bed: &Bed, id: JobId) -> Option<Assignment> {
    let lease = bed.lease("w1").unwrap();
    bed.jobs().beat(id, &beat(lease.epoch)).unwrap();
    Some(lease)
}

fn lost(bed: &Bed, id: JobId) -> Option<Assignment> {
    let lease = running(bed, id);
    bed.pass(60);
    lease
}

fn in_a_pause(bed: &Bed, id: JobId) -> Option<Assignment> {
    let lease = bed.lease("w1").unwrap();
    let full = report(&lease, failed(FailureKind::Infrastructure));
    assert_eq!(over(bed.jobs().report(id, &full).unwrap()), Ending::Requeued);
    None
}

fn sending_files(bed: &Bed, _: JobId) -> Option<Assignment> {
    let train = run(bed.done(&bed.lease("w1").unwrap()));
    assert!(matches!(bed.done(&train), ReportAnswer::Upload { .. }));
    Some(train)
}

#[test]
fn what_no_worker_has_is_cancelled_at_once() {
    for reach in [(|_, _| None) as fn(&Bed, JobId) -> Option<Assignment>, in_a_pause] {
        let (bed, id, _) = job(reach);
        assert_eq!(cancel(&bed, id), JobState::Cancelled);
        bed.pass(31);
        assert!(bed.lease("w1").is_none(), "it is given to a worker");
    }
}

#[test]
fn what_a_worker_is_at_is_cancelled_when_it_says_that_its_processes_are_gone() {
    for (state, reach) in
        [(JobState::Leased, leased as fn(&Bed, JobId) -> Option<Assignment>), (JobState::Running, running)]
    {
        let (bed, id, has) = job(reach);
        let has = has.unwrap();
        assert_eq!(cancel(&bed, id), state);
        assert_eq!(bed.jobs().beat(id, &beat(1)).unwrap().cancelled.as_deref(), Some("not needed"));
        assert!(bed.get(id).state.is_held(), "its processes are alive");
        assert_eq!(over(bed.jobs().report(id, &report(&has, StepEnd::Cancelled)).unwrap()), Ending::Cancelled);
        assert_eq!(bed.get(id).state, JobState::Cancelled);
    }
}

#[test]
fn what_had_ended_before_its_worker_heard_of_it_is_cancelled_too() {
    let ends = [finished(), failed(FailureKind::Program), failed(FailureKind::Infrastructure), StepEnd::Lost];
    for end in ends {
        let (bed, id, has) = job(running);
        cancel(&bed, id);
        let answer = bed.jobs().report(id, &report(&has.unwrap(), end.clone())).unwrap();
        assert_eq!((over(answer), bed.get(id).state), (Ending::Cancelled, JobState::Cancelled), "{end:?}");
    }
}

#[test]
fn between_two_programs_it_is_cancelled_with_the_worker_s_next_word() {
    let (bed, id, _) = job(sending_files);
    assert!(cancel(&bed, id).is_held(), "its worker is sending files");
    assert_eq!(over(bed.jobs().go_on(id, 1).unwrap()), Ending::Cancelled);
    assert_eq!(bed.get(id).state, JobState::Cancelled);
}

#[test]
fn a_lost_one_is_cancelled_when_its_processes_cannot_be_alive_or_by_its_own_worker() {
    let (bed, id, _) = job(lost);
    assert_eq!(cancel(&bed, id), JobState::Lost);
    bed.pass(59);
    assert_eq!(bed.get(id).state, JobState::Lost);
    bed.pass(1);
    assert_eq!(bed.get(id).state, JobState::Cancelled);

    let (bed, id, has) = job(lost);
    cancel(&bed, id);
    assert!(bed.jobs().beat(id, &beat(1)).unwrap().cancelled.is_some(), "who comes back is told");
    assert_eq!(over(bed.jobs().report(id, &report(&has.unwrap(), StepEnd::Cancelled)).unwrap()), Ending::Cancelled);

    // A worker that is started anew and does not have it.
    let (bed, id, _) = job(lost);
    cancel(&bed, id);
    assert!(bed.lease("w1").is_none());
    assert_eq!(bed.get(id).state, JobState::Cancelled);
}

#[test]
fn what_is_over_stays_as_it_is() {
    let (bed, completed, _) = job(|_, _| None);
    bed.work("w1").unwrap();
    let failed_one = bed.create("a").id;
    let lease = bed.lease("w1").unwrap();
    over(bed.jobs().report(failed_one, &report(&lease, failed(FailureKind::Program))).unwrap());
    for id in [completed, failed_one] {
        let before = bed.get(id);
        let refused = bed.jobs().cancel(&bed.ask(), id, "not needed").unwrap_err();
        assert!(matches!(refused, JobError::Refused(_)), "{refused}");
        assert_eq!(bed.get(id), before);
    }
    let cancelled = bed.create("b").id;
    cancel(&bed, cancelled);
    let before = bed.get(cancelled);
    let again = bed.jobs().cancel(&bed.ask(), cancelled, "once more").unwrap();
    assert_eq!(again, before, "asked again it changes nothing");
    assert!(matches!(bed.jobs().cancel(&bed.ask(), JobId(99), "not needed"), Err(JobError::NoJob(_))));
}
