//! Upgraded while it is used.

use std::path::Path;

use super::package::{self, BEHIND, VERSION};
use super::schema::schema_of;
use super::system::{BOOKWORM, System};
use super::traders::{self, LIST};

const DATA_FILE: &str = "/var/lib/quantum-clm/quantum.redb";
const PREVIOUS: &str = "/root/previous.deb";

/// What goes on while it is upgraded (load.sh).
const LOADS: [&str; 5] = ["tcp", "unix", "publish", "tail", "upload"];

#[test]
fn an_upgrade_refuses_nobody_and_loses_nothing() {
    let system = System::new(BOOKWORM);
    traders::start(&system);
    system.configure("");
    system.put(&package::previous(), PREVIOUS);
    system.install_file(PREVIOUS);
    system.wait_active("quantum-clm.service");
    let before = schema(&system);
    for version in [VERSION, BEHIND] {
        system.bring(version);
    }
    system.sh(
        "echo '{}' >/root/none.json; quantum-clm models register --type xgboost --symbol BTCUSDT --timeframe 1h --name v1 \
         --job job-1 --data-from 2025-10-01 --data-until 2025-12-30 --features 3 /root/none.json",
    );
    system.sh("quantum-clm user add ada --role admin --password-stdin <<< 'correct horse battery staple'");
    system.sh("quantum-clm train xgboost --symbol ETHUSDT --timeframe 1h");
    system.put(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliance/load.sh"), "/root/load.sh");
    system.sh("mkdir -p /tmp/load; head -c 40M /dev/urandom >/tmp/load/model.bin");
    for load in LOADS {
        system.sh(&format!("systemd-run --quiet --unit=load-{load} bash /root/load.sh {load}"));
    }
    let mut pid = system.property("quantum-clm.service", "MainPID");
    for version in [VERSION, BEHIND] {
        system.wait("the load is on", "[ $(wc -l </tmp/load/tcp) -gt 30 ] && [ $(wc -l </tmp/load/publish) -gt 3 ] && [ -s /tmp/load/tail.events ]");
        system.install(version);
        system.wait_active("quantum-clm.service");
        let next = system.property("quantum-clm.service", "MainPID");
        assert_ne!(next, pid, "the daemon was not restarted by the upgrade");
        pid = next;
        system.sh("cat /tmp/load/tcp >>/tmp/load/tcp.all; : >/tmp/load/tcp");
    }
    system.wait("the file is in", "[ -e /tmp/load/uploaded ]");
    system.wait("requests after the upgrade", "[ $(wc -l </tmp/load/tcp) -gt 30 ]");
    system.sh("touch /tmp/load/end; systemctl stop load-tail.service");
    system.wait("the load is over", "! systemctl --quiet is-active load-tcp load-unix load-publish");
    system.sh("cat /tmp/load/tcp >>/tmp/load/tcp.all");
    for load in ["tcp.all", "unix", "publish"] {
        let failed = system.try_sh(&format!("grep -v '^ok ' /tmp/load/{load}")).out;
        assert!(failed.is_empty(), "{load}: requests failed during the upgrade:\n{failed}");
    }
    let again = system.sh("grep -c '^again' /tmp/load/upload || true");
    assert_ne!(again, "0", "no upload was under way during the upgrade, so nothing was shown");
    let digests = system.sh("sha256sum </tmp/load/model.bin; curl -fsS --unix-socket /run/quantum-clm/api.sock \
         http://localhost/api/models/xgboost_btcusdt_1h/versions/v1/artifacts/model.bin | sha256sum");
    assert_eq!(digests.lines().next(), digests.lines().nth(1), "the file is another one");
    system.sh("quantum-clm models verify xgboost_btcusdt_1h v1");

    // What was published is there, each once, and what the journal has, too.
    let orders = system.sh("quantum-clm --json events --limit 100000 --unit orders.service | grep -o 'order:[0-9]* ' | sort | uniq -c | awk '$1 != 1' | head");
    assert_eq!(orders, "", "published more than once");
    let counts = system.sh(
        "grep -c '^ok' /tmp/load/publish; quantum-clm --json events --limit 100000 --unit orders.service | grep -o 'order:[0-9]* ' | sort -u | wc -l",
    );
    assert_eq!(counts.lines().next(), counts.lines().nth(1), "answered, and not stored");
    traders::stop(&system);
    traders::wait_for_all(&system);
    // The tail saw each event from its first on, once and in order.
    let tail = system.sh(
        "grep -o 'signal:quantum-execution:[0-9a-f]*:[0-9]*' /tmp/load/tail.events >/tmp/seen; \
         quantum-clm --json events --limit 100000 --unit quantum-execution.service | grep -o 'signal:quantum-execution:[0-9a-f]*:[0-9]*' | tac >/tmp/all; \
         grep -n -F -x -m 1 \"$(head -n 1 /tmp/seen)\" /tmp/all | cut -d: -f1 >/tmp/first; \
         awk -v from=$(cat /tmp/first) -v count=$(wc -l </tmp/seen) 'NR >= from && NR < from + count' /tmp/all | diff - /tmp/seen >/tmp/differs || head -n 20 /tmp/differs",
    );
    assert_eq!(tail, "", "the tail is not what was stored");
    has_what_was_there(&system);
    let after = schema(&system);
    let copies = system.sh("cd /var/lib/quantum-clm; ls pre-v*.redb 2>/dev/null || true");
    if after == before {
        assert_eq!(copies, "", "there was nothing to migrate");
    } else {
        assert_eq!(copies, format!("pre-v{after}.redb"));
        back(&system, before, after);
    }
}

/// What an administrator had made before the upgrade, and the audit log, are there.
#[track_caller]
fn has_what_was_there(system: &System) {
    system.sh("quantum-clm user list | grep ada");
    system.sh("quantum-clm jobs list | grep -i ethusdt");
    system.sh("quantum-clm audit verify");
}

/// The schema of the file, for which the daemon is stopped: nobody asks it anything then.
#[track_caller]
fn schema(system: &System) -> u8 {
    system.sh("systemctl stop quantum-clm.socket quantum-clm.service");
    let file = tempfile::NamedTempFile::new().unwrap();
    system.fetch(DATA_FILE, file.path());
    system.sh("systemctl start quantum-clm.socket quantum-clm.service");
    schema_of(file.path())
}

/// From a release with another schema back to the one before, as docs/OPERATIONS.md says it (Downgrade).
fn back(system: &System, before: u8, after: u8) {
    let copy = format!("/var/lib/quantum-clm/pre-v{after}.redb");
    let file = tempfile::NamedTempFile::new().unwrap();
    system.fetch(&copy, file.path());
    assert_eq!(schema_of(file.path()), before);
    assert_eq!(system.sh(&format!("stat -c '%a %U' {copy}")), "600 quantum-clm");
    let said = system.install_file(PREVIOUS);
    assert!(said.contains("does not run") && said.contains(&copy), "the installation says nothing of it: {said}");
    assert!(said.contains(&format!("has schema version {after}")), "the refusal is not told: {said}");
    system.sh(
        "systemctl stop quantum-clm.socket quantum-clm.service; cd /var/lib/quantum-clm; mv quantum.redb newer.redb; \
         mv \"$(ls pre-v*.redb | sort --version-sort | tail -n 1)\" quantum.redb; \
         systemctl start quantum-clm.socket quantum-clm.service",
    );
    has_what_was_there(system);
    // What came after the upgrade the journal still has; what was published came by no journal.
    let same = format!("{LIST} [ \"$(of_journal | md5sum)\" = \"$(of_store | md5sum)\" ]");
    system.wait("the store has each line of the journal once", &same);
}
