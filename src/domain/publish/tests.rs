use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::normalise::NormaliseConfig;

const NOW: Micros = Micros(1_768_621_479_809_316);

fn with_terms<T>(look: impl FnOnce(&Terms<'_>) -> T) -> T {
    let normaliser = Normaliser::new(&NormaliseConfig { quote_currencies: vec!["USDT".into()] });
    let sources = BTreeMap::from([
        ("tape.service".to_owned(), "tape".to_owned()),
        ("trap.service".to_owned(), "quantum_clm".to_owned()),
    ]);
    let oldest = NOW.minus(30 * Micros::DAY);
    look(&Terms { normaliser: &normaliser, sources: &sources, host: "here", now: NOW, oldest })
}

fn read(body: &str, form: Form) -> Result<Vec<Value>, Vec<BadLine>> {
    with_terms(|terms| {
        let events = events(body.as_bytes(), form, terms)?;
        Ok(events.iter().map(|event| serde_json::to_value(event.json(usize::MAX)).unwrap()).collect())
    })
}

/// What becomes of one object, without its id.
fn one(object: Value) -> Value {
    let mut event = read(&object.to_string(), Form::Object).unwrap_or_else(|bad| panic!("{object}: {bad:?}")).remove(0);
    event.as_object_mut().unwrap().remove("id");
    event
}

/// The field and the complaint.
fn refused(object: &str) -> (String, String) {
    let bad = read(object, Form::Object).expect_err(object).remove(0);
    assert_eq!(bad.line, None);
    (bad.field.unwrap_or_default(), bad.why)
}

#[test]
fn what_is_left_out_is_read_from_the_message() {
    let told = one(json!({"unit": "quantum-ai-engine.service", "message": "[WARNING] BUY INJUSDT conf=0.69"}));
    let expected = json!({
        "ts": NOW.0.to_string(), "unit": "quantum-ai-engine.service", "level": "4",
        "message": "[WARNING] BUY INJUSDT conf=0.69", "symbol": "INJUSDT", "correlation_id": null,
        "source": "ai_engine", "host": "here", "tags": ["error", "warning"], "decision": "BUY", "confidence": 0.69,
    });
    assert_eq!(told, expected);
    // The envelope of a JSON-wrapped line is read as well.
    let line = json!({"ts": "2026-03-11T03:18:55Z", "level": "ERROR", "correlation_id": "c-1", "msg": "it broke"});
    let told = one(json!({"unit": "u", "message": line.to_string()}));
    assert_eq!(
        (&told["message"], &told["level"], &told["correlation_id"]),
        (&json!("it broke"), &json!("3"), &json!("c-1"))
    );
}

#[test]
fn what_is_said_stands() {
    let said = json!({
        "ts": "1768621000000001", "unit": "tape.service", "level": "5", "message": "BUY INJUSDT conf=0.69",
        "symbol": "BTCUSDT", "correlation_id": "c-7", "source": "own", "host": "there", "tags": ["whatever"],
        "decision": "SELL", "confidence": 0.25, "fields": {"trade_id": 7, "legs": [{"a": null}]},
    });
    let mut expected = said.clone();
    expected["tags"] = json!([]);
    assert_eq!(one(said), expected);
    // Null says nothing, as in the wire format.
    let told = one(json!({"unit": "tape.service", "message": "BUY INJUSDT conf=0.69", "symbol": null, "source": null}));
    assert_eq!((&told["symbol"], &told["source"]), (&json!("INJUSDT"), &json!("tape")));
    // The text's confidence belongs to the text's decision.
    let told = one(json!({"unit": "u", "message": "BUY INJUSDT conf=0.69", "decision": "hold"}));
    assert_eq!((&told["decision"], told.get("confidence")), (&json!("HOLD"), None));
}

#[test]
fn instants_and_levels_in_every_way() {
    let at = NOW.0.to_string();
    for (ts, expected) in [
        (json!(at), &at),
        (json!(NOW.0), &at),
        (json!("2026-01-17T03:44:39.809316Z"), &at),
        (json!("2026-01-17T05:44:39.809316+02:00"), &at),
        (json!(NOW.plus(AHEAD_MICROS).0), &NOW.plus(AHEAD_MICROS).0.to_string()),
        (json!(NOW.minus(30 * Micros::DAY).0), &NOW.minus(30 * Micros::DAY).0.to_string()),
    ] {
        assert_eq!(one(json!({"unit": "u", "message": "", "ts": ts}))["ts"], **expected, "{ts}");
    }
    for (level, expected) in [(json!("3"), "3"), (json!(0), "0"), (json!("Warning"), "4"), (json!("err"), "3")] {
        assert_eq!(one(json!({"unit": "u", "message": "", "level": level}))["level"], *expected, "{level}");
    }
}

#[test]
fn what_does_not_fit_names_its_field() {
    let long = |bytes: usize| "x".repeat(bytes);
    for (extra, field, why) in [
        (r#""trade_id": 7"#.to_owned(), "trade_id", "into `fields`"),
        (r#""id": "1-0""#.into(), "id", "unknown"),
        (r#""unit": "v""#.into(), "unit", "twice"),
        (r#""ts": "yesterday""#.into(), "ts", "RFC 3339"),
        (r#""ts": 1768621479.8"#.into(), "ts", "RFC 3339"),
        (r#""ts": -1"#.into(), "ts", "RFC 3339"),
        (r#""ts": true"#.into(), "ts", "RFC 3339"),
        (r#""ts": 99999999999999999999"#.into(), "ts", "RFC 3339"),
        // Seconds where microseconds are meant.
        (r#""ts": "1768621479""#.into(), "ts", "1970-01-01"),
        (format!(r#""ts": {}"#, NOW.plus(AHEAD_MICROS).0 + 1), "ts", "ahead"),
        (format!(r#""ts": {}"#, NOW.minus(30 * Micros::DAY).0 - 1), "ts", "oldest"),
        (r#""level": 8"#.into(), "level", "0 to 7"),
        (r#""level": "loud""#.into(), "level", "use emergency"),
        (r#""level": [3]"#.into(), "level", "use emergency"),
        (r#""symbol": """#.into(), "symbol", "1 to 64"),
        (format!(r#""symbol": "{}""#, long(65)), "symbol", "1 to 64"),
        (r#""symbol": 5"#.into(), "symbol", "string"),
        (r#""source": "quantum_clm""#.into(), "source", "appliance"),
        (r#""host": "a b""#.into(), "host", "blanks"),
        (r#""correlation_id": "a\u0000b""#.into(), "correlation_id", "control"),
        (format!(r#""correlation_id": "{}""#, long(256)), "correlation_id", "1 to 255"),
        (r#""tags": "error""#.into(), "tags", "list"),
        (r#""decision": "MAYBE""#.into(), "decision", "BUY, SELL or HOLD"),
        (r#""confidence": 1.01"#.into(), "confidence", "0 to 1"),
        (r#""confidence": "0.5""#.into(), "confidence", "0 to 1"),
        (r#""fields": [1]"#.into(), "fields", "object"),
        (r#""fields": {"a": 1e999}"#.into(), "fields", "out of range"),
        (r#""fields": {"a": "\ud800"}"#.into(), "fields", "hex escape"),
        (format!(r#""fields": {{"a": "{}"}}"#, long(FIELDS_BYTES)), "fields", "16384"),
        (format!(r#""fields": {{"a": {}1{}}}"#, "[".repeat(16), "]".repeat(16)), "fields", "deeper"),
    ] {
        let object = format!(r#"{{"unit": "u", "message": "m", {extra}}}"#);
        let (named, said) = refused(&object);
        assert!(named == field && said.contains(why), "{object}: {named}: {said}");
    }
    for (object, field, why) in [
        ("", "", "EOF"),
        ("[]", "", "JSON object"),
        ("7", "", "JSON object"),
        (r#"{"unit": "u", "message": "m"} {}"#, "", "trailing"),
        (r#"{"message": "m"}"#, "unit", "missing"),
        (r#"{"unit": "u"}"#, "message", "missing"),
        (r#"{"unit": "u", "message": null}"#, "message", "missing"),
        (r#"{"unit": "quantum-clm.service", "message": "m"}"#, "unit", "appliance"),
        (r#"{"unit": "trap.service", "message": "m"}"#, "source", "appliance"),
        (r#"{"unit": "u", "message": "\udc00"}"#, "message", "surrogate"),
    ] {
        let (named, said) = refused(object);
        assert!(named == field && said.contains(why), "{object}: {named}: {said}");
    }
}

#[test]
fn free_fields_stay_on_one_line_and_to_the_letter() {
    let body = "{\"unit\": \"u\",\n \"message\": \"m\", \"fields\": { \"b\" : 12345678901234567890123,\n\t\"a\": \"x \\\" \\\\\" } }";
    let events = with_terms(|terms| events(body.as_bytes(), Form::Object, terms)).unwrap();
    assert_eq!(events.get(0).unwrap().fields, Some(r#"{"b":12345678901234567890123,"a":"x \" \\"}"#));
    assert_eq!(one(json!({"unit": "u", "message": "m", "fields": {}})).get("fields"), None);
    let deep = format!("{}{}", "[".repeat(15), "]".repeat(15));
    assert_eq!(
        read(&format!(r#"{{"unit":"u","message":"m","fields":{{"a":{deep}}}}}"#), Form::Object).unwrap().len(),
        1
    );
}

#[test]
fn a_bad_line_names_its_number_and_takes_the_batch_with_it() {
    let good = r#"{"unit":"u","message":"m"}"#;
    let body = format!("{good}\r\n\n{good}\n{{\"unit\":\"u\"}}\n{good}\nnonsense\n");
    let bad = read(&body, Form::Lines).unwrap_err();
    let told: Vec<_> = bad.iter().map(|bad| (bad.line, bad.field.as_deref())).collect();
    assert_eq!(told, [(Some(4), Some("message")), (Some(6), None)]);
    assert_eq!(read(&format!("\n{good}\r\n \n{good}"), Form::Lines).unwrap().len(), 2);
    assert_eq!(read(" \n\n", Form::Lines).unwrap_err()[0].line, None);
    let many = |count: usize| format!("{good}\n").repeat(count);
    assert_eq!(read(&many(MAX_EVENTS), Form::Lines).unwrap().len(), MAX_EVENTS);
    assert!(read(&many(MAX_EVENTS + 1), Form::Lines).unwrap_err()[0].why.contains("10000"));
    assert_eq!(read(&"x\n".repeat(100), Form::Lines).unwrap_err().len(), MAX_BAD_LINES);
}

/// JSON of any shape, with the keys that matter among them.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}|BUY|warning|\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            proptest::sample::select(Field::ALL.to_vec()).prop_map(|field| field.name().to_owned()),
            "[a-z]{0,3}"
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_events_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        with_terms(|terms| {
            for form in [Form::Object, Form::Lines] {
                let _ = events(&body, form, terms);
            }
        });
    }

    #[test]
    fn any_json_is_an_event_or_refused(value in any_json()) {
        let mut value = value;
        if let Some(object) = value.as_object_mut() {
            object.entry("unit").or_insert("u".into());
            object.entry("message").or_insert("m".into());
        }
        with_terms(|terms| {
            if let Ok(events) = events(value.to_string().as_bytes(), Form::Object, terms) {
                let event = events.get(0).unwrap();
                let wire = serde_json::to_string(&event.json(usize::MAX)).unwrap();
                prop_assert!(!wire.contains('\n') && serde_json::from_str::<Value>(&wire).is_ok(), "{wire}");
                prop_assert!(!event.is_own());
            }
            Ok(())
        })?;
    }

    /// Every line in order, or none.
    #[test]
    fn all_or_nothing(lines in proptest::collection::vec(any::<bool>(), 1..60)) {
        let mut body = String::new();
        for (at, good) in lines.iter().enumerate() {
            let key = if *good { "message" } else { "massage" };
            body.push_str(&format!("{{\"unit\":\"u\",\"{key}\":\"{at}\"}}\n"));
        }
        match read(&body, Form::Lines) {
            Ok(events) => {
                prop_assert!(lines.iter().all(|good| *good));
                let told: Vec<_> = events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect();
                let sent: Vec<_> = (0..lines.len()).map(|at| at.to_string()).collect();
                prop_assert_eq!(told, sent);
            }
            Err(bad) => {
                let named: Vec<_> = bad.iter().filter_map(|bad| bad.line).collect();
                let wrong: Vec<_> = (1..=lines.len()).filter(|at| !lines[at - 1]).take(MAX_BAD_LINES).collect();
                prop_assert_eq!(named, wrong);
            }
        }
    }
}
