//! What has to be looked at from time to time: sizes, free space, open intents, production pointers that lag behind.

use std::time::Duration;

use anyhow::Context as _;

use super::Tasks;
use crate::app::App;
use crate::app::answers::open_intents;
use crate::app::restored;
use crate::observe::status::Reporter;

const EVERY: Duration = Duration::from_secs(5);

/// Free space under which an operator should act: some days at the usual rate.
const LOW_BYTES: u64 = 512 << 20;

/// Starts it.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let disk = app.board.reporter("disk");
    let app = app.clone();
    tasks.spawn("upkeep", move |context| {
        let (app, disk) = (app.clone(), disk.clone());
        async move {
            loop {
                let (looked, disk) = (app.clone(), disk.clone());
                tokio::task::spawn_blocking(move || look(&looked, &disk)).await??;
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = context.stopping.asked() => return Ok(()),
                }
            }
        }
    });
}

fn look(app: &App, disk: &Reporter) -> anyhow::Result<()> {
    let path = app.store.path();
    let bytes = std::fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?.len();
    let room = app.store.room().with_context(|| format!("cannot look at the disk of {}", path.display()))?;
    let free = room.free;
    app.metrics.data_file_bytes.set(bytes);
    app.metrics.disk_free_bytes.set(free);
    disk.figure("data_file_bytes", bytes);
    disk.figure("free_bytes", free);
    let free_mib = free >> 20;
    if !room.is_enough() {
        disk.failed(
            format!("{free_mib} MiB are free, ingestion has stopped"),
            "free space on the data file's disk, or lower events.retention_bytes and restart; reading goes on by \
             itself, and nothing is lost meanwhile",
        );
    } else if free < LOW_BYTES {
        disk.warn(format!("only {free_mib} MiB are free"), "free space soon: at 16 MiB reading stops");
    } else {
        disk.ok("has room");
    }
    app.deployments.retry();
    // A directory that cannot be looked into is told of at the start, and by every upload.
    let _ = app.files.directory.sweep_partials();
    restored::show(&app.board, &app.store, crate::observe::now());
    // A data file that cannot be read is the store's failure to report, not this task's.
    if let Ok(open) = open_intents(&app.store) {
        app.metrics.intents_open.set(open as u64);
    }
    Ok(())
}
