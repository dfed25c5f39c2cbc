//! Whether the daemon behind a unix socket is dead: more than that nobody can be reached there. A socket's file can be
//! removed, or be hidden by a mount, while its daemon goes on. So the daemon holds a lock beside it for as long as it lives,
//! which the kernel gives back when it is dead, however it died.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The file that a daemon holds the lock of.
fn path(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Takes the lock, for as long as the file is kept open. It is a file of its own each time, so that nobody who looks, or
/// holds an old one, keeps a daemon from starting. `give` hands it to those who may look.
pub(super) fn hold(socket: &Path, mode: u32, give: impl FnOnce(&Path)) -> io::Result<File> {
    let path = path(socket);
    let beside = path.with_extension("lock.new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // Whoever may connect may look; what the umask says is not asked.
    fs::set_permissions(&beside, Permissions::from_mode(mode))?;
    give(&beside);
    fs::rename(&beside, &path)?;
    Ok(file)
}

/// Whether the daemon that had this socket is dead for certain: there is its lock, and nobody holds it. Blocking.
pub fn is_dead(socket: &Path) -> bool {
    // Shared, so that those who look do not take each other for the daemon.
    File::open(path(socket)).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_that_nobody_holds_is_a_dead_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("api.sock");
        assert!(!is_dead(&socket), "nobody knows of a daemon");
        let first = hold(&socket, 0o640, |_| {}).unwrap();
        assert!(!is_dead(&socket), "it lives, with a socket or without");
        drop(first);
        assert!(is_dead(&socket));
        // Somebody who looks is no daemon, and keeps none from starting.
        let looks = File::open(path(&socket)).unwrap();
        flock(&looks, FlockOperation::NonBlockingLockShared).unwrap();
        assert!(is_dead(&socket));
        let second = hold(&socket, 0o640, |_| {}).unwrap();
        assert!(!is_dead(&socket));
        fs::remove_file(path(&socket)).unwrap();
        assert!(!is_dead(&socket), "its lock was removed, and it lives");
        drop(second);
    }
}
