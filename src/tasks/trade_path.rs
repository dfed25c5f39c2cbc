//! Keeps the figures of the Trade path page, from the moment at which somebody first looks at it.

use std::time::{Duration, Instant};

use super::Tasks;
use crate::app::App;
use crate::observe::now;

/// New events are taken in together.
const EVERY: Duration = Duration::from_secs(1);

/// Starts it.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let app = app.clone();
    tasks.spawn("trade-path", move |context| {
        let app = app.clone();
        async move {
            let (mut wanted, mut committed) = (app.views.trade_path.wanted(), app.store.committed());
            tokio::select! {
                _ = wanted.wait_for(|wanted| *wanted) => {}
                () = context.stopping.asked() => return Ok(()),
            }
            loop {
                let (begun, looked) = (Instant::now(), app.clone());
                committed.mark_unchanged();
                let more =
                    tokio::task::spawn_blocking(move || looked.views.trade_path.step(&looked.store, now())).await??;
                // History leaves half of a core to those who work.
                let pause = if more { begun.elapsed() } else { EVERY };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = context.stopping.asked() => return Ok(()),
                }
                if !more {
                    tokio::select! {
                        _ = committed.changed() => {}
                        // Figures grow old also where nothing new comes.
                        () = tokio::time::sleep(60 * EVERY) => {}
                        () = context.stopping.asked() => return Ok(()),
                    }
                }
            }
        }
    });
}
