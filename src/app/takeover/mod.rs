//! Taking over from the predecessor: what the daemon does of it. The machine's side (units, files) is the command's.

mod batch;
mod first;
mod history;
mod mark;

pub use first::at_first_start;
pub use history::{Asked, HistoryError, import};
pub use mark::{MarkError, leave_mark, mark_of, take_mark};

use super::App;
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::mirror;
use crate::observe::now;
use crate::store::StoreError;

/// Writes down that the machine's side of a takeover, or of its undo, was done. Blocks.
pub fn record(app: &App, actor: &Actor, undone: bool, steps: &[String]) -> Result<(), StoreError> {
    let action = if undone { "takeover.undone" } else { "takeover.done" };
    let entry = AuditEntry::done(now(), actor, action, "the predecessor", steps.join("; "));
    app.store.write(|txn| {
        if undone {
            mirror::give_back(txn)?;
        }
        txn.audit(entry)
    })
}
