//! What happens to one job, step by step.

use std::sync::atomic::Ordering;
use std::time::Duration;

use quantum_clm::app::jobs::JobError;
use quantum_clm::domain::job::{
    Ending, FailureKind, Held, JobState, JobStep, Program, ReportAnswer, StepEnd, StepOutcome,
};
use quantum_clm::domain::time::Micros;
use quantum_clm::store::AuditFilter;
use serde_json::json;

use super::bed::{Bed, beat, failed, finished, finished_with, over, report, request, run, training};

#[test]
fn a_job_goes_through_its_ten_steps_and_tells_the_log_and_the_bus() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    assert_eq!(bed.work("w1"), Some((job.id, Ending::Completed)));
    let done = bed.get(job.id);
    let steps: Vec<_> = done.steps.iter().map(|record| (record.step, record.is_done())).collect();
    assert_eq!(steps, JobStep::ALL.map(|step| (Some(step), true)));
    let by_worker: Vec<_> = done.steps.iter().filter(|record| record.worker.is_some()).map(|r| r.program()).collect();
    assert_eq!(by_worker, [Program::Data, Program::Train, Program::Evaluate].map(Some));
    assert_eq!((done.state, done.lease, done.failure), (JobState::Completed, None, None));
    let log = bed.store().audit(&AuditFilter::default(), u64::MAX, 10).unwrap().0;
    assert_eq!((log[0].action.as_str(), log[0].subject.as_str()), ("job.create", "job job-1 of xgboost_btcusdt_1h"));
    let told = bed.store().outbox_after(0, 10).unwrap();
    assert!(told[0].payload.contains("clm.training_job_created") && told[0].payload.contains("job-1"), "{told:?}");
    assert_eq!(bed.work("w1"), None, "nothing is left");
}

#[test]
fn a_model_has_one_open_training_and_a_key_makes_one_job() {
    let bed = Bed::new();
    let first = bed.jobs().create(&bed.keyed("a"), training("btcusdt")).unwrap();
    assert!(matches!(bed.jobs().create(&bed.ask(), training("btcusdt")), Err(JobError::Open(id)) if id == first.id));
    assert_eq!(bed.work("w1"), Some((first.id, Ending::Completed)));
    assert_eq!(bed.jobs().create(&bed.keyed("a"), training("btcusdt")).unwrap(), first, "the same answer");
    assert!(matches!(bed.jobs().create(&bed.keyed("a"), training("ethusdt")), Err(JobError::KeyUsed)));
    assert_eq!(bed.create("btcusdt").id.0, 2, "numbers have no hole");
}

#[test]
fn as_many_are_open_as_are_allowed() {
    let mut config = Bed::new().config;
    config.waiting = 2;
    let bed = Bed::with(config);
    bed.create("a");
    bed.create("b");
    assert!(matches!(bed.jobs().create(&bed.ask(), training("c")), Err(JobError::Full(2))));
}

#[test]
fn a_worker_that_is_cut_off_for_five_minutes_loses_its_job_to_another_and_is_refused() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let first = bed.lease("w1").unwrap();
    bed.pass(59);
    assert_eq!(bed.get(job.id).state, JobState::Leased);
    bed.pass(2);
    assert_eq!(bed.get(job.id).state, JobState::Lost);
    assert!(bed.lease("w2").is_none(), "its processes may be alive");
    bed.pass(60);
    assert_eq!(bed.get(job.id).state, JobState::Pending);
    bed.pass(179);
    let second = bed.lease("w2").unwrap();
    assert_eq!((second.job, second.epoch), (job.id, 2));
    let before = bed.get(job.id);
    let stale = |error: JobError| assert!(error.is_stale(), "{error}");
    stale(bed.jobs().beat(job.id, &beat(1)).unwrap_err());
    stale(bed.jobs().report(job.id, &report(&first, finished())).unwrap_err());
    stale(bed.jobs().go_on(job.id, 1).unwrap_err());
    stale(bed.jobs().set_version(job.id, 1, &"v9".parse().unwrap()).unwrap_err());
    assert_eq!(bed.get(job.id), before, "what a stale worker said changed something");
}

#[test]
fn a_beat_takes_a_lost_job_back() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let assignment = bed.lease("w1").unwrap();
    bed.pass(90);
    assert_eq!(bed.get(job.id).state, JobState::Lost);
    assert_eq!(bed.jobs().beat(job.id, &beat(1)).unwrap().cancelled, None);
    assert_eq!(bed.get(job.id).state, JobState::Running);
    bed.pass(59);
    assert_eq!(bed.get(job.id).state, JobState::Running, "its silence begins anew");
    run(bed.done(&assignment));
}

#[test]
fn a_daemon_that_was_down_and_a_clock_that_is_set_lose_nobody() {
    let mut bed = Bed::new();
    let job = bed.create("btcusdt");
    bed.lease("w1").unwrap();
    bed.pass(50);
    bed.clock.fetch_add(3_600 * Micros::SECOND, Ordering::SeqCst);
    bed.reopen();
    bed.pass(50);
    bed.clock.fetch_sub(86_400 * Micros::SECOND, Ordering::SeqCst);
    bed.pass(9);
    assert_eq!(bed.get(job.id).state, JobState::Leased);
    bed.pass(2);
    assert_eq!(bed.get(job.id).state, JobState::Lost, "and then the running daemon's own time counts");
    bed.reopen();
    bed.pass(119);
    // A worker of this machine may have prolonged its lease by itself while there was no daemon.
    assert_eq!(bed.get(job.id).state, JobState::Lost, "lease and fence begin anew with the daemon");
    bed.pass(2);
    assert_eq!(bed.get(job.id).state, JobState::Pending);
}

#[test]
fn a_worker_that_comes_back_without_its_job_gives_it_back() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let first = bed.lease("w1").unwrap();
    let held = [Held { job: job.id, epoch: first.epoch }];
    assert_eq!(bed.jobs().lease(&request("w1", &held)).unwrap(), None);
    assert!(bed.get(job.id).state.is_held(), "the worker said that it has it");
    assert!(bed.lease("w1").is_none());
    let back = bed.get(job.id);
    assert_eq!((back.state, back.setbacks), (JobState::Pending, 1));
    bed.pass(30);
    assert_eq!(bed.lease("w1").unwrap().epoch, 2);
}

#[test]
fn a_job_that_was_called_off_is_cancelled_when_its_processes_are_gone() {
    let bed = Bed::new();
    let [pending, held, lost] = ["a", "b", "c"].map(|symbol| bed.create(symbol));
    let cancelled = bed.jobs().cancel(&bed.ask(), pending.id, "not needed").unwrap();
    assert_eq!(cancelled.state, JobState::Cancelled);
    let assignment = bed.lease("w1").unwrap();
    assert_eq!(assignment.job, held.id);
    assert!(bed.jobs().cancel(&bed.ask(), held.id, "not needed").unwrap().state.is_held());
    assert_eq!(bed.jobs().beat(held.id, &beat(1)).unwrap().cancelled.as_deref(), Some("not needed"));
    run(bed.jobs().go_on(held.id, 1).unwrap());
    assert!(bed.get(held.id).state.is_held(), "its program was not reported to be gone");
    let report = report(&assignment, StepEnd::Cancelled);
    for _ in 0..2 {
        assert_eq!(over(bed.jobs().report(held.id, &report).unwrap()), Ending::Cancelled);
    }
    bed.lease("w2").unwrap();
    bed.jobs().cancel(&bed.ask(), lost.id, "not needed").unwrap();
    bed.pass(61);
    assert_eq!(bed.get(lost.id).state, JobState::Lost);
    bed.pass(60);
    assert_eq!(bed.get(lost.id).state, JobState::Cancelled);
    let again = bed.jobs().cancel(&bed.ask(), lost.id, "not needed");
    assert_eq!(again.unwrap().cancel.unwrap().why, "not needed", "asked again it changes nothing");
    assert!(matches!(bed.jobs().cancel(&bed.ask(), held.id, " "), Err(JobError::Bad { .. })));
}

#[test]
fn a_program_that_fails_is_not_tried_again_and_a_machine_that_fails_is() {
    let bed = Bed::new();
    let [program, machine] = ["a", "b"].map(|symbol| bed.create(symbol));
    let [first, second] = ["w1", "w2"].map(|worker| bed.lease(worker).unwrap());
    let oom = report(&first, failed(FailureKind::OutOfMemory));
    assert_eq!(over(bed.jobs().report(program.id, &oom).unwrap()), Ending::Failed);
    let mut lease = second;
    for pause in [30, 60, 120, 240, 480] {
        let full = report(&lease, failed(FailureKind::Infrastructure));
        assert_eq!(over(bed.jobs().report(machine.id, &full).unwrap()), Ending::Requeued);
        bed.pass(pause - 1);
        // The same again does not begin the pause anew.
        assert_eq!(over(bed.jobs().report(machine.id, &full).unwrap()), Ending::Requeued);
        assert!(bed.lease("w2").is_none(), "within a pause of {pause} s");
        bed.pass(1);
        lease = bed.lease("w2").unwrap_or_else(|| panic!("nothing after a pause of {pause} s"));
    }
    let full = report(&lease, failed(FailureKind::Infrastructure));
    assert_eq!(over(bed.jobs().report(machine.id, &full).unwrap()), Ending::Failed);
    assert_eq!(bed.get(machine.id).failure.unwrap().kind, FailureKind::Infrastructure);
}

#[test]
fn a_retry_takes_over_what_was_finished_and_trains_nothing_again() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let train = run(bed.done(&bed.lease("w1").unwrap()));
    let data = train.request.results["data"].clone();
    let ReportAnswer::Upload { version, .. } = bed.done(&train) else { panic!("no upload") };
    bed.steps.uploaded.lock().unwrap().insert(version.clone());
    let evaluate = run(bed.jobs().go_on(job.id, 1).unwrap());
    assert_eq!(evaluate.request.version, Some(version.clone()));
    let broken = report(&evaluate, finished_with(json!({ "fail": "answer" })));
    for _ in 0..2 {
        assert_eq!(over(bed.jobs().report(job.id, &broken).unwrap()), Ending::Failed);
    }
    let retry = bed.jobs().retry(&bed.keyed("again"), job.id).unwrap();
    assert_eq!((retry.retry_of, retry.version.as_ref()), (Some(job.id), Some(&version)));
    assert_eq!(bed.jobs().retry(&bed.keyed("again"), job.id).unwrap(), retry);
    // Another machine fetches the data, because that lies with the first one, and goes on with the evaluation.
    let first = bed.lease("w2").unwrap();
    assert_eq!((first.job, first.root, first.program), (retry.id, job.id, Program::Data));
    let next = run(bed.done(&first));
    assert_eq!((next.program, &next.request.results["data"]), (Program::Evaluate, &data));
    assert_eq!(next.request.results.len(), 2);
    assert_eq!(over(bed.done(&next)), Ending::Completed);
    let trained = |id| bed.get(id).steps.iter().filter(|r| r.step == Some(JobStep::Train) && r.epoch > 0).count();
    assert_eq!((trained(job.id), trained(retry.id)), (1, 0));
    assert!(matches!(bed.jobs().retry(&bed.ask(), retry.id), Err(JobError::Refused(_))), "it is completed");
    let twice = bed.jobs().retry(&bed.ask(), job.id).unwrap_err();
    assert!(matches!(twice, JobError::Again { by, .. } if by == retry.id), "{twice}");
}

#[test]
fn the_inputs_of_a_retry_are_the_same_and_follow_what_was_answered_before() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let data = bed.lease("w1").unwrap();
    let train = run(bed.done(&data));
    let broken = report(&train, failed(FailureKind::Program));
    assert_eq!(over(bed.jobs().report(job.id, &broken).unwrap()), Ending::Failed);
    bed.jobs().retry(&bed.ask(), job.id).unwrap();
    let again = bed.lease("w1").unwrap();
    assert_eq!(again.inputs, data.inputs);
    assert_eq!(run(bed.done(&again)).inputs, train.inputs);
    bed.jobs().cancel(&bed.ask(), again.job, "other data").unwrap();
    let gone = report(&run(bed.jobs().go_on(again.job, 1).unwrap()), StepEnd::Cancelled);
    assert_eq!(over(bed.jobs().report(again.job, &gone).unwrap()), Ending::Cancelled);
    bed.jobs().retry(&bed.ask(), again.job).unwrap();
    let third = bed.lease("w1").unwrap();
    let other = report(&third, finished_with(json!({ "rows": 8 })));
    assert_ne!(run(bed.jobs().report(third.job, &other).unwrap()).inputs, train.inputs);
}

#[test]
fn what_cannot_be_done_now_is_done_when_the_worker_asks_again() {
    let mut bed = Bed::new();
    let job = bed.create("btcusdt");
    let train = run(bed.done(&bed.lease("w1").unwrap()));
    bed.steps.uploaded.lock().unwrap().insert("v-job-1".parse().unwrap());
    bed.steps.denied.store(true, Ordering::SeqCst);
    let done = report(&train, finished());
    assert!(matches!(bed.jobs().report(job.id, &done), Err(JobError::Orchestration { .. })));
    let open = |job: &quantum_clm::domain::job::Job| {
        job.steps.iter().filter(|r| r.outcome.is_none()).map(|r| r.step).collect::<Vec<_>>()
    };
    assert_eq!(open(&bed.get(job.id)), [Some(JobStep::Register)], "the daemon's own journal");
    bed.reopen();
    bed.steps.denied.store(false, Ordering::SeqCst);
    assert_eq!(run(bed.jobs().report(job.id, &done).unwrap()).program, Program::Evaluate);
    assert_eq!(run(bed.jobs().go_on(job.id, 1).unwrap()).program, Program::Evaluate);
    let records = bed.get(job.id).steps;
    let registered = records.iter().filter(|r| r.step == Some(JobStep::Register)).collect::<Vec<_>>();
    assert_eq!(registered.len(), 1, "{records:?}");
    assert_eq!(registered[0].outcome, Some(StepOutcome::Done));
}

#[test]
fn a_worker_that_lost_what_it_trained_trains_it_again() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let train = run(bed.done(&bed.lease("w1").unwrap()));
    assert!(matches!(bed.done(&train), ReportAnswer::Upload { .. }));
    let gone = report(&train, failed(FailureKind::Infrastructure));
    assert_eq!(over(bed.jobs().report(job.id, &gone).unwrap()), Ending::Requeued);
    bed.pass(30);
    let again = run(bed.done(&bed.lease("w2").unwrap()));
    assert_eq!(again.program, Program::Train);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_is_woken_by_work() {
    let bed = Bed::new();
    let jobs = bed.jobs().clone();
    let asked = quantum_clm::domain::job::LeaseRequest { wait_seconds: 25, ..request("w1", &[]) };
    let waiting = tokio::spawn(async move { jobs.lease_or_wait(asked).await });
    let jobs = bed.jobs().clone();
    let ask = bed.ask();
    // Once it was heard of, it has looked in vain or is about to: either way it must get what comes now.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while jobs.workers().unwrap().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the worker is not heard of");
        tokio::task::yield_now().await;
    }
    let job = tokio::task::spawn_blocking(move || jobs.create(&ask, training("btcusdt")).unwrap()).await.unwrap();
    let given = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it sleeps on").unwrap().unwrap();
    assert_eq!(given.map(|assignment| assignment.job), Some(job.id));
}

#[test]
fn jobs_that_are_over_go_after_their_time_with_their_logs() {
    let bed = Bed::new();
    let old = bed.create("a");
    bed.work("w1").unwrap();
    let open = bed.create("b");
    let log = bed.jobs().log_directory(old.id);
    std::fs::create_dir_all(log.join("1")).unwrap();
    let later = |days: u64| bed.now().plus(days * Micros::DAY);
    assert_eq!(bed.jobs().trim(later(31)).unwrap(), 0);
    assert_eq!(bed.jobs().result(old.id, Program::Train).unwrap(), None, "answers are kept for thirty days");
    assert!(log.exists());
    // An earlier daemon died between the file and the log; what is none of ours is left alone.
    let [orphan, kept, others] = ["job-77", &open.id.to_string(), "notes"].map(|name| log.with_file_name(name));
    for directory in [&orphan, &kept, &others] {
        std::fs::create_dir_all(directory.join("1")).unwrap();
    }
    assert_eq!(bed.jobs().trim(later(366)).unwrap(), 1);
    assert!(!log.exists() && !orphan.exists(), "a log is left behind");
    assert!(kept.exists() && others.exists(), "it removed what it should not");
    assert!(matches!(bed.jobs().get(old.id), Err(JobError::NoJob(_))));
    assert_eq!(bed.get(open.id).state, JobState::Pending, "an open job is never past its time");
    assert_eq!(bed.jobs().counts().unwrap().total(), 1);
    assert_eq!(bed.create("c").id.0, 3, "its number is not given again");
}
