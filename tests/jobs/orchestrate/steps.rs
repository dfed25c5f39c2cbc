use std::collections::{BTreeMap, BTreeSet};

use quantum_clm::app::registry::RegistryError;
use quantum_clm::domain::job::{
    Ending, FailureKind, JobKind, JobState, JobStep, JsonText, Program, ReportAnswer, StepEnd,
};
use quantum_clm::domain::model::{DataWindow, ModelStatus, Origin, Stage};
use quantum_clm::domain::time::Micros;
use serde_json::json;

use super::super::bed::{failed, over, report, run, training};
use super::bed::{Bed, answered, digest, model};
use super::programs::{FILES, bad, data, good, short, train};

#[test]
fn what_was_trained_becomes_a_version_that_knows_where_it_comes_from() {
    let bed = Bed::new();
    let (job, version) = bed.trained(&good());
    let until = |text: &str| text.parse::<Micros>().unwrap();
    let provenance = &version.provenance;
    assert_eq!(provenance.origin, Origin::Job(job.id.to_string()));
    let window = DataWindow { from: until("2025-01-01T00:00:00Z"), until: until("2025-06-01T00:00:00Z") };
    assert_eq!(provenance.data, Some(window), "what the model was fitted to, not what was fetched");
    let parameters = [("eta", "0.05"), ("max_depth", "6")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(provenance.parameters, BTreeMap::from(parameters));
    assert_eq!((provenance.feature_count, provenance.code_revision.as_deref()), (Some(3), Some("4f2a")));
    assert_eq!(version.train_metrics, BTreeMap::from([("auc".into(), 0.71), ("loss".into(), 0.25)]));
    assert_eq!(version.validation_metrics, BTreeMap::from([("auc".into(), 0.62)]));
    assert_eq!(version.tags, BTreeMap::from([("fold".into(), "7".into())]));
    let files = version.artifacts.as_ref().unwrap().files.iter();
    let files: Vec<_> = files.map(|file| (file.path.as_str(), file.sha256)).collect();
    assert_eq!(files, FILES.map(|path| (path, digest(path))));
    let found = bed.registry().version(&model(), &version.name, bed.now()).unwrap();
    let importances = found.importances.expect("importances");
    let order: Vec<_> = importances.features.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((importances.method.as_deref(), order), (Some("mean |SHAP|"), vec!["return_1", "volume", "rsi_14"]));
    let evaluations = bed.registry().evaluations(&model(), &version.name).unwrap();
    assert_eq!((evaluations.len(), evaluations[0].has_returns, evaluations[0].passed), (1, true, true));
    assert_eq!(evaluations[0].by, format!("quantum-clm:{}", job.id), "who evaluated it");
}

#[test]
fn parameters_that_the_program_does_not_tell_are_those_that_it_was_asked_for() {
    let bed = Bed::new();
    let first = bed.trained(&good()).1;
    let mut new = training("btcusdt");
    let JobKind::Training(asked) = &mut new.kind else { panic!("a training") };
    asked.params = Some(JsonText::new(&json!({ "max_depth": 9 })));
    asked.parent = Some(first.name.clone());
    bed.jobs().create(&bed.ask(), new).unwrap();
    let trains = run(bed.answer(&bed.lease("w1"), &data()));
    assert_eq!(trains.request.parent_version.as_ref(), Some(&first.name));
    let mut answer = train();
    answer.as_object_mut().unwrap().remove("parameters");
    let ReportAnswer::Upload { version, .. } = bed.answer(&trains, &answer) else { panic!("no upload") };
    let version = bed.version(&version);
    assert_eq!(version.provenance.parameters, BTreeMap::from([("max_depth".into(), "9".into())]));
    assert_eq!(version.parent, Some(first.name));
}

#[test]
fn the_bus_is_told_in_order_and_in_the_words_that_other_programs_know() {
    let bed = Bed::new();
    let (job, version) = bed.trained(&good());
    let at = bed.now().rfc3339();
    let evaluation = &bed.registry().evaluations(&model(), &version.name).unwrap()[0];
    let told = bed.told();
    assert_eq!(told.len(), 3, "{told:#?}");
    let created = json!({
        "job_id": job.id, "model_type": "xgboost", "trigger_reason": "manual", "created_at": at,
    });
    assert_eq!(told[0], json!(["clm.training_job_created", created]));
    let trained = json!({
        "job_id": job.id, "model_id": model(), "version": version.name, "model_type": "xgboost", "success": true,
        "train_metrics": { "auc": 0.71, "loss": 0.25 }, "completed_at": at,
    });
    assert_eq!(told[1], json!(["clm.model_trained", trained]));
    assert_eq!(told[2][0], "clm.model_evaluated");
    let payload = told[2][1].as_object().unwrap();
    let keys: BTreeSet<_> = payload.keys().map(String::as_str).collect();
    let expected = ["model_id", "version", "passed", "promotion_score", "metrics", "evaluated_at"];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!((&payload["passed"], &payload["promotion_score"]), (&json!(true), &json!(evaluation.score)));
    for figure in [
        "total_trades",
        "win_rate",
        "profit_factor",
        "sharpe_ratio",
        "sortino_ratio",
        "calmar_ratio",
        "max_drawdown",
        "avg_win",
        "avg_loss",
        "total_pnl",
        "risk_adjusted_return",
    ] {
        assert!(payload["metrics"][figure].is_number(), "{figure}: {payload:#?}");
    }
    assert_eq!(payload["metrics"]["total_trades"], json!(120.0));
}

#[test]
fn gates_lead_to_shadow_candidate_or_failed_and_to_production_only_where_that_is_configured() {
    type Settings = (bool, bool, bool, bool);
    let plain: Settings = (true, false, false, true);
    let cases = [
        (plain, good(), ModelStatus::Candidate),
        (plain, short(), ModelStatus::Shadow),
        (plain, bad(), ModelStatus::Failed),
        ((false, false, false, true), good(), ModelStatus::Shadow),
        // Configured, but a shadow test is asked for, or a second person.
        ((true, true, false, true), good(), ModelStatus::Candidate),
        ((true, true, true, false), good(), ModelStatus::Candidate),
        ((true, true, false, false), good(), ModelStatus::Production),
        ((true, true, false, false), bad(), ModelStatus::Failed),
    ];
    for (settings @ (candidate, production, approval, shadow), evaluation, expected) in cases {
        let bed = Bed::with(|config| {
            config.promotion.auto_candidate = candidate;
            config.promotion.auto_production = production;
            config.promotion.approval = approval;
            config.promotion.require_shadow = shadow;
        });
        let (job, version) = bed.trained(&evaluation);
        assert_eq!((job.state, bed.status(&version.name)), (JobState::Completed, expected), "{settings:?}");
        let promoted = bed.told_of("clm.model_promoted");
        assert_eq!(promoted.len(), usize::from(expected == ModelStatus::Production), "{settings:?}: {promoted:?}");
        if let Some(promoted) = promoted.first() {
            assert_eq!(promoted["promoted_by"], json!(format!("quantum-clm:{}", job.id)));
        }
    }
}

#[test]
fn every_step_is_journaled_with_the_hash_of_its_inputs_and_a_second_training_of_the_same_has_others() {
    let bed = Bed::new();
    let (first, _) = bed.trained(&good());
    let steps: Vec<_> = first.steps.iter().filter_map(|record| record.step.filter(|_| record.is_done())).collect();
    assert_eq!(steps, JobStep::ALL);
    let inputs: BTreeSet<_> = first.steps.iter().map(|record| record.inputs).collect();
    // 7 and 8 are one transaction over the same, and 9 decides upon that.
    assert_eq!(inputs.len(), 8, "{:#?}", first.steps);
    assert!(!inputs.contains(&[0; 32]), "a step depends on nothing: {:#?}", first.steps);
    bed.pass(2);
    let (second, _) = bed.trained(&good());
    let of = |job: &quantum_clm::domain::job::Job, step| {
        job.steps.iter().find(|record| record.step == Some(step)).expect("a step").inputs
    };
    for (step, same) in [
        (JobStep::Begin, true),
        (JobStep::Register, true),
        // Another version, and another directory: what follows upon these depends on them.
        (JobStep::Data, false),
        (JobStep::TellTrained, false),
        (JobStep::SaveEvaluation, false),
        (JobStep::ApplyGates, false),
        (JobStep::Complete, false),
    ] {
        assert_eq!(of(&first, step) == of(&second, step), same, "{step:?}");
    }
}

#[test]
fn a_retry_goes_on_behind_the_last_finished_step_with_the_same_version_and_tells_nothing_twice() {
    let mut bed = Bed::new();
    let job = bed.create();
    let evaluates = bed.to_evaluation(&bed.lease("w1"));
    let version = bed.get(job.id).version.unwrap();
    let broken = report(&evaluates, failed(FailureKind::Program));
    assert_eq!(over(bed.jobs().report(job.id, &broken).unwrap()), Ending::Failed);
    assert_eq!(bed.status(&version), ModelStatus::Training, "it was neither judged nor lost");
    bed.reopen();
    let retry = bed.jobs().retry(&bed.ask(), job.id).unwrap();
    // The data lies with the worker that fetched it: another one fetches it anew, and trains nothing.
    let fetches = bed.lease("w2");
    assert_eq!((fetches.job, fetches.program, fetches.root), (retry.id, Program::Data, job.id));
    let again = run(bed.answer(&fetches, &data()));
    assert_eq!((again.program, again.inputs), (Program::Evaluate, evaluates.inputs), "the same inputs");
    assert_eq!(again.request.artifacts.len(), 2, "the files are in the registry");
    assert_eq!(over(bed.answer(&again, &good())), Ending::Completed);
    assert_eq!(bed.store().versions_of(&model()).unwrap().len(), 1);
    assert_eq!(bed.status(&version), ModelStatus::Candidate);
    let told: Vec<_> = bed.told().into_iter().map(|event| event[0].clone()).collect();
    let created = "clm.training_job_created";
    assert_eq!(told, [created, "clm.model_trained", created, "clm.model_evaluated"]);
    let hash = |id, step| bed.get(id).steps.iter().rev().find(|r| r.step == Some(step)).unwrap().inputs;
    for step in [JobStep::Register, JobStep::TellTrained] {
        assert_eq!(hash(job.id, step), hash(retry.id, step), "{step:?}");
    }
}

#[test]
fn a_retry_whose_inputs_differ_trains_again_and_makes_another_version() {
    let bed = Bed::new();
    let job = bed.create();
    let trains = run(bed.answer(&bed.lease("w1"), &data()));
    let ReportAnswer::Upload { version: first, .. } = bed.answer(&trains, &train()) else { panic!("no upload") };
    // The worker lost what it trained before it was sent.
    let gone = report(&trains, failed(FailureKind::Infrastructure));
    assert_eq!(over(bed.jobs().report(job.id, &gone).unwrap()), Ending::Requeued);
    bed.pass(30);
    let mut newer = data();
    newer["rows"] = json!(4_345);
    let again = run(bed.answer(&bed.lease("w2"), &newer));
    assert_eq!(again.program, Program::Train);
    assert_ne!(again.inputs, trains.inputs, "other data is another input");
    let mut other = train();
    other["train_metrics"]["auc"] = json!(0.72);
    let answer = bed.answer(&again, &other);
    let evaluates = run(bed.upload(&again, &answer));
    assert_eq!(over(bed.answer(&evaluates, &good())), Ending::Completed);
    let second = bed.get(job.id).version.unwrap();
    assert_ne!(second, first);
    assert_eq!((bed.status(&first), bed.status(&second)), (ModelStatus::Failed, ModelStatus::Candidate));
    let trained = bed.told_of("clm.model_trained");
    assert_eq!(trained.len(), 1, "the bus hears of what can be used: {trained:?}");
    assert_eq!(trained[0]["version"], json!(second));
}

#[test]
fn a_version_whose_files_are_on_their_way_is_not_registered_again() {
    for cancelled in [true, false] {
        let mut bed = Bed::new();
        let job = bed.create();
        let trains = run(bed.answer(&bed.lease("w1"), &data()));
        let ReportAnswer::Upload { version, .. } = bed.answer(&trains, &train()) else { panic!("no upload") };
        bed.attach(&trains, &version, FILES[0]).unwrap();
        if cancelled {
            bed.jobs().cancel(&bed.ask(), job.id, "later").unwrap();
            assert_eq!(over(bed.jobs().go_on(job.id, trains.epoch).unwrap()), Ending::Cancelled);
            bed.jobs().retry(&bed.ask(), job.id).unwrap();
        } else {
            // Its worker is restarted between two files.
            assert_eq!(bed.jobs().lease(&super::super::bed::request("w1", &[])).unwrap(), None);
            bed.pass(30);
        }
        bed.reopen();
        let refused = bed.attach(&trains, &version, FILES[1]).unwrap_err();
        assert!(matches!(refused, RegistryError::Conflict(_)), "under a lease that is over: {refused}");
        let again = run(bed.answer(&bed.lease("w1"), &data()));
        assert_eq!((again.program, again.inputs), (Program::Train, trains.inputs));
        let answer = bed.answer(&again, &train());
        let rest = ReportAnswer::Upload { version: version.clone(), paths: vec![FILES[1].into()] };
        assert_eq!(answer, rest, "cancelled: {cancelled}");
        let evaluates = run(bed.upload(&again, &answer));
        assert_eq!(over(bed.answer(&evaluates, &good())), Ending::Completed);
        assert_eq!(bed.store().versions_of(&model()).unwrap().len(), 1);
        assert_eq!(bed.told_of("clm.model_trained").len(), 1);
    }
}

#[test]
fn a_training_that_comes_to_nothing_is_told_once_and_one_that_is_called_off_is_not() {
    let bed = Bed::new();
    let job = bed.create();
    let trains = run(bed.answer(&bed.lease("w1"), &data()));
    let broken = report(&trains, failed(FailureKind::OutOfMemory));
    for _ in 0..2 {
        assert_eq!(over(bed.jobs().report(job.id, &broken).unwrap()), Ending::Failed);
    }
    let told = bed.told_of("clm.model_trained");
    let nothing = json!({
        "job_id": job.id, "model_id": model(), "version": null, "model_type": "xgboost", "success": false,
        "train_metrics": {}, "completed_at": bed.now().rfc3339(),
    });
    assert_eq!(told, [nothing]);
    assert_eq!(bed.store().versions_of(&model()).unwrap(), []);
    let job = bed.create();
    let fetches = bed.lease("w1");
    bed.jobs().cancel(&bed.ask(), job.id, "not needed").unwrap();
    let ended = report(&fetches, StepEnd::Cancelled);
    assert_eq!(over(bed.jobs().report(job.id, &ended).unwrap()), Ending::Cancelled);
    assert_eq!(bed.told_of("clm.model_trained").len(), 1);
}

#[test]
fn what_the_registry_refuses_fails_the_job_with_its_reason() {
    let bed = Bed::new();
    let job = bed.create();
    let evaluates = bed.to_evaluation(&bed.lease("w1"));
    let version = bed.get(job.id).version.unwrap();
    // Somebody deletes it while it is being tried.
    let deleted = bed.registry().delete(&bed.ask(), &model(), &version, "made in error");
    deleted.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(over(bed.answer(&evaluates, &good())), Ending::Failed);
    let failure = bed.get(job.id).failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Registry);
    assert!(failure.why.starts_with("the registry did not take it: "), "{failure:?}");
    assert_eq!(bed.told_of("clm.model_evaluated").len(), 0);
    assert_eq!(bed.version(&version).stage, Stage::Training);
}

#[test]
fn a_report_that_arrives_late_comes_to_where_the_job_is_and_a_stale_one_to_nothing() {
    let bed = Bed::new();
    let job = bed.create();
    let first = bed.lease("w1");
    let trains = run(bed.answer(&first, &data()));
    let answer = bed.answer(&trains, &train());
    let evaluates = run(bed.upload(&trains, &answer));
    // Both are known, and the worker is at the evaluation.
    for late in [answered(&first, &data()), answered(&trains, &train())] {
        assert_eq!(run(bed.jobs().report(job.id, &late).unwrap()), evaluates);
    }
    let epoch = evaluates.epoch;
    assert_eq!(run(bed.jobs().go_on(job.id, epoch).unwrap()), evaluates);
    bed.pass(121);
    let before = bed.see(job.id);
    let stale = bed.jobs().report(job.id, &answered(&evaluates, &good())).unwrap_err();
    assert!(stale.is_stale(), "{stale}");
    assert_eq!(bed.see(job.id), before);
    // What was said under the old lease after the job is over changes nothing either.
    bed.pass(30);
    let again = run(bed.answer(&bed.lease("w2"), &data()));
    assert_eq!(over(bed.answer(&again, &good())), Ending::Completed);
    let before = bed.see(job.id);
    assert!(bed.jobs().report(job.id, &answered(&evaluates, &bad())).unwrap_err().is_stale());
    assert_eq!(bed.see(job.id), before);
}

#[test]
fn only_what_was_trained_is_taken_in() {
    let bed = Bed::new();
    let job = bed.create();
    let trains = run(bed.answer(&bed.lease("w1"), &data()));
    bed.answer(&trains, &train());
    let job = bed.get(job.id);
    let awaits = |path: &str, holds: &str| bed.jobs().awaits(&job, &path.parse().unwrap(), digest(holds));
    awaits(FILES[0], FILES[0]).unwrap();
    for (path, holds) in [("other.bin", "other.bin"), (FILES[0], FILES[1])] {
        let refused = awaits(path, holds).unwrap_err().to_string();
        assert!(refused.contains("no such file, or one with other content"), "{refused}");
    }
}
