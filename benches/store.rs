//! The data file by itself: events a second, bytes an event, bytes written a commit, start, and search.
//!
//! `cargo bench --bench store -- [events]`. Lines come from the file named in `QUANTUM_CLM_BENCH_LINES`
//! (`unit<TAB>message` a line) where it is set, and are generated otherwise.

use std::time::Instant;

use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::event::EventRef;
use quantum_clm::domain::event::Level;
use quantum_clm::domain::id::EventId;
use quantum_clm::domain::normalise::{NormaliseConfig, Normaliser, Scratch};
use quantum_clm::domain::time::Micros;
use quantum_clm::store::{EventFilter, Store, StoreError};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let events: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(10_000_000);
    let lines = lines()?;
    let directory = tempfile::tempdir_in(std::env::var("QUANTUM_CLM_BENCH_DIR").unwrap_or_else(|_| ".".into()))?;
    let path = directory.path().join("q.redb");
    let start = Micros(1_768_000_000_000_000);
    println!("| figure | value |\n|---|---|");

    let store = Store::open(&path)?;
    let normaliser = Normaliser::new(&NormaliseConfig { quote_currencies: vec!["USDT".into(), "USDC".into()] });
    let mut scratch = Scratch::default();
    let mut batch = EventBatch::new();
    let begun = Instant::now();
    let mut number = 0;
    while number < events {
        batch.clear();
        for _ in 0..16_384.min(events - number) {
            push(&mut batch, &lines, number, start, &normaliser, &mut scratch);
            number += 1;
        }
        commit(&store, &mut batch)?;
    }
    let took = begun.elapsed().as_secs_f64();
    println!("| stored, events/s | {:.0} |", events as f64 / took);
    let size = std::fs::metadata(&path)?.len();
    println!("| file while open, bytes an event | {:.1} |", size as f64 / events as f64);
    println!("| blocks, bytes an event | {:.1} |", store.feed().block_bytes as f64 / events as f64);

    let id = "00000000-0000-4000-8000-000000000007";
    batch.clear();
    push(
        &mut batch,
        &[("u.service".into(), format!("the one, correlation_id={id}"))],
        number,
        start,
        &normaliser,
        &mut scratch,
    );
    let middle = batch.get(0).map(|event| event.correlation_id.is_some());
    commit(&store, &mut batch)?;
    let _ = middle;
    for (what, filter) in [
        ("find a correlation id, ms", EventFilter { correlation_id: Some(id.into()), ..Default::default() }),
        (
            "find an absent correlation id, ms",
            EventFilter { correlation_id: Some("absent".into()), ..Default::default() },
        ),
        ("an absent substring over all, ms", EventFilter { grep: Some("no such text".into()), ..Default::default() }),
        (
            "a rare substring over all, ms",
            EventFilter { grep: Some("(pred=1)".into()), symbol: Some("INJUSDT".into()), ..Default::default() },
        ),
    ] {
        let begun = Instant::now();
        let (mut before, mut found) = (EventId::MAX, 0);
        loop {
            let step = store.search(&filter, before, 10_000, 64)?;
            found += step.events.len();
            match step.next {
                Some(next) => before = next,
                None => break,
            }
        }
        println!("| {what} ({found} found) | {:.1} |", begun.elapsed().as_secs_f64() * 1e3);
    }

    let written = written()?;
    let commits = 200;
    for _ in 0..commits {
        batch.clear();
        for _ in 0..150 {
            push(&mut batch, &lines, number, start, &normaliser, &mut scratch);
            number += 1;
        }
        commit(&store, &mut batch)?;
    }
    let each = (self::written()? - written) / commits;
    println!("| bytes written a commit of 150 events | {each} |");
    println!("| one each 600 ms, GB a day | {:.2} |", each as f64 * 144_000.0 / 1e9);
    store.close();
    println!("| file settled, bytes an event | {:.1} |", std::fs::metadata(&path)?.len() as f64 / number as f64);
    let begun = Instant::now();
    let store = Store::open(&path)?;
    println!("| start, clean, ms | {:.1} |", begun.elapsed().as_secs_f64() * 1e3);
    store.close();
    Ok(())
}

fn push(
    batch: &mut EventBatch,
    lines: &[(String, String)],
    number: u64,
    start: Micros,
    normaliser: &Normaliser,
    scratch: &mut Scratch,
) {
    let (unit, message) = &lines[number as usize % lines.len()];
    let fields = normaliser.normalise(message, scratch);
    batch.push(EventRef {
        id: EventId::ZERO,
        ts: start.plus(number * 3_333 + number % 7),
        unit,
        source: "ai_engine",
        host: "quantumtrader-prod-1",
        level: fields.level.unwrap_or(Level::INFO),
        message: fields.message,
        symbol: fields.symbol,
        correlation_id: fields.correlation_id,
        decision: fields.decision,
        confidence: fields.confidence,
        fields: None,
    });
}

fn commit(store: &Store, batch: &mut EventBatch) -> std::result::Result<(), StoreError> {
    store.write(|txn| {
        batch.number(txn.feed().last.first_at(Micros(1_768_000_000_000_000)));
        txn.append(batch)?;
        txn.finish_feed(None)
    })
}

fn written() -> Result<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no write_bytes")?;
    Ok(line.parse()?)
}

fn lines() -> Result<Vec<(String, String)>> {
    if let Ok(path) = std::env::var("QUANTUM_CLM_BENCH_LINES") {
        let text = std::fs::read_to_string(path)?;
        return Ok(text.lines().filter_map(|line| line.split_once('\t')).map(|(u, m)| (u.into(), m.into())).collect());
    }
    let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "OPUSDT", "INJUSDT"];
    Ok((0..3_000_u64)
        .map(|n| {
            let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let symbol = symbols[(noise % 5) as usize];
            let message = format!("2026-01-17 03:46:{:02},{:03} - ai.agents.gbm - INFO - GBM {symbol}: HOLD (conf=0.{:02}, p=[0.{:02}, 0.{:02}])",
                n % 60, noise % 1000, noise % 89 + 10, noise % 97, noise % 83);
            ("quantum-ai-engine.service".into(), message)
        })
        .collect())
}
