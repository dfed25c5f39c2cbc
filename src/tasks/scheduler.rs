//! Wakes the scheduler: when the next training may begin, and when something happened.

use std::time::Duration;

use tokio::time::sleep;

use super::Tasks;
use crate::app::App;
use crate::app::schedule::Stepped;
use crate::domain::schedule::instant;
use crate::observe::now;
use crate::observe::status::Reporter;

/// The longest pause, whatever the clock says of the next time: it may be set meanwhile, workers come and go, and intents
/// wake nobody.
const MOST: Duration = Duration::from_secs(10);

/// The shortest pause: jobs change with every heartbeat of a worker, and each step looks at every model.
const LEAST: Duration = Duration::from_secs(1);

/// Starts it.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let status = app.board.reporter("scheduler");
    let app = app.clone();
    tasks.spawn("scheduler", move |context| {
        let (app, status) = (app.clone(), status.clone());
        async move {
            let (mut happenings, mut jobs) = (app.schedule.happenings(), app.jobs.changes());
            loop {
                let stepping = app.clone();
                let next = match tokio::task::spawn_blocking(move || stepping.schedule.step(now())).await? {
                    Ok(stepped) => {
                        report(&app, &status, &stepped);
                        stepped.next
                    }
                    // A full disk passes, and its own line says what to do.
                    Err(error) if error.is_full() => None,
                    Err(error) => return Err(error.into()),
                };
                let until = next.map_or(MOST, |next| Duration::from_micros(next.0.saturating_sub(now().0)).min(MOST));
                tokio::select! {
                    () = sleep(LEAST) => {}
                    () = context.stopping.asked() => return Ok(()),
                }
                tokio::select! {
                    () = sleep(until.saturating_sub(LEAST)) => {}
                    _ = happenings.changed() => {}
                    _ = jobs.changed() => {}
                    () = context.stopping.asked() => return Ok(()),
                }
            }
        }
    });
}

fn report(app: &App, status: &Reporter, stepped: &Stepped) {
    let Stepped { models, held, next, .. } = *stepped;
    app.metrics.schedule.held.set(held as u64);
    status.figure("models", models as u64);
    status.figure("held", held as u64);
    if !app.schedule.rules().enabled {
        return status.off("scheduler.enabled is false: only what somebody asks for is trained");
    }
    let next = next.map_or("nothing is due by the clock".to_owned(), |next| format!("next at {}", instant(next)));
    status.ok(format!("{models} models, {held} held back; {next}"));
}
