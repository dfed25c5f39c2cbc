use std::io;

use super::record::How;

/// A program that could not be started, in words.
pub(super) fn not_started(program: &str, error: &io::Error) -> How {
    use io::ErrorKind as Kind;
    let (what, passing) = match error.kind() {
        Kind::NotFound => ("is not there (or what its first line names is not): look at its path in [adapters]", false),
        Kind::PermissionDenied => ("may not be executed by this user: chmod +x, and each directory above it", false),
        Kind::IsADirectory | Kind::NotADirectory => ("is no program: look at its path in [adapters]", false),
        Kind::ArgumentListTooLong => ("has too large an environment or too many arguments", false),
        Kind::OutOfMemory | Kind::WouldBlock => ("finds no memory or no room for another process", true),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            ("is neither a binary of this machine nor a script with #! in its first line", false)
        }
        _ => ("cannot be executed", true),
    };
    How::NotStarted { why: format!("{program} {what} ({error})"), passing }
}

/// A run that could not be prepared, in words. The machine's fault, so it is tried again.
pub(super) fn not_prepared(step: &str, error: &io::Error) -> How {
    How::NotStarted { why: format!("cannot {step}: {error}"), passing: true }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_may_come_out_otherwise_the_next_time() {
        for (errno, expected) in [
            (Errno::NOENT, false),
            (Errno::ACCESS, false),
            (Errno::NOEXEC, false),
            (Errno::NOTDIR, false),
            (Errno::TOOBIG, false),
            (Errno::NOMEM, true),
            (Errno::AGAIN, true),
            (Errno::IO, true),
        ] {
            let How::NotStarted { why, passing } = not_started("train.py", &errno.into()) else { unreachable!() };
            assert_eq!(passing, expected, "{why}");
            assert!(why.starts_with("train.py ") && why.contains("os error"), "{why}");
        }
    }
}
