//! The daemon dies between and inside its own steps. The worker reports again, and in the end everything is there once.

use quantum_clm::domain::job::{Ending, JobId, JobState, JobStep};
use quantum_clm::domain::model::{HookState, ModelId, ModelStatus, Stage, Step};
use quantum_clm::store::{Evaluations as _, OutboxKind, Store};
use serde_json::Value;

use super::programs::FILES;
use super::wire::Wire;
use crate::support::Random;
use crate::support::daemon::Bed;

fn model(symbol: &str) -> ModelId {
    format!("xgboost_{symbol}_1h").parse().unwrap()
}

/// What a job that is completed has left: one of everything.
#[track_caller]
fn is_there_once(bed: &Bed, job: JobId, symbol: &str, stage: Stage) {
    let store = Store::open(bed.data_file()).unwrap();
    let (model, job) = (model(symbol), store.job(job).unwrap().expect("the job"));
    assert_eq!(job.state, JobState::Completed, "{job:#?}");
    for step in JobStep::ALL {
        let done = job.steps.iter().filter(|record| record.step == Some(step) && record.is_done()).count();
        // A worker begins anew under each lease, and fetches its data then.
        let again = matches!(step, JobStep::Begin | JobStep::Data);
        assert!(done == 1 || (again && done > 1), "{step:?} was done {done} times: {job:#?}");
    }
    assert!(job.steps.iter().all(|record| record.outcome.is_some()), "a step is open: {job:#?}");
    let versions = store.versions_of(&model).unwrap();
    assert_eq!(versions.len(), 1, "{versions:#?}");
    let version = &versions[0];
    assert_eq!((Some(&version.name), version.stage), (job.version.as_ref(), stage));
    let files: Vec<_> = version.artifacts.as_ref().unwrap().files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, FILES);
    let evaluations = store.read(|txn| txn.of(&model, &version.name)).unwrap();
    assert_eq!(evaluations.len(), 1, "{evaluations:#?}");
    assert_eq!(store.model(&model).unwrap().unwrap().evaluations, 1);
    let history = store.read(|txn| txn.model_history(&model, u64::MAX, 100)).unwrap();
    let count = |is: fn(&Step) -> bool| history.iter().filter(|entry| is(&entry.step)).count();
    let promoted = usize::from(stage == Stage::Deployed);
    assert_eq!(count(|step| *step == Step::Registered), 1, "{history:#?}");
    assert_eq!(count(|step| *step == Step::Evaluated), 1, "{history:#?}");
    assert_eq!(count(|step| matches!(step, Step::Moved { to: ModelStatus::Candidate, .. })), 1, "{history:#?}");
    assert_eq!(count(|step| matches!(step, Step::Promoted { .. })), promoted, "{history:#?}");
    let told: Vec<Value> = store
        .outbox_after(0, 10_000)
        .unwrap()
        .iter()
        .filter(|message| message.kind == OutboxKind::Bus)
        .map(|message| serde_json::from_str(&message.payload).unwrap())
        .collect();
    let about = |event: &&Value| {
        let payload = &event["payload"];
        payload["job_id"] == job.id.to_string() || payload["model_id"] == model.as_str()
    };
    let told: Vec<_> = told.iter().filter(about).map(|event| event["event_type"].as_str().unwrap()).collect();
    let mut expected = vec!["clm.training_job_created", "clm.model_trained", "clm.model_evaluated"];
    expected.extend((promoted > 0).then_some("clm.model_promoted"));
    assert_eq!(told, expected);
    store.close();
}

/// The daemon dies when it comes to `place` after it has passed it so often.
#[track_caller]
fn dies_at(place: &str, passed: u32) {
    let plan = if passed == 0 { format!("{place}=return") } else { format!("{place}={passed}*off->return") };
    let mut wire = Wire::new(&[], &[plan]);
    let job = wire.train("btcusdt");
    assert_eq!(wire.work(), (job, Ending::Completed));
    assert_eq!(wire.deaths, 1, "it does not come to {place} so often");
    for path in FILES {
        let at = format!("/api/work/jobs/{job}/artifacts/{path}?epoch=1");
        assert_eq!(wire.ask("GET", &at, &[], b"").status, 409, "the lease is over");
    }
    let bed = wire.stop();
    is_there_once(&bed, job, "btcusdt", Stage::Candidate);
}

#[test]
fn after_the_data_was_reported() {
    dies_at("jobs.taken", 0);
}

#[test]
fn after_the_training_was_reported() {
    dies_at("jobs.taken", 1);
}

#[test]
fn after_the_evaluation_was_reported() {
    dies_at("jobs.taken", 2);
}

#[test]
fn after_the_version_was_registered() {
    dies_at("jobs.registered", 0);
}

#[test]
fn before_the_uploads_are_asked_for() {
    dies_at("jobs.answered", 0);
}

#[test]
fn when_a_file_is_in_its_place_and_not_yet_in_the_version() {
    dies_at("artifacts.placed", 0);
    dies_at("artifacts.placed", 1);
}

#[test]
fn after_the_files_are_in() {
    dies_at("jobs.files", 0);
}

#[test]
fn after_the_bus_was_told_of_the_training() {
    dies_at("jobs.told", 0);
}

#[test]
fn before_the_evaluation_is_handed_out() {
    dies_at("jobs.answered", 1);
}

#[test]
fn after_the_evaluation_was_kept_and_told() {
    dies_at("jobs.evaluated", 0);
}

#[test]
fn after_the_gates_were_applied() {
    dies_at("jobs.gated", 0);
}

#[test]
fn after_the_job_was_completed() {
    dies_at("jobs.answered", 2);
}

/// Before and after commits, whichever those are, again and again: each of the steps above is a transaction or several.
#[test]
fn around_its_commits_again_and_again() {
    let mut random = Random(0x5eed);
    let plans: Vec<_> = (0..14)
        .map(|number| {
            let place = if number % 2 == 0 { "store.commit.before" } else { "store.commit.after" };
            format!("{place}={}*off->return", 1 + random.below(7))
        })
        .collect();
    let mut wire = Wire::new(&[], &plans);
    let symbols = ["btcusdt", "ethusdt", "solusdt"];
    let mut jobs = Vec::new();
    for symbol in symbols {
        let job = wire.train(symbol);
        assert_eq!(wire.work(), (job, Ending::Completed));
        jobs.push(job);
    }
    assert!(wire.deaths >= 6, "it died {} times", wire.deaths);
    let bed = wire.stop();
    for (job, symbol) in jobs.into_iter().zip(symbols) {
        is_there_once(&bed, job, symbol, Stage::Candidate);
    }
}

/// Where the gates themselves put it into production: then its hook is due once, and files follow the data file.
#[test]
fn after_the_gates_put_it_into_production_and_around_its_hook() {
    let settings =
        ["promotion.auto_production = true", "promotion.require_shadow = false", "promotion.hook = [\"/bin/true\"]"];
    for plans in [
        &["jobs.gated=return"][..],
        &["jobs.gated=return", "jobs.taken=return"],
        // After the three answers that follow upon the daemon's own steps.
        &["jobs.answered=3*off->return"],
    ] {
        let plans: Vec<_> = plans.iter().map(|plan| (*plan).to_owned()).collect();
        let mut wire = Wire::new(&settings, &plans);
        let job = wire.train("btcusdt");
        assert_eq!(wire.work(), (job, Ending::Completed));
        let pointer = wire.bed.data_file().parent().unwrap().join("production").join(model("btcusdt").as_str());
        let found = std::fs::read_to_string(pointer.join(FILES[0])).unwrap();
        assert_eq!(found, FILES[0], "whoever loads it from the disk");
        let (hook, ending) = wire.work();
        assert_eq!((hook, ending), (JobId(job.0 + 1), Ending::Completed));
        assert_eq!(wire.deaths as usize, plans.len());
        let bed = wire.stop();
        is_there_once(&bed, job, "btcusdt", Stage::Deployed);
        let store = Store::open(bed.data_file()).unwrap();
        let hooks = store.hooks(None, u64::MAX, 10).unwrap();
        assert_eq!(hooks.len(), 1, "{hooks:#?}");
        assert_eq!((hooks[0].state, hooks[0].job), (HookState::Done, Some(hook)));
        store.close();
    }
}
