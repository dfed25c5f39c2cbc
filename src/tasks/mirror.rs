//! The mirror as a task: Redis gets what is committed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Tasks;
use crate::app::App;
use crate::mirror::{Mirror, MirrorSettings, MirrorStats};

/// How often the figures are carried over to the metrics.
const FIGURES: Duration = Duration::from_secs(1);

/// Starts it. Spawned after the feed, it stops after it and sends what the feed's drain committed.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let reporter = app.board.reporter("mirror");
    let app = app.clone();
    tasks.spawn("mirror", move |context| {
        let (app, reporter) = (app.clone(), reporter.clone());
        async move {
            let settings = MirrorSettings::new(&app.config.redis);
            let stats = Arc::new(MirrorStats::default());
            let (stop, shutdown) = watch::channel(false);
            let mirror = Mirror::new(app.store.clone(), settings, reporter, stats.clone()).run(shutdown);
            tokio::pin!(mirror);
            let mut figures = tokio::time::interval(FIGURES);
            let mut had = Figures::default();
            let stopping = context.stopping.clone();
            let asked = async move { stopping.asked().await };
            tokio::pin!(asked);
            loop {
                tokio::select! {
                    () = &mut mirror => return Ok(()),
                    () = &mut asked, if !*stop.borrow() => { stop.send_replace(true); }
                    _ = figures.tick() => had.carry(&stats, &app),
                }
            }
        }
    });
}

/// What the metrics were told already: their counters only grow by what is new.
#[derive(Default)]
struct Figures {
    events: u64,
    bus_events: u64,
    errors: u64,
}

impl Figures {
    fn carry(&mut self, stats: &MirrorStats, app: &App) {
        let (events, bus_events, errors) = (stats.events_sent(), stats.bus_events_sent(), stats.errors());
        app.metrics.mirror_events.inc_by(events.saturating_sub(self.events));
        app.metrics.mirror_errors.inc_by(errors.saturating_sub(self.errors));
        app.metrics.bus_events.inc_by(bus_events.saturating_sub(self.bus_events));
        (self.events, self.bus_events, self.errors) = (events, bus_events, errors);
        app.metrics.bus_waiting_events.set(stats.bus_waiting());
        app.metrics.mirror_lag_events.set(stats.lag_events());
        let mirror = app.board.all().into_iter().find(|part| part.name == "mirror");
        if let Some(millis) = mirror.and_then(|mirror| mirror.figures.get("position_ms").copied()) {
            app.metrics.mirror_position.set(std::time::Duration::from_millis(millis).as_secs_f64());
        }
    }
}
