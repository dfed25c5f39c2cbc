//! `quantum-clm takeover` on a machine with the three Python units.

use std::fs;

use serde_json::{Value, json};

use super::{COUNTER, PUBLISHER, World};
use crate::support::daemon::{Daemon, Said};
use crate::support::wait_for_some;

const SHARED: &str = "quantum-clm.service";

/// A machine on which the predecessor works and our package was installed beside it.
pub(super) fn machine() -> World {
    let mut world = World::new();
    world.write(400);
    world.publish(0..300);
    world.unit(PUBLISHER, true, "/usr/bin/python3 /opt/quantum/utf_publisher.py");
    world.unit(COUNTER, true, "/usr/bin/python3 /opt/quantum/clm_minimal.py");
    world.unit(SHARED, true, "/usr/bin/python3 -m clm3");
    let root = world.machine().join("root");
    for directory in ["etc/systemd/system", "usr/lib/systemd/system"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("etc/systemd/system/quantum-clm.service"), "[Service]\nExecStart=/usr/bin/python3 -m clm3\n")
        .unwrap();
    fs::write(root.join("usr/lib/systemd/system/quantum-clm.service"), "ours").unwrap();
    let ours = format!(
        "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nFragmentPath={}\nUser=quantum-clm\n\
         ExecStart={{ path=x ; argv[]=/usr/bin/quantum-clm serve ; ignore_errors=no }}\n",
        root.join("usr/lib/systemd/system/quantum-clm.service").display()
    );
    fs::write(world.machine().join("ours"), ours).unwrap();
    world
}

impl World {
    pub(super) fn takeover(&self, arguments: &[&str]) -> Said {
        let root = self.machine().join("root").display().to_string();
        self.bed.run(&[&["takeover", "--root", &root, "--wait", "60"], arguments].concat())
    }

    pub(super) fn shown(&self, unit: &str) -> String {
        fs::read_to_string(self.machine().join("units").join(unit)).unwrap()
    }

    pub(super) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.machine().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// The daemon, started when the way back was gone: its mirror holds.
    pub(super) fn start_beside_the_predecessor(&self) -> Daemon {
        let mut daemon = self.bed.start();
        daemon.wait("the mirror holds", |_| {
            let health = self.bed.run(&["health", "--json"]).json();
            let parts = health["components"].as_array().cloned().unwrap_or_default();
            parts.iter().any(|part| part["name"] == "mirror" && part["summary"].as_str().unwrap().starts_with("holds"))
        });
        daemon
    }

    /// How many records of an action the running daemon's audit log has.
    pub(super) fn audited(&self, action: &str) -> usize {
        let audit = self.bed.run(&["audit", "--json"]).json();
        audit["records"].as_array().unwrap().iter().filter(|record| record["action"] == action).count()
    }

    /// Runs it, and starts the daemon once our unit is started.
    pub(super) fn takeover_with_daemon(&self, arguments: &[&str]) -> (Said, Daemon) {
        std::thread::scope(|threads| {
            let said = threads.spawn(|| {
                let root = self.machine().join("root").display().to_string();
                let mut command = self.bed.command(&["takeover", "--root", &root, "--wait", "60"]);
                let output = command.args(arguments).output().unwrap();
                let text = |bytes| String::from_utf8(bytes).unwrap();
                Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
            });
            let started = || self.calls().iter().any(|call| call.starts_with("enable --now quantum-clm")).then_some(());
            wait_for_some(started, || format!("our unit is not started: {:?}", self.calls()));
            let daemon = self.bed.start();
            (said.join().unwrap(), daemon)
        })
    }
}

fn states(answer: &Value) -> Vec<(&str, &str)> {
    let steps = answer["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["do"].as_str().unwrap(), step["state"].as_str().unwrap())).collect()
}

#[test]
fn there_and_back() {
    let mut world = machine();
    fs::write(world.bed.path().join("predecessor/utf.env"), "UTF_MAXLEN=150000\nUTF_POLL_SEC=2\n").unwrap();
    // Told first; nothing changes by it.
    let said = world.takeover(&[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for part in [
        "quantum-utf-publisher.service   active, enabled        /usr/bin/python3 /opt/quantum/utf_publisher.py",
        "utf.env",
        "redis.maxlen = 150000",
        "1. [to do] stop and disable quantum-utf-publisher.service",
        "CLEARS the stream quantum:stream:utf",
        "it has the name of our own unit and hides it",
        "enable and start quantum-clm.service",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in\n{}", said.out);
    }
    assert_eq!(world.calls(), [""; 0]);

    let (said, daemon) = world.takeover_with_daemon(&["--apply", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let answer = said.json();
    assert_eq!(answer["done"], true, "{answer:#}");
    let all = ["stop", "stop", "stop", "aside", "quiet", "start", "history", "mirror", "record"];
    assert_eq!(states(&answer), all.map(|step| (step, "done")));
    let aside = world.machine().join("root/var/lib/quantum-clm-takeover/quantum-clm.service");
    assert!(fs::read_to_string(&aside).unwrap().contains("clm3"));
    assert_eq!(
        world.calls(),
        [
            "disable --now quantum-utf-publisher.service",
            "disable --now quantum-clm-minimal.service",
            "disable --now quantum-clm.service",
            "daemon-reload",
            "enable --now quantum-clm.service",
        ]
    );
    let log = daemon.log();
    assert!(log.contains("utf.env are used for redis.maxlen (UTF_MAXLEN)"), "{log}");
    let health = world.bed.run(&["health", "--verbose", "--json"]).json();
    let config = health["components"].as_array().unwrap().iter().find(|part| part["name"] == "config");
    assert!(config.is_some_and(|part| part["summary"].as_str().unwrap().contains("utf.env")), "{health:#}");
    let audit = world.bed.run(&["audit", "--json"]).json();
    let actions: Vec<&str> =
        audit["records"].as_array().unwrap().iter().filter_map(|one| one["action"].as_str()).collect();
    assert!(actions.contains(&"takeover.done") && actions.contains(&"import.history"), "{actions:?}");

    // A second run finds all of it done.
    let again = world.takeover(&["--apply", "--json"]);
    assert_eq!((again.code, &again.json()["done"]), (Some(0), &json!(true)), "{again:?}");
    assert_eq!(world.calls().len(), 5, "{:?}", world.calls());

    // The way back: told, then done.
    let told = world.takeover(&["--undo"]);
    assert!(
        told.out.contains("clears the stream") && told.out.contains("systemctl disable --now quantum-clm.service"),
        "{told:?}"
    );
    let undone = world.takeover(&["--undo", "--apply", "--json"]);
    assert_eq!((undone.code, &undone.json()["done"]), (Some(0), &json!(true)), "{undone:?}");
    let told = &undone.json()["steps"][0];
    assert_eq!((&told["state"], &told["said"]), (&json!("done"), &json!("it is in the audit log")), "{undone:?}");
    assert_eq!(
        world.calls()[5..],
        [
            "disable --now quantum-clm.service",
            "daemon-reload",
            "enable quantum-clm-minimal.service",
            "start quantum-clm-minimal.service",
            "enable quantum-clm.service",
            "start quantum-clm.service",
            "enable quantum-utf-publisher.service",
            "start quantum-utf-publisher.service",
        ]
    );
    assert!(!aside.exists() && world.machine().join("root/etc/systemd/system/quantum-clm.service").exists());
    assert!(world.shown(PUBLISHER).contains("ActiveState=active"));
    daemon.stop();
    world.assert_whole(300);

    let daemon = world.start_beside_the_predecessor();
    let undone = world.audited("takeover.undone");
    assert_eq!(undone, 1, "the mark says again what the daemon was told");
    daemon.stop();
}

#[test]
fn a_machine_without_our_package() {
    let world = World::new();
    world.unit(PUBLISHER, true, "/usr/bin/python3");
    let said = world.takeover(&["--apply"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("install the package first"), "{said:?}");
    assert_eq!(world.calls(), [""; 0], "nothing was done");
    let said = world.takeover(&["--undo"]);
    assert!(said.code == Some(2) && said.err.contains("no takeover was done"), "{said:?}");
}

/// It dies after each step in turn, and the run after it goes on.
#[cfg(feature = "failpoints")]
#[test]
fn a_run_that_breaks_off_goes_on() {
    let mut world = machine();
    let root = world.machine().join("root").display().to_string();
    for _ in 0..4 {
        let mut command = world.bed.command(&["takeover", "--apply", "--root", &root]);
        let status = command.env("FAILPOINTS", "takeover.step=return").output().unwrap().status;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{status}");
    }
    assert!(!world.machine().join("root/etc/systemd/system/quantum-clm.service").exists());
    let (said, daemon) = world.takeover_with_daemon(&["--apply", "--json"]);
    assert_eq!((said.code, &said.json()["done"]), (Some(0), &json!(true)), "{said:?}");
    let stops = world.calls().iter().filter(|call| call.starts_with("disable")).count();
    assert_eq!(stops, 3, "{:?}", world.calls());
    // How the units were is known from the first run.
    let told = world.takeover(&["--undo"]);
    assert!(told.out.contains("systemctl start quantum-utf-publisher.service"), "{told:?}");
    daemon.stop();
    world.assert_whole(300);
}
