//! Root restores into the directory of the daemon's user, who may put links there: none of them leads root anywhere.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, lchown, symlink};
use std::path::Path;

use super::machine::{FILES, content, with_a_model};
use super::{backup, data, everything, restore, restored};
use crate::support::daemon::Bed;

/// The number of the daemon's user.
const SERVICE: Option<u32> = Some(4_711);

/// A link of the daemon's user.
fn link_of_the_service(target: &Path, path: &Path) {
    symlink(target, path).unwrap();
    lchown(path, SERVICE, SERVICE).expect("this test runs as root");
}

/// It is refused because of a link, and nothing came to where that leads.
#[track_caller]
fn refused(bed: &Bed, taken: &Path, outside: &Path) {
    let before = everything(outside);
    let said = restore(bed, taken, &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("symbolic link") && said.err.contains("4711"), "{said:?}");
    assert!(everything(outside) == before, "something was put where the link leads: {said:?}");
    assert!(!data(bed).join(".restore").exists(), "something is left: {said:?}");
}

#[test]
fn the_shelf_of_a_models_file() {
    let bed = with_a_model();
    let (backups, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = backup(&bed, backups.path(), &[]);
    chown(data(&bed), SERVICE, SERVICE).expect("this test runs as root");
    let shelf = content(data(&bed), FILES[0].1).parent().unwrap().to_owned();
    fs::remove_dir_all(&shelf).unwrap();
    link_of_the_service(outside.path(), &shelf);
    refused(&bed, &taken, outside.path());
    // One above it.
    let artifacts = data(&bed).join("artifacts");
    fs::remove_dir_all(&artifacts).unwrap();
    link_of_the_service(outside.path(), &artifacts);
    refused(&bed, &taken, outside.path());
    // What the administrator has laid elsewhere lies there.
    fs::remove_file(&artifacts).unwrap();
    symlink(outside.path(), &artifacts).unwrap();
    restored(&bed, &taken, &[]);
    assert_eq!(fs::read_to_string(content(data(&bed), FILES[0].1)).unwrap(), FILES[0].1);
    assert!(outside.path().join("sha256").exists(), "it is not where root's link leads");
}

#[test]
fn the_data_file() {
    let bed = with_a_model();
    let (backups, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = backup(&bed, backups.path(), &[]);
    let shadow = outside.path().join("shadow");
    fs::write(&shadow, "root:*:1::::::\n").unwrap();
    fs::remove_file(bed.data_file()).unwrap();
    link_of_the_service(&shadow, bed.data_file());
    refused(&bed, &taken, outside.path());
    fs::remove_file(bed.data_file()).unwrap();
    fs::remove_file(&shadow).unwrap();
    symlink(&shadow, bed.data_file()).unwrap();
    restored(&bed, &taken, &[]);
    assert!(fs::symlink_metadata(bed.data_file()).unwrap().is_symlink(), "root's link was replaced");
    assert!(fs::metadata(&shadow).unwrap().is_file(), "the data file is not where root's link leads");
}

#[test]
fn the_directory_in_which_it_is_made_ready() {
    let bed = with_a_model();
    let (backups, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = backup(&bed, backups.path(), &[]);
    chown(data(&bed), SERVICE, SERVICE).expect("this test runs as root");
    fs::write(outside.path().join("quantum.redb"), "not ours").unwrap();
    let before = everything(outside.path());
    link_of_the_service(outside.path(), &data(&bed).join(".restore"));
    restored(&bed, &taken, &[]);
    assert!(everything(outside.path()) == before, "something was done where the link leads");
    assert_eq!(fs::metadata(bed.data_file()).unwrap().uid(), 4_711);
}
