//! The same commit and binary give the same package, byte by byte.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::{build, here, inputs, only_package, package, succeed};

/// A copy of the checkout elsewhere, with other modes and times, packed by somebody with another time zone, language and umask.
#[test]
fn elsewhere_and_later_it_is_the_same() {
    let bed = tempfile::tempdir().unwrap();
    let root = bed.path().join("somewhere else");
    for path in inputs() {
        let to = root.join(&path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(here(".").join(&path), &to).unwrap();
        fs::File::options()
            .write(true)
            .open(&to)
            .unwrap()
            .set_modified(SystemTime::now() - Duration::from_secs(4000))
            .unwrap();
    }
    let to = bed.path().join("made");
    let script = root.join("packaging/scripts/build-deb");
    succeed(
        Command::new("sh")
            .args(["-c", "umask 077 && exec sh \"$1\" \"$2\"", "sh"])
            .args([&script, &to])
            .env("QUANTUM_CLM_BINARY", env!("CARGO_BIN_EXE_quantum-clm"))
            .env("QUANTUM_CLM_DEB_FAST", "1")
            .env("TZ", "Asia/Kathmandu")
            .env("LANG", "de_DE.UTF-8")
            .env("LC_ALL", "de_DE.UTF-8"),
    );
    let (one, other) = (package(), only_package(&to));
    if fs::read(&one).unwrap() != fs::read(&other).unwrap() {
        let told = super::run(Command::new("diffoscope").arg(&one).arg(&other));
        panic!("the packages differ:\n{}", String::from_utf8_lossy(&told.stdout));
    }
}

/// What was left in a checkout by a build that was cut off, or by Debian's own tools, is not packed.
#[test]
fn what_lies_about_in_a_checkout_is_not_packed() {
    let bed = tempfile::tempdir().unwrap();
    let root = bed.path().join("checkout");
    for path in inputs() {
        let to = root.join(&path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(here(".").join(&path), &to).unwrap();
    }
    for stray in ["debian/generated/man/x.1", "debian/quantum-clm/usr/bin/x", "packaging/adapters/__pycache__/x.pyc"] {
        fs::create_dir_all(root.join(stray).parent().unwrap()).unwrap();
        fs::write(root.join(stray), "stray").unwrap();
    }
    let to = bed.path().join("made");
    build(&root, &to, None);
    assert!(fs::read(package()).unwrap() == fs::read(only_package(&to)).unwrap(), "what lay about made a difference");
}
