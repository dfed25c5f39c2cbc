//! The promotion hook as a job.

use quantum_clm::app::registry::{NewVersion, Promoted};
use quantum_clm::domain::job::{Assignment, Ending, FailureKind, JobId, JobState, Program, StepEnd, Waiting};
use quantum_clm::domain::model::{
    ArtifactFile, DataWindow, Digest, Hook, HookState, ModelId, Origin, Provenance, VersionName,
};
use quantum_clm::store::StoreError;
use serde_json::{Value, json};

use super::super::bed::{failed, over, report, request, training};
use super::bed::{Bed, answered};

const FIRST: &str = "xgboost_btcusdt_1h";

const SECOND: &str = "xgboost_ethusdt_1h";

fn hooked() -> Bed {
    Bed::with(|config| config.promotion.hook = vec!["/bin/true".into()])
}

/// Puts a version into production, past its gates.
#[track_caller]
fn promote(bed: &Bed, model: &str, version: &str) {
    let (model, name): (ModelId, VersionName) = (model.parse().unwrap(), version.parse().unwrap());
    let data = Some(DataWindow { from: bed.now().minus(2), until: bed.now().minus(1) });
    let new = NewVersion {
        name: Some(name.clone()),
        parent: None,
        provenance: Provenance {
            origin: Origin::Job("job-0".into()),
            data,
            parameters: Default::default(),
            feature_count: Some(3),
            code_revision: None,
        },
        train_metrics: Default::default(),
        validation_metrics: Default::default(),
        tags: Default::default(),
        importances: None,
        success: true,
    };
    let file = ArtifactFile { path: "model.bin".parse().unwrap(), size: 1, sha256: Digest([1; 32]) };
    bed.registry().register(&bed.ask(), &model, &new).unwrap();
    bed.registry().attach(&bed.ask(), &model, &name, &file, 10).unwrap();
    let why = "the exchange changed its fees tonight";
    let promoted = bed.registry().promote(&bed.ask(), &model, &name, why, true).unwrap();
    assert!(matches!(promoted, Promoted::Done { .. }), "{promoted:?}");
}

fn lease(bed: &Bed, worker: &str) -> Option<Assignment> {
    bed.jobs().lease(&request(worker, &[])).unwrap()
}

/// Version and state of each hook, oldest first.
fn rows(bed: &Bed) -> Vec<(String, HookState)> {
    bed.hooks().into_iter().map(|hook| (hook.version.to_string(), hook.state)).collect()
}

fn failing(bed: &Bed) -> Vec<Hook> {
    bed.store().failed_hooks().unwrap()
}

#[test]
fn a_promotion_makes_a_job_that_a_worker_with_the_hook_runs() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    promote(&bed, FIRST, "v2");
    let mut without = request("w0", &[]);
    without.hook = false;
    assert_eq!(bed.jobs().lease(&without).unwrap(), None, "it has no hook");
    let second = JobId(2);
    assert_eq!(bed.jobs().waiting(&bed.get(second)).unwrap(), Some(Waiting::NoWorker { program: Program::Hook }));
    let runs = lease(&bed, "w1").unwrap();
    assert_eq!((runs.job, runs.program, runs.request.model_id.as_str()), (second, Program::Hook, FIRST));
    let told = runs.request.hook.clone().unwrap();
    let versions = (told.version.to_string(), told.previous.map(|version| version.to_string()));
    assert_eq!(versions, ("v2".into(), Some("v1".into())));
    assert_eq!(rows(&bed), [("v1".into(), HookState::Superseded), ("v2".into(), HookState::Running)]);
    // It may answer nothing at all.
    assert_eq!(over(bed.answer(&runs, &Value::Null)), Ending::Completed);
    assert_eq!(rows(&bed)[1].1, HookState::Done);
    assert_eq!((bed.hooks()[1].job, bed.hooks()[1].ended_at), (Some(second), Some(bed.now())));
    assert_eq!(bed.get(JobId(1)).state, JobState::Cancelled);
    assert_eq!(bed.get(JobId(1)).cancel.unwrap().why, "v2 went into production after it");
    assert_eq!(bed.told_of("clm.training_job_created"), Vec::<Value>::new(), "a hook is no training");
    assert!(lease(&bed, "w1").is_none(), "nothing is left");
}

#[test]
fn of_a_model_one_hook_runs_at_a_time_and_what_comes_meanwhile_waits_for_the_newest_only() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    let runs = lease(&bed, "w1").unwrap();
    promote(&bed, FIRST, "v2");
    promote(&bed, FIRST, "v3");
    assert!(lease(&bed, "w2").is_none(), "one is running");
    assert_eq!(bed.jobs().waiting(&bed.get(JobId(3))).unwrap(), Some(Waiting::SameModel { job: runs.job }));
    promote(&bed, SECOND, "v1");
    let other = lease(&bed, "w2").unwrap();
    assert_eq!(other.model.as_str(), SECOND, "another model's does not wait");
    assert_eq!(over(bed.answer(&runs, &json!({ "message": "reloaded" }))), Ending::Completed);
    let last = lease(&bed, "w1").unwrap();
    assert_eq!(last.request.hook.unwrap().version.as_str(), "v3");
    let states: Vec<_> = rows(&bed).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [HookState::Done, HookState::Superseded, HookState::Running, HookState::Running]);
}

#[test]
fn a_hook_takes_no_place_of_a_training_and_a_training_none_of_a_hook() {
    let bed = hooked();
    for symbol in ["btcusdt", "ethusdt", "solusdt"] {
        bed.jobs().create(&bed.ask(), training(symbol)).unwrap();
    }
    let trainings = ["w1", "w2"].map(|worker| lease(&bed, worker).unwrap());
    assert!(lease(&bed, "w3").is_none(), "two places");
    promote(&bed, FIRST, "v1");
    let hook = lease(&bed, "w3").unwrap();
    assert_eq!((hook.program, &hook.model), (Program::Hook, &trainings[0].model));
    let ended = report(&trainings[0], failed(FailureKind::Program));
    assert_eq!(over(bed.jobs().report(trainings[0].job, &ended).unwrap()), Ending::Failed);
    assert_eq!(lease(&bed, "w1").map(|next| next.program), Some(Program::Data), "the third one waits for no hook");
}

#[test]
fn a_hook_that_fails_is_shown_until_it_was_done_again() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    let runs = lease(&bed, "w1").unwrap();
    let ended = report(&runs, failed(FailureKind::Program));
    for _ in 0..2 {
        assert_eq!(over(bed.jobs().report(runs.job, &ended).unwrap()), Ending::Failed);
    }
    let shown = failing(&bed);
    assert_eq!((shown.len(), shown[0].job, shown[0].why.as_deref()), (1, Some(runs.job), Some("as the test wishes")));
    assert!(lease(&bed, "w1").is_none(), "what a program fails at is not tried again by itself");
    let retry = bed.jobs().retry(&bed.ask(), runs.job).unwrap();
    let row = &bed.hooks()[0];
    assert_eq!((row.state, row.job, row.ended_at), (HookState::Pending, Some(retry.id), None));
    let twice = bed.jobs().retry(&bed.ask(), runs.job).unwrap_err().to_string();
    assert!(twice.contains("it is done again already"), "{twice}");
    let again = lease(&bed, "w2").unwrap();
    assert_eq!((again.job, &again.request.hook), (retry.id, &runs.request.hook));
    assert_eq!(over(bed.answer(&again, &json!({}))), Ending::Completed);
    assert_eq!((failing(&bed), rows(&bed)), (vec![], vec![("v1".into(), HookState::Done)]));
}

#[test]
fn what_a_hook_answers_is_held_against_the_contract() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    let runs = lease(&bed, "w1").unwrap();
    assert_eq!(over(bed.answer(&runs, &json!({ "message": 7 }))), Ending::Failed);
    let why = failing(&bed)[0].why.clone().unwrap();
    assert!(why.contains("/message: ") && why.contains("expected a string"), "{why}");
}

#[test]
fn a_hook_that_the_machine_failed_at_is_tried_again_unless_a_newer_one_is_due() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    let runs = lease(&bed, "w1").unwrap();
    let full = report(&runs, failed(FailureKind::Infrastructure));
    assert_eq!(over(bed.jobs().report(runs.job, &full).unwrap()), Ending::Requeued);
    assert_eq!(rows(&bed), [("v1".into(), HookState::Pending)]);
    bed.pass(30);
    let again = lease(&bed, "w1").unwrap();
    assert_eq!((again.job, again.epoch), (runs.job, 2));
    promote(&bed, FIRST, "v2");
    let full = report(&again, failed(FailureKind::Infrastructure));
    for _ in 0..2 {
        assert_eq!(over(bed.jobs().report(again.job, &full).unwrap()), Ending::Cancelled, "it gives way");
    }
    assert_eq!(rows(&bed), [("v1".into(), HookState::Superseded), ("v2".into(), HookState::Pending)]);
    let newest = lease(&bed, "w1").unwrap();
    assert_eq!(newest.request.hook.as_ref().unwrap().version.as_str(), "v2");
    assert_eq!(over(bed.answer(&newest, &json!({}))), Ending::Completed);
    bed.pass(100);
    assert!(lease(&bed, "w1").is_none(), "the older one ran after the newer one");
}

#[test]
fn a_hook_whose_worker_is_lost_gives_way_too_and_its_late_end_changes_nothing() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    let runs = lease(&bed, "w1").unwrap();
    bed.pass(61);
    promote(&bed, FIRST, "v2");
    assert!(lease(&bed, "w2").is_none(), "its processes may be alive");
    bed.pass(60);
    assert_eq!(bed.get(runs.job).state, JobState::Cancelled);
    let newest = lease(&bed, "w2").unwrap();
    assert_eq!(newest.request.hook.as_ref().unwrap().version.as_str(), "v2");
    let late = bed.jobs().report(runs.job, &answered(&runs, &json!({}))).unwrap_err();
    assert!(late.is_stale(), "{late}");
    assert_eq!(rows(&bed), [("v1".into(), HookState::Superseded), ("v2".into(), HookState::Running)]);
}

#[test]
fn an_older_hook_is_not_done_again() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    let runs = lease(&bed, "w1").unwrap();
    let ended = report(&runs, failed(FailureKind::Program));
    bed.jobs().report(runs.job, &ended).unwrap();
    // A retry that waits gives way like any other.
    let retry = bed.jobs().retry(&bed.ask(), runs.job).unwrap();
    promote(&bed, FIRST, "v2");
    assert_eq!(bed.get(retry.id).state, JobState::Cancelled);
    for job in [runs.job, retry.id] {
        let refused = bed.jobs().retry(&bed.ask(), job).unwrap_err().to_string();
        assert!(refused.contains("another version has gone into production since"), "{refused}");
    }
    assert_eq!(rows(&bed), [("v1".into(), HookState::Superseded), ("v2".into(), HookState::Pending)]);
}

#[test]
fn a_hook_that_is_called_off_was_not_announced() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    let runs = lease(&bed, "w1").unwrap();
    bed.jobs().cancel(&bed.ask(), runs.job, "it hangs").unwrap();
    assert_eq!(over(bed.jobs().report(runs.job, &report(&runs, StepEnd::Cancelled)).unwrap()), Ending::Cancelled);
    let shown = failing(&bed);
    assert_eq!(shown[0].why.as_deref(), Some("anna called it off: it hangs"));
    assert_eq!(shown[0].state, HookState::Failed);
}

#[test]
fn a_hook_that_was_due_before_there_were_jobs_gets_one() {
    let bed = hooked();
    promote(&bed, FIRST, "v1");
    lease(&bed, "w1").unwrap();
    // As the version before this one left it: due, and nobody to run it.
    let second: ModelId = SECOND.parse().unwrap();
    let version: VersionName = "v1".parse().unwrap();
    let left = bed.store().write(|txn| txn.queue_hook(&second, &version, None, bed.now()));
    left.unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert_eq!((bed.jobs().adopt_hooks().unwrap(), bed.jobs().adopt_hooks().unwrap()), (1, 0));
    let runs = lease(&bed, "w2").unwrap();
    assert_eq!((runs.model.as_str(), bed.hooks()[1].job), (SECOND, Some(runs.job)));
}
