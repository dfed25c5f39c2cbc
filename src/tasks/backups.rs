//! Backups: carries out what was asked for, one after the other, looks at what is there, and copies elsewhere.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use super::Tasks;
use crate::app::App;
use crate::app::backups::{BackupsError, Finished};
use crate::observe::now;

/// How often it is looked how old the newest backup is, and tried to write down what could not be written.
const LOOK: Duration = Duration::from_secs(15);

/// What is in hand, also while the task that has it is started again.
#[derive(Default)]
struct Hand {
    /// Whether what the last process left was looked at.
    recovered: bool,
    /// What is carried out.
    running: Option<JoinHandle<Finished>>,
    /// What was carried out and is not written down yet.
    unwritten: Option<Arc<Finished>>,
}

/// Starts it.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let (making, hand) = (app.clone(), Arc::new(Mutex::new(Hand::default())));
    tasks.spawn("backups", move |context| {
        let (app, hand) = (making.clone(), Arc::clone(&hand));
        async move {
            let mut hand = hand.lock().await;
            let Hand { recovered, running, unwritten } = &mut *hand;
            if !*recovered {
                on_thread(&app, |app| app.backups.recover(now())).await?;
                *recovered = true;
            }
            loop {
                if unwritten.is_some() {
                    write_down(&app, unwritten).await?;
                }
                if running.is_none() && unwritten.is_none() {
                    *running = begin(&app).await?;
                }
                on_thread(&app, |app| app.backups.watch(now())).await?;
                tokio::select! {
                    finished = ended(running) => {
                        *running = None;
                        *unwritten = Some(Arc::new(finished?));
                    }
                    () = app.backups.asked() => {}
                    () = sleep(LOOK) => {}
                    // What is under way is left as it is: the next start finds out whether it was whole by then.
                    () = context.stopping.asked() => return Ok(()),
                }
            }
        }
    });
    // Also where no store elsewhere is configured any more: what waits for one has to end.
    let app = app.clone();
    tasks.spawn("backup-copies", move |context| {
        let app = app.clone();
        async move {
            loop {
                let is_full = tokio::select! {
                    copied = app.backups.copy_to_remote(&now) => match copied {
                        // A full disk passes, and its own line says what to do.
                        Err(error) if error.is_full() => true,
                        copied => {
                            copied?;
                            false
                        }
                    },
                    () = context.stopping.asked() => return Ok(()),
                };
                // Whatever leaves a copy waiting says so: nobody looks through all attempts now and then.
                tokio::select! {
                    () = app.backups.to_copy() => {}
                    () = sleep(LOOK), if is_full => {}
                    () = context.stopping.asked() => return Ok(()),
                }
            }
        }
    });
}

/// Begins what is next, on a thread of its own.
async fn begin(app: &App) -> anyhow::Result<Option<JoinHandle<Finished>>> {
    let beginning = app.clone();
    let begun = match spawn_blocking(move || beginning.backups.begin(now())).await? {
        Err(error) if error.is_full() => return Ok(None),
        begun => begun?,
    };
    let Some(number) = begun else { return Ok(None) };
    let carrying = app.clone();
    Ok(Some(spawn_blocking(move || carrying.backups.carry(number, &now))))
}

/// Writes down what came of an attempt; it stays in hand where the disk has no room for that now.
async fn write_down(app: &App, unwritten: &mut Option<Arc<Finished>>) -> anyhow::Result<()> {
    let Some(finished) = unwritten.clone() else { return Ok(()) };
    let app = app.clone();
    match spawn_blocking(move || app.backups.finish(&finished)).await? {
        Err(error) if error.is_full() => return Ok(()),
        written => written.context("what came of a backup cannot be written down")?,
    }
    *unwritten = None;
    Ok(())
}

/// What runs, when it is over.
async fn ended(running: &mut Option<JoinHandle<Finished>>) -> anyhow::Result<Finished> {
    match running {
        Some(running) => Ok(running.await?),
        None => std::future::pending().await,
    }
}

async fn on_thread<W>(app: &App, work: W) -> anyhow::Result<()>
where
    W: FnOnce(&App) -> Result<(), BackupsError> + Send + 'static,
{
    let app = app.clone();
    match spawn_blocking(move || work(&app)).await? {
        // A full disk passes, and its own line says what to do.
        Err(BackupsError::Store(error)) if error.is_full() => Ok(()),
        result => Ok(result?),
    }
}
