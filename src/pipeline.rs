//! Batches become transactions: the one writer of the feed, on a thread of its own.
//!
//! Deliveries and publications gather until `commit_interval` after the first event, or until a few blocks are full.
//! Then the rules fold them, and one transaction takes events, counters, rule rows, intents, outbox, gaps, tick, the
//! journal's position and the publications' keys. While that cannot be committed (a full disk) nothing more is taken
//! from the inbox: the journal is the spool, and publishers wait.

/// Where its work comes in.
pub mod inbox;
mod pending;
mod publication;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::batch::EventBatch;
use crate::domain::feed::Progress;
use crate::domain::rules::{Outcome, RuleSet};
use crate::domain::time::Micros;
use crate::observe::status::Reporter;
use crate::store::{Retention, Store, StoreError};
use inbox::{PipelineSide, Taken};
use pending::Pending;

pub use publication::{Lost, NotPublished, Publication, PublicationKey, Waiting};

/// Time between two ticks, by the feed's own time.
pub const TICK_MICROS: u64 = 60 * Micros::SECOND;

/// How long after a failed commit the next try follows.
const RETRY: Duration = Duration::from_secs(1);

/// How often retention looks for something to remove.
const TRIM_EVERY: Duration = Duration::from_secs(600);

/// How often it goes on while there is more.
const TRIM_MORE: Duration = Duration::from_secs(1);

/// How long the thread waits without a look at the stop signal.
const IDLE: Duration = Duration::from_millis(250);

/// The pipeline's settings.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long after a batch's first event it is committed at the latest.
    pub commit_interval: Duration,
    /// What is kept.
    pub retention: Retention,
}

/// The writer of the feed.
pub struct Pipeline {
    store: Arc<Store>,
    rules: RuleSet,
    settings: Settings,
    store_status: Reporter,
    rules_status: Reporter,
    pending: Pending,
    retention: Trimmer,
    observe: Box<dyn Fn(&Committed) + Send>,
}

/// What one transaction took, for the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Events of each source.
    pub events: Vec<(String, u64)>,
    /// Gaps.
    pub gaps: u64,
    /// Publications.
    pub publications: u64,
    /// How long the transaction took.
    pub took: Duration,
}

/// Why the pipeline ended.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// It was told to stop while a commit could not be made. Nothing is lost: the journal still has it.
    #[error("stopped while {pending} events could not be stored: {source}; they are read again from the journal")]
    Stopped {
        /// How many events were waiting.
        pending: usize,
        /// Why they could not be stored.
        source: StoreError,
    },
}

/// An error that is a matter of this transaction's own bookkeeping.
enum Step {
    Store(StoreError),
    /// An earlier try of the same transaction had reached the disk after all.
    Landed,
}

impl From<StoreError> for Step {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Pipeline {
    /// A pipeline into `store`; `rules` have their rows back already. `observe` is called after each commit.
    pub fn new(
        store: Arc<Store>,
        rules: RuleSet,
        settings: Settings,
        store_status: Reporter,
        rules_status: Reporter,
        observe: impl Fn(&Committed) + Send + 'static,
    ) -> Self {
        Self {
            store,
            rules,
            settings,
            store_status,
            rules_status,
            pending: Pending::default(),
            retention: Trimmer { keep: settings.retention, next: Instant::now() },
            observe: Box::new(observe),
        }
    }

    /// Takes what comes in until the source is gone, and commits what there is. `stop` says whether to give up when a
    /// commit fails; `alive` is called as long as the loop turns, also while a full disk holds it up.
    pub fn run(
        &mut self,
        input: &PipelineSide,
        stop: &dyn Fn() -> bool,
        alive: &dyn Fn(),
    ) -> Result<(), PipelineError> {
        self.store_status.ok("stores events");
        self.rules_status.ok("fold events");
        loop {
            alive();
            let wait = match self.pending.since {
                Some(since) => self.settings.commit_interval.saturating_sub(since.elapsed()),
                None => IDLE,
            };
            let Taken { delivery, publication, ended } = input.take(wait);
            if let Some(delivery) = delivery {
                self.pending.deliver(delivery);
            }
            if let Some(publication) = publication {
                self.pending.publish(publication, &self.store, crate::observe::now());
            }
            if ended || self.pending.is_due(self.settings.commit_interval) || self.tick_due().is_some() {
                self.commit(stop, alive)?;
            }
            self.retention.trim(&self.store, &self.store_status);
            if ended {
                return Ok(());
            }
        }
    }

    /// The instant of the tick that is due, if one is.
    fn tick_due(&self) -> Option<Micros> {
        let at = match self.pending.progress {
            Progress::Unknown => return None,
            // An entry may carry a time that is yet to come; a tick there would close hours that are not over.
            Progress::Until(at) => at.min(crate::observe::now()),
            Progress::CaughtUp(at) => at,
        };
        let last = self.store.feed().tick.unwrap_or_default();
        // A tick far ahead of the clock (a machine that booted with a wrong one) is taken back by the next one.
        (at >= last.plus(TICK_MICROS) || at.plus(Micros::HOUR) < last).then_some(at)
    }

    fn commit(&mut self, stop: &dyn Fn() -> bool, alive: &dyn Fn()) -> Result<(), PipelineError> {
        let tick = self.tick_due();
        let pending = &mut self.pending;
        pending.begin();
        if pending.is_empty() && tick.is_none() {
            return Ok(());
        }
        // Folded once, stored as often as it takes: the outcome belongs to this batch whatever the disk says.
        self.rules.events(&pending.events);
        if let Some(at) = tick {
            self.rules.tick(at);
        }
        let outcome = self.rules.finish();
        crate::failpoint!("pipeline.folded");
        let started = Instant::now();
        let expected = self.store.feed().commits;
        let mut failed = false;
        loop {
            let now = crate::observe::now();
            match self.store.write(|txn| {
                if txn.feed().commits != expected {
                    Err(Step::Landed)
                } else {
                    write(txn, pending, &outcome, tick, now)
                }
            }) {
                Ok(()) | Err(Step::Landed) => break,
                Err(Step::Store(source)) => {
                    failed = true;
                    report(&self.store_status, &source);
                    // It may be the data file itself that has filled the disk.
                    self.retention.trim(&self.store, &self.store_status);
                    if stop() {
                        return Err(PipelineError::Stopped { pending: pending.events.len(), source });
                    }
                    alive();
                    std::thread::park_timeout(RETRY);
                }
            }
        }
        if failed {
            self.store_status.ok("stores events again; nothing was lost, the journal kept it");
        }
        let events = by_source(&pending.events);
        (self.observe)(&Committed {
            events,
            gaps: pending.gaps.len() as u64,
            publications: pending.publications(),
            took: started.elapsed(),
        });
        crate::failpoint!("pipeline.committed");
        pending.committed();
        Ok(())
    }
}

/// Removes what is past its time, now and then.
struct Trimmer {
    keep: Retention,
    next: Instant,
}

impl Trimmer {
    fn trim(&mut self, store: &Store, status: &Reporter) {
        if Instant::now() < self.next {
            return;
        }
        let again = match store.trim(self.keep, crate::observe::now()) {
            Ok(trimmed) if trimmed.more => TRIM_MORE,
            Ok(_) => TRIM_EVERY,
            Err(error) => {
                // The next commit will say the same, with a remedy; retention alone is no reason to fail.
                status.error(format!("retention: {error}"));
                TRIM_EVERY / 10
            }
        };
        self.next = Instant::now() + again;
    }
}

fn write(
    txn: &crate::store::WriteTxn,
    pending: &mut Pending,
    outcome: &Outcome,
    tick: Option<Micros>,
    now: Micros,
) -> Result<(), Step> {
    pending.events.number(txn.feed().last.first_at(now));
    txn.append(&pending.events)?;
    // Each gap stands among the events as an event of the appliance's own, in the same order.
    let own = pending.events.iter().filter(|event| event.is_own());
    for (event, gap) in own.zip(&pending.gaps) {
        txn.record_gap(event.id, gap)?;
    }
    pending.put_keys(txn, now)?;
    txn.apply_findings(&outcome.findings, now)?;
    txn.put_rule_rows(&outcome.changes)?;
    if let Some(at) = tick {
        txn.tick(at)?;
    }
    if let Some(places) = &pending.places {
        txn.put_places(places)?;
    }
    txn.finish_feed(pending.position.as_ref())?;
    Ok(())
}

/// How many events each source has in the batch. Usually a handful; a program that publishes may name any.
fn by_source(events: &EventBatch) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events.iter() {
        *counts.entry(event.source).or_default() += 1;
    }
    counts.into_iter().map(|(source, count)| (source.to_owned(), count)).collect()
}

fn report(status: &Reporter, error: &StoreError) {
    let remedy = if error.is_full() {
        "free space on the data file's disk, or lower events.retention_bytes and restart; reading goes on by itself, and \
         nothing is lost meanwhile"
    } else {
        "see `quantum-clm doctor`; the journal keeps what is not stored"
    };
    status.failed(error.to_string(), remedy);
}
