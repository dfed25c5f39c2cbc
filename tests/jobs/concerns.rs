//! What somebody is told at three in the morning.

use std::time::Duration;

use quantum_clm::domain::health::{Component, State};
use quantum_clm::domain::job::{Concern, Ending, Held, Job, JobKind, Program, ReportAnswer, Waiting};
use quantum_clm::domain::model::ModelType;
use quantum_clm::observe::metrics::Exposition;
use quantum_clm::tasks::{Tasks, jobs};

use super::bed::{Bed, beat, over, request, run, training};
use crate::support::app::Appliance;

fn concerns(bed: &Bed) -> Vec<Concern> {
    bed.jobs().survey().unwrap().concerns
}

#[test]
fn a_job_that_nobody_can_do_is_a_concern_after_a_minute() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    assert_eq!(concerns(&bed), []);
    bed.pass(59);
    assert_eq!(concerns(&bed), [], "workers start after us");
    bed.pass(1);
    let unserved = |program, secs, workers| Concern::Unserved {
        job: job.id,
        model_type: Some(ModelType::Xgboost),
        program,
        since: Duration::from_secs(secs),
        workers,
    };
    assert_eq!(concerns(&bed), [unserved(Program::Data, 60, 0)]);
    let mut without = request("w1", &[]);
    without.programs.insert(ModelType::Xgboost, vec![Program::Data]);
    assert_eq!(bed.jobs().lease(&without).unwrap(), None);
    assert_eq!(concerns(&bed), [unserved(Program::Train, 60, 1)], "what is lacking is what has to be set up");
    bed.lease("w2").unwrap();
    assert_eq!(concerns(&bed), []);
}

#[test]
fn a_worker_that_is_busy_since_before_our_start_is_no_concern() {
    let mut bed = Bed::new();
    let [job, waiting] = ["a", "b"].map(|symbol| bed.create(symbol));
    bed.lease("w1").unwrap();
    bed.reopen();
    for _ in 0..20 {
        bed.pass(15);
        bed.jobs().beat(job.id, &beat(1)).unwrap();
        assert_eq!(concerns(&bed), [], "it says nothing but that it is at it");
    }
    let why = bed.jobs().waiting(&bed.get(waiting.id)).unwrap();
    assert_eq!(why, Some(Waiting::Queue { ahead: 0 }), "it has the programs of the job that it has");
    let [worker] = &bed.jobs().workers().unwrap()[..] else { panic!("one worker") };
    assert!(!worker.asked && worker.is_here() && worker.held == [Held { job: job.id, epoch: 1 }], "{worker:?}");
}

#[test]
fn a_lost_job_is_a_concern_until_somebody_has_it() {
    let bed = Bed::new();
    let jobs = ["a", "b"].map(|symbol| bed.create(symbol));
    for worker in ["w1", "w2"] {
        bed.lease(worker).unwrap();
    }
    bed.pass(60);
    let lost = |job: &Job, worker: &str, others| Concern::Lost { job: job.id, worker: worker.into(), others };
    assert_eq!(concerns(&bed), [lost(&jobs[0], "w1", 1)]);
    bed.jobs().beat(jobs[0].id, &beat(1)).unwrap();
    assert_eq!(concerns(&bed), [lost(&jobs[1], "w2", 0)]);
    bed.jobs().beat(jobs[1].id, &beat(1)).unwrap();
    assert_eq!(concerns(&bed), []);
}

#[test]
fn what_was_trained_waits_ten_minutes_for_the_worker_that_has_it() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let train = run(bed.done(&bed.lease("w1").unwrap()));
    assert!(matches!(bed.done(&train), ReportAnswer::Upload { .. }));
    bed.pass(120);
    let why = || bed.jobs().waiting(&bed.get(job.id)).unwrap();
    assert!(matches!(why(), Some(Waiting::Backoff { .. })), "{:?}", why());
    bed.pass(30);
    assert!(bed.lease("w2").is_none(), "it would have to be trained again");
    assert_eq!(why(), Some(Waiting::FilesAt { worker: "w1".into() }));
    assert_eq!(concerns(&bed), [Concern::FilesAt { job: job.id, worker: "w1".into() }]);
    bed.pass(450);
    assert!(bed.lease("w2").is_none(), "ten minutes are not over");
    bed.pass(1);
    let again = bed.lease("w2").expect("it waits for a worker that does not come back");
    assert_eq!(run(bed.done(&again)).program, Program::Train);
}

#[test]
fn a_full_queue_is_a_concern_and_takes_hooks_but_no_trainings() {
    let mut config = Bed::new().config;
    config.waiting = 2;
    let bed = Bed::with(config);
    let failed = bed.create("a");
    bed.jobs().cancel(&bed.ask(), failed.id, "not needed").unwrap();
    bed.create("b");
    assert_eq!(concerns(&bed), []);
    bed.create("c");
    assert_eq!(concerns(&bed), [Concern::Full { most: 2 }]);
    let full = "2 jobs are open, as many as jobs.waiting allows: cancel some, or start more workers";
    assert_eq!(bed.jobs().create(&bed.ask(), training("d")).unwrap_err().to_string(), full);
    assert_eq!(bed.jobs().retry(&bed.ask(), failed.id).unwrap_err().to_string(), full);
    let hook = bed.jobs().create(&bed.ask(), super::bed::hook("b")).unwrap();
    assert!(matches!(hook.kind, JobKind::Hook(_)));
    let given = ["w1", "w2", "w3"].map(|worker| bed.lease(worker).expect("a hook takes no place of a training"));
    assert_eq!((given[0].job, given[0].program), (hook.id, Program::Hook));
    assert_eq!(over(bed.done(&given[0])), Ending::Completed);
}

/// What the task says of itself on the board once that is `wanted`.
async fn board(appliance: &Appliance, wanted: impl Fn(&Component) -> bool) -> Component {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let all = appliance.app.board.all();
        let jobs = all.iter().find(|component| component.name == "jobs");
        if let Some(found) = jobs.filter(|found| wanted(found)) {
            return found.clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "{jobs:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_say_how_jobs_are() {
    let appliance = Appliance::new();
    let mut tasks = Tasks::new(appliance.app.board.clone());
    jobs::spawn(&mut tasks, &appliance.app);
    board(&appliance, |jobs| jobs.state == State::Ok && jobs.figures["pending"] == 0).await;
    let (app, bed) = (appliance.app.clone(), Bed::new());
    let made = move || {
        app.jobs.create(&bed.ask(), training("btcusdt")).unwrap();
        // The first look finds that nobody can do it, and then more than a minute passes at once.
        app.jobs.survey().unwrap();
        app.jobs.tick(Duration::from_secs(130), bed.now()).unwrap();
    };
    tokio::task::spawn_blocking(made).await.unwrap();
    let warned = board(&appliance, |jobs| jobs.state == State::Warn).await;
    assert_eq!(warned.summary, "nobody could do job-1 for 2 min: no worker is heard of");
    assert!(warned.remedy.as_deref().unwrap_or_default().contains("adapters.xgboost.data"), "{warned:?}");
    assert_eq!((warned.figures["pending"], warned.figures["workers"]), (1, 0));
    let text = appliance.app.metrics.render(Exposition::PlainText);
    for line in [
        "quantum_clm_jobs{state=\"pending\"} 1",
        "quantum_clm_jobs{state=\"lost\"} 0",
        "quantum_clm_jobs_waiting 1",
        "quantum_clm_workers 0",
        "quantum_clm_jobs_over_total{kind=\"training\",outcome=\"failed\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let (_stopper, stopping) = quantum_clm::stop::signal();
    tasks.drain(Duration::from_secs(30), &stopping).await;
}
