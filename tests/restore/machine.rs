//! A backup that is restored on another machine: with models' files, and encrypted.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::{age, backup, data, everything, kept, restored};
use crate::support::ask::ask;
use crate::support::daemon::Bed;
use crate::support::models::{MODEL, file, registered};
use crate::support::work::digest;

const VERSION: &str = "v20260101_000000";
pub(super) const FILES: [(&str, &str); 2] = [("model.json", "{\"trees\": [1]}"), ("features.txt", "close\nvolume\n")];

/// A data file with a version and its files.
pub(super) fn with_a_model() -> Bed {
    let bed = Bed::new("", &[]);
    registered(&bed, &[VERSION]);
    let daemon = bed.start();
    for (name, content) in FILES {
        let answer = ask(&bed.socket(), "PUT", &file(VERSION, name), &[], content).expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    daemon.stop();
    bed
}

pub(super) fn content(data: &Path, content: &str) -> PathBuf {
    let digest = digest(content);
    data.join("artifacts/sha256").join(&digest[..2]).join(&digest[2..])
}

/// What `models verify` says of the version's files.
#[track_caller]
fn assert_files_are_whole(bed: &Bed) {
    let daemon = bed.start();
    let said = bed.run(&["models", "verify", MODEL, VERSION]);
    assert_eq!(said.code, Some(0), "{said:?}");
    daemon.stop();
}

#[test]
fn with_everything_that_belongs_to_it() {
    let (from, to) = (with_a_model(), Bed::new("", &[]));
    let backups = tempfile::tempdir().unwrap();
    let taken = backup(&from, backups.path(), &[]);
    // Carried over: another path, and only what is in it.
    let carried = tempfile::tempdir().unwrap();
    fs::rename(&taken, carried.path().join(taken.file_name().unwrap())).unwrap();
    fs::rename(backups.path().join("artifacts"), carried.path().join("artifacts")).unwrap();
    drop(from);
    // The data file's directory is the daemon's user's; whoever restores is root.
    chown(data(&to), Some(4_711), Some(4_712)).expect("this test runs as root");

    let said = restored(&to, &carried.path().join(taken.file_name().unwrap()), &[]);
    assert_eq!((&said["artifacts_there"], &said["artifacts_restored"]), (&0.into(), &2.into()), "{said}");
    assert_eq!((&said["kept"], kept(&to).exists()), (&().into(), false));
    for (path, mode) in [
        (to.data_file().to_owned(), 0o600),
        (data(&to).join("artifacts"), 0o750),
        (data(&to).join("artifacts/sha256"), 0o750),
        (content(data(&to), FILES[0].1), 0o440),
        (content(data(&to), FILES[0].1).parent().unwrap().to_owned(), 0o750),
    ] {
        let metadata = fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let is = (metadata.uid(), metadata.gid(), metadata.permissions().mode() & 0o777);
        assert_eq!(is, (4_711, 4_712, mode), "{}", path.display());
    }
    assert!(!data(&to).join(".restore").exists());
    assert_files_are_whole(&to);
}

#[test]
fn encrypted() {
    let (from, to) = (with_a_model(), Bed::new("", &[]));
    let (backups, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (identity, recipient) = age::key(keys.path(), "key");
    let taken = backup(&from, backups.path(), &[recipient]);
    for path in everything(backups.path()).into_keys() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let plain = ["manifest.json", "SHA256SUMS", ".lock"].contains(&name.as_str());
        assert!(plain || name.ends_with(".age"), "{} is not encrypted", path.display());
    }
    // It is never decrypted beside the backup: that is the disk that it is encrypted against.
    let verify = |temporary: &Path| {
        let mut command = to.command(&["verify", "--identity", identity.to_str().unwrap(), taken.to_str().unwrap()]);
        command.env("TMPDIR", temporary).output().expect("the binary of these tests")
    };
    let temporary = tempfile::tempdir().unwrap();
    let said = verify(temporary.path());
    assert_eq!((said.status.code(), fs::read_dir(temporary.path()).unwrap().count()), (Some(0), 0), "{said:?}");
    let said = verify(&temporary.path().join("none"));
    assert!(!said.status.success(), "it was decrypted elsewhere than in TMPDIR: {said:?}");
    let said = restored(&to, &taken, &["--identity", identity.to_str().unwrap()]);
    assert_eq!(said["artifacts_restored"], 2, "{said}");
    assert_files_are_whole(&to);
}

#[test]
fn files_that_are_there_stay_and_those_that_are_damaged_are_mended() {
    let bed = with_a_model();
    let backups = tempfile::tempdir().unwrap();
    let taken = backup(&bed, backups.path(), &[]);
    let (stays, damaged) = (content(data(&bed), FILES[0].1), content(data(&bed), FILES[1].1));
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let before = inode(&stays);
    fs::set_permissions(&damaged, fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(&damaged, "close\nvolum3\n").unwrap();
    let said = restored(&bed, &taken, &[]);
    assert_eq!((&said["artifacts_there"], &said["artifacts_restored"]), (&1.into(), &1.into()), "{said}");
    assert_eq!(inode(&stays), before, "a file that was there was copied");
    assert_eq!(fs::read_to_string(&damaged).unwrap(), FILES[1].1);
    assert_files_are_whole(&bed);
}
