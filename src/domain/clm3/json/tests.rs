use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn what_python_writes() {
    let text = br#"{"a": NaN, "b": [Infinity, -Infinity, -1.5e-7, 18446744073709551616], "c": "\u00e9\ud83d\ude00\ud800", "a": null}"#;
    let Json::Object(members) = Json::parse(text).unwrap() else { panic!("an object") };
    assert_eq!(members["a"], Json::Null, "the last of two counts");
    let number = |text: &str| Json::Number(text.to_owned());
    let list = vec![
        Json::NotFinite("Infinity"),
        Json::NotFinite("-Infinity"),
        number("-1.5e-7"),
        number("18446744073709551616"),
    ];
    assert_eq!(members["b"], Json::List(list));
    assert_eq!(members["c"], Json::Text("é😀\u{fffd}".to_owned()));
    let portable = r#"["Infinity","-Infinity",-1.5e-7,18446744073709551616]"#;
    assert_eq!(members["b"].portable(), portable);
    assert_eq!(Json::parse(b"\xef\xbb\xbf [] \r\n"), Ok(Json::List(Vec::new())));
}

#[test]
fn faults_with_their_place() {
    for (text, expected) in [
        (&b""[..], "line 1, column 1: the file is empty"),
        (b" \n ", "line 2, column 2: the file holds nothing but blanks"),
        (b"{", "line 1, column 2: the file ends in the middle"),
        (b"{\n  \"a\": 1,\n  \"b", "line 3, column 5: the file ends within a text"),
        (b"{\n  \"a\": 1,", "line 2, column 10: the file ends in the middle"),
        (b"{\"a\" 1}", "line 1, column 6: a colon was expected"),
        (b"{\"a\": 1 \"b\": 2}", "line 1, column 9: a comma or a closing brace was expected"),
        (b"[1 2]", "line 1, column 4: a comma or a closing bracket was expected"),
        (b"[1,]", "line 1, column 4: a value was expected"),
        (b"{a: 1}", "line 1, column 2: a name in quotes was expected"),
        (b"[tru", "line 1, column 2: the file ends in the middle"),
        (b"[nan]", "line 1, column 2: a value was expected"),
        (b"[-]", "line 1, column 3: a digit was expected"),
        (b"[1.", "line 1, column 4: the file ends in the middle"),
        (b"{} {}", "line 1, column 4: something stands behind the end"),
        (b"\"\\x\"", "line 1, column 3: there is no such escape"),
        (b"\"\\u12g4\"", "line 1, column 4: four hexadecimal digits were expected"),
        (b"\"a\nb\"", "line 1, column 3: a control character stands in a text"),
        (b"[\"\xc3\xa4\", \"\xff\"]", "line 1, column 8: this is not UTF-8"),
    ] {
        let fault = Json::parse(text).expect_err(&String::from_utf8_lossy(text));
        assert_eq!(fault.to_string(), expected, "{:?}", String::from_utf8_lossy(text));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(Json::parse(deep.as_bytes()).unwrap_err().what, "it nests too deep");
}

/// As serde_json has it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_reads_what_serde_json_writes(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let read = Json::parse(text.as_bytes()).map_err(|fault| TestCaseError::fail(format!("{fault}: {text}")))?;
        // Not the value itself: serde_json may read a number as its neighbour.
        let (again, expected): (Value, Value) =
            (serde_json::from_str(&read.portable()).unwrap(), serde_json::from_str(&text).unwrap());
        prop_assert_eq!(again, expected);
    }

    #[test]
    fn any_bytes_are_read_or_refused_with_a_place(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    #[test]
    fn damaged_json_is_read_or_refused_with_a_place(
        value in value(), cut in any::<prop::sample::Index>(), change in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        bytes.truncate(cut.index(bytes.len() + 1));
        if !bytes.is_empty() {
            let at = change.0.index(bytes.len());
            bytes[at] = change.1;
        }
        check(&bytes)?;
    }
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    match Json::parse(bytes) {
        // What serde_json refuses beyond this are Python's numbers and halves of pairs, which come out repaired.
        Ok(read) => {
            drop(
                serde_json::from_str::<Value>(&read.portable())
                    .or_else(|error| {
                        if error.to_string().contains("number out of range") { Ok(Value::Null) } else { Err(error) }
                    })
                    .map_err(|error| TestCaseError::fail(format!("{error}: {}", read.portable())))?,
            )
        }
        Err(fault) => {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
            prop_assert!((1..=lines).contains(&fault.line) && fault.column >= 1, "{fault}");
            prop_assert!(fault.column <= bytes.len() + 1, "{fault}");
            prop_assert!(serde_json::from_slice::<Value>(bytes).is_err(), "serde_json reads it: {fault}");
        }
    }
    Ok(())
}
