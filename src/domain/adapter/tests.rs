use serde_json::{Value, json};

use super::*;
use crate::domain::model::Importances;

const NOW: Micros = Micros(1_768_621_566_000_000);

fn train() -> Value {
    json!({
        "artifacts": ["model.json", "scalers/x.bin"],
        "train_metrics": { "auc": 0.71 },
        "validation_metrics": { "auc": 0.62 },
        "feature_count": 2,
        "data_range": { "from": "2025-01-01T00:00:00Z", "until": "2025-12-01T00:00:00Z" },
        "feature_importances": { "rsi_14": 0.4, "return_1": -0.1 },
        "importance_method": "mean |SHAP|",
        "parameters": { "max_depth": 6, "eta": 0.05 },
        "code_revision": "4f2a",
        "tags": { "fold": "7" },
        "extra": { "anything": [1, { "deeper": null }] }
    })
}

fn data() -> Value {
    json!({
        "data_range": { "from": "2025-01-01T00:00:00Z", "until": "2026-01-01T00:00:00+01:00" },
        "rows": 8_760, "files": ["bars.parquet"], "symbols": ["BTCUSDT"]
    })
}

fn evaluation() -> Value {
    json!({ "kind": "walk_forward", "returns": { "first_day": "2025-12-02", "values": [0.01, -0.005, 0.002] } })
}

/// What `program` is told when it answers this: pointers and reasons.
fn told(program: Program, answer: &Value) -> Vec<(String, String)> {
    told_of(program, &serde_json::to_vec(answer).expect("JSON"))
}

fn told_of(program: Program, json: &[u8]) -> Vec<(String, String)> {
    let misfits = check(program, json, NOW).expect_err("it was taken");
    misfits.0.into_iter().map(|misfit| (misfit.pointer, misfit.why)).collect()
}

/// `answer` with another value at `pointer`, or without one.
fn with(mut answer: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let key = &key.replace("~1", "/");
    let object = answer.pointer_mut(parent).expect("its parent").as_object_mut().expect("an object");
    match value {
        Some(value) => drop(object.insert(key.to_owned(), value)),
        None => drop(object.remove(key).expect("a value")),
    }
    answer
}

#[test]
fn whole_answers_are_taken() {
    for (program, answer) in [(Program::Data, data()), (Program::Train, train()), (Program::Evaluate, evaluation())] {
        let json = serde_json::to_vec(&answer).expect("JSON");
        check(program, &json, NOW).unwrap_or_else(|misfits| panic!("{program:?}: {misfits}"));
    }
    assert_eq!(check(Program::Hook, b"", NOW), Ok(Answer::Hook(HookResult::default())));
    assert!(check(Program::Hook, br#"{"message": "reloaded 3 services"}"#, NOW).is_ok());
    assert_eq!(check_progress(br#"{"progress": 0.5}"#).map(|told| told.progress), Ok(Some(0.5)));
}

#[test]
fn what_breaks_the_contract_is_told_with_its_place_and_the_reason() {
    let one = |program, answer: Value, pointer: &str, why: &str| {
        let told = told(program, &answer);
        assert!(
            told.len() == 1 && told[0].0 == pointer && told[0].1.contains(why),
            "expected {pointer:?}: {why:?}, got {told:?}"
        );
    };
    let bad = |pointer: &str, value: Value, why: &str| {
        one(Program::Train, with(train(), pointer, Some(value)), pointer, why);
    };
    bad("/train_metrics/auc", json!("high"), "expected f64");
    bad("/train_metrics/a~1b", json!(null), "expected f64");
    bad("/feature_count", json!(0), "at least one");
    bad("/feature_count", json!(-1), "expected u32");
    bad("/data_range/from", json!("yesterday"), "is not RFC 3339");
    bad("/data_range/until", json!("2099-01-01T00:00:00Z"), "future");
    bad("/data_range", json!({ "from": "2025-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z" }), "begin before");
    bad("/artifacts", json!([]), "names no file");
    bad("/parameters", json!({ "grid": "x".repeat(70_000) }), "64 KiB");
    bad("/importance_method", json!(" "), "1 to 64 bytes");
    for path in ["../model.json", "/etc/passwd", "a//b", "a/./b", ""] {
        one(
            Program::Train,
            with(train(), "/artifacts", Some(json!(["ok.bin", path]))),
            "/artifacts/1",
            "a file's path",
        );
    }
    one(Program::Train, with(train(), "/artifacts", Some(json!(["a", "b", "a"]))), "/artifacts/2", "a second time");
    one(Program::Train, with(train(), "/artifacts", Some(json!(["a/b", "a"]))), "/artifacts/0", "below a");
    one(Program::Train, with(train(), "/data_range", None), "", "lacks `data_range`");
    one(Program::Train, with(train(), "/data_range/from", None), "/data_range", "lacks `from`");
    one(Program::Train, json!(["model.json"]), "", "is a list");
    one(Program::Data, with(data(), "/rows", Some(json!(0))), "/rows", "nothing to train on");
    one(Program::Data, with(data(), "/files", Some(json!(["../../shadow"]))), "/files/0", "names . and ..");
    one(Program::Evaluate, with(evaluation(), "/kind", Some(json!("shadow_test"))), "/kind", "`walk_forward`");
    one(Program::Evaluate, json!({ "kind": "backtest" }), "", "nothing to judge by");
    one(
        Program::Evaluate,
        with(evaluation(), "/trades", Some(json!([{ "closed_at": "2025-12-02T00:00:00Z", "return": -2 }]))),
        "/trades/0/return",
        "",
    );
}

#[test]
fn what_nobody_knows_is_refused_with_what_was_meant() {
    let typo = with(train(), "/validation_metric", Some(json!({})));
    let [(pointer, why)] = &told(Program::Train, &typo)[..] else { panic!("one") };
    assert_eq!(pointer, "/validation_metric");
    assert!(why.contains("did you mean `validation_metrics`?") && why.contains("`extra`"), "{why}");
    let inner = with(data(), "/data_range/to", Some(json!("2026-01-01T00:00:00Z")));
    let [(pointer, why)] = &told(Program::Data, &inner)[..] else { panic!("one") };
    assert_eq!((pointer.as_str(), why.contains("is not known here; what")), ("/data_range/to", true), "{why}");
}

#[test]
fn what_is_no_json_is_told_apart() {
    let (broken, nan) = (&br#"{"rows": 3, "data_range": {"fr"#[..], b"{\n \"rows\": 3, \"extra\": NaN}");
    for (json, why) in [
        (&b""[..], "is empty"),
        (broken, "breaks off"),
        (nan, "NaN and Infinity are no JSON: leave such a figure out (line 2"),
        (b"Traceback (most recent call last)", "is no JSON"),
        (b"{} {}", "lacks"),
    ] {
        let told = told_of(Program::Data, json);
        assert!(told.len() == 1 && told[0].1.contains(why), "{why:?}: {told:?}");
    }
    let mut twice = serde_json::to_vec(&data()).expect("JSON");
    twice.extend_from_slice(b"\n{}");
    assert!(told_of(Program::Data, &twice)[0].1.contains("behind its object"));
    let nested = "{\"extra\":".repeat(100) + "1" + &"}".repeat(100);
    assert!(told_of(Program::Data, nested.as_bytes())[0].1.contains("nested deeper"));
    let long = vec![b' '; ANSWER_BYTES + 1];
    assert!(told_of(Program::Train, &long)[0].1.contains("may have 16777216"));
}

#[test]
fn figures_that_are_none_and_too_many_are_refused() {
    let endless = br#"{"rows": 1e999, "data_range": 1}"#;
    assert!(told_of(Program::Data, endless)[0].1.contains("number out of range"));
    let many: serde_json::Map<_, _> = (0..=Importances::MOST).map(|n| (format!("f{n}"), json!(0.5))).collect();
    let answer = with(train(), "/feature_importances", Some(Value::Object(many)));
    assert_eq!(told(Program::Train, &answer)[0].0, "/feature_importances");
    let wrong = vec![json!("../x"); 30];
    let told = told(Program::Data, &with(data(), "/symbols", Some(json!(vec![""; 30]))));
    assert_eq!((told.len(), wrong.len()), (20, 30), "as many as anybody reads");
}
