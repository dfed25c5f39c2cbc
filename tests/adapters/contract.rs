//! Both sides of the contract mean the same: the programs read what the worker writes, and the daemon takes what they
//! answer, checked as it checks any operator's program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use quantum_clm::domain::adapter::{Answer, CONTRACT, Directories, JobFile, check};
use quantum_clm::domain::job::{AdapterRequest, JobId, Program, Trigger};
use quantum_clm::domain::performance::evaluate;
use quantum_clm::domain::time::Micros;
use serde_json::{Value, json};

use super::{here, interpreter, prices};

/// The end of 2013, when the prices were of the present.
const NOW: Micros = Micros(1_388_000_000_000_000);

fn request(model_type: &str) -> AdapterRequest {
    AdapterRequest {
        contract: CONTRACT,
        job_id: JobId(1),
        program: Program::Data,
        model_id: format!("{model_type}_goog_1d").parse().unwrap(),
        model_type: model_type.parse().unwrap(),
        symbol: Some("GOOG".into()),
        timeframe: "1d".into(),
        regime: None,
        dataset_span_days: 5_000,
        training_params: Some(json!({ "rounds": 30, "early_stopping_rounds": 10 })),
        feature_config: Some(json!({ "windows": [5, 20] })),
        trigger_reason: Trigger::Manual,
        triggered_by: "a test".into(),
        parent_version: None,
        strategy_candidate_id: None,
        version: None,
        hook: None,
        results: BTreeMap::new(),
        artifacts: BTreeMap::new(),
    }
}

/// Runs a program as a worker does, and gives its answer back.
#[track_caller]
fn run(root: &Path, file: &JobFile, words: &[&str]) -> Value {
    let name = file.request.program.as_str();
    let directory = root.join(name);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("job.json"), serde_json::to_vec(file).unwrap()).unwrap();
    let output = Command::new(interpreter())
        .args(words.iter().enumerate().map(|(n, word)| if n == 0 { here(word) } else { word.into() }))
        .current_dir(&directory)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let log = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{name}: {}\n{}", output.status, String::from_utf8_lossy(&log));
    serde_json::from_slice(&fs::read(directory.join("result.json")).unwrap()).unwrap()
}

#[track_caller]
fn checked(program: Program, answer: &Value) -> Answer {
    check(program, &serde_json::to_vec(answer).unwrap(), NOW).unwrap_or_else(|misfits| panic!("{program:?}: {misfits}"))
}

#[track_caller]
fn goes_through(model_type: &str) {
    let root = tempfile::tempdir().unwrap();
    let place = |program: &str| root.path().join(program).display().to_string();
    let prices = prices().display().to_string();
    let directories = Directories { work: place("data"), ..Directories::default() };
    let mut file = JobFile { request: request(model_type), directories };

    let answer = run(root.path(), &file, &["packaging/adapters/ohlcv.py", "--directory", &prices]);
    let Answer::Data(data) = checked(Program::Data, &answer) else { panic!("another's answer") };
    assert_eq!((data.rows, data.symbols), (2_148, vec!["GOOG".to_owned()]));
    file.request.results.insert("data".into(), answer);

    file.request.program = Program::Train;
    file.directories = Directories { work: place("train"), data: Some(place("data")), artifacts: None };
    let answer = run(root.path(), &file, &["packaging/adapters/train_gbt.py"]);
    let Answer::Train(train) = checked(Program::Train, &answer) else { panic!("another's answer") };
    assert_eq!(train.feature_importances.len(), train.feature_count as usize);
    assert_eq!(train.importance_method.as_deref(), Some("mean |SHAP|"));
    file.request.results.insert("train".into(), answer);

    file.request.program = Program::Evaluate;
    file.request.version = Some("v20131231_000000".parse().unwrap());
    file.directories =
        Directories { work: place("evaluate"), data: Some(place("data")), artifacts: Some(place("train")) };
    let answer = run(root.path(), &file, &["packaging/adapters/evaluate_walk_forward.py", "--folds", "3"]);
    let Answer::Evaluate(input) = checked(Program::Evaluate, &answer) else { panic!("another's answer") };
    // The registry computes its figures from what was answered, over the same days.
    let evaluated = evaluate(&input, NOW).expect("an evaluation");
    let series = |pointer: &str| answer.pointer(pointer).and_then(Value::as_array).unwrap();
    let daily = evaluated.series.daily.expect("returns of days");
    assert_eq!(daily.returns.len(), series("/returns/values").len());
    assert_eq!(evaluated.series.trades.len(), series("/trades").len());
    // What trades brought and what days brought is the same capital.
    let grown = |returns: &[f64]| returns.iter().map(|gain| 1.0 + gain).product::<f64>();
    let (by_days, by_trades) = (grown(&daily.returns), grown(&evaluated.series.trades));
    assert!((by_days - by_trades).abs() < 1e-6 * by_days, "{by_days} by days, {by_trades} by trades");
}

#[test]
fn xgboost_reads_what_the_worker_writes_and_is_taken() {
    goes_through("xgboost");
}

#[test]
fn lightgbm_reads_what_the_worker_writes_and_is_taken() {
    goes_through("lightgbm");
}
