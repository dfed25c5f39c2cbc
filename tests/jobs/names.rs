//! Workers that are taken for others, and what they say too late.

use std::time::Duration;

use quantum_clm::app::jobs::JobError;
use quantum_clm::config;
use quantum_clm::domain::job::{Held, JobState};

use super::bed::{Bed, beat, request};

#[test]
fn two_workers_under_one_name_do_not_take_each_others_jobs_for_dead() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    bed.lease("w1").expect("work");
    let mut other = request("w1", &[]);
    other.instance = "another".into();
    for _ in 0..3 {
        let refused = bed.jobs().lease(&other).unwrap_err();
        assert!(matches!(&refused, JobError::Name { host, .. } if host == "host of w1"), "{refused}");
        assert_eq!(bed.get(job.id).state, JobState::Leased, "the other one's request gave it back");
    }
    // Not heard of for a lease, it may be gone; what it had is fenced all the same.
    bed.pass(61);
    other.sent = request("w1", &[]).sent;
    assert!(bed.jobs().lease(&other).unwrap().is_none());
    assert_eq!((bed.get(job.id).state, bed.get(job.id).setbacks), (JobState::Lost, 0));
    assert!(bed.jobs().beat(job.id, &beat(1)).is_ok(), "whoever has the lease was merely cut off");
}

#[test]
fn a_request_that_comes_late_takes_back_nothing_that_was_given_meanwhile() {
    let bed = Bed::new();
    let late = request("w1", &[]);
    let job = bed.create("btcusdt");
    bed.lease("w1").expect("work");
    assert!(bed.jobs().lease(&late).unwrap().is_none());
    assert_eq!(bed.get(job.id).state, JobState::Leased, "a late request gave it back");
    // Another boot has clocks of its own, and what is missing then is gone.
    let mut booted = late;
    booted.boot = "another".into();
    bed.jobs().lease(&booted).unwrap();
    assert_eq!((bed.get(job.id).state, bed.get(job.id).setbacks), (JobState::Pending, 1));
}

#[test]
fn a_lease_lasts_for_as_long_as_it_was_given_for() {
    let minutes = Duration::from_secs(300);
    let mut bed = Bed::with(config::Jobs { heartbeat: minutes, ..config::Jobs::default() });
    let job = bed.create("btcusdt");
    let given = bed.lease("w1").expect("work");
    assert_eq!(given.lease_seconds, 1_200);
    bed.config.heartbeat = Duration::from_secs(15);
    bed.reopen();
    bed.pass(1_190);
    assert_eq!(bed.get(job.id).state, JobState::Leased, "the worker was promised 20 minutes");
    assert_eq!(bed.jobs().beat(job.id, &beat(1)).unwrap().lease_seconds, 60);
    bed.pass(59);
    assert_eq!(bed.get(job.id).state, JobState::Running);
    bed.pass(2);
    assert_eq!(bed.get(job.id).state, JobState::Lost, "from that beat on it is what is configured now");
    let held = Held { job: job.id, epoch: 1 };
    bed.jobs().lease(&request("w1", &[held])).unwrap();
    assert_eq!(bed.get(job.id).state, JobState::Lost, "asking for work is no beat");
}
