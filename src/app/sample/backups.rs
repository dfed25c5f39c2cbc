use crate::app::App;
use crate::app::backups::{Asked, BackupsError};
use crate::domain::access::{Actor, Grant};
use crate::domain::role::Role;
use crate::domain::time::Micros;

/// Asks for a backup of the sample, unless one is there or was asked for: the daemon makes it as it makes any other.
pub fn ask_for_backup(app: &App, now: Micros) -> Result<(), BackupsError> {
    let standing = app.backups.standing(now)?;
    if standing.newest().is_some() || !standing.attempts.is_empty() {
        return Ok(());
    }
    let asked = Asked {
        actor: Actor::own("demo"),
        grant: Grant::Role(Role::Operator),
        why: "a sample for the demo".to_owned(),
        to: None,
        key: None,
        now,
    };
    app.backups.make(&asked).map(drop)
}
