//! Moving a unit file so that it is always there whole, in one place or the other, and never takes the place of another.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Moves a file and has it on the disk; whether there was one to move. One that an earlier run moved is in its place.
pub(super) fn shift(from: &Path, to: &Path) -> anyhow::Result<bool> {
    if !is_there(from) {
        return Ok(false);
    }
    if is_there(to) {
        // An earlier run, between two file systems, died before the original went.
        if fs::read(from).ok() != fs::read(to).ok() {
            bail!(
                "{} is there already, and is another file than {}: move one of them away",
                to.display(),
                from.display()
            );
        }
        fs::remove_file(from).with_context(|| format!("cannot remove {}", from.display()))?;
    } else if fs::rename(from, to).is_err() {
        carry(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))?;
    }
    for directory in [to.parent(), from.parent()].into_iter().flatten() {
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.with_context(|| format!("cannot have {} on the disk", directory.display()))?;
    }
    Ok(true)
}

/// Two file systems: the copy is whole, and on the disk, before the original goes.
fn carry(from: &Path, to: &Path) -> io::Result<()> {
    let coming = to.with_extension("coming");
    fs::copy(from, &coming)?;
    File::open(&coming)?.sync_all()?;
    fs::rename(&coming, to)?;
    to.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())?;
    fs::remove_file(from)
}

/// Whether something has this name, were it a link to nowhere.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The path, or the first of `path.2`, `path.3`, … that nothing has: what an earlier takeover has put there stays.
pub(super) fn free(path: &Path) -> PathBuf {
    let mut free = path.to_owned();
    for number in 2_u32.. {
        if !is_there(&free) {
            break;
        }
        free = path.as_os_str().to_owned().into();
        free.as_mut_os_string().push(format!(".{number}"));
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_moved_once_and_replaces_none() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        fs::write(&from, "unit").unwrap();
        assert!(shift(&from, &to).unwrap());
        assert!(!shift(&from, &to).unwrap());
        assert_eq!(fs::read_to_string(&to).unwrap(), "unit");
        // As a move that died in the middle leaves it.
        fs::write(&from, "unit").unwrap();
        assert!(shift(&from, &to).unwrap() && !is_there(&from));
        fs::write(&from, "another").unwrap();
        let error = shift(&from, &to).unwrap_err().to_string();
        assert!(error.contains("move one of them away"), "{error}");
        assert_eq!(fs::read_to_string(&to).unwrap(), "unit");
    }

    #[test]
    fn a_move_between_file_systems() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        fs::write(&from, "unit").unwrap();
        carry(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "unit");
        assert!(!is_there(&from) && fs::read_dir(directory.path()).unwrap().count() == 1);
    }

    #[test]
    fn a_name_that_nothing_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quantum-clm.service");
        assert_eq!(free(&path), path);
        fs::write(&path, "").unwrap();
        fs::write(directory.path().join("quantum-clm.service.2"), "").unwrap();
        assert_eq!(free(&path), directory.path().join("quantum-clm.service.3"));
    }
}
