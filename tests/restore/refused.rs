//! What is refused is refused in words, and nothing is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use quantum_clm::domain::access::Actor;
use quantum_clm::domain::audit::AuditEntry;
use quantum_clm::observe::now;
use quantum_clm::store::{Store, StoreError};

use super::{age, backup, data, everything, kept, restore, restored};
use crate::support::daemon::{Bed, Disk};

/// A bed whose data file has a record that no backup has, and backups of before.
fn bed() -> (Bed, tempfile::TempDir) {
    let bed = Bed::new("", &[]);
    Store::open(bed.data_file()).expect("a new file").close();
    (bed, tempfile::tempdir().unwrap())
}

fn write_on(bed: &Bed) {
    let store = Store::open(bed.data_file()).expect("the data file");
    let entry = AuditEntry::done(now(), &Actor::local("root"), "user.add", "user x", "");
    store.write::<_, StoreError>(|txn| txn.audit(entry)).expect("a record");
    store.close();
}

/// It is refused with that, and everything beside the data file is as it was.
#[track_caller]
fn refused(bed: &Bed, backup: &Path, more: &[&str], why: &[&str]) {
    let before = everything(data(bed));
    for dry in [&["--dry-run"][..], &[]] {
        let said = restore(bed, backup, &[more, dry].concat());
        assert_eq!(said.code, Some(2), "{said:?}");
        assert_eq!(said.err.trim_end().lines().count(), 1, "one line: {said:?}");
        for why in why {
            assert!(said.err.contains(why), "{why:?} is not in {said:?}");
        }
        assert!(everything(data(bed)) == before, "something was changed or left: {said:?}");
    }
}

#[test]
fn a_live_daemons_file() {
    let (bed, backups) = bed();
    let taken = backup(&bed, backups.path(), &[]);
    let daemon = bed.start();
    let said = restore(&bed, &taken, &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("is in use: stop quantum-clm first"), "{said:?}");
    assert!(!kept(&bed).exists() && !data(&bed).join(".restore").exists(), "something was left");
    // Who asks first learns the same, and what is in the backup.
    let said = restore(&bed, &taken, &["--dry-run"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!((&said.json()["in_use"], &said.json()["difference"]["events"]["now"]), (&true.into(), &().into()));
    daemon.stop();
    restored(&bed, &taken, &[]);
}

/// It has opened the file, and not locked it yet: only its claim to the directory says that it is there.
#[test]
fn a_daemon_that_is_just_starting() {
    let (bed, backups) = bed();
    let taken = backup(&bed, backups.path(), &[]);
    let directory = fs::File::open(data(&bed)).unwrap();
    directory.try_lock_shared().unwrap();
    let before = everything(data(&bed));
    let said = restore(&bed, &taken, &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("is in use: stop quantum-clm first"), "{said:?}");
    assert!(everything(data(&bed)) == before, "something was changed or left: {said:?}");
    drop(directory);
    let daemon = bed.start();
    let directory = fs::File::open(data(&bed)).unwrap();
    assert!(directory.try_lock().is_err(), "a daemon claims nothing");
    daemon.stop();
    restored(&bed, &taken, &[]);
}

#[test]
fn a_damaged_backup() {
    let (bed, backups) = bed();
    let taken = backup(&bed, backups.path(), &[]);
    write_on(&bed);
    for name in ["quantum.redb", "manifest.json", "SHA256SUMS"] {
        let path = taken.join(name);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 4;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, &damaged).unwrap();
        refused(&bed, &taken, &[], &[]);
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        refused(&bed, &taken, &[], &[]);
        fs::write(&path, &whole).unwrap();
    }
    restored(&bed, &taken, &[]);
}

#[test]
fn what_is_no_backup() {
    let (bed, backups) = bed();
    refused(&bed, backups.path(), &[], &["is no backup that can be restored", "manifest.json"]);
    let taken = backup(&bed, backups.path(), &[]);
    fs::remove_file(taken.join("SHA256SUMS")).unwrap();
    refused(&bed, &taken, &[], &["SHA256SUMS"]);
    refused(&bed, Path::new("2020-01-01T000000Z"), &[], &["there is no backup 2020-01-01T000000Z"]);
    refused(&bed, Path::new("nothing"), &[], &["neither a directory nor the id of a backup"]);
}

#[test]
fn one_of_a_later_program() {
    let (bed, backups) = bed();
    let taken = backup(&bed, backups.path(), &[]);
    let path = taken.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["schema"] = 99.into();
    manifest["program"]["version"] = "7.5.0".into();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let text = serde_json::to_string_pretty(&manifest).unwrap();
    fs::write(&path, &text).unwrap();
    // Its checksums are right.
    let sums = format!(
        "{}  quantum.redb\n{}  manifest.json\n",
        manifest["data"]["sha256"].as_str().unwrap(),
        crate::support::work::digest(&text)
    );
    fs::write(taken.join("SHA256SUMS"), sums).unwrap();
    refused(&bed, &taken, &[], &["quantum-clm 7.5.0 with schema 99", "install that version or a later one"]);
}

#[test]
fn an_encrypted_one_without_its_key_or_with_another() {
    let (bed, backups) = bed();
    let keys = tempfile::tempdir().unwrap();
    let ((file, recipient), (stranger, _)) = (age::key(keys.path(), "key"), age::key(keys.path(), "stranger"));
    let taken = backup(&bed, backups.path(), &[recipient]);
    assert!(taken.join("quantum.redb.age").exists(), "it is not encrypted");
    write_on(&bed);
    refused(&bed, &taken, &[], &["is encrypted", "--identity"]);
    let wrong = ["--identity", stranger.to_str().unwrap()];
    refused(&bed, &taken, &wrong, &["none of the 1 private keys given opens it"]);
    fs::write(keys.path().join("no-key"), "# nothing\n").unwrap();
    let none = keys.path().join("no-key");
    refused(&bed, &taken, &["--identity", none.to_str().unwrap()], &["AGE-SECRET-KEY-1"]);
    restored(&bed, &taken, &["--identity", file.to_str().unwrap()]);
}

#[test]
fn a_disk_that_is_too_small() {
    let (bed, backups) = bed();
    let taken = backup(&bed, backups.path(), &[]);
    // 16 MiB have to stay free behind it.
    let _disk = Disk::over(&bed, 12);
    Store::open(bed.data_file()).map(Store::close).ok();
    refused(&bed, &taken, &[], &["bytes free, and the restore needs"]);
}

/// Who may write to where backups lie must not get a data file of theirs restored where encrypted ones are expected.
#[test]
fn a_plain_one_where_they_are_encrypted() {
    let keys = tempfile::tempdir().unwrap();
    let (file, recipient) = age::key(keys.path(), "key");
    let sealing = Bed::new("", &[&format!("backup.recipients = [\"{recipient}\"]")]);
    Store::open(sealing.data_file()).expect("a new file").close();
    let (open, backups) = bed();
    let identity = ["--identity", file.to_str().unwrap()];
    for (bed, more) in [(&sealing, &[][..]), (&open, &identity[..])] {
        let taken = backup(bed, backups.path(), &[]);
        write_on(bed);
        let path = taken.to_str().unwrap();
        refused(bed, &taken, more, &["is not encrypted, and backups here are", "insist on this one with --plain"]);
        let said = bed.run(&[&["verify", path][..], more].concat());
        assert!(said.code == Some(2) && said.err.contains("is not encrypted"), "{said:?}");
        let insisting = [more, &["--plain"]].concat();
        let said = bed.run(&[&["verify", path][..], &insisting].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        restored(bed, &taken, &insisting);
    }
    // An encrypted one needs no word.
    let taken = backup(&sealing, backups.path(), &[recipient]);
    assert_eq!(sealing.run(&["verify", taken.to_str().unwrap()]).code, Some(0));
    restored(&sealing, &taken, &identity);
}

/// What is being read must not be removed meanwhile, and what is being removed must not be restored.
#[test]
fn one_that_somebody_is_at() {
    let (bed, backups) = bed();
    let taken = backup(&bed, backups.path(), &[]);
    write_on(&bed);
    let lock = fs::File::open(backups.path().join(".lock")).expect("the lock of whoever made it");
    lock.try_lock().expect("nobody is at it");
    refused(&bed, &taken, &[], &["is in use: a backup is made, received or restored there"]);
    lock.unlock().expect("the lock");
    // A restore that died has left no lock; two that read share it.
    lock.try_lock_shared().expect("nobody is at it");
    assert_eq!(restore(&bed, &taken, &["--dry-run"]).code, Some(0));
    fs::remove_file(backups.path().join(".lock")).unwrap();
    restored(&bed, &taken, &[]);
    assert!(!backups.path().join(".lock").exists(), "a restore writes nothing where backups lie");
}

#[test]
fn a_restore_keeps_retention_from_the_backup() {
    let (bed, backups) = bed();
    let taken = backup(&bed, backups.path(), &[]);
    let store = Store::open(bed.data_file()).expect("the data file");
    let target = tempfile::tempdir().unwrap();
    let (file, busy) = (target.path().join("quantum.redb"), std::cell::Cell::new(0));
    let verifier = quantum_clm::backup::Verifier::at(env!("CARGO_BIN_EXE_quantum-clm"));
    let request = quantum_clm::backup::RestoreRequest {
        backup: &taken,
        data_file: &file,
        identity: None,
        sealed: false,
        by: "test",
        at: now(),
        dry_run: false,
        without_models: false,
        verifier: &verifier,
        progress: &|_| {
            let made = super::try_backup_of(&store, backups.path());
            assert!(matches!(made, Err(quantum_clm::backup::BackupError::Busy { .. })), "{made:?}");
            busy.set(busy.get() + 1);
        },
    };
    // The first step is told before anything is read.
    let steps = &|step| {
        if step != quantum_clm::backup::RestoreStep::Verify {
            (request.progress)(step);
        }
    };
    quantum_clm::backup::restore(&quantum_clm::backup::RestoreRequest { progress: steps, ..request })
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(busy.get(), 4, "steps at which it is read");
    super::try_backup_of(&store, backups.path()).expect("it is over");
    store.close();
}
