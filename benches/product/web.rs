//! Pages over a large data file, alone and while many people watch the live tail and a publisher sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::daemon::{Daemon, Setup};
use crate::journal::Live;
use crate::large::{fill, id};
use crate::table::{Table, percentile};
use crate::{Bench, Result};

type Sent<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const READERS: usize = 500;
const EVENTS_A_SECOND: u64 = 5_000;
const BATCHES_A_SECOND: u64 = 10;
const PAGES_A_SECOND: u64 = 50;
const QUIET_LOADS: usize = 200;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let millions = format!("{} million events", bench.large as f64 / 1e6);
    let journal = Live::new(bench.directory.join("journal-web"))?;
    let address = free_address()?;
    let setup = Setup::listening(bench, "web", &journal.directory, "url = \"\"", &address.to_string())?;
    fill(bench, &setup.data_file, bench.large, Some(id))?;
    let mut daemon = setup.start()?;
    daemon.ready()?;
    let viewer = token(&setup, "--role", "viewer")?;
    let publisher = token(&setup, "--scope", "publish")?;
    let correlation = format!("/correlations/{}", id(bench.large / 20 * 10));
    let unit = format!("/events?unit={}", bench.lines.units()[0]);
    let pages = ["/", "/events", &unit, "/trade-path", "/intents", &correlation].map(str::to_owned);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    for page in &pages {
        let mut times = runtime
            .block_on(async {
                let mut times = Vec::new();
                for _ in 0..QUIET_LOADS {
                    times.push(load(address, page, &viewer).await?);
                }
                Sent::Ok(times)
            })
            .map_err(|error| error.to_string())?;
        let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
        let name = page.split(['?', '/']).nth(1).unwrap_or_default();
        let name = if page.contains('?') { format!("{name}?unit=") } else { name.to_owned() };
        let remark = format!("{millions}; p50 {:.1} ms; {QUIET_LOADS} loads with a connection each", p50 * 1e3);
        table.at_most(&format!("page /{name}, p99"), 25.0, "ms", p99 * 1e3, &remark);
    }
    runtime.block_on(crowd(bench, table, &daemon, address, &pages, &viewer, &publisher))?;
    daemon.stop()
}

/// What one reader of the live tail saw.
#[derive(Default)]
struct Seen {
    events: u64,
    reconnects: u64,
    disorder: u64,
}

async fn crowd(
    bench: &Bench,
    table: &mut Table,
    daemon: &Daemon<'_>,
    address: SocketAddr,
    pages: &[String],
    viewer: &str,
    publisher: &str,
) -> Result<()> {
    let (over, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let total = Arc::new(AtomicU64::new(u64::MAX));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(watch(address, viewer.to_owned(), Arc::clone(&ready), Arc::clone(&total), Arc::clone(&over)));
    }
    while ready.load(Ordering::Relaxed) < READERS as u64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (begun, cpu) = (Instant::now(), daemon.cpu()?);
    let mut loads = JoinSet::new();
    let mut sent = 0;
    let mut lines = Vec::new();
    let rounds = bench.seconds * BATCHES_A_SECOND;
    for round in 0..rounds {
        lines.clear();
        for _ in 0..EVENTS_A_SECOND / BATCHES_A_SECOND {
            let line = format!(
                "{{\"unit\":\"bench.service\",\"message\":\"[AI-ENGINE] Price history updated: INJUSDT @ $5.33 (len={sent})\"}}\n"
            );
            lines.extend_from_slice(line.as_bytes());
            sent += 1;
        }
        let (body, token) = (lines.clone(), publisher.to_owned());
        loads.spawn(async move { publish(address, &token, round, &body).await.map(|()| None) });
        for page in 0..PAGES_A_SECOND / BATCHES_A_SECOND {
            let path = pages[((round * 5 + page) % pages.len() as u64) as usize].clone();
            let token = viewer.to_owned();
            loads.spawn(async move { load(address, &path, &token).await.map(Some) });
        }
        let due = begun + Duration::from_millis((round + 1) * 1_000 / BATCHES_A_SECOND);
        tokio::time::sleep_until(due.into()).await;
    }
    let took = begun.elapsed().as_secs_f64();
    let mut times = Vec::new();
    while let Some(load) = loads.join_next().await {
        times.extend(load?.map_err(|error| error.to_string())?);
    }
    let cpu = (daemon.cpu()? - cpu) / took * 100.0;
    total.store(sent, Ordering::Relaxed);
    let last_sent = Instant::now();
    let mut all = Seen::default();
    let mut complete = 0;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while let Ok(Some(seen)) = tokio::time::timeout_at(deadline, readers.join_next()).await {
        let seen = seen?.map_err(|error| error.to_string())?;
        complete += usize::from(seen.events == sent);
        all.events += seen.events;
        all.reconnects += seen.reconnects;
        all.disorder += seen.disorder;
    }
    let settled = last_sent.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let load =
        format!("{READERS} live readers, {EVENTS_A_SECOND} events/s published, {PAGES_A_SECOND} pages/s, {took:.0} s");
    table.at_least(
        "live readers with every event, in order",
        READERS as f64,
        "readers",
        complete as f64,
        &format!(
            "{load}; {} reconnected, {} out of order; the last had all {settled:.1} s after the last answer",
            all.reconnects, all.disorder
        ),
    );
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    table.at_most(
        "pages under that load, p99",
        25.0,
        "ms",
        p99 * 1e3,
        &format!(
            "p50 {:.1} ms; the generator of the load is on the same two cores and costs more than the daemon",
            p50 * 1e3
        ),
    );
    table.known("CPU under that load", "% of a core", cpu, "the daemon alone");
    table.at_most("resident memory, peak under that load", 96.0, "MiB", daemon.memory("VmHWM")?, "");
    Ok(())
}

/// Watches the live tail until it has `total` events, again and again where it is dropped.
async fn watch(
    address: SocketAddr,
    token: String,
    ready: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
) -> Sent<Seen> {
    let (mut seen, mut last, mut last_number) = (Seen::default(), String::new(), (0, 0));
    while !over.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(address).await?;
        let resume = if last.is_empty() { String::new() } else { format!("last-event-id: {last}\r\n") };
        let request = format!(
            "GET /api/events/stream HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{resume}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut stream = BufReader::with_capacity(64 << 10, stream);
        let mut line = Vec::new();
        let mut first = true;
        loop {
            // A read that the deadline cuts off keeps what it has: the rest of the line comes with the next one.
            let read = tokio::time::timeout(Duration::from_millis(200), stream.read_until(b'\n', &mut line)).await;
            match read {
                Err(_) if over.load(Ordering::Relaxed) || seen.events >= total.load(Ordering::Relaxed) => {
                    return Ok(seen);
                }
                Err(_) => continue,
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(_)) => {}
            }
            if std::mem::take(&mut first) {
                if !line.starts_with(b"HTTP/1.1 200") {
                    return Err(String::from_utf8_lossy(&line).into());
                }
                if last.is_empty() && seen.reconnects == 0 {
                    ready.fetch_add(1, Ordering::Relaxed);
                }
            }
            if let Some(id) = line.strip_prefix(b"id: ") {
                last.clear();
                last.push_str(std::str::from_utf8(id)?.trim());
                let number = last.split_once('-').ok_or("an id")?;
                let number: (u64, u64) = (number.0.parse()?, number.1.parse()?);
                seen.disorder += u64::from(number <= last_number);
                last_number = number;
            }
            // The appliance's own events are not the publisher's.
            if line.starts_with(b"data: ") && memchr::memmem::find(&line, b"bench.service").is_some() {
                seen.events += 1;
                if seen.events >= total.load(Ordering::Relaxed) {
                    return Ok(seen);
                }
            }
            line.clear();
        }
        seen.reconnects += 1;
    }
    Ok(seen)
}

/// Loads a page; the seconds that it took.
async fn load(address: SocketAddr, path: &str, token: &str) -> Sent<f64> {
    let begun = Instant::now();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    let answer = exchange(address, request.as_bytes()).await?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(format!("{path}: {}", String::from_utf8_lossy(&answer[..answer.len().min(300)])).into());
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn publish(address: SocketAddr, token: &str, key: u64, body: &[u8]) -> Sent<()> {
    let head = format!(
        "POST /api/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nidempotency-key: bench-{key}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let answer = exchange(address, &[head.as_bytes(), body].concat()).await?;
    if !answer.starts_with(b"HTTP/1.1 202") {
        return Err(format!("publish: {}", String::from_utf8_lossy(&answer[..answer.len().min(300)])).into());
    }
    Ok(())
}

async fn exchange(address: SocketAddr, request: &[u8]) -> Sent<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A new token for the role or scope (`kind` says which).
pub(crate) fn token(setup: &Setup, kind: &str, grant: &str) -> Result<String> {
    let output = setup.command(&["token", "create", "--json", kind, grant, grant]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    Ok(answer["text"].as_str().ok_or("no token in the answer")?.to_owned())
}
