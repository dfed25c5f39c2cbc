//! The feed: a source on one thread, the pipeline on another, and the inbox between them.
//!
//! Both start and end together. A pipeline that failed has lost what it had taken from the inbox, so the source must
//! begin again at the position that the file holds. Who publishes does not notice but for the time it takes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;

use super::{Context, Tasks};
use crate::app::{App, takeover};
use crate::config;
use crate::domain::feed::Delivery;
use crate::domain::rules::RuleSet;
use crate::domain::rules::error_rate::{ErrorRate, Limits};
use crate::observe::now;
use crate::observe::status::Reporter;
use crate::pipeline::{Pipeline, Settings};
use crate::process::StopFlag;
use crate::sources::{demo, journal::JournalSource};
use crate::store::Retention;

/// The pipeline's sign of life, for the watchdog.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Silence after which the pipeline counts as stuck.
    const LIMIT: Duration = Duration::from_secs(60);

    fn beat(&self) {
        self.0.store(now().0, Ordering::Relaxed);
    }

    /// Whether the pipeline moved lately.
    pub fn is_alive(&self) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        last == 0 || now().0.saturating_sub(last) < Self::LIMIT.as_micros() as u64
    }
}

/// Where the lines come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The journal of the configured units.
    Journal,
    /// The built-in feed.
    Demo,
}

/// Starts the feed.
pub fn spawn(tasks: &mut Tasks, app: &App, origin: Origin) -> Pulse {
    let pulse = Pulse::default();
    // Registered before the first health check can ask.
    let status = Statuses {
        journal: app.board.reporter("journal"),
        store: app.board.reporter("store"),
        rules: app.board.reporter("rules"),
    };
    let (app, beat, runtime) = (app.clone(), pulse.clone(), Handle::current());
    tasks.spawn_thread("feed", move |context| run(&app, origin, &status, &beat, &runtime, &context));
    pulse
}

#[derive(Clone)]
struct Statuses {
    journal: Reporter,
    store: Reporter,
    rules: Reporter,
}

fn run(
    app: &App,
    origin: Origin,
    status: &Statuses,
    pulse: &Pulse,
    runtime: &Handle,
    context: &Context,
) -> anyhow::Result<()> {
    let stop = StopFlag::new().context("cannot make the stop signal of the feed")?;
    let (flag, stopping, inbox) = (stop.clone(), context.stopping.clone(), app.inbox.clone());
    let waker = runtime.spawn(async move {
        stopping.asked().await;
        flag.set();
        inbox.close();
    });
    let mut rules = rules(&app.config.rules);
    app.store.restore_rules(&mut rules).context("cannot restore the rules")?;
    let metrics = app.metrics.clone();
    let mut pipeline = Pipeline::new(
        app.store.clone(),
        rules,
        Settings {
            commit_interval: app.config.events.commit_interval,
            retention: Retention { days: app.config.events.retention_days, bytes: app.config.events.retention_bytes },
        },
        status.store.clone(),
        status.rules.clone(),
        move |committed| {
            for (source, events) in &committed.events {
                metrics.stored(source, *events);
            }
            metrics.journal_gaps.inc_by(committed.gaps);
            metrics.publications.inc_by(committed.publications);
            metrics.commits.inc();
        },
    );
    let (source_side, pipeline_side) = app.inbox.connect();
    let normaliser = app.normaliser.clone();
    let metrics = &app.metrics;
    let deliver = move |delivery: Delivery| {
        metrics.deliveries.inc();
        match source_side.send(delivery) {
            Ok(()) => ControlFlow::Continue(()),
            // The pipeline ended: so does the source.
            Err(_) => ControlFlow::Break(()),
        }
    };
    let journal = match origin {
        Origin::Demo => None,
        Origin::Journal => {
            let source =
                JournalSource::new(&app.config.journal, normaliser.clone(), &app.host, status.journal.clone())?;
            let places = runtime.block_on(takeover::at_first_start(app, &status.journal, &context.stopping));
            Some(source.behind(places.context("cannot read how far the predecessor's history was taken in")?))
        }
    };
    let result = std::thread::scope(|threads| {
        let (stop, journal_status) = (&stop, &status.journal);
        let source =
            std::thread::Builder::new().name("source".to_owned()).spawn_scoped(threads, move || match journal {
                Some(journal) => journal.run(app.store.feed().position, stop, deliver),
                None => {
                    journal_status.ok("no journal is read: this is the built-in demo feed");
                    demo::run(&normaliser, app.store.feed().events == 0, now, stop, deliver);
                }
            });
        let source = source.context("cannot start the source's thread")?;
        let stopping = context.stopping.clone();
        let ended = pipeline.run(&pipeline_side, &|| stopping.is_asked(), &|| pulse.beat());
        // Unblocks a source that waits for room in the inbox.
        drop(pipeline_side);
        stop.set();
        source.join().map_err(|_| anyhow::anyhow!("the source panicked: see the log"))?;
        ended.map_err(anyhow::Error::from)
    });
    waker.abort();
    result?;
    anyhow::ensure!(context.stopping.is_asked(), "the source ended by itself");
    Ok(())
}

/// The rules that are configured.
pub fn rules(config: &config::Rules) -> RuleSet {
    let rate = &config.error_rate;
    let default = Limits { threshold: rate.threshold_per_hour, least_severity: rate.least_severity };
    let units = rate.units.keys().map(|unit| (unit.clone(), rate.limits(unit)));
    RuleSet::new(vec![Box::new(ErrorRate::new(default, units.collect()))])
}
