use std::path::PathBuf;
use std::time::Duration;

use crate::config;

/// What the mirror is told.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    /// Where Redis is, what the streams are called, and whether to write.
    pub redis: config::Redis,
    /// The `consumer` of an intent's message.
    pub consumer: String,
    /// The program that tells whether the predecessor's units run.
    pub systemctl: PathBuf,
    /// When things are done.
    pub timing: Timing,
}

/// When the mirror does things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The first pause after a failure.
    pub backoff_first: Duration,
    /// The longest pause.
    pub backoff_most: Duration,
    /// An answer that takes longer than this will not come: a whole batch takes Redis some milliseconds.
    pub answer: Duration,
    /// How often it looks whether the stream still stands while nothing happens, and whether it still has to hold.
    pub look: Duration,
    /// The least time between two rounds of counters.
    pub counters: Duration,
    /// How often the position is saved: a save is a commit, and the stream itself knows better.
    pub save: Duration,
    /// How long it may go on after the signal to stop.
    pub drain: Duration,
    /// How long the stream must be silent before a takeover when the predecessor's units are stopped.
    pub quiet_stopped: Duration,
    /// The same when nothing is known of them.
    pub quiet_unknown: Duration,
    /// How often it looks, once it writes, whether the predecessor's units came back.
    pub predecessor: Duration,
    /// How long health shows another writer after its last entry.
    pub foreign_shown: Duration,
    /// How long a look for new messages of the bus waits for one, at most.
    pub block: Duration,
    /// The pause before a message of the bus that failed is tried again; each further one is twice as long.
    pub retry: Duration,
    /// How long a message must have lain with another consumer until it is taken over.
    pub claim_idle: Duration,
    /// How often such messages are looked for.
    pub claim: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_millis(200),
            backoff_most: Duration::from_secs(30),
            answer: Duration::from_secs(10),
            look: Duration::from_secs(5),
            counters: Duration::from_secs(1),
            save: Duration::from_secs(60),
            drain: Duration::from_secs(3),
            quiet_stopped: Duration::from_secs(60),
            quiet_unknown: Duration::from_secs(300),
            predecessor: Duration::from_secs(60),
            foreign_shown: Duration::from_secs(600),
            block: Duration::from_secs(5),
            retry: Duration::from_secs(2),
            claim_idle: Duration::from_secs(60),
            claim: Duration::from_secs(30),
        }
    }
}

impl MirrorSettings {
    /// The settings of a configuration.
    pub fn new(config: &config::Redis) -> Self {
        Self {
            redis: config.clone(),
            consumer: config.consumer_name(),
            systemctl: PathBuf::from("systemctl"),
            timing: Timing::default(),
        }
    }
}
