//! From the Python units to ours and back, with a systemd that really stops and starts them. What the stand-in of `systemctl`
//! cannot show is shown here: whose unit runs after a boot, and that the daemon sees the predecessor from its sandbox.

use std::path::Path;

use super::package::VERSION;
use super::system::{BOOKWORM, System};
use super::traders::{self, LIST};

const PUBLISHER: &str = "quantum-utf-publisher.service";
const COUNTER: &str = "quantum-clm-minimal.service";
/// Both have a unit of this name.
const SHARED: &str = "quantum-clm.service";

#[test]
fn from_the_predecessor_and_back_and_again() {
    let system = System::new(BOOKWORM);
    system.put(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliance/predecessor"), "/root/predecessor");
    system.sh("mkdir -p /opt/quantum; cp /root/predecessor /opt/quantum/; /opt/quantum/predecessor install");
    // What is said before it reads it never sends.
    system.wait(
        "the publisher reads",
        "systemd-run --quiet --wait --collect --unit=quantum-execution.service echo signal:probe; \
         [ \"$(redis-cli XLEN quantum:stream:utf)\" -gt 0 ]",
    );
    traders::start(&system);
    installed_beside(&system);
    taken_over(&system);
    come_back_unasked(&system);
    given_back(&system);
    taken_over_again(&system);
}

#[track_caller]
fn process(system: &System, unit: &str) -> String {
    system.property(unit, "MainPID")
}

/// The predecessor runs, as it was found; nothing of ours does.
#[track_caller]
fn assert_the_predecessors(system: &System) {
    for unit in [PUBLISHER, COUNTER, SHARED] {
        let state = system.sh(&format!("systemctl is-active {unit}; systemctl is-enabled {unit}"));
        assert_eq!(state, "active\nenabled", "{unit}");
        let line = system.sh(&format!("systemctl show --property=ExecStart {unit}"));
        assert!(line.contains("/usr/bin/python3 "), "{unit} is not the predecessor's: {line}");
    }
    assert_ne!(system.try_sh("systemctl is-active quantum-clm.socket").code, Some(0), "our socket listens");
    assert_eq!(system.try_sh("pgrep -x quantum-clm").code, Some(1), "a daemon of ours runs beside the predecessor");
}

/// The package beside a predecessor that works: nothing of ours runs, after a boot neither, and nothing of it was touched.
fn installed_beside(system: &System) {
    // What journald calls this boot is not what a sandbox sees in a box (see `box`).
    system.configure("");
    let before = [PUBLISHER, COUNTER, SHARED].map(|unit| process(system, unit));
    let said = system.install(VERSION);
    for hint in ["/etc/systemd/system/quantum-clm.service has the name of our service", "utf.env", "takeover --apply"] {
        assert!(said.contains(hint), "{hint:?} is not in {said}");
    }
    // A removal is no more the predecessor's business than the installation was.
    system.sh("touch /run/quantum-clm/of-the-predecessor; apt-get -q -y remove quantum-clm");
    system.sh("rm /run/quantum-clm/of-the-predecessor");
    system.install(VERSION);
    let told = system.sh("quantum-clm takeover");
    for hint in ["quantum-utf-publisher.service   active, enabled", "[to do] stop and disable", "CLEARS the stream"] {
        assert!(told.contains(hint), "{hint:?} is not in {told}");
    }
    assert_the_predecessors(system);
    let after = [PUBLISHER, COUNTER, SHARED].map(|unit| process(system, unit));
    assert_eq!(before, after, "a unit of the predecessor was restarted");
}

/// The switch; with failpoints it dies after the third step, and the run after it goes on.
fn taken_over(system: &System) {
    #[cfg(feature = "failpoints")]
    {
        let died = system.try_sh("FAILPOINTS='takeover.step=2*off->return' quantum-clm takeover --apply");
        assert_ne!(died.code, Some(0), "it was to die: {died:?}");
        assert_ne!(system.try_sh(&format!("systemctl is-active {SHARED}")).code, Some(0), "so far it came");
    }
    let said = system.sh("quantum-clm takeover --apply");
    assert!(said.contains("All is done"), "{said}");
    for unit in [PUBLISHER, COUNTER] {
        let state = system.try_sh(&format!("systemctl is-active {unit}; systemctl is-enabled {unit}"));
        assert_eq!(state.out, "inactive\ndisabled\n", "{unit}");
    }
    let line = system.sh(&format!("systemctl show --property=ExecStart {SHARED}"));
    assert!(line.contains("/usr/bin/quantum-clm serve"), "{line}");
    assert!(system.sh("quantum-clm config show").contains("150000"), "the predecessor's settings are not used");
    let audit = system.sh("quantum-clm audit");
    assert!(audit.contains("takeover.done") && audit.contains("import.history"), "{audit}");
    traders::stop(system);
    traders::wait_for_all(system);
    let foreign = system.sh("redis-cli --raw XRANGE quantum:stream:utf - + | grep -c '^{\"ts\"' || true");
    assert_ne!(foreign, "0", "nothing of the stream is the predecessor's, so nothing was shown");
}

/// Somebody starts the publisher beside us: health says so, and an intent.
fn come_back_unasked(system: &System) {
    system.sh(&format!("systemctl start {PUBLISHER}"));
    let told = format!("quantum-clm health --verbose | grep '^mirror' | grep -q {PUBLISHER}");
    system.wait("health says that the predecessor is back", &told);
    system.wait(
        "an intent says so",
        &format!("quantum-clm --json intents list --state open | grep -q '{PUBLISHER} runs again beside quantum-clm'"),
    );
    system.sh(&format!("systemctl stop {PUBLISHER}"));
}

/// The way back; with failpoints it dies at two of its steps. What runs after it runs after a boot, too.
fn given_back(system: &System) {
    #[cfg(feature = "failpoints")]
    for passed in [1, 2] {
        let died = system
            .try_sh(&format!("FAILPOINTS='takeover.undo={passed}*off->return' quantum-clm takeover --undo --apply"));
        assert_ne!(died.code, Some(0), "it was to die: {died:?}");
    }
    let said = system.sh("quantum-clm takeover --undo --apply");
    assert!(!said.contains("Not done to the end"), "{said}");
    assert_the_predecessors(system);
    assert_eq!(system.sh("ls -A /var/lib/quantum-clm-takeover"), "", "something is left of the takeover");
    assert!(system.try_sh("quantum-clm takeover --undo").err.contains("no takeover was done"));
    system.cut();
    system.boot();
    system.wait("the publisher is back", &format!("systemctl is-active {PUBLISHER}"));
    assert_the_predecessors(system);
    system.wait("the predecessor publishes", "[ $(redis-cli XLEN quantum:stream:utf) -gt 100 ]");
}

/// What came meanwhile is taken in as well: nothing is lost over there, back and there.
fn taken_over_again(system: &System) {
    traders::stop(system);
    let said = system.sh("quantum-clm takeover --apply");
    assert!(said.contains("All is done"), "{said}");
    let same = format!("{LIST} [ \"$(of_journal | md5sum)\" = \"$(of_store | md5sum)\" ]");
    system.wait("the store has each line of the journal once", &same);
    let twice = system.sh(&format!("{LIST} of_redis | uniq -d | head"));
    assert_eq!(twice, "", "in Redis twice");
}
