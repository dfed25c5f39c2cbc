//! Settings: one struct a concern. Every key has a default, and one table of keys ([`key::keys`]) drives reading,
//! showing, suggesting and the sample file.

use std::path::PathBuf;

mod adapters;
mod artifacts;
mod auth;
mod backup;
mod events;
mod file;
mod gates;
mod http;
mod jobs;
mod journal;
mod key;
mod load;
mod notify;
mod number;
mod predecessor;
mod promotion;
mod redis;
mod redis_target;
mod rules;
mod s3;
mod sample;
mod scheduler;
mod secret;
mod url;
mod value;
mod worker;

pub use self::adapters::{Adapter, Adapters};
pub use self::artifacts::Artifacts;
pub use self::auth::Auth;
pub use self::backup::{AgeRecipient, Backup};
pub use self::events::Events;
pub use self::gates::Gates;
pub use self::http::Http;
pub use self::jobs::Jobs;
pub use self::journal::{Journal, JournalStart};
pub use self::load::{ConfigError, DEFAULT_FILE, Loaded, Origin, PREDECESSOR_DIRECTORY, Request, Setting};
pub use self::notify::{Notify, Webhook, WebhookUrl};
pub use self::promotion::Promotion;
pub use self::redis::{MirrorMode, Redis};
pub use self::redis_target::{BadRedisUrl, RedisAddress, RedisTarget};
pub use self::rules::{ErrorLimits, ErrorRate, Rules};
pub use self::s3::{S3, S3Url};
pub use self::sample::sample;
pub use self::scheduler::{Interval, Scheduler, Whose};
pub use self::secret::{Secret, SecretError, read_secret};
pub use self::worker::{DaemonUrl, Worker};

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
    /// Who is told what.
    pub notify: Notify,
    /// Sessions and tokens.
    pub auth: Auth,
    /// Models' files.
    pub artifacts: Artifacts,
    /// How versions go into production.
    pub promotion: Promotion,
    /// What a version has to show.
    pub gates: Gates,
    /// What workers run.
    pub jobs: Jobs,
    /// The worker.
    pub worker: Worker,
    /// The programs that it runs.
    pub adapters: Adapters,
    /// When which model is trained.
    pub scheduler: Scheduler,
    /// Backups.
    pub backup: Backup,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_file: PathBuf::from("/var/lib/quantum-clm/quantum.redb"),
            http: Http::default(),
            journal: Journal::default(),
            events: Events::default(),
            redis: Redis::default(),
            rules: Rules::default(),
            notify: Notify::default(),
            auth: Auth::default(),
            artifacts: Artifacts::default(),
            promotion: Promotion::default(),
            gates: Gates::default(),
            jobs: Jobs::default(),
            worker: Worker::default(),
            adapters: Adapters::default(),
            scheduler: Scheduler::default(),
            backup: Backup::default(),
        }
    }
}

/// The keys that stand before the first section.
fn keys() -> Vec<key::Key> {
    vec![key!(
        data_file,
        value::File,
        |path| value::a_file(path),
        "The one data file: events, counters, intents and the position in the journal."
    )]
}

use self::key::key;
