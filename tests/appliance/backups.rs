//! The nightly backup under its own sandbox: the timer's service makes one, and is seen to fail where it must.

use super::package::VERSION;
use super::system::{System, TRIXIE};

const SERVICE: &str = "quantum-clm-backup.service";
const TIMER: &str = "quantum-clm-backup.timer";
const DIRECTORY: &str = "/var/backups/quantum-clm";

#[test]
fn the_timer_makes_a_backup_and_what_keeps_it_from_one_is_seen() {
    let system = System::new(TRIXIE);
    system.configure("");
    system.install(VERSION);
    system.wait_active("quantum-clm.service");
    by_the_timer(&system);
    refused(&system);
    outside_of_the_sandbox(&system);
    without_a_daemon(&system);
}

/// Of every night: made, listed, and whole when it is looked through from outside.
fn by_the_timer(system: &System) {
    let at = system.property(TIMER, "NextElapseUSecRealtime");
    assert!(at.contains("03:"), "no backup is to come tonight: {at:?}");
    let now = format!("/etc/systemd/system/{TIMER}.d/now.conf");
    system.write(&now, 0o644, "[Timer]\nOnCalendar=\nOnActiveSec=1\nRandomizedDelaySec=0\n");
    system.sh(&format!("systemctl daemon-reload; systemctl restart {TIMER}"));
    system.wait("a backup is listed", "quantum-clm backup list | grep -q ' whole '");
    system
        .wait("it is over", &format!("[ \"$(systemctl show --property=ActiveState --value {SERVICE})\" = inactive ]"));
    assert_eq!(system.property(SERVICE, "Result"), "success");
    let said = system.sh(&format!("cd {DIRECTORY}; quantum-clm verify \"$PWD\"/20*Z; stat -c '%a %U' 20*Z"));
    assert!(said.ends_with("700 quantum-clm"), "{said}");
    system.sh(&format!("rm -r $(dirname {now}); systemctl daemon-reload; systemctl restart {TIMER}"));
}

/// Starts it, which has to fail; what `systemctl status` shows then.
#[track_caller]
fn fails(system: &System) -> String {
    // Starts in quick succession are this test's own.
    system.sh(&format!("systemctl reset-failed {SERVICE} || true"));
    assert_ne!(system.try_sh(&format!("systemctl start {SERVICE}")).code, Some(0), "there was nothing to fail");
    assert_eq!(system.property(SERVICE, "ActiveState"), "failed");
    assert!(system.sh("systemctl --failed --plain").contains(SERVICE));
    system.try_sh(&format!("systemctl status --no-pager --lines=20 {SERVICE}")).out
}

#[track_caller]
fn assert_told(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

/// A directory that is not the daemon's any more: the unit fails and says what to do, an intent is raised, and both pass.
fn refused(system: &System) {
    system.sh(&format!("chown root: {DIRECTORY}"));
    assert_told(&fails(system), &[DIRECTORY, "Permission denied", "chown -R quantum-clm"]);
    let intent = "quantum-clm intents list --state open | grep backup.failed";
    system.sh(intent);
    system.sh("quantum-clm health --verbose | grep '^backups' | grep warn");
    system.sh(&format!("chown quantum-clm: {DIRECTORY}; systemctl start {SERVICE}"));
    assert_eq!(system.property(SERVICE, "Result"), "success");
    assert_ne!(system.try_sh(intent).code, Some(0), "the intent is open although a backup was made");
}

/// A directory that an administrator has set, and that the unit does not let the daemon write to.
fn outside_of_the_sandbox(system: &System) {
    system.sh("install -d -m 700 -o quantum-clm -g quantum-clm /srv/backups");
    system.configure("backup.directory = \"/srv/backups\"\n");
    system.sh("systemctl restart quantum-clm.service");
    let parts = ["/srv/backups", "Read-only file system", "systemctl edit quantum-clm", "ReadWritePaths="];
    assert_told(&fails(system), &parts);
    system.write(
        "/etc/systemd/system/quantum-clm.service.d/backups.conf",
        0o644,
        "[Service]\nReadWritePaths=/srv/backups\n",
    );
    system.sh(&format!("systemctl daemon-reload; systemctl restart quantum-clm.service; systemctl start {SERVICE}"));
    system.sh("quantum-clm verify /srv/backups/20*Z");
}

/// Nobody is there to make one.
fn without_a_daemon(system: &System) {
    system.sh("systemctl stop quantum-clm.socket quantum-clm.service");
    assert_told(&fails(system), &["quantum-clm", "systemctl start quantum-clm"]);
}
