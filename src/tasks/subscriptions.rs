//! The subscriptions as a task: what other programs tell over the bus is taken in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Tasks;
use crate::app::App;
use crate::mirror::{MirrorSettings, Standing, Subscriptions};
use crate::observe::status::Reporter;

/// How often the figures are carried over to the metrics, and dead letters are counted.
const FIGURES: Duration = Duration::from_secs(2);

/// Starts it. Spawned before the mirror, it stops first and leaves to the mirror what followed from messages.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let reporter = app.board.reporter("subscriptions");
    let letters = app.board.reporter("dead-letters");
    let app = app.clone();
    tasks.spawn("subscriptions", move |context| {
        let (app, reporter, letters) = (app.clone(), reporter.clone(), letters.clone());
        async move {
            let settings = MirrorSettings::new(&app.config.redis);
            let standing = Arc::new(Standing::default());
            let (stop, shutdown) = watch::channel(false);
            let inlet = app.bus_in.clone();
            let running = Subscriptions::new(app.store.clone(), settings, inlet, reporter, standing.clone());
            let running = running.run(shutdown);
            tokio::pin!(running);
            let mut figures = tokio::time::interval(FIGURES);
            let stopping = context.stopping.clone();
            let asked = async move { stopping.asked().await };
            tokio::pin!(asked);
            loop {
                tokio::select! {
                    () = &mut running => return Ok(()),
                    () = &mut asked, if !*stop.borrow() => { stop.send_replace(true); }
                    _ = figures.tick() => carry(&app, &standing, &letters).await?,
                }
            }
        }
    });
}

async fn carry(app: &App, standing: &Standing, letters: &Reporter) -> anyhow::Result<()> {
    for (topic, (pending, lag)) in standing.all() {
        app.metrics.bus_group(topic.as_str(), pending, lag);
    }
    let store = app.store.clone();
    let waiting = tokio::task::spawn_blocking(move || store.dead_letters_waiting()).await?;
    // A data file that cannot be read is the store's news.
    let Ok(waiting) = waiting else { return Ok(()) };
    app.metrics.dead_letters.set(waiting);
    letters.figure("waiting", waiting);
    match waiting {
        0 => letters.ok("no message of the bus came to nothing"),
        1 => letters.warn("one message of the bus came to nothing", LOOK),
        more => letters.warn(format!("{more} messages of the bus came to nothing"), LOOK),
    }
    Ok(())
}

/// What to do about dead letters.
const LOOK: &str = "look at them on the page Dead letters (/dead-letters): replay or discard each";
