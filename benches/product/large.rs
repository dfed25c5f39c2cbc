//! A data file of ten million events: filled through the library, then opened, searched and killed.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::event::{EventRef, Level};
use quantum_clm::domain::id::EventId;
use quantum_clm::domain::normalise::{NormaliseConfig, Normaliser, Scratch};
use quantum_clm::domain::time::Micros;
use quantum_clm::store::{EventFilter, Store, StoreError};

use crate::daemon::Setup;
use crate::journal::{Live, STEP, now};
use crate::lines::{Writer, noise};
use crate::table::{Table, median};
use crate::{Bench, Result};

const BATCH: u64 = 16_384;
const ROUNDS: usize = 5;

/// A new data file with `count` events up to now; each tenth has a correlation id where `ids` says which number's.
pub(crate) fn fill(bench: &Bench, path: &Path, count: u64, ids: Option<fn(u64) -> String>) -> Result<f64> {
    let store = Store::open(path)?;
    let normaliser = Normaliser::new(&NormaliseConfig { quote_currencies: vec!["USDT".into(), "USDC".into()] });
    let (mut scratch, mut writer, mut batch) = (Scratch::default(), Writer::default(), EventBatch::new());
    let start = now() - count * STEP;
    let (mut number, mut took) = (0, 0.0);
    while number < count {
        batch.clear();
        for _ in 0..BATCH.min(count - number) {
            let ts = start + number * STEP;
            let unit = bench.lines.write(number, ts, &mut writer);
            let fields = normaliser.normalise(&writer.text, &mut scratch);
            let id = ids.filter(|_| number % 10 == 0).map(|id| id(number));
            batch.push(EventRef {
                id: EventId::ZERO,
                ts: Micros(ts),
                unit,
                source: "ai_engine",
                host: "quantumtrader-prod-1",
                level: fields.level.unwrap_or(Level::INFO),
                message: fields.message,
                symbol: fields.symbol,
                correlation_id: id.as_deref().or(fields.correlation_id),
                decision: fields.decision,
                confidence: fields.confidence,
                fields: None,
            });
            number += 1;
        }
        let begun = Instant::now();
        store.write::<_, StoreError>(|txn| {
            batch.number(txn.feed().last.first_at(Micros(start + number * STEP)));
            txn.append(&batch)?;
            txn.finish_feed(None)
        })?;
        took += begun.elapsed().as_secs_f64();
    }
    store.close();
    Ok(count as f64 / took)
}

pub(crate) fn id(number: u64) -> String {
    format!("{:016x}-{number:012}", noise(number))
}

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let millions = format!("{} million events", bench.large as f64 / 1e6);
    let mut journal = Live::new(bench.directory.join("journal-large"))?;
    let setup = Setup::new(bench, "large", &journal.directory, "url = \"\"")?;
    let rate = fill(bench, &setup.data_file, bench.large, Some(id))?;
    let bytes = std::fs::metadata(&setup.data_file)?.len() as f64 / bench.large as f64;
    let remark =
        format!("the store alone, one thread; {bytes:.1} bytes an event, a tenth of them with correlation ids");
    table.known("stored through the library", "events/s", rate, &remark);

    let wanted = id(bench.large / 20 * 10);
    let nowhere = "a text that is nowhere";
    library(table, &setup.data_file, &millions, &wanted, nowhere)?;

    let mut starts = Vec::new();
    for _ in 0..ROUNDS {
        let mut daemon = setup.start()?;
        starts.push(daemon.ready()?);
        daemon.stop()?;
    }
    let remark = format!("{millions}; process start to the first answer on the socket, median of {ROUNDS}");
    table.at_most("start-up, clean", 0.2, "s", median(&mut starts), &remark);

    let mut daemon = setup.start()?;
    daemon.ready()?;
    let filters = [(["--correlation-id", &wanted], 1, 0.05), (["--grep", nowhere], 0, 4.0)];
    for (filter, expected, target) in filters {
        let mut times = Vec::new();
        for _ in 0..3 {
            let begun = Instant::now();
            let mut command = setup.command(&["events", "--json"]);
            let output = command.args(filter).stderr(Stdio::inherit()).output()?;
            times.push(begun.elapsed().as_secs_f64());
            let found = String::from_utf8_lossy(&output.stdout).matches("\"correlation_id\"").count();
            if !output.status.success() || found != expected {
                return Err(format!("{filter:?}: {} with {found} events", output.status).into());
            }
        }
        let what = format!("`events {}` over {millions}", filter[0]);
        table.at_most(&what, target, "s", median(&mut times), "the command from start to end, through the daemon");
    }
    table.known("resident memory after these searches", "MiB", daemon.memory("VmRSS")?, "");

    let mut starts = Vec::new();
    for _ in 0..ROUNDS {
        for _ in 0..100 {
            journal.append(bench, None)?;
        }
        // In a round that is not the first these are the lines of the last round, too.
        daemon.stored(100)?;
        drop(daemon);
        daemon = setup.start()?;
        starts.push(daemon.ready()?);
    }
    table.at_most("start-up after SIGKILL", 0.5, "s", median(&mut starts), &format!("{millions}; median of {ROUNDS}"));
    daemon.stop()
}

fn library(table: &mut Table, path: &Path, millions: &str, wanted: &str, nowhere: &str) -> Result<()> {
    let store = Store::open(path)?;
    let by_id = EventFilter { correlation_id: Some(wanted.into()), ..EventFilter::default() };
    let by_text = EventFilter { grep: Some(nowhere.into()), ..EventFilter::default() };
    for (what, filter, expected, target) in
        [("a correlation id", by_id, 1, 0.05), ("an absent substring", by_text, 0, 4.0)]
    {
        let mut times = Vec::new();
        for _ in 0..3 {
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
            times.push(begun.elapsed().as_secs_f64());
            if found != expected {
                return Err(format!("{what}: {found} events found").into());
            }
        }
        let what = format!("find {what} in {millions}");
        table.at_most(
            &what,
            target,
            "s",
            median(&mut times),
            "the library, all blocks looked at, file in the page cache",
        );
    }
    store.close();
    Ok(())
}
