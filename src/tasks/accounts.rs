//! What users, sessions and tokens leave to be done: refused attempts into the audit log, last use into the file, and
//! what has ended out of it.

use std::time::Duration;

use super::Tasks;
use crate::app::App;
use crate::app::accounts::AccountError;

const EVERY: Duration = Duration::from_secs(2);

/// Starts it.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let accounts = app.accounts.clone();
    tasks.spawn("accounts", move |context| {
        let accounts = accounts.clone();
        async move {
            loop {
                let kept = accounts.clone();
                match tokio::task::spawn_blocking(move || kept.upkeep()).await? {
                    // Nothing is lost by a full disk: it is tried again, and the disk's own line says what to do.
                    Err(AccountError::Store(error)) if error.is_full() => {}
                    result => result?,
                }
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = context.stopping.asked() => return Ok(()),
                }
            }
        }
    });
}
