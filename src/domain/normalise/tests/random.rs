//! Lines that nobody wrote: long ones, and random ones.

use proptest::prelude::*;

use super::{Scratch, normaliser};

#[test]
fn long_lines_take_linear_time() {
    let normaliser = normaliser();
    let mut scratch = Scratch::default();
    for part in [
        "buy",
        "BUY ",
        "USDT",
        "_USDT",
        "conf=",
        "币",
        "[",
        "error ",
        "BUY/",
        "{\"msg\":",
        "correlation_id=",
        "→ ",
        "correlation_id:",
        "exit-",
        "a.TypeError.",
        "conf(",
        ".buy",
        "failed  ",
        "x failed: buy=→",
    ] {
        let line = part.repeat((1 << 20) / part.len());
        let got = normaliser.normalise(&line, &mut scratch);
        assert_eq!(got.message.len(), line.len());
    }
}

/// Fragments that the judging looks for, so that random lines reach it.
const FRAGMENTS: [&str; 40] = [
    "BTCUSDT",
    "42USDT",
    "币USDT",
    "USDT",
    "BUY",
    "SELL",
    "HOLD",
    "buy",
    "side",
    "action",
    "=",
    ":",
    " ",
    "(",
    ")",
    "'",
    "\"",
    "→",
    "ΓåÆ",
    "conf",
    "confidence",
    "0.7",
    "71%",
    "999",
    "XGB",
    "INFO",
    "[",
    "]",
    " - ",
    "|",
    "error",
    "failed",
    "Error:",
    "correlation_id",
    "a1b2-c3",
    "close",
    "reduceOnly",
    "{\"level\":\"INFO\",\"msg\":\"",
    "\\ud83d",
    "\"}",
];

fn line() -> impl Strategy<Value = String> {
    let fragments = prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..40);
    prop_oneof![any::<String>(), fragments.prop_map(|parts| parts.concat())]
}

fn within(part: &str, whole: &str) -> bool {
    let (part, whole) = (part.as_bytes().as_ptr_range(), whole.as_bytes().as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

proptest! {
    #[test]
    fn any_text_gives_a_sound_answer(line in line(), earlier in line()) {
        let normaliser = normaliser();
        let mut fresh = Scratch::default();
        let got = normaliser.normalise(&line, &mut fresh);
        let mut used = Scratch::default();
        normaliser.normalise(&earlier, &mut used);
        prop_assert_eq!(got, normaliser.normalise(&line, &mut used));

        if let Some(symbol) = got.symbol {
            prop_assert!(within(symbol, got.message) || within(symbol, &line));
        }
        prop_assert!(got.confidence.is_none_or(|confidence| (0.0..=1.0).contains(&confidence)));
        prop_assert!(got.decision.is_some() || got.confidence.is_none());
    }
}
