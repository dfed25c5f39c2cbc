//! Settings: one struct a concern. Every key has a default.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::event::Level;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The one data file.
    pub data_file: PathBuf,
    /// Listeners.
    pub http: Http,
    /// Where lines come from.
    pub journal: Journal,
    /// What is kept of them.
    pub events: Events,
    /// The mirror.
    pub redis: Redis,
    /// Detection.
    pub rules: Rules,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// TCP address of health, metrics and (later) the UI; empty listens on no port.
    pub listen: String,
    /// The unix socket that the commands use.
    pub socket: PathBuf,
}

/// `[journal]`
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// Units to read; a glob (`name@*.service`) matches instances started later too.
    pub units: Vec<String>,
    /// A journal other than the system's; none for the system's.
    pub directory: Option<PathBuf>,
    /// Where the first start begins.
    pub start: JournalStart,
    /// The `source` of a unit, where the built-in table does not name it.
    pub sources: BTreeMap<String, String>,
    /// The program that reads the journal.
    pub journalctl: PathBuf,
}

/// `journal.start`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalStart {
    /// The first entry of the current boot.
    Boot,
    /// The oldest entry.
    Head,
    /// What is written from now on.
    Now,
}

/// `[events]`
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// Age at which whole blocks of events go.
    pub retention_days: u32,
    /// Size of all events at which the oldest blocks go.
    pub retention_bytes: u64,
    /// What ends a trading pair's name.
    pub quote_currencies: Vec<String>,
    /// How long after a batch's first event it is committed at the latest.
    pub commit_interval: Duration,
}

/// `[redis]`
#[derive(Clone, Debug, PartialEq)]
pub struct Redis {
    /// `redis://[user[:password]@]host[:port][/db]`; empty for no mirror. Never logged.
    pub url: String,
    /// A file that holds the password, instead of in the URL.
    pub password_file: Option<PathBuf>,
    /// The events' stream.
    pub stream: String,
    /// Its rolling window.
    pub maxlen: u64,
    /// The intents' stream.
    pub intent_stream: String,
    /// Whether to write.
    pub mirror: MirrorMode,
    /// The `consumer` of an intent's message; the host's name where empty.
    pub consumer: String,
}

/// `redis.mirror`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorMode {
    /// Hold while another writer is active on the stream or the predecessor's units run.
    Auto,
    /// Write in any case.
    On,
    /// Never write.
    Off,
}

/// `[rules]`
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// `[rules.error_rate]`
    pub error_rate: ErrorRate,
}

/// `[rules.error_rate]`, and the same keys a unit under `[rules.error_rate.units."<unit>"]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorRate {
    /// Errors an hour above which an intent opens.
    pub threshold_per_hour: u64,
    /// The least severity that counts.
    pub least_severity: Level,
    /// Units with limits of their own.
    pub units: BTreeMap<String, ErrorLimits>,
}

/// What one unit may differ in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorLimits {
    /// Errors an hour above which an intent opens.
    pub threshold_per_hour: Option<u64>,
    /// The least severity that counts.
    pub least_severity: Option<Level>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_file: PathBuf::from("/var/lib/quantum-clm/quantum.redb"),
            http: Http { listen: "127.0.0.1:8000".into(), socket: PathBuf::from("/run/quantum-clm/api.sock") },
            journal: Journal {
                units: ["ai-engine", "strategy-brain", "risk-brain", "execution"]
                    .map(|name| format!("quantum-{name}.service"))
                    .into(),
                directory: None,
                start: JournalStart::Boot,
                sources: BTreeMap::new(),
                journalctl: PathBuf::from("journalctl"),
            },
            events: Events {
                retention_days: 30,
                retention_bytes: 8 << 30,
                quote_currencies: ["USDT", "USDC", "FDUSD", "TUSD", "BUSD"].map(String::from).into(),
                commit_interval: Duration::from_millis(600),
            },
            redis: Redis {
                url: "redis://127.0.0.1:6379/0".into(),
                password_file: None,
                stream: "quantum:stream:utf".into(),
                maxlen: 200_000,
                intent_stream: "quantum:stream:clm.intent".into(),
                mirror: MirrorMode::Auto,
                consumer: String::new(),
            },
            rules: Rules {
                error_rate: ErrorRate {
                    threshold_per_hour: 20,
                    least_severity: Level::WARNING,
                    units: BTreeMap::new(),
                },
            },
        }
    }
}
