//! The live tail as a task: each commit is read and written once while somebody reads along.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Tasks;
use crate::app::App;
use crate::app::tail::Piece;
use crate::store::StoreError;

/// Events read at once.
const EVENTS: usize = 4_096;

/// Time between two pieces, in the long run: 32 pieces a second are some 20,000 events, beyond what a day brings and
/// about what a reader can take. While the journal is caught up with at ten times that, the tail comes after.
const PACE: Duration = Duration::from_millis(1_000 / 32);

/// What may go out at once before that, a burst: half of the ring.
const BURST: u32 = 32;

/// How long to wait when the file cannot be read just now.
const RETRY: Duration = Duration::from_secs(1);

/// Starts it. Spawned after the feed, it stops after it and has sent what the feed's drain committed.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let app = app.clone();
    tasks.spawn("tail", move |context| {
        let app = app.clone();
        async move {
            let mut committed = app.store.committed();
            let mut after = committed.borrow_and_update().last;
            let mut earliest = Instant::now();
            loop {
                let last = committed.borrow_and_update().last;
                if app.tail.readers() == 0 {
                    // Who joins later begins at what is newest then.
                    after = last;
                } else if after < last {
                    let store = app.store.clone();
                    let read = move || {
                        let events = store.events_after(after, EVENTS)?;
                        Ok::<_, StoreError>(Piece::all(&events, after))
                    };
                    let Ok(pieces) = tokio::task::spawn_blocking(read).await? else {
                        // The file is being opened anew after a failed commit; that is the store's to report.
                        sleep(RETRY).await;
                        continue;
                    };
                    if pieces.is_empty() {
                        after = last;
                    }
                    for piece in pieces {
                        let now = Instant::now();
                        earliest = earliest.max(now.checked_sub(PACE * BURST).unwrap_or(now)) + PACE;
                        tokio::select! {
                            () = sleep_until(earliest) => {}
                            () = context.stopping.asked() => {}
                        }
                        after = piece.last();
                        app.tail.send(piece);
                    }
                    continue;
                }
                app.metrics.tail_readers.set(app.tail.readers() as u64);
                tokio::select! {
                    changed = committed.changed() => changed?,
                    () = context.stopping.asked() => return Ok(()),
                }
            }
        }
    });
}
