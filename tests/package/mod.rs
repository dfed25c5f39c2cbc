//! The Debian package: what is in it, that the same commit gives the same bytes, what Debian's own checker says of it, and
//! the repository that apt takes it from. What becomes of it on a machine with systemd is tested in `appliance`.

mod copyright;
mod contents;
mod examples;
mod lint;
mod metrics;
mod polkit;
mod repository;
mod reproducible;
mod scripts;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

/// What the package is made of, besides the binary.
const INPUTS: [&str; 5] = ["debian", "packaging", "docs", "README.md", "CHANGELOG.md"];

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The package of this checkout with the binary of these tests. It is built once for all tests, which are processes of
/// their own, and again when something in it has changed.
pub(crate) fn package() -> PathBuf {
    let cache = here("target/package");
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join("lock")).unwrap();
    lock.lock().unwrap();
    let current = cache.join(fingerprint());
    if !current.exists() {
        // A build that was killed leaves nothing under the name that counts.
        for old in fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            fs::remove_dir_all(old).unwrap();
        }
        let building = cache.join("building");
        build(&here("."), &building, None);
        fs::rename(building, &current).unwrap();
    }
    only_package(&current)
}

/// Builds the package of the checkout at `root` into `to`, compressed little, with the binary of these tests.
pub(crate) fn build(root: &Path, to: &Path, version: Option<&str>) {
    let mut command = Command::new("sh");
    command.arg(root.join("packaging/scripts/build-deb")).arg(to);
    command.env("QUANTUM_CLM_BINARY", env!("CARGO_BIN_EXE_quantum-clm")).env("QUANTUM_CLM_DEB_FAST", "1");
    if let Some(version) = version {
        command.env("QUANTUM_CLM_DEB_VERSION", version);
    }
    succeed(&mut command);
}

/// The one package in a directory.
fn only_package(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut packages: Vec<_> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "deb")).collect();
    assert_eq!(packages.len(), 1, "{packages:?}");
    packages.remove(0)
}

/// Tells the inputs of one build from those of another.
fn fingerprint() -> String {
    let mut hash = Sha256::new();
    let binary = fs::metadata(env!("CARGO_BIN_EXE_quantum-clm")).unwrap();
    let changed = binary.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    hash.update(format!("{} {}", binary.len(), changed.as_nanos()));
    for path in inputs() {
        hash.update(path.to_string_lossy().as_bytes());
        hash.update(fs::read(here(".").join(&path)).unwrap());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Every file that goes into a package, below the root of the checkout.
pub(crate) fn inputs() -> Vec<PathBuf> {
    fn walk(root: &Path, path: PathBuf, into: &mut Vec<PathBuf>) {
        if !root.join(&path).is_dir() {
            return into.push(path);
        }
        let mut names: Vec<_> =
            fs::read_dir(root.join(&path)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        // What Python leaves beside the adapters when their tests run is not packed.
        for name in names.into_iter().filter(|name| name != "__pycache__") {
            walk(root, path.join(name), into);
        }
    }
    let mut found = Vec::new();
    for name in INPUTS {
        walk(&here("."), PathBuf::from(name), &mut found);
    }
    found
}

/// Runs a command that must succeed; what it printed.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: `make setup-test` installs what is missing"))
}
