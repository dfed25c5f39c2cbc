//! Death at every step: the data file is that of before or the restored one, whole, and a second run finishes.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use quantum_clm::store::Store;

use super::{backup, data, everything, kept, restored};
use crate::product::{Numbered, number_of, stored, this_hour};
use crate::support::daemon::Bed;

const SIGABRT: i32 = 6;

#[test]
fn what_a_restore_left_that_died_goes_with_the_next_start() {
    let bed = Bed::new("", &[]);
    let backups = tempfile::tempdir().unwrap();
    bed.start().stop();
    let taken = backup(&bed, backups.path(), &[]);
    let mut command = bed.command(&["restore", taken.to_str().unwrap()]);
    command.env("FAILPOINTS", "restore.copied=return").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(command.status().expect("the binary of these tests").signal(), Some(SIGABRT));
    assert!(data(&bed).join(".restore/quantum.redb").exists(), "it left nothing");
    // What one from S3 left that was killed while it fetched; and what another one is fetching.
    let (dead, live) = (
        data(&bed).join(".quantum-clm-fetched-00000000000000de"),
        data(&bed).join(".quantum-clm-fetched-00000000000000ff"),
    );
    for path in [&dead, &live] {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("quantum.redb"), "a data file").unwrap();
    }
    let held = std::fs::File::open(&live).unwrap();
    held.try_lock().unwrap();
    bed.start().stop();
    assert!(!data(&bed).join(".restore").exists(), "it lies there still");
    assert!(!dead.exists(), "what was fetched lies there still");
    assert!(live.exists(), "what somebody uses is gone");
    drop(held);
    restored(&bed, &taken, &[]);
    assert!(!live.exists(), "the next restore leaves what was fetched");
}

#[test]
fn the_file_of_before_or_the_restored_one() {
    for (place, switched) in [
        ("restore.copied", false),
        ("restore.verified", false),
        ("restore.artifacts", false),
        ("restore.marked", false),
        ("restore.kept", false),
        ("restore.renamed", true),
    ] {
        let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
        let backups = tempfile::tempdir().unwrap();
        let mut journal = Numbered::new(&bed, this_hour());
        let read = |journal: &mut Numbered, events| {
            journal.append(100);
            journal.writer.sync();
            let mut daemon = bed.start();
            daemon.wait_events(events);
            daemon.stop();
        };
        read(&mut journal, 100);
        let taken = backup(&bed, backups.path(), &[]);
        read(&mut journal, 200);
        let before = everything(data(&bed))[bed.data_file()].clone();

        let mut command = bed.command(&["restore", taken.to_str().unwrap()]);
        command.env("FAILPOINTS", format!("{place}=return")).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().expect("the binary of these tests");
        assert_eq!(status.signal(), Some(SIGABRT), "{place}: {status}");

        let is = everything(data(&bed))[bed.data_file()].clone();
        assert_eq!(is == before, !switched, "{place}: the data file is another one than it should be");
        let numbers = |bed: &Bed| stored(bed).iter().filter_map(|(.., message)| number_of(message)).count();
        if switched {
            assert!(everything(data(&bed))[&kept(&bed)] == before, "{place}: the file of before is not kept");
        }

        let said = restored(&bed, &taken, &[]);
        assert_eq!(said["already_there"], switched, "{place}: {said}");
        assert_eq!(said["kept"], kept(&bed).to_str().unwrap(), "{place}: nobody learns where the file of before is");
        assert!(everything(data(&bed))[&kept(&bed)] == before, "{place}: the file of before is not kept");
        assert!(!data(&bed).join(".restore").exists(), "{place}: something is left");
        assert!(!bed.data_file().with_file_name("quantum.redb.pre-restore-2").exists(), "{place}: kept twice");
        assert!(Store::inspect(bed.data_file()).is_ok(), "{place}: not whole");
        assert_eq!(numbers(&bed), 100, "{place}: not what the backup holds");
        let mut daemon = bed.start();
        daemon.wait_events(201);
        daemon.stop();
        assert_eq!(numbers(&bed), 200, "{place}: not what the journal holds");
    }
}
