//! The way back where it is not smooth: it dies at each step, a unit does not start, there is no daemon that could be told.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::machine::machine;
use super::{COUNTER, PUBLISHER, World};
use crate::support::daemon::Daemon;

/// A machine after a takeover.
fn taken_over() -> (World, Daemon) {
    let world = machine();
    let (said, daemon) = world.takeover_with_daemon(&["--apply", "--json"]);
    assert_eq!((said.code, &said.json()["done"]), (Some(0), &json!(true)), "{said:?}");
    (world, daemon)
}

impl World {
    fn at(&self, path: &str) -> PathBuf {
        self.machine().join("root").join(path)
    }

    fn mark(&self) -> PathBuf {
        self.bed.data_file().with_file_name("stream-given-back")
    }

    /// The predecessor runs as before, its file is in its place, nothing is left of the record.
    #[track_caller]
    fn assert_undone(&self) {
        for unit in [PUBLISHER, COUNTER] {
            let shown = self.shown(unit);
            assert!(shown.contains("ActiveState=active") && shown.contains("UnitFileState=enabled"), "{unit}: {shown}");
        }
        let file = fs::read_to_string(self.at("etc/systemd/system/quantum-clm.service")).unwrap();
        assert!(file.contains("clm3"), "{file}");
        let left: Vec<_> = fs::read_dir(self.at("var/lib/quantum-clm-takeover")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        let calls = self.calls();
        let last = calls.iter().rposition(|call| call.starts_with("disable")).unwrap();
        let starts: Vec<&str> = calls[last..].iter().filter_map(|call| call.strip_prefix("start ")).collect();
        assert_eq!(starts.last(), Some(&PUBLISHER), "{calls:?}");
    }
}

/// It dies at each step in turn, when it is done and not noted yet; the run after it goes on.
#[cfg(feature = "failpoints")]
#[test]
fn it_dies_at_every_step_and_goes_on() {
    use std::os::unix::process::ExitStatusExt as _;

    let (mut world, daemon) = taken_over();
    let dies = |place: &str| {
        let root = world.machine().join("root").display().to_string();
        let mut command = world.bed.command(&["takeover", "--undo", "--apply", "--root", &root]);
        let output = command.env("FAILPOINTS", place).output().unwrap();
        assert_eq!(output.status.signal(), Some(6), "{place}: {output:?}");
    };
    // When the daemon was told, and again when it was told and stopped.
    dies("takeover.undo=return");
    dies("takeover.undo=1*off->return");
    // Which ends it: from here on nobody is there to be told.
    daemon.stop();
    let last = "start quantum-utf-publisher.service";
    let mut deaths = 0;
    while world.calls().last().is_none_or(|call| call != last) {
        // Until the file is back, telling, stopping and marking are repeated each time; afterwards the one step that was not noted.
        let repeated = if deaths < 3 { deaths + 2 } else { 1 };
        dies(&format!("takeover.undo={repeated}*off->return"));
        deaths += 1;
        assert!(deaths < 20, "{:?}", world.calls());
    }
    assert!(deaths >= 8, "only {deaths} steps died: {:?}", world.calls());
    let said = world.takeover(&["--undo", "--apply", "--json"]);
    assert_eq!((said.code, &said.json()["done"]), (Some(0), &json!(true)), "{said:?}");
    world.assert_undone();
    let said = world.takeover(&["--undo"]);
    assert!(said.code == Some(2) && said.err.contains("no takeover was done"), "{said:?}");
    world.assert_whole(300);
    world.start_beside_the_predecessor().stop();
}

/// What review calls the very case for an undo.
#[test]
fn a_daemon_that_cannot_start() {
    let (mut world, daemon) = taken_over();
    daemon.stop();
    let aside = world.bed.path().join("whole.redb");
    fs::copy(world.bed.data_file(), &aside).unwrap();
    fs::write(world.bed.data_file(), "no data file at all").unwrap();
    assert_eq!(world.bed.spawn("").wait_end().code(), Some(2), "it cannot start");

    let said = world.takeover(&["--undo", "--apply", "--json"]);
    let answer = said.json();
    assert_eq!((said.code, &answer["done"]), (Some(0), &json!(true)), "{said:?}");
    assert_eq!(answer["steps"][0]["state"], "skipped", "{answer:#}");
    world.assert_undone();
    assert!(world.mark().exists());

    // The file is mended: it knows that the stream is not its own.
    fs::copy(aside, world.bed.data_file()).unwrap();
    world.assert_whole(300);
    let daemon = world.start_beside_the_predecessor();
    assert!(!world.mark().exists());
    assert_eq!(world.audited("takeover.undone"), 1);
    daemon.stop();
}

/// Nor a configuration that can be read, which may be why the daemon does not start.
#[test]
fn a_configuration_that_cannot_be_read() {
    let (world, daemon) = taken_over();
    daemon.stop();
    world.bed.set("no.such.key = 1");
    let said = world.takeover(&["--undo", "--apply", "--json"]);
    assert_eq!((said.code, &said.json()["done"]), (Some(0), &json!(true)), "{said:?}");
    assert!(said.out.contains("the configuration cannot be read"), "{said:?}");
    assert!(said.out.contains("clears the stream quantum:stream:utf"), "{said:?}");
    world.assert_undone();
    assert!(world.mark().exists(), "beside the data file of the takeover");
}

/// One of the predecessor's units does not start at first.
#[test]
fn a_unit_that_does_not_start() {
    let (world, daemon) = taken_over();
    let fails = world.machine().join("fails");
    fs::create_dir(&fails).unwrap();
    fs::write(fails.join(PUBLISHER), "").unwrap();
    let said = world.takeover(&["--undo", "--apply"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    for part in ["[FAILED] systemctl start quantum-utf-publisher.service", "Job for", "run it again to go on"] {
        assert!(said.out.contains(part), "{part:?} is not in\n{}", said.out);
    }
    daemon.stop();
    fs::remove_file(fails.join(PUBLISHER)).unwrap();
    let before = world.calls().len();
    let said = world.takeover(&["--undo", "--apply"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(world.calls()[before..], ["start quantum-utf-publisher.service"], "the rest was done");
    world.assert_undone();
}

/// Between two runs somebody starts ours again, where its name was never the predecessor's: two would write.
#[test]
fn ours_is_started_again_before_it_goes_on() {
    let world = machine();
    fs::remove_file(world.at("etc/systemd/system/quantum-clm.service")).unwrap();
    fs::copy(world.machine().join("ours"), world.machine().join("units/quantum-clm.service")).unwrap();
    let (said, daemon) = world.takeover_with_daemon(&["--apply", "--json"]);
    assert_eq!((said.code, &said.json()["done"]), (Some(0), &json!(true)), "{said:?}");
    daemon.stop();
    let fails = world.machine().join("fails");
    fs::create_dir(&fails).unwrap();
    fs::write(fails.join(PUBLISHER), "").unwrap();
    let said = world.takeover(&["--undo", "--apply"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(!said.out.contains("start it"), "nobody is to start ours now:\n{}", said.out);
    assert!(world.mark().exists());

    let daemon = world.bed.start();
    assert!(!world.mark().exists(), "it takes the mark");
    fs::remove_file(fails.join(PUBLISHER)).unwrap();
    let before = world.calls().len();
    let said = world.takeover(&["--undo", "--apply"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let calls = world.calls();
    let [stops, .., starts] = &calls[before..] else { panic!("{calls:?}") };
    assert!(stops.starts_with("disable --now quantum-clm"), "{calls:?}");
    assert_eq!(starts, "start quantum-utf-publisher.service");
    assert!(world.mark().exists(), "the next daemon is not to go on writing either");
    assert_eq!(world.audited("takeover.undone"), 2, "the one that was started was told");
    daemon.stop();
}

/// A takeover that broke off before ours was started: the name is still the predecessor's.
#[cfg(feature = "failpoints")]
#[test]
fn a_takeover_that_broke_off_early() {
    let world = machine();
    let root = world.machine().join("root").display().to_string();
    let mut command = world.bed.command(&["takeover", "--apply", "--root", &root]);
    assert!(!command.env("FAILPOINTS", "takeover.step=return").output().unwrap().status.success());
    let said = world.takeover(&["--undo", "--apply"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(
        world.calls(),
        [
            "disable --now quantum-utf-publisher.service",
            "enable quantum-utf-publisher.service",
            "start quantum-utf-publisher.service",
        ]
    );
}
