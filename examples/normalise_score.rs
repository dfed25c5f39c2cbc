//! Scores the normaliser on hand-labelled lines: precision and recall a field, and the time a line takes.
//!
//! `cargo run --release --example normalise_score -- LABELLED.jsonl [-v]`, where each line of the file is
//! `{"message", "expect": {"symbol", "decision", "confidence", "correlation_id", "is_error", "text"}, "unsettled"?}`.
//! A value other than the expected one counts against precision and against recall; `unsettled` fields are not scored.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::Context;
use quantum_clm::domain::normalise::{NormaliseConfig, Normaliser, Scratch};
use serde::Deserialize;

const FIELDS: [&str; 6] = ["symbol", "decision", "confidence", "correlation_id", "is_error", "text"];

/// How long the timing runs over the set, about.
const TIMED_LINES: usize = 1_000_000;

#[derive(Deserialize)]
struct Labelled {
    message: String,
    expect: Expected,
    #[serde(default)]
    unsettled: Vec<String>,
}

#[derive(Deserialize)]
struct Expected {
    symbol: Option<String>,
    decision: Option<String>,
    confidence: Option<f64>,
    correlation_id: Option<String>,
    is_error: bool,
    text: Option<String>,
}

#[derive(Clone, Copy, Default)]
struct Score {
    hits: u32,
    false_positives: u32,
    false_negatives: u32,
}

fn main() -> anyhow::Result<()> {
    let mut path = None;
    let mut verbose = false;
    for argument in std::env::args().skip(1) {
        if argument == "-v" { verbose = true } else { path = Some(argument) }
    }
    let path = path.context("which file? normalise_score LABELLED.jsonl [-v]")?;
    let file = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let lines: Vec<Labelled> = file
        .lines()
        .enumerate()
        .map(|(at, line)| serde_json::from_str(line).with_context(|| format!("{path}, line {}", at + 1)))
        .collect::<Result<_, _>>()?;

    let quote_currencies = ["USDT", "USDC", "FDUSD", "TUSD", "BUSD"].map(String::from).into();
    let normaliser = Normaliser::new(&NormaliseConfig { quote_currencies });
    let mut scratch = Scratch::default();
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let got = normaliser.normalise(&line.message, &mut scratch);
        let expect = &line.expect;
        let is_error = got.level.is_some_and(|level| level.is_error());
        let pairs = [
            (got.symbol.map(String::from), expect.symbol.clone()),
            (got.decision.map(|decision| decision.to_string()), expect.decision.clone()),
            (got.confidence.map(rounded), expect.confidence.map(rounded)),
            (got.correlation_id.map(String::from), expect.correlation_id.clone()),
            (is_error.then(|| "true".into()), expect.is_error.then(|| "true".into())),
            (Some(got.message.into()), expect.text.clone()),
        ];
        for (field, (got, expect)) in FIELDS.into_iter().zip(pairs) {
            if line.unsettled.iter().any(|unsettled| unsettled == field) {
                continue;
            }
            let score = scores.entry(field).or_default();
            if got == expect {
                score.hits += u32::from(got.is_some());
                continue;
            }
            score.false_positives += u32::from(got.is_some());
            score.false_negatives += u32::from(expect.is_some());
            if verbose {
                println!("{}: {field} {got:?}, expected {expect:?}\n    {}", at + 1, line.message);
            }
        }
    }
    for field in FIELDS {
        let score = scores.get(field).copied().unwrap_or_default();
        println!(
            "{field:15} precision {:.3}  recall {:.3}  ({} right, {} false positives, {} false negatives)",
            ratio(score.hits, score.false_positives),
            ratio(score.hits, score.false_negatives),
            score.hits,
            score.false_positives,
            score.false_negatives,
        );
    }

    let rounds = (TIMED_LINES / lines.len().max(1)).max(1);
    let started = Instant::now();
    for _ in 0..rounds {
        for line in &lines {
            black_box(normaliser.normalise(black_box(&line.message), &mut scratch));
        }
    }
    let timed = rounds * lines.len();
    let bytes: usize = lines.iter().map(|line| line.message.len()).sum();
    println!(
        "{:.0} ns/line over {timed} lines of {} bytes on average",
        started.elapsed().as_nanos() as f64 / timed.max(1) as f64,
        bytes / lines.len().max(1),
    );
    Ok(())
}

/// To four places, as the labels have it.
fn rounded(value: f64) -> String {
    format!("{value:.4}")
}

fn ratio(hits: u32, misses: u32) -> f64 {
    if hits + misses == 0 { 1.0 } else { f64::from(hits) / f64::from(hits + misses) }
}
