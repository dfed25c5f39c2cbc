use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(topic: Topic, payload: &Value) -> Result<Message, String> {
    let payload = payload.to_string();
    let fields = Fields::of([("event_type", topic.as_str()), ("payload", payload.as_str()), ("trace_id", "")]);
    Message::read(topic, &fields).map_err(|error| error.to_string())
}

fn drift() -> Value {
    json!({
        "model_id": "xgboost_btcusdt_1h", "model_type": "xgboost", "drift_score": 0.34,
        "detected_at": "2026-01-17T03:46:06Z",
    })
}

fn at() -> Micros {
    "2026-01-17T03:46:06Z".parse().expect("an instant")
}

#[test]
fn each_type_is_read() {
    let about = About { model: "xgboost_btcusdt_1h".parse().expect("an id"), model_type: ModelType::Xgboost };
    let expected = Message::DriftDetected { about: about.clone(), drift_score: 0.34, detected_at: at() };
    assert_eq!(read(Topic::DriftDetected, &drift()), Ok(expected.clone()));
    let mut more = drift();
    more["features"] = json!({"rsi": [1, {"deep": null}]});
    more["detected_at"] = json!("2026-01-17T03:46:06");
    assert_eq!(read(Topic::DriftDetected, &more), Ok(expected), "what is not known is left alone; no zone is UTC");

    let payload = json!({
        "model_id": "xgboost_btcusdt_1h", "model_type": "xgboost", "sharpe_ratio": -1,
        "detected_at": "2026-01-17T05:46:06+02:00",
    });
    let expected = Message::PerformanceDegraded { about, sharpe_ratio: -1.0, detected_at: at() };
    assert_eq!(read(Topic::PerformanceDegraded, &payload), Ok(expected));

    for (symbol, id) in
        [(json!("BTCUSDT"), "nhits_btcusdt_4h"), (Value::Null, "nhits_multi_4h"), (json!("multi"), "nhits_multi_4h")]
    {
        let payload = json!({"model_type": "nhits", "symbol": symbol, "timeframe": "4h", "requested_by": " anna "});
        match read(Topic::TrainingRequested, &payload) {
            Ok(Message::TrainingRequested { name, requested_by }) => {
                assert_eq!((name.id().as_str(), requested_by.as_str()), (id, "anna"));
            }
            other => panic!("{other:?}"),
        }
    }

    let payload = json!({
        "old_regime": null, "new_regime": "BULL", "affected_models": ["rl_v3_multi_1h", "xgboost_BTCUSDT_1h"],
        "detected_at": "2026-01-17T03:46:06.000000",
    });
    match read(Topic::RegimeChanged, &payload) {
        Ok(Message::RegimeChanged { old_regime: None, new_regime, affected_models, detected_at }) => {
            assert_eq!((new_regime.as_str(), affected_models.len(), detected_at), ("BULL", 2, at()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let with = |name: &str, value: Value| {
        let mut payload = drift();
        payload[name] = value;
        payload
    };
    let without = |name: &str| {
        let mut payload = drift();
        payload.as_object_mut().expect("an object").remove(name);
        payload
    };
    for (payload, expected) in [
        (without("model_id"), "payload/model_id: it is missing"),
        (without("drift_score"), "payload/drift_score: it is missing"),
        (with("drift_score", json!("0.3")), "payload/drift_score: it is a text, and should be a number"),
        (with("drift_score", Value::Null), "payload/drift_score: it is null, and should be a number"),
        (with("model_type", json!("xgb")), "payload/model_type: \"xgb\" is no model type: use xgboost,"),
        (with("model_type", json!(7)), "payload/model_type: it is a number, and should be a text"),
        (with("model_id", json!("../../etc")), "payload/model_id: \"../../etc\" is no model id"),
        (with("model_id", json!("")), "payload/model_id: it is empty"),
        (with("model_id", json!("x".repeat(300))), "payload/model_id: it has 300 bytes, and at most 256 are read"),
        (with("detected_at", json!("yesterday")), "payload/detected_at: \"yesterday\" is no ISO 8601 time"),
        (with("detected_at", json!(1_768_621_479)), "payload/detected_at: it is a number, and should be a text"),
        (json!([1]), "payload: it is a list, and should be an object"),
    ] {
        let error = read(Topic::DriftDetected, &payload).expect_err(expected);
        assert!(error.starts_with(expected), "{error:?}, not {expected:?}");
    }
    let request = |symbol: &str, by: &str| json!({"model_type": "nhits", "symbol": symbol, "timeframe": "4h", "requested_by": by});
    let error = read(Topic::TrainingRequested, &request("BTC/USDT", "anna")).expect_err("no part of an id");
    assert!(error.starts_with("payload: symbol \"BTC/USDT\": use 1 to 32"), "{error}");
    let error = read(Topic::TrainingRequested, &request("BTCUSDT", "a\u{7}")).expect_err("a bell");
    assert_eq!(error, "payload/requested_by: it holds control characters");
    let regime =
        json!({"old_regime": "a", "new_regime": "b", "affected_models": ["ok", 7], "detected_at": "2026-01-17"});
    let error = read(Topic::RegimeChanged, &regime).expect_err("no model");
    assert_eq!(error, "payload/affected_models/1: it is a number, and should be a text");
}

#[test]
fn what_is_no_message_at_all() {
    let read = |fields: &[(&str, &str)]| {
        Message::read(Topic::DriftDetected, &Fields::of(fields.iter().copied())).expect_err("no message").to_string()
    };
    assert_eq!(read(&[]), "payload: it is missing");
    assert!(read(&[("payload", "{\"model_id\": NaN}")]).starts_with("payload: it is not JSON: "));
    assert_eq!(read(&[("payload", &"[".repeat(100_000))]), "the message: it has more than 65536 bytes");
    assert_eq!(read(&[("payload", &"[".repeat(1_000))]), "payload: it nests deeper than 64");
    assert_eq!(
        read(&[("event_type", "performance.degraded"), ("payload", "{}")]),
        "event_type: \"performance.degraded\" came on the stream of model.drift_detected"
    );
    let bytes = Fields::new(vec![(b"payload".to_vec(), vec![0xff, 0xfe])]);
    assert!(Message::read(Topic::DriftDetected, &bytes).is_err());
}

/// JSON that looks like a payload, more or less.
fn nearly() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("xgboost")),
        Just(json!("2026-01-17T03:46:06Z")),
        Just(json!("xgboost_btcusdt_1h")),
        Just(json!("4h")),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from));
    let names = prop::sample::select(vec![
        "model_id",
        "model_type",
        "drift_score",
        "sharpe_ratio",
        "detected_at",
        "symbol",
        "timeframe",
        "requested_by",
        "old_regime",
        "new_regime",
        "affected_models",
    ]);
    prop::collection::btree_map(names, value, 0..11)
        .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_every_error_has_a_place(payload in nearly(), junk in any::<Vec<u8>>()) {
        for topic in Topic::ALL {
            let payload = payload.to_string();
            if let Err(error) = Message::read(topic, &Fields::of([("payload", payload.as_str())])) {
                prop_assert!(!error.at.is_empty() && !error.why.is_empty());
                prop_assert!(error.to_string().len() < 2_000, "{error}");
            }
            let junk = Fields::new(vec![(b"payload".to_vec(), junk.clone())]);
            prop_assert!(Message::read(topic, &junk).is_err());
        }
    }

    #[test]
    fn half_a_message_is_none(cut in 0..120_usize) {
        let payload = drift().to_string();
        let half: String = payload.chars().take(cut.min(payload.len() - 1)).collect();
        let fields = Fields::of([("payload", half.as_str())]);
        prop_assert!(Message::read(Topic::DriftDetected, &fields).is_err(), "{half}");
    }
}
