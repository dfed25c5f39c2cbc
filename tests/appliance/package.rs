//! The package of the tested binary, in several versions.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use super::system::directory;

/// The version of most tests, one before and one behind it.
pub(super) const BEFORE: &str = "0.0.9";
pub(super) const VERSION: &str = "0.1.0";
pub(super) const BEHIND: &str = "0.1.1";

const BINARY: &str = env!("CARGO_BIN_EXE_quantum-clm");

/// The file of that version. Built once, whichever of several test processes asks first.
pub(super) fn built(version: &str) -> PathBuf {
    let packages = directory().join("packages");
    fs::create_dir_all(&packages).unwrap();
    let lock = File::create(packages.join(".lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let place = packages.join(key());
    let package = place.join(format!("quantum-clm_{version}_amd64.deb"));
    if package.exists() {
        return package;
    }
    for old in fs::read_dir(&packages).unwrap().map(|entry| entry.unwrap().path()) {
        if old.is_dir() && old != place {
            fs::remove_dir_all(old).unwrap();
        }
    }
    let output = Command::new("sh")
        .arg(root().join("packaging/scripts/build-deb"))
        .arg(&place)
        .env("QUANTUM_CLM_BINARY", BINARY)
        .env("QUANTUM_CLM_DEB_VERSION", version)
        .env("QUANTUM_CLM_DEB_FAST", "1")
        .output()
        .expect("build-deb");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(package.exists(), "build-deb left no {}", package.display());
    package
}

/// What an upgrade begins from: the package of an older release (`QUANTUM_CLM_PREVIOUS`, which `previous` builds), or this
/// binary under the number before.
pub(super) fn previous() -> PathBuf {
    std::env::var_os("QUANTUM_CLM_PREVIOUS").map_or_else(|| built(BEFORE), PathBuf::from)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the package is made of: this binary, and these files.
fn key() -> String {
    fn add(path: &Path, hash: &mut Sha256) {
        if path.is_dir() {
            let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort();
            entries.iter().for_each(|entry| add(entry, hash));
        } else {
            hash.update(path.display().to_string());
            hash.update(fs::read(path).unwrap());
        }
    }
    let binary = fs::metadata(BINARY).unwrap();
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {}", binary.len(), binary.mtime(), binary.mtime_nsec()));
    ["debian", "packaging"].iter().for_each(|name| add(&root().join(name), &mut hash));
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
