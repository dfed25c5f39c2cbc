use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::model::{Digest, ModelId, ModelName, ModelType};
use crate::domain::time::Micros;

const NOW: Micros = Micros(1_768_621_479_809_316);
const PATIENCE: Patience = Patience { setbacks: 2, first: Duration::from_secs(30) };

fn name(symbol: &str) -> ModelName {
    ModelName::new(ModelType::Xgboost, Some(symbol), "1h", None).expect("a name")
}

fn training(symbol: &str) -> NewJob {
    let name = name(symbol);
    NewJob {
        model: name.id(),
        kind: JobKind::Training(Box::new(Training {
            name,
            span_days: 90,
            params: None,
            feature_config: None,
            parent: None,
            candidate: None,
        })),
        trigger: Trigger::Manual,
        triggered_by: None,
        evidence: String::new(),
        priority: Priority::Normal,
    }
}

fn job(id: u64, symbol: &str) -> Job {
    Job::new(JobId(id), training(symbol), "anna", NOW)
}

fn leased() -> Job {
    let mut job = job(1, "btcusdt");
    assert_eq!(job.lease(by("w1"), NOW), Ok(1));
    job
}

/// Under way with this program.
fn at(program: Program) -> Job {
    let mut job = leased();
    for step in [Program::Data, Program::Train] {
        if step < program {
            begin(&mut job, step);
            assert_eq!(job.take(&report(&job, step, done()), PATIENCE, NOW), Ok(Taken::New));
        }
    }
    begin(&mut job, program);
    job
}

fn begin(job: &mut Job, program: Program) {
    job.begin_step(job.epoch, program.step(), Some("w1"), [1; 32], NOW).expect("a step");
}

fn done() -> StepEnd {
    StepEnd::Done(Finished { result: json!({}), artifacts: BTreeMap::new() })
}

fn failed(kind: FailureKind) -> StepEnd {
    StepEnd::Failed { failure: Failure { kind, why: "because".into() } }
}

fn report(job: &Job, program: Program, end: StepEnd) -> Report {
    let resources = Resources::default();
    Report { epoch: job.epoch, program, inputs: Digest([2; 32]), end, reused: false, resources }
}

fn cancel() -> Cancel {
    Cancel { by: "anna".into(), why: "not needed".into(), at: NOW }
}

fn infrastructure() -> Failure {
    Failure { kind: FailureKind::Infrastructure, why: "lost".into() }
}

fn in_state(state: JobState) -> Job {
    let mut job = at(Program::Data);
    match state {
        JobState::Pending => return self::job(1, "btcusdt"),
        JobState::Leased => return leased(),
        JobState::Running => job.hear(1, NOW).expect("heard"),
        JobState::Lost => job.lose(NOW).expect("lost"),
        JobState::Completed => {
            job.take(&report(&job, Program::Data, done()), PATIENCE, NOW).expect("an end");
            job.complete(1, NOW).expect("complete");
        }
        JobState::Failed => {
            let why = Failure { kind: FailureKind::Program, why: "exit code 1".into() };
            job.fail(1, why, PATIENCE, NOW).expect("failed");
        }
        JobState::Cancelled => {
            job.call_off(cancel()).expect("called off");
            job.release(1, infrastructure(), PATIENCE, NOW).expect("cancelled");
        }
    }
    assert_eq!(job.state, state);
    job
}

fn by(worker: &'static str) -> Holder<'static> {
    Holder { worker, instance: worker, host: "host", seconds: 60 }
}

#[test]
fn every_transition_that_is_not_in_the_table_is_refused_and_changes_nothing() {
    use JobState::{Cancelled, Completed, Failed, Leased, Lost, Pending, Running};
    type Move = (&'static str, fn(&mut Job) -> Result<(), Refusal>, &'static [(JobState, JobState)]);
    let moves: [Move; 7] = [
        ("lease", |job| job.lease(by("w1"), NOW).map(drop), &[(Pending, Leased)]),
        ("hear", |job| job.hear(1, NOW), &[(Leased, Running), (Running, Running), (Lost, Running)]),
        ("lose", |job| job.lose(NOW), &[(Leased, Lost), (Running, Lost)]),
        (
            "release",
            |job| job.release(1, infrastructure(), PATIENCE, NOW).map(drop),
            &[(Leased, Pending), (Running, Pending), (Lost, Pending)],
        ),
        (
            "fail",
            |job| job.fail(1, Failure { kind: FailureKind::Program, why: String::new() }, PATIENCE, NOW).map(drop),
            &[(Leased, Failed), (Running, Failed), (Lost, Failed)],
        ),
        ("complete", |job| job.complete(1, NOW).map(drop), &[(Leased, Completed)]),
        (
            "call off",
            |job| job.call_off(cancel()),
            &[(Pending, Cancelled), (Leased, Leased), (Running, Running), (Lost, Lost), (Cancelled, Cancelled)],
        ),
    ];
    for (name, make, allowed) in moves {
        for state in JobState::ALL {
            let mut job = in_state(state);
            let before = job.clone();
            match (make(&mut job), allowed.iter().find(|(from, _)| *from == state)) {
                (Ok(()), Some((_, to))) => assert_eq!(job.state, *to, "{name} of a {state} one"),
                (Err(_), None) => assert_eq!(job, before, "{name} of a {state} one was refused and changed it"),
                (result, _) => panic!("{name} of a {state} one: {result:?}"),
            }
        }
    }
}

#[test]
fn what_is_said_under_an_older_lease_is_refused() {
    let mut job = at(Program::Data);
    let old = report(&job, Program::Data, done());
    job.release(1, infrastructure(), PATIENCE, NOW).expect("given back");
    let refused = |job: &mut Job| {
        let before = job.clone();
        let beat = Beat { epoch: 1, progress: Some(0.5), message: None, resources: Resources::default() };
        assert!(matches!(job.beat(&beat, 60, NOW), Err(Refusal::Stale { said: 1, .. })), "{:?}", job.state);
        assert!(matches!(job.take(&old, PATIENCE, NOW), Err(Refusal::Stale { said: 1, .. })), "{:?}", job.state);
        assert_eq!(*job, before);
    };
    refused(&mut job);
    assert_eq!(job.lease(by("w2"), NOW), Ok(2));
    begin(&mut job, Program::Data);
    refused(&mut job);
}

#[test]
fn a_report_that_is_sent_again_comes_to_the_same() {
    for (end, ending) in [
        (done(), None),
        (failed(FailureKind::Program), Some(Ending::Failed)),
        (failed(FailureKind::Infrastructure), Some(Ending::Requeued)),
        (StepEnd::Cancelled, Some(Ending::Requeued)),
        (StepEnd::Lost, Some(Ending::Requeued)),
    ] {
        let mut job = at(Program::Train);
        let report = report(&job, Program::Train, end);
        let first = job.take(&report, PATIENCE, NOW).expect("taken");
        assert_eq!(first, ending.map_or(Taken::New, Taken::Over), "{report:?}");
        let before = job.clone();
        let again = job.take(&report, PATIENCE, NOW).expect("taken again");
        assert_eq!(again, ending.map_or(Taken::Known, Taken::Over), "{report:?}");
        assert_eq!(job, before, "{report:?} changed something the second time");
    }
}

#[test]
fn an_answer_of_a_job_that_was_called_off_is_kept_and_the_job_is_cancelled() {
    let mut job = at(Program::Train);
    job.call_off(cancel()).expect("called off");
    assert_eq!(job.yield_to_cancel(1, NOW), Ok(false), "its program may be alive");
    assert_eq!(job.take(&report(&job, Program::Train, done()), PATIENCE, NOW), Ok(Taken::New));
    assert_eq!(job.yield_to_cancel(1, NOW), Ok(true));
    assert_eq!((job.state, job.stands(Some(JobStep::Train))), (JobState::Cancelled, true));
}

#[test]
fn setbacks_come_to_an_end_unless_the_job_gets_further_than_before() {
    let mut job = job(1, "btcusdt");
    let lose = |job: &mut Job, program: Option<Program>| {
        let epoch = job.lease(by("w1"), NOW).expect("pending");
        for program in [Program::Data].into_iter().filter(|_| program.is_some()) {
            begin(job, program);
            job.take(&report(job, program, done()), PATIENCE, NOW).expect("an end");
        }
        job.release(epoch, infrastructure(), PATIENCE, NOW).expect("given back")
    };
    assert_eq!(lose(&mut job, None), Ending::Requeued);
    assert_eq!(job.not_before, Some(NOW.plus(30 * Micros::SECOND)));
    assert_eq!(lose(&mut job, None), Ending::Requeued);
    assert_eq!(job.not_before, Some(NOW.plus(60 * Micros::SECOND)));
    assert_eq!(lose(&mut job, Some(Program::Data)), Ending::Requeued, "it got further");
    assert_eq!(job.setbacks, 1);
    assert_eq!(lose(&mut job, Some(Program::Data)), Ending::Requeued);
    assert_eq!(lose(&mut job, Some(Program::Data)), Ending::Failed, "the same step again is no progress");
    assert_eq!(job.failure.map(|failure| failure.kind), Some(FailureKind::Infrastructure));
}

#[test]
fn what_is_next_is_what_does_not_stand() {
    let mut job = leased();
    assert_eq!((job.todo(), job.needs().len()), (Todo::Run(Program::Data), 3));
    for (program, next) in [(Program::Data, Todo::Run(Program::Train)), (Program::Train, Todo::After(Program::Train))] {
        begin(&mut job, program);
        assert_eq!(job.running(), Some(program));
        job.take(&report(&job, program, done()), PATIENCE, NOW).expect("an end");
        assert_eq!((job.running(), job.todo()), (None, next));
    }
    assert_eq!(job.files_at(), Some("w1"), "only the worker has what was trained");
    // Before the files are in, another worker trains again; behind that nobody does.
    job.release(1, infrastructure(), PATIENCE, NOW).expect("given back");
    job.lease(by("w2"), NOW).expect("pending");
    begin(&mut job, Program::Data);
    job.take(&report(&job, Program::Data, done()), PATIENCE, NOW).expect("an end");
    assert_eq!(job.todo(), Todo::Run(Program::Train));
    let before = job.clone();
    for (step, next) in [
        (JobStep::Register, Todo::After(Program::Train)),
        (JobStep::TellTrained, Todo::After(Program::Train)),
        (JobStep::Evaluate, Todo::After(Program::Evaluate)),
    ] {
        job.begin_step(2, Some(step), None, [0; 32], NOW).expect("a step");
        job.end_step(2, Some(step), StepOutcome::Done, NOW).expect("its end");
        assert_eq!(job.todo(), next, "behind {step:?}");
    }
    assert_eq!((job.needs(), job.files_at()), (&[][..], None));
    // What broke the contract was not done.
    job.undo_step(2, Some(JobStep::Evaluate), &infrastructure()).expect("undone");
    assert_eq!((job.todo(), job.needs().len()), (Todo::After(Program::Train), 2));
    assert_eq!(before.files_at(), Some("w1"));
}

#[test]
fn a_retry_takes_over_what_stands_and_says_the_same_of_itself_for_ever() {
    let mut failed = at(Program::Train);
    failed.take(&report(&failed, Program::Train, self::failed(FailureKind::Program)), PATIENCE, NOW).expect("an end");
    let made = failed.again(JobId(7), "bert", NOW);
    assert_eq!((made.root, made.retry_of, made.state), (JobId(1), Some(JobId(1)), JobState::Pending));
    assert_eq!(
        made.steps.iter().map(|record| (record.step, record.epoch)).collect::<Vec<_>>(),
        [(Some(JobStep::Data), 0)]
    );
    let mut later = made.clone();
    later.lease(by("w1"), NOW.plus(1)).expect("pending");
    begin(&mut later, Program::Data);
    later.call_off(cancel()).expect("called off");
    assert_eq!(later.as_made(), made);
}

fn asking(worker: &str, programs: &[Program]) -> Asking {
    let programs = BTreeMap::from([(ModelType::Xgboost, programs.to_vec())]);
    Asking { worker: worker.into(), programs, hook: false }
}

const ALL: [Program; 3] = [Program::Data, Program::Train, Program::Evaluate];

fn with_queue<T>(open: &[OpenJob], paused: &[u64], look: impl FnOnce(&Queue<'_>) -> T) -> T {
    let paused: BTreeSet<_> = paused.iter().map(|id| JobId(*id)).collect();
    let (pauses, given_up) = (|id| paused.contains(&id), |worker: &str| worker == "gone");
    look(&Queue { open, running: 2, now: NOW, pauses: &pauses, given_up: &given_up })
}

fn open(jobs: &[&Job]) -> Vec<OpenJob> {
    jobs.iter().map(|job| OpenJob::from(*job)).collect()
}

#[test]
fn the_order_is_priority_then_age_and_a_day_of_waiting_is_a_priority() {
    let with = |id, symbol: &str, priority, days| {
        let created_at = NOW.minus(days * Micros::DAY);
        Job { priority, created_at, ..job(id, symbol) }
    };
    let jobs = [
        with(1, "a", Priority::Low, 0),
        with(2, "b", Priority::Normal, 0),
        with(3, "c", Priority::High, 0),
        with(4, "d", Priority::Normal, 0),
        with(5, "e", Priority::Low, 1),
        with(6, "f", Priority::Low, 2),
    ];
    let mut left: Vec<_> = jobs.iter().collect();
    let mut order = Vec::new();
    while let Some(next) = with_queue(&open(&left), &[], |queue| queue.next_for(&asking("w", &ALL))) {
        order.push(next.0);
        left.retain(|job| job.id != next);
    }
    assert_eq!(order, [3, 6, 2, 4, 5, 1]);
}

#[test]
fn each_pending_job_has_its_reason() {
    let mut held = job(1, "a");
    held.lease(by("w1"), NOW).expect("pending");
    let mut paused = job(2, "b");
    paused.lease(by("w1"), NOW).expect("pending");
    paused.release(1, infrastructure(), PATIENCE, NOW).expect("given back");
    let (same, first, second) = (job(3, "a"), job(4, "c"), job(5, "d"));
    let until = paused.not_before.expect("a pause");
    let lines = open(&[&held, &paused, &same, &first, &second]);
    let reasons = |lines: &[OpenJob], workers: &[Asking]| {
        with_queue(lines, &[2], |queue| queue.waiting(workers)).into_values().collect::<Vec<_>>()
    };
    assert_eq!(
        reasons(&lines, &[asking("w", &ALL)]),
        [
            Waiting::Backoff { until },
            Waiting::SameModel { job: JobId(1) },
            Waiting::Queue { ahead: 0 },
            Waiting::Queue { ahead: 1 },
        ]
    );
    let lacking = |program| Waiting::NoWorker { program };
    assert_eq!(reasons(&lines, &[])[2..], [lacking(Program::Data), lacking(Program::Data)]);
    let half = asking("w", &[Program::Data]);
    assert_eq!(reasons(&lines, std::slice::from_ref(&half))[2..], [lacking(Program::Train), lacking(Program::Train)]);
    with_queue(&lines, &[2], |queue| {
        assert_eq!(queue.next_for(&half), None, "it could not bring a job to its end");
        assert_eq!(queue.next_for(&asking("w", &ALL)), Some(JobId(4)));
        assert_eq!(queue.wanting(), 1, "one place is free");
    });
    let mut other = job(6, "e");
    other.lease(by("w2"), NOW).expect("pending");
    let full = open(&[&held, &other, &first]);
    assert_eq!(reasons(&full, &[asking("w", &ALL)]), [Waiting::Places { most: 2 }]);
    with_queue(&full, &[], |queue| assert_eq!((queue.next_for(&asking("w", &ALL)), queue.wanting()), (None, 0)));
    // The pause is over once the daemon says so, whatever its instant says.
    with_queue(&lines, &[], |queue| assert_eq!(queue.next_for(&asking("w", &ALL)), Some(JobId(2))));
}

#[test]
fn a_hook_takes_no_place_and_waits_for_no_training() {
    let run = |id| {
        let version = "v1".parse().expect("a version");
        let run = HookRun { number: 1, model: name("a").id(), version, previous: None };
        Job::new(JobId(id), NewJob { kind: JobKind::Hook(run), ..training("a") }, "anna", NOW)
    };
    let [mut first, mut second] = [job(1, "a"), job(2, "b")];
    first.lease(by("w1"), NOW).expect("pending");
    second.lease(by("w1"), NOW).expect("pending");
    let mut hook = run(3);
    let able = Asking { hook: true, ..asking("w", &[]) };
    let next = |jobs: &[&Job], able: &Asking| with_queue(&open(jobs), &[], |queue| queue.next_for(able));
    assert_eq!(next(&[&first, &second, &hook], &able), Some(JobId(3)));
    assert_eq!(next(&[&first, &second, &hook], &asking("w", &ALL)), None, "it does not run hooks");
    hook.lease(by("w1"), NOW).expect("pending");
    assert_eq!(next(&[&hook, &run(4)], &able), None, "the model's other hook is under way");
    assert_eq!(next(&[&hook, &job(5, "a")], &asking("w", &ALL)), Some(JobId(5)));
}

#[test]
fn what_was_trained_waits_for_the_worker_that_has_it_but_not_for_ever() {
    let kept_at = |worker: &str| {
        let mut job = at(Program::Train);
        job.take(&report(&job, Program::Train, done()), PATIENCE, NOW).expect("an end");
        let record = job.steps.iter_mut().find(|record| record.step == Some(JobStep::Train)).expect("its step");
        record.worker = Some(worker.into());
        job.release(1, infrastructure(), PATIENCE, NOW).expect("given back");
        OpenJob::from(&job)
    };
    let next = |line: OpenJob, worker| with_queue(&[line], &[], |queue| queue.next_for(&asking(worker, &ALL)));
    assert_eq!(next(kept_at("w1"), "w2"), None);
    assert_eq!(next(kept_at("w1"), "w1"), Some(JobId(1)));
    assert_eq!(next(kept_at("gone"), "w2"), Some(JobId(1)));
    let reason = with_queue(&[kept_at("w1")], &[], |queue| queue.waiting(&[asking("w2", &ALL)]));
    assert_eq!(reason.into_values().collect::<Vec<_>>(), [Waiting::FilesAt { worker: "w1".into() }]);
}

#[test]
fn an_imported_id_is_no_obstacle() {
    let id: ModelId = "xgboost_BTCUSDT_1h".parse().expect("an id");
    let line = OpenJob::from(&Job { model: id, ..job(1, "btcusdt") });
    assert_eq!(with_queue(&[line], &[], |queue| queue.next_for(&asking("w", &ALL))), Some(JobId(1)));
}

#[test]
fn a_reason_is_one_line_and_not_endless() {
    let failure = |why: &str| Failure { kind: FailureKind::Answer, why: why.to_owned() }.clipped().why;
    assert_eq!(failure("a\nb\u{1b}[2J"), "a b [2J");
    assert_eq!(failure(&"ä".repeat(2_000)), "ä".repeat(2_000));
    assert_eq!(failure(&"ä".repeat(3_000)), "ä".repeat(2_000) + "…");
}

#[test]
fn after_a_restore_no_word_of_before_counts_and_what_was_done_stays_done() {
    let until = NOW.plus(120 * Micros::SECOND);
    let mut held = at(Program::Train);
    let word = report(&held, Program::Train, done());
    held.went_back(until, NOW);
    assert_eq!(held.state, JobState::Lost);
    assert!(matches!(held.take(&word, PATIENCE, NOW), Err(Refusal::Stale { said: 1, .. })), "its word was taken");
    // A later lease of the time that is gone is as strange.
    assert!(matches!(held.hear(2, NOW), Err(Refusal::Stale { .. })));
    let outcome =
        |step| held.steps.iter().find(|record| record.step == Some(step)).and_then(|record| record.outcome.clone());
    assert_eq!(outcome(JobStep::Data), Some(StepOutcome::Done));
    assert_eq!(outcome(JobStep::Train), Some(StepOutcome::Ended), "a step that nobody is at stays open");
    let epoch = held.epoch;
    assert_eq!(held.release(epoch, infrastructure(), PATIENCE, NOW), Ok(Ending::Requeued));
    assert_eq!(held.lease(by("w2"), NOW), Ok(epoch + 1));

    let mut waits = job(2, "ethusdt");
    waits.went_back(until, NOW);
    assert_eq!((waits.state, waits.not_before), (JobState::Pending, Some(until)));
    assert!(waits.lease(by("w1"), NOW).is_ok_and(|epoch| epoch > 1_000));

    let mut over = job(3, "solusdt");
    over.call_off(cancel()).expect("it waits");
    let before = over.clone();
    over.went_back(until, NOW);
    assert_eq!(over, before);
}
