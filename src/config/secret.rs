use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// A secret: whoever needs its text asks by name ([`Secret::expose`]); what prints it prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How large a secret may be.
const SECRET_BYTES: u64 = 64 * 1024;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A relative path outside a unit with credentials.
    #[error("the secret file {0} is a relative path and $CREDENTIALS_DIRECTORY is not set: give an absolute path")]
    NoCredentials(PathBuf),
    /// A credential that the unit was not given.
    #[error(
        "there is no credential {0}: put a file of that name into /etc/quantum/credentials (a worker's into \
         /etc/quantum/worker-credentials), mode 600, and restart the unit"
    )]
    Missing(PathBuf),
    /// A path that leaves the credentials directory.
    #[error("the secret file {0} leads out of $CREDENTIALS_DIRECTORY: give an absolute path")]
    Outside(PathBuf),
    /// It cannot be opened or read.
    #[error("cannot read the secret file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It is a directory, a pipe or the like.
    #[error("the secret file {0} is not a regular file")]
    NotAFile(PathBuf),
    /// Its mode lets everybody in.
    #[error("the secret file {path} can be used by everybody (mode {mode:03o}): chmod o= {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is larger than any secret.
    #[error("the secret file {0} is larger than 64 KiB: is it the right file?")]
    Large(PathBuf),
    /// It has no text.
    #[error("the secret file {0} is empty")]
    Empty(PathBuf),
    /// It is not text.
    #[error("the secret file {0} is not UTF-8 text")]
    NotText(PathBuf),
    /// `redis.url` is not a URL; what `config` loaded cannot get here.
    #[error("redis.url {0}")]
    Url(String),
}

/// What stands before the name of each file of `/etc/quantum/credentials`, as the units hand them on
/// (`LoadCredential=clm:/etc/quantum/credentials`): so that a new secret needs no change of a unit.
const DIRECTORY_OF_CREDENTIALS: &str = "clm_";

/// The directories that the units take credentials from: for root, who checks a configuration outside of any unit.
const DIRECTORIES_OF_UNITS: [&str; 2] = ["/etc/quantum/credentials", "/etc/quantum/worker-credentials"];

/// Reads the secret in the file `path`, without its last line end. A relative path is a credential's name, looked up in
/// `credentials` (systemd's `$CREDENTIALS_DIRECTORY`), and without that where the units have it from.
pub fn read_secret(path: &Path, credentials: Option<&Path>) -> Result<Secret, SecretError> {
    let path = resolved(path, credentials)?;
    let failed = |error| SecretError::Read { path: path.clone(), error };
    // Not blocking: opening a pipe would wait for a writer.
    let file =
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(&path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile(path));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(SecretError::Open { path, mode });
    }
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SECRET_BYTES {
        return Err(SecretError::Large(path));
    }
    let Ok(mut text) = String::from_utf8(bytes) else { return Err(SecretError::NotText(path)) };
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(SecretError::Empty(path));
    }
    Ok(Secret(text))
}

fn resolved(path: &Path, credentials: Option<&Path>) -> Result<PathBuf, SecretError> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    if path.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Err(SecretError::Outside(path.to_owned()));
    }
    let Some(directory) = credentials else {
        let mut there = DIRECTORIES_OF_UNITS.iter().map(|directory| Path::new(directory).join(path));
        return there.find(|file| file.exists()).ok_or_else(|| SecretError::NoCredentials(path.to_owned()));
    };
    let mut name = OsString::from(DIRECTORY_OF_CREDENTIALS);
    name.push(path);
    let (own, one_of_many) = (directory.join(path), directory.join(name));
    let given = [own, one_of_many].into_iter().find(|credential| credential.exists());
    given.ok_or_else(|| SecretError::Missing(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_read_and_what_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let case = |name: &str, bytes: &[u8], mode: u32| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            read_secret(&path, None).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(case("plain", b"word", 0o600).unwrap(), "word");
        assert_eq!(case("line", b"two words \n", 0o640).unwrap(), "two words ");
        assert_eq!(case("dos", b"word\r\n", 0o400).unwrap(), "word");
        let message = case("open", b"word", 0o644).unwrap_err().to_string();
        assert!(message.contains("chmod o= ") && message.contains("644"), "{message}");
        assert!(matches!(case("empty", b"\n", 0o600), Err(SecretError::Empty(_))));
        assert!(matches!(case("binary", b"\xff", 0o600), Err(SecretError::NotText(_))));
        assert!(matches!(case("large", &[b'x'; 65_537], 0o600), Err(SecretError::Large(_))));
        assert_eq!(case("largest", &[b'x'; 65_536], 0o600).unwrap().len(), 65_536);
        assert!(matches!(read_secret(directory.path(), None), Err(SecretError::NotAFile(_))));
        assert!(matches!(read_secret(&directory.path().join("none"), None), Err(SecretError::Read { .. })));
    }

    #[test]
    fn relative_paths_are_credentials() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("redis");
        fs::write(&path, "word").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(read_secret(Path::new("redis"), Some(directory.path())).unwrap().expose(), "word");
        assert!(matches!(read_secret(Path::new("redis"), None), Err(SecretError::NoCredentials(_))));
        assert!(matches!(read_secret(Path::new("none"), Some(directory.path())), Err(SecretError::Missing(_))));
        let many = directory.path().join("clm_s3.key");
        fs::write(&many, "another").unwrap();
        fs::set_permissions(&many, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(read_secret(Path::new("s3.key"), Some(directory.path())).unwrap().expose(), "another");
        assert!(matches!(read_secret(Path::new("../redis"), Some(directory.path())), Err(SecretError::Outside(_))));
    }

    #[test]
    fn printing_hides_it() {
        let secret = Secret::new("word".into());
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }
}
