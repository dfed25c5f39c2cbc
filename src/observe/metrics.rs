//! What `GET /metrics` shows. Every name is `quantum_clm_<what>_<unit>`, with `_total` on counters only.
//!
//! The registry writes OpenMetrics, in which a counter's family has no `_total`. Scrapers that do not ask for OpenMetrics
//! get the older text format, in which it has: that difference is the whole of [`as_plain_text`].

mod backups;
mod jobs;
mod schedule;

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

pub use self::backups::BackupMetrics;
pub use self::jobs::JobMetrics;
pub use self::schedule::ScheduleMetrics;
use super::status::{State, StatusBoard};
use crate::domain::time::Micros;

/// A gauge of whole things.
pub type Level = Gauge<u64, AtomicU64>;
/// A gauge of seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// Sources with a counter of their own. Programs that publish name theirs as they like, and a label is for ever.
const MAX_SOURCES: usize = 100;

/// The label of all further ones.
const OTHER_SOURCES: &str = "other";

type Labels = Vec<(&'static str, String)>;

/// Handles to every metric. Cheap to clone; all clones count into the same registry.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Events committed to the data file.
    pub events_stored: Counter,
    /// Deliveries taken over from the sources.
    pub deliveries: Counter,
    /// Transactions committed.
    pub commits: Counter,
    /// Gaps found in the journal.
    pub journal_gaps: Counter,
    /// Publications committed to the data file.
    pub publications: Counter,
    /// Those who read along as events are stored.
    pub tail_readers: Level,
    /// Those of them who were dropped because they did not keep up.
    pub tail_dropped: Counter,
    /// Events written to the mirror.
    pub mirror_events: Counter,
    /// Events that the mirror is behind.
    pub mirror_lag_events: Level,
    /// Time of the last mirrored event's id.
    pub mirror_position: Seconds,
    /// Failed requests to the mirror.
    pub mirror_errors: Counter,
    /// Events of the bus written to their streams.
    pub bus_events: Counter,
    /// Events of the bus that are not there yet.
    pub bus_waiting_events: Level,
    /// Connections closed because another one needed the place.
    pub connections_evicted: Counter,
    /// What browsers reported about pages that broke their policy.
    pub csp_reports: Counter,
    /// Intents that are not resolved.
    pub intents_open: Level,
    /// Size of the data file.
    pub data_file_bytes: Level,
    /// Free bytes on its file system.
    pub disk_free_bytes: Level,
    /// Jobs.
    pub jobs: JobMetrics,
    /// The scheduler.
    pub schedule: ScheduleMetrics,
    /// Backups.
    pub backups: BackupMetrics,
    by_source: Family<Labels, Counter>,
    /// Dead letters that wait for somebody.
    pub dead_letters: Level,
    bus_messages: Family<Labels, Counter>,
    bus_pending: Family<Labels, Level>,
    bus_lag: Family<Labels, Level>,
    webhook_deliveries: Family<Labels, Counter>,
    webhook_waiting: Family<Labels, Level>,
    sources: Arc<Mutex<BTreeSet<String>>>,
    registry: Arc<Registry>,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// `text/plain; version=0.0.4`
    PlainText,
    /// `application/openmetrics-text`
    OpenMetrics,
}

impl Exposition {
    /// What a scraper's `Accept` header asks for.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::PlainText }
    }

    /// The `Content-Type` of the answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::PlainText => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Metrics {
    /// Metrics of a process that started at `started`; component states and restarts come from the board.
    pub fn new(board: StatusBoard, version: &str, commit: &str, started: Micros) -> Self {
        let mut registry = Registry::with_prefix("quantum_clm");
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let level = |registry: &mut Registry, name: &str, help: &str| {
            let gauge = Level::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let seconds = |registry: &mut Registry, name: &str, help: &str| {
            let gauge = Seconds::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let r = &mut registry;
        let events_stored = counter(r, "events_stored", "Events committed to the data file");
        let by_source = Family::<Labels, Counter>::default();
        r.register("source_events_stored", "Events committed to the data file, a source", by_source.clone());
        let deliveries = counter(r, "deliveries", "Deliveries taken over from the sources");
        let commits = counter(r, "commits", "Transactions committed to the data file");
        let journal_gaps = counter(r, "journal_gaps", "Gaps found in the journal");
        let publications = counter(r, "publications", "Requests with events of their own, committed to the data file");
        let tail_readers = level(r, "tail_readers", "Readers of the live tail");
        let tail_dropped = counter(r, "tail_dropped", "Readers of the live tail that did not keep up and were dropped");
        let mirror_events = counter(r, "mirror_events", "Events written to the mirror");
        let mirror_lag_events = level(r, "mirror_lag_events", "Stored events that the mirror does not have yet");
        let mirror_position =
            seconds(r, "mirror_position_timestamp_seconds", "Time in the id of the last mirrored event");
        let mirror_errors = counter(r, "mirror_errors", "Failed requests to the mirror");
        let bus_events = counter(r, "bus_events", "Events of the bus written to their streams");
        let bus_waiting_events = level(r, "bus_waiting_events", "Events of the bus that are not in their streams yet");
        let bus_messages = Family::<Labels, Counter>::default();
        let about = "Messages of the bus that were taken in, by type and what became of them";
        r.register("bus_messages", about, bus_messages.clone());
        let bus_pending = Family::<Labels, Level>::default();
        let about = "Messages of the bus that were handed out and are not acknowledged, by type";
        r.register("bus_pending_messages", about, bus_pending.clone());
        let bus_lag = Family::<Labels, Level>::default();
        let about = "Messages of the bus that nobody was handed yet, by type; none before Redis 7";
        r.register("bus_lag_messages", about, bus_lag.clone());
        let about = "Messages of the bus that were given up and wait for somebody";
        let dead_letters = level(r, "dead_letters", about);
        let webhook_deliveries = Family::<Labels, Counter>::default();
        let about = "Requests to a webhook, and events given up, by outcome";
        r.register("webhook_deliveries", about, webhook_deliveries.clone());
        let webhook_waiting = Family::<Labels, Level>::default();
        r.register("webhook_waiting_events", "Events that wait for a webhook", webhook_waiting.clone());
        let connections_evicted = counter(
            r,
            "connections_evicted",
            "Connections that waited for their client, closed to make room for others",
        );
        let csp_reports =
            counter(r, "csp_reports", "Reports of browsers that a page broke its content security policy");
        let intents_open = level(r, "intents_open", "Intents that are not resolved");
        let data_file_bytes = level(r, "data_file_bytes", "Size of the data file");
        let disk_free_bytes = level(r, "disk_free_bytes", "Free bytes on the file system of the data file");
        let jobs = JobMetrics::new(r);
        let schedule = ScheduleMetrics::new(r);
        let backups = BackupMetrics::new(r);
        let start = seconds(r, "start_time_seconds", "When the process started, since the epoch");
        #[allow(clippy::cast_precision_loss, reason = "53 bits of microseconds reach to the year 2255")]
        start.set(started.0 as f64 / 1e6);
        let build = Family::<Labels, Level>::default();
        let labels = vec![("version", version.to_owned()), ("commit", commit.to_owned())];
        build.get_or_create(&labels).set(1);
        r.register("build_info", "Always 1; the labels say what was built", build);
        r.register_collector(Box::new(OnScrape { board }));
        Self {
            events_stored,
            deliveries,
            commits,
            journal_gaps,
            publications,
            tail_readers,
            tail_dropped,
            mirror_events,
            mirror_lag_events,
            mirror_position,
            mirror_errors,
            bus_events,
            bus_waiting_events,
            connections_evicted,
            csp_reports,
            intents_open,
            data_file_bytes,
            disk_free_bytes,
            dead_letters,
            jobs,
            schedule,
            backups,
            by_source,
            bus_messages,
            bus_pending,
            bus_lag,
            webhook_deliveries,
            webhook_waiting,
            sources: Arc::default(),
            registry: Arc::new(registry),
        }
    }

    /// Counts stored events of one source, in that source's counter and in `events_stored`.
    pub fn stored(&self, source: &str, events: u64) {
        self.events_stored.inc_by(events);
        let mut known = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let label = if known.contains(source) || known.len() < MAX_SOURCES {
            known.insert(source.to_owned());
            source
        } else {
            OTHER_SOURCES
        };
        self.by_source.get_or_create_owned(&vec![("source", label.to_owned())]).inc_by(events);
    }

    /// Counts what became of a message of the bus.
    pub fn bus_message(&self, topic: &str, outcome: &str) {
        let labels = vec![("type", topic.to_owned()), ("outcome", outcome.to_owned())];
        self.bus_messages.get_or_create_owned(&labels).inc();
    }

    /// How the consumer group of a type stands: messages that are not acknowledged, and those that nobody was handed.
    pub fn bus_group(&self, topic: &str, pending: u64, lag: u64) {
        let labels = vec![("type", topic.to_owned())];
        self.bus_pending.get_or_create_owned(&labels).set(pending);
        self.bus_lag.get_or_create_owned(&labels).set(lag);
    }

    /// Counts what became of a request to a webhook.
    pub fn webhook_delivery(&self, webhook: &str, outcome: &str) {
        let labels = vec![("webhook", webhook.to_owned()), ("outcome", outcome.to_owned())];
        self.webhook_deliveries.get_or_create_owned(&labels).inc();
    }

    /// How many events wait for a webhook.
    pub fn webhook_waiting(&self, webhook: &str, events: u64) {
        self.webhook_waiting.get_or_create_owned(&vec![("webhook", webhook.to_owned())]).set(events);
    }

    /// Everything as text.
    pub fn render(&self, exposition: Exposition) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail, and no encoder here fails by itself.
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("metrics could not be written");
        }
        match exposition {
            Exposition::OpenMetrics => text,
            Exposition::PlainText => as_plain_text(&text),
        }
    }
}

/// Puts `_total` into the `HELP` and `TYPE` of counters and leaves out what only OpenMetrics knows.
fn as_plain_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            let about = help.take().map_or("", |(_, about)| about);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name}{suffix} {about}\n# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// What is only looked at when somebody scrapes.
#[derive(Debug)]
struct OnScrape {
    board: StatusBoard,
}

impl Collector for OnScrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let components = self.board.all();
        let kind = ConstGauge::new(0u64).metric_type();
        let mut states = encoder.encode_descriptor("component_state", "1 for the state it is in.", None, kind)?;
        for component in &components {
            for state in State::ALL {
                let labels = [("component", component.name.as_str()), ("state", state.name())];
                ConstGauge::new(u64::from(component.state == state)).encode(states.encode_family(&labels)?)?;
            }
        }
        let kind = ConstCounter::new(0u64).metric_type();
        let about = "How often it was started again.";
        let mut restarts = encoder.encode_descriptor("component_restarts", about, None, kind)?;
        for component in &components {
            let labels = [("component", component.name.as_str())];
            ConstCounter::new(component.restarts).encode(restarts.encode_family(&labels)?)?;
        }
        let process = Process::read();
        let resident = ConstGauge::new(process.resident_bytes);
        let about = "Memory in use by the process.";
        resident.encode(encoder.encode_descriptor(
            "process_resident_memory_bytes",
            about,
            None,
            resident.metric_type(),
        )?)?;
        let cpu = ConstCounter::new(process.cpu_seconds);
        let about = "User and system time of the process.";
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", about, None, cpu.metric_type())?)
    }
}

/// What the process uses. Zero where `/proc` cannot be read: a scrape is not the place to fail.
struct Process {
    resident_bytes: u64,
    cpu_seconds: f64,
}

impl Process {
    fn read() -> Self {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        #[allow(clippy::cast_precision_loss, reason = "seconds of one process are far below 2^52")]
        let cpu_seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
        Self { resident_bytes: pages * page, cpu_seconds }
    }
}

#[cfg(test)]
mod tests;
