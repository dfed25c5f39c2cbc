use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

use super::Check;
use super::daemon::Answering;
use crate::cli::output::bytes;
use crate::config::Config;
use crate::store::{Inspected, OpenError, RESERVE_BYTES, Store};

/// Bytes of an event on disk, roughly: what the figure of days is made from.
const EVENT_BYTES: u64 = 35;

/// Fewer days than this until the disk is full are worth a look.
const FEW_DAYS: u64 = 14;

/// The directory, the disk and the file.
pub(super) fn check(config: &Config, answering: &Answering) -> Vec<Check> {
    let path = &config.data_file;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut checks = vec![directory_check(directory)];
    if directory.is_dir() {
        checks.push(disk(config, directory, answering));
        checks.push(file(path, answering));
    }
    checks
}

fn directory_check(directory: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = directory.display();
    let make = format!("install -d -m 750 -o quantum-clm -g quantum-clm {shown}");
    let found = match fs::metadata(directory) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => return Check::fail(NAME, format!("{shown} is no directory"), "set data_file to another path"),
        Err(error) => return Check::fail(NAME, format!("{shown}: {error}"), make),
    };
    // access(2) asks for the real user, which is the effective one in every way that this program is started.
    if access(directory, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let what = format!("this user may not write to {shown}, which belongs to the user number {}", found.uid());
        return Check::warn(NAME, what, "run doctor as root or as the daemon's user; the daemon must be able to write");
    }
    if found.mode() & 0o002 != 0 {
        return Check::warn(NAME, format!("everybody may write to {shown}"), format!("chmod o-w {shown}"));
    }
    Check::ok(NAME, format!("{shown} can be written to; it belongs to the user number {}", found.uid()))
}

fn disk(config: &Config, directory: &Path, answering: &Answering) -> Check {
    const NAME: &str = "disk";
    let free = match rustix::fs::statvfs(directory) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => return Check::warn(NAME, format!("{}: {error}", directory.display()), "look at the disk"),
    };
    let size = fs::metadata(&config.data_file).map_or(0, |found| found.len());
    judge_disk(free, size, config.events.retention_bytes, answering.events_an_hour())
}

fn judge_disk(free: u64, size: u64, retention: u64, events_an_hour: Option<u64>) -> Check {
    const NAME: &str = "disk";
    let room = free.saturating_sub(RESERVE_BYTES);
    if room == 0 {
        let what = format!("{} are free and {} must stay free: nothing is stored", bytes(free), bytes(RESERVE_BYTES));
        return Check::fail(NAME, what, "free some space, or lower events.retention_bytes and restart the daemon");
    }
    let days = events_an_hour.filter(|events| *events > 0).map(|events| room / (events * 24 * EVENT_BYTES));
    let holds = size.saturating_add(room) >= retention;
    let mut what =
        format!("{} are free; the data file has {} of at most {}", bytes(free), bytes(size), bytes(retention));
    match (holds, days) {
        (true, _) => Check::ok(NAME, what),
        (false, Some(days)) => {
            what.push_str(&format!("; at the last hour's pace the disk is full in {days} days"));
            if days < FEW_DAYS {
                return Check::warn(NAME, what, "free some space, or lower events.retention_bytes or retention_days");
            }
            Check::ok(NAME, what)
        }
        (false, None) => {
            what.push_str(", which the disk does not hold");
            Check::warn(NAME, what, "lower events.retention_bytes, unless events.retention_days comes first")
        }
    }
}

fn file(path: &Path, answering: &Answering) -> Check {
    const NAME: &str = "data file";
    let shown = path.display();
    if answering.owns(path) {
        return Check::ok(NAME, format!("{shown} is in use by the running daemon"));
    }
    if let Some(other) = answering.data_file() {
        let what = format!("the running daemon uses {}, the configuration names {shown}", other.display());
        return Check::warn(NAME, what, "restart the daemon, or run doctor with the daemon's configuration");
    }
    match Store::inspect(path) {
        Ok(Inspected::Missing) => Check::ok(NAME, format!("{shown} does not exist yet: the first start makes it")),
        Ok(Inspected::Unclean) => {
            Check::ok(NAME, format!("{shown} was not closed in order: the next start repairs it by itself"))
        }
        Ok(Inspected::Sound { schema }) => Check::ok(NAME, format!("{shown} opens; its schema version is {schema}")),
        Err(error @ OpenError::InUse { .. }) => {
            Check::warn(NAME, error.to_string(), "find it with: fuser, or systemctl status quantum-clm")
        }
        Err(error) => told(NAME, &error.to_string()),
    }
}

/// An error that ends in its remedy, in two.
fn told(name: &'static str, error: &str) -> Check {
    match error.rsplit_once("; ") {
        Some((what, remedy)) => Check::fail(name, what, remedy),
        None => match error.rsplit_once(": ") {
            Some((what, remedy)) => Check::fail(name, what, remedy),
            None => Check::fail(name, error, "see the data file by hand"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn how_long_the_disk_lasts() {
        const GIB: u64 = 1 << 30;
        for (free, size, events, state, part) in [
            (RESERVE_BYTES, 0, None, Verdict::Fail, "nothing is stored"),
            (20 * GIB, 0, None, Verdict::Ok, "at most 8.0 GiB"),
            (2 * GIB, 6 * GIB, Some(1_000_000), Verdict::Warn, "full in 2 days"),
            (2 * GIB, 0, Some(10_000), Verdict::Ok, "full in 253 days"),
            (2 * GIB, 0, None, Verdict::Warn, "does not hold"),
            (2 * GIB, 0, Some(0), Verdict::Warn, "does not hold"),
        ] {
            let check = judge_disk(free, size, 8 * GIB, events);
            assert!(check.state == state && check.what.contains(part), "{check:?}");
        }
    }

    #[test]
    fn the_remedy_of_an_error() {
        let check = told("x", "/f is damaged: cut: short; restore a backup");
        assert_eq!(
            (check.what.as_str(), check.remedy.as_deref()),
            ("/f is damaged: cut: short", Some("restore a backup"))
        );
    }
}
