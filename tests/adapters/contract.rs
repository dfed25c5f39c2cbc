//! Both sides of the contract mean the same: the programs read what the worker writes, and the daemon takes what they
//! answer, checked as it checks any operator's program.

use std::path::Path;

use quantum_clm::domain::adapter::Answer;
use quantum_clm::domain::job::Program;
use quantum_clm::domain::performance::evaluate;
use serde_json::{Value, json};

use super::bed::{Job, NOW};
use super::{here, interpreter, prices};

#[track_caller]
fn goes_through(model_type: &str) {
    let mut job = Job::new(model_type, "GOOG", json!({ "rounds": 30, "early_stopping_rounds": 10 }));
    let python = interpreter();
    let program = |name: &str| here("packaging/adapters").join(name);

    let words = [&python, &program("ohlcv.py"), Path::new("--directory"), &prices()];
    let (_, Answer::Data(data)) = job.run(Program::Data, &words) else { panic!("another's answer") };
    assert_eq!((data.rows, data.symbols), (2_148, vec!["GOOG".to_owned()]));

    let (_, Answer::Train(train)) = job.run(Program::Train, &[&python, &program("train_gbt.py")]) else {
        panic!("another's answer")
    };
    assert_eq!(train.feature_importances.len(), train.feature_count as usize);
    assert_eq!(train.importance_method.as_deref(), Some("mean |SHAP|"));

    let words = [&python, &program("evaluate_walk_forward.py"), Path::new("--folds=3")];
    let (answer, Answer::Evaluate(input)) = job.run(Program::Evaluate, &words) else { panic!("another's answer") };
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
