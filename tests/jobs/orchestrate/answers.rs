//! Answers that break the contract: the step fails with the place and the reason, and nothing of them is kept.

use quantum_clm::domain::job::{Ending, FailureKind, JobState, JobStep, Program, StepEnd, StepOutcome};
use quantum_clm::domain::model::Digest;
use serde_json::{Value, json};

use super::super::bed::{over, run};
use super::bed::{Bed, answered};
use super::programs::{data, good, train};

/// `answer` with another value under `key`, or without one.
fn with(mut answer: Value, key: &str, value: Option<Value>) -> Value {
    let object = answer.as_object_mut().unwrap();
    match value {
        Some(value) => drop(object.insert(key.into(), value)),
        None => drop(object.remove(key).unwrap()),
    }
    answer
}

fn many(count: usize) -> Value {
    (0..count).map(|at| (format!("f{at}"), json!(0.5))).collect::<serde_json::Map<_, _>>().into()
}

/// What breaks the contract: the answer, the pointer that is told, and a part of the reason.
fn broken(program: Program) -> Vec<(Value, &'static str, &'static str)> {
    let (data, train, good) = (data(), train(), good());
    let set = |answer: &Value, key, value| with(answer.clone(), key, Some(value));
    match program {
        Program::Data => vec![
            // None at all, and what is no answer.
            (Value::Null, "", "is empty: write it whole, and last"),
            (json!([1, 2]), "", "is a list"),
            (json!("done"), "", "invalid type"),
            (json!({}), "", "lacks `data_range`"),
            (with(data.clone(), "rows", None), "", "lacks `rows`"),
            (set(&data, "rows", json!(0)), "/rows: ", "nothing to train on"),
            (set(&data, "rows", json!(-1)), "/rows: ", "expected u64"),
            (set(&data, "rows", json!(1e30)), "/rows: ", "expected u64"),
            (set(&data, "files", json!(["../../etc/passwd"])), "/files/0: ", "names . and .."),
            (set(&data, "symbols", json!([""])), "/symbols/0: ", "1 to 64 bytes"),
            (set(&data, "row", json!(7)), "/row: ", "did you mean `rows`?"),
            (set(&data, "extra", deep()), "", "nested deeper"),
            (set(&data, "extra", json!("x".repeat(16 << 20))), "", "may have 16777216"),
        ],
        Program::Train => vec![
            (set(&train, "feature_count", json!("three")), "/feature_count: ", "expected u32"),
            (set(&train, "train_metrics", json!({ "auc": "NaN" })), "/train_metrics/auc: ", "expected f64"),
            (set(&train, "train_metrics", json!({ "auc": null })), "/train_metrics/auc: ", "expected f64"),
            (set(&train, "artifacts", json!([])), "/artifacts: ", "names no file"),
            (set(&train, "artifacts", json!(["/etc/passwd"])), "/artifacts/0: ", "a file's path"),
            (set(&train, "artifacts", json!(["model.json", "a/../../b"])), "/artifacts/1: ", "a file's path"),
            (set(&train, "data_range", json!({ "from": 1, "until": 2 })), "/data_range/from: ", "expected"),
            (set(&train, "feature_importances", many(10_001)), "/feature_importances: ", "more than 10000"),
            // What the worker did not find, and what it found besides.
            (set(&train, "artifacts", json!(["model.json", "scalers/x.bin", "more"])), "", "what is in more"),
            (set(&train, "artifacts", json!(["model.json"])), "", "files that `train` did not answer with"),
        ],
        Program::Evaluate => vec![
            (set(&good, "kind", json!("live")), "/kind: ", "`walk_forward`"),
            (json!({ "kind": "backtest" }), "", "nothing to judge by"),
            (
                set(&good, "returns", json!({ "first_day": "2025-08-01", "values": [0.1, null] })),
                "/returns/values/1: ",
                "f64",
            ),
            (set(&good, "returns", json!({ "first_day": "2025-08-01", "values": [1e300] })), "/returns/values", ""),
            (set(&good, "trades", json!([{ "return": 0.1 }])), "/trades/0", "closed_at"),
        ],
        Program::Hook => vec![],
    }
}

fn deep() -> Value {
    (0..100).fold(json!(1), |inner, _| json!({ "deeper": inner }))
}

/// A job of which `program` is next.
fn before(program: Program) -> (Bed, quantum_clm::domain::job::Assignment) {
    let bed = Bed::new();
    bed.create();
    let first = bed.lease("w1");
    let next = match program {
        Program::Data | Program::Hook => first,
        Program::Train => run(bed.answer(&first, &data())),
        Program::Evaluate => bed.to_evaluation(&first),
    };
    assert_eq!(next.program, program);
    (bed, next)
}

#[test]
fn answers_that_break_the_contract_fail_their_step_with_the_place_and_the_reason() {
    for program in [Program::Data, Program::Train, Program::Evaluate] {
        for (answer, pointer, reason) in broken(program) {
            let (bed, assignment) = before(program);
            let versions = bed.get(assignment.job).version;
            assert_eq!(over(bed.answer(&assignment, &answer)), Ending::Failed, "{program:?}: {reason}");
            let job = bed.get(assignment.job);
            let failure = job.failure.clone().expect("a failure");
            assert_eq!((job.state, failure.kind), (JobState::Failed, FailureKind::Answer));
            let told = failure.why.contains(pointer) && failure.why.contains(reason);
            assert!(told, "{program:?}: expected {pointer:?} and {reason:?} in {:?}", failure.why);
            let step = job.steps.iter().rev().find(|record| record.step == program.step()).expect("its step");
            assert_eq!(step.outcome, Some(StepOutcome::Failed(failure)), "the step is not the failed one");
            assert_eq!(bed.jobs().result(job.id, program).unwrap(), None, "it was kept");
            assert_eq!(job.version, versions);
            let told = bed.told_of("clm.model_trained");
            // Until it is told of a version, a training that failed is told of itself.
            assert_eq!(told[0]["success"], json!(program == Program::Evaluate), "{told:?}");
            assert_eq!((told.len(), bed.told_of("clm.model_evaluated").len()), (1, 0));
        }
    }
}

#[test]
fn a_retry_runs_the_program_again_that_broke_the_contract() {
    let (bed, evaluates) = before(Program::Evaluate);
    assert_eq!(over(bed.answer(&evaluates, &json!({}))), Ending::Failed);
    let retry = bed.jobs().retry(&bed.ask(), evaluates.job).unwrap();
    let again = run(bed.answer(&bed.lease("w1"), &data()));
    assert_eq!((again.job, again.program), (retry.id, Program::Evaluate));
    assert_eq!(over(bed.answer(&again, &good())), Ending::Completed);
    assert!(bed.get(retry.id).stands(Some(JobStep::ApplyGates)));
}

#[test]
fn an_answer_whose_files_changed_since_is_another_one() {
    let (bed, trains) = before(Program::Train);
    bed.answer(&trains, &train());
    // The same report with other contents is a repeat, and what was kept stays.
    let mut other = answered(&trains, &train());
    let StepEnd::Done(finished) = &mut other.end else { panic!("done") };
    finished.artifacts.insert("model.json".into(), Digest([9; 32]));
    let seen = bed.see(trains.job);
    bed.jobs().report(trains.job, &other).unwrap();
    assert_eq!(bed.see(trains.job), seen);
}
