use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::app::answers::backups::AttemptAnswer;
use crate::cli::ask::{Daemon, is_away};
use crate::cli::{Global, output};
use crate::domain::backup::{AttemptState, CopyState};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(300);

/// How long a daemon may be away, as it is for its restart, which may repair a large file.
const AWAY: Duration = Duration::from_secs(300);

/// Waits for the end of an attempt, and of its copy elsewhere. What happens is told on the way. One that the daemon's end
/// interrupted is asked for once more, so that a restart in the wrong minute costs no night its backup.
pub(super) fn until_over(
    daemon: &Daemon,
    attempt: AttemptAnswer,
    ask: &dyn Fn() -> anyhow::Result<AttemptAnswer>,
    global: &Global,
) -> anyhow::Result<AttemptAnswer> {
    let mut number = attempt.attempt;
    if attempt.joined {
        tell(global, "a backup was under way already: it is that one")?;
    }
    let mut said = String::new();
    let mut again = true;
    loop {
        let now: AttemptAnswer = patiently(|| daemon.get(&format!("/api/backups/attempts/{number}"), &()))?;
        if now.state == AttemptState::Interrupted && again {
            again = false;
            tell(global, "the daemon was restarted in the middle: it is asked once more")?;
            number = patiently(ask)?.attempt;
            continue;
        }
        let copying = now.copies.iter().find(|copy| now.state == AttemptState::Done && !copy.state.is_over());
        let line = match copying {
            None if now.state.is_over() => return Ok(now),
            Some(copy) if copy.state == CopyState::Running => format!("copying it to {}", copy.to),
            Some(copy) => format!("waiting to copy it to {}", copy.to),
            None if now.state == AttemptState::Waiting => "waiting for what is under way".to_owned(),
            None => now.step.map_or("beginning", |step| step.words()).to_owned(),
        };
        if line != said {
            tell(global, &line)?;
            said = line;
        }
        sleep(LOOK);
    }
}

pub(super) fn tell(global: &Global, line: &str) -> anyhow::Result<()> {
    if !global.json {
        output::print(format!("{}\n", output::visible(line)).as_bytes())?;
    }
    Ok(())
}

/// Asks again while the daemon is away for a moment.
fn patiently<T>(mut ask: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut since = None;
    loop {
        match ask() {
            Err(error) if is_away(&error) && since.get_or_insert_with(Instant::now).elapsed() < AWAY => sleep(LOOK),
            asked => return asked,
        }
    }
}
