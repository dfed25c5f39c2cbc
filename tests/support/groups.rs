use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Takes away the control groups of all runs below a directory, whose processes are killed already. A supervisor that a test
/// has killed leaves its group, until somebody adopts the run; nobody adopts a test's.
pub(crate) fn remove_groups(directory: &Path) {
    for group in groups(directory) {
        // Who was killed leaves it when the kernel comes to it.
        let until = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir(&group).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy)
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Innermost first.
fn groups(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(groups(&entry.path()));
        } else if entry.file_name() == "run.json"
            && let Some(run) = fs::read(entry.path()).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok())
            && let Some(group) = run["group"].as_str()
        {
            below(Path::new(group), &mut found);
        }
    }
    found
}

fn below(group: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&entry.path(), found);
        }
    }
    found.push(group.to_owned());
}
