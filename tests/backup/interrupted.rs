use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use quantum_clm::backup::Place;
use quantum_clm::domain::backup::Keep;
use quantum_clm::store::Store;

use super::bed::{Bed, append, assert_whole, make};

const SIGABRT: i32 = 6;

/// Each place, and how many backups there are after an end in it: two were there before, and two are kept.
const PLACES: [(&str, usize); 9] = [
    ("backup::begun", 2),
    ("backup::copied", 2),
    ("backup::artifacts", 2),
    ("backup::verified", 2),
    ("backup::sealed", 2),
    ("backup::written", 2),
    ("backup::renamed", 3),
    ("backup::doomed", 2),
    ("backup::pruned", 2),
];

const KEEP: Keep = Keep { last: 2, daily: 0, weekly: 0, monthly: 0 };

/// Run in a process of its own, which dies or fails in the middle; nothing where nobody asks for it.
#[test]
fn a_process_that_makes_a_backup() {
    let Some(directory) = std::env::var_os("QUANTUM_CLM_TEST_BACKUP") else { return };
    quantum_clm::failpoints_from_environment();
    let directory = PathBuf::from(directory);
    let store = Store::open(&directory.join("quantum.redb")).expect("a data file");
    append(&store, store.feed().events, 10);
    make(&store, &Place::new(directory.join("backups")), &KEEP, &|_| {}).expect("a backup");
    store.close();
}

fn run(bed: &Bed, failpoints: &str) -> Output {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "backup::interrupted::a_process_that_makes_a_backup", "--nocapture"])
        .env("QUANTUM_CLM_TEST_BACKUP", bed.directory.path())
        .env("FAILPOINTS", failpoints)
        .output()
        .expect("a process")
}

#[track_caller]
fn ends_everywhere(action: &str, check: impl Fn(&Output, &Bed, &str)) {
    let bed = Bed::new(2_000);
    for round in ["first", "second"] {
        let made = run(&bed, "");
        assert!(made.status.success(), "{round}: {made:?}");
    }
    for (place, expected) in PLACES {
        let newest = bed.found().last().expect("a backup").id;
        let ended = run(&bed, &format!("{place}={action}"));
        check(&ended, &bed, place);
        let found = bed.found();
        assert_eq!(found.len(), expected, "{place}: {found:?}");
        for backup in &found {
            assert!(backup.manifest.is_ok(), "{place}: {backup:?}");
        }
        assert!(found.iter().any(|backup| backup.id == newest), "{place}: the last good one is gone");
        assert_whole(&bed.place().backup(newest));
        let next = run(&bed, "");
        assert!(next.status.success(), "{place}: {next:?}");
        assert_eq!((bed.found().len(), bed.leftovers()), (2, vec![]), "{place}: the next one cleans up");
        assert_whole(&bed.found()[1].path);
    }
}

#[test]
fn a_death_at_any_step_leaves_the_last_good_one() {
    ends_everywhere("return", |ended, _, place| {
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{place}: {ended:?}");
    });
}

#[test]
fn a_failure_at_any_step_leaves_nothing_behind() {
    ends_everywhere("panic", |ended, bed, place| {
        assert!(ended.status.code().is_some_and(|code| code != 0), "{place}: {ended:?}");
        // Only one that was to be removed, and is no backup any more, waits for the next start.
        let left = usize::from(place == "backup::doomed");
        assert_eq!(bed.leftovers().len(), left, "{place}: {:?}", bed.leftovers());
    });
}

#[test]
fn a_file_that_was_not_closed_is_looked_at_as_it_would_be_repaired() {
    let bed = Bed::new(2_000);
    let ended = run(&bed, "backup::copied=return");
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
    let before = std::fs::read(bed.data_file()).expect("a file");
    let artifacts = bed.directory.path().join("artifacts");
    let output = super::bed::verify_command(&bed.data_file(), &["--artifacts", artifacts.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("not closed in order"), "{output:?}");
    assert_eq!(std::fs::read(bed.data_file()).expect("a file"), before, "looking changed it");
}
