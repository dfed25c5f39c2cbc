//! Fills a store with synthetic events and measures how fast the mirror brings them to a Redis.
//!
//! `cargo run --release --example mirror_throughput -- redis://127.0.0.1:6379/0 1000000`, beside
//! `redis-benchmark -P 100 -t set`. It empties the stream `quantum:stream:bench` before and after. With `redis-rs` as
//! the third word it sends the same bytes through redis-rs' pipelines instead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quantum_clm::config::{Config, MirrorMode};
use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::event::{EventRef, Level, MESSAGE_MIRRORED_CHARS};
use quantum_clm::domain::id::EventId;
use quantum_clm::domain::time::Micros;
use quantum_clm::mirror::{Mirror, MirrorSettings, MirrorStats};
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::{Store, StoreError};
use tokio::sync::watch;

const STREAM: &str = "quantum:stream:bench";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let url = words.next().unwrap_or_else(|| "redis://127.0.0.1:6379/0".into());
    let events: u64 = words.next().map_or(Ok(1_000_000), |word| word.parse())?;
    let redis_rs = words.next().as_deref() == Some("redis-rs");
    let directory = tempfile::tempdir()?;
    let store = Arc::new(Store::open(&directory.path().join("bench.redb"))?);
    fill(&store, events)?;
    let client = redis::Client::open(url.replace("localhost", "127.0.0.1"))?;
    let mut connection = client.get_connection()?;
    let _: () = redis::cmd("DEL").arg(STREAM).query(&mut connection)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let started = Instant::now();
    if redis_rs {
        runtime.block_on(through_redis_rs(&client, &store))?;
    } else {
        runtime.block_on(through_the_mirror(&url, &store, events))?;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{events} events in {seconds:.2} s: {:.0} events/s", events as f64 / seconds);
    let _: () = redis::cmd("DEL").arg(STREAM).query(&mut connection)?;
    Ok(())
}

fn fill(store: &Store, events: u64) -> Result<(), StoreError> {
    let mut batch = EventBatch::new();
    for number in 0..events {
        let message = format!("[AI-ENGINE] Price history updated: INJUSDT @ ${}.33 (len={number})", number % 97);
        batch.push(EventRef {
            id: EventId::ZERO,
            ts: Micros(1_768_621_479_809_316 + number),
            unit: "quantum-ai-engine.service",
            source: "ai_engine",
            host: "quantumtrader-prod-1",
            level: Level::INFO,
            message: &message,
            symbol: Some("INJUSDT"),
            correlation_id: None,
            decision: None,
            confidence: None,
            fields: None,
        });
        if batch.len() == 4_000 || number + 1 == events {
            store.write::<_, StoreError>(|txn| {
                batch.number(txn.feed().last.first_at(Micros::from_millis(1_768_621_480_000)));
                txn.append(&batch)?;
                txn.finish_feed(None)
            })?;
            batch.clear();
        }
    }
    Ok(())
}

async fn through_the_mirror(url: &str, store: &Arc<Store>, events: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default().redis;
    config.url = url.to_owned();
    config.stream = STREAM.into();
    config.maxlen = events;
    config.mirror = MirrorMode::On;
    let stats = Arc::new(MirrorStats::default());
    let (stop, shutdown) = watch::channel(false);
    let reporter = StatusBoard::new().reporter("mirror");
    let mirror = Mirror::new(store.clone(), MirrorSettings::new(&config), reporter, stats.clone());
    let task = tokio::spawn(mirror.run(shutdown));
    while stats.events_sent() < events {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send_replace(true);
    Ok(task.await?)
}

async fn through_redis_rs(client: &redis::Client, store: &Arc<Store>) -> Result<(), Box<dyn std::error::Error>> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut after = EventId::ZERO;
    loop {
        let events = store.events_after(after, 1)?;
        if events.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for event in events.iter() {
            let json = serde_json::to_string(&event.json(MESSAGE_MIRRORED_CHARS))?;
            let id = event.id.to_string();
            pipeline.cmd("XADD").arg(STREAM).arg("MAXLEN").arg("~").arg(10_000_000).arg(id).arg("event").arg(json);
            pipeline.ignore();
            after = event.id;
        }
        pipeline.query_async::<()>(&mut connection).await?;
    }
}
