use std::sync::atomic::{AtomicU64, Ordering};

/// What the mirror did, for metrics. Counts from the start of the process.
#[derive(Debug, Default)]
pub struct MirrorStats {
    events_sent: AtomicU64,
    intents_sent: AtomicU64,
    bus_events_sent: AtomicU64,
    bus_waiting: AtomicU64,
    counters_sent: AtomicU64,
    errors: AtomicU64,
    connections: AtomicU64,
    foreign_entries: AtomicU64,
    entries_removed: AtomicU64,
    lag_events: AtomicU64,
}

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident, $add:ident;)*) => {
        impl MirrorStats {
            $($(#[$doc])*
            pub fn $name(&self) -> u64 {
                self.$name.load(Ordering::Relaxed)
            }

            pub(super) fn $add(&self, by: u64) {
                self.$name.fetch_add(by, Ordering::Relaxed);
            }
)*
        }
    };
}

figures! {
    /// Events that the stream took.
    events_sent, add_events_sent;
    /// Intent messages that their stream took.
    intents_sent, add_intents_sent;
    /// Events of the bus that their streams took.
    bus_events_sent, add_bus_events_sent;
    /// Counters that were set.
    counters_sent, add_counters_sent;
    /// Sessions that ended with an error, and parts that failed.
    errors, add_errors;
    /// Connections made.
    connections, add_connections;
    /// Entries of others seen on the stream while the mirror wrote to it.
    foreign_entries, add_foreign_entries;
    /// Entries of ours that were removed because the data file does not know their events: it was restored.
    entries_removed, add_entries_removed;
}

impl MirrorStats {
    /// Events that are committed and not in the stream yet.
    pub fn lag_events(&self) -> u64 {
        self.lag_events.load(Ordering::Relaxed)
    }

    /// Events of the bus that are committed and not in their streams yet.
    pub fn bus_waiting(&self) -> u64 {
        self.bus_waiting.load(Ordering::Relaxed)
    }

    pub(super) fn set_bus_waiting(&self, events: u64) {
        self.bus_waiting.store(events, Ordering::Relaxed);
    }

    pub(super) fn set_lag(&self, events: u64) {
        self.lag_events.store(events, Ordering::Relaxed);
    }
}
