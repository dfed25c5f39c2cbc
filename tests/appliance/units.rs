//! What the units promise besides: secrets, the watchdog, other addresses, what cannot start.

use super::package::VERSION;
use super::system::{BOOKWORM, System};

#[test]
fn secrets_a_hang_other_addresses_and_what_cannot_start() {
    let system = System::new(BOOKWORM);
    system.configure("redis.password_file = \"redis.password\"\n");
    system.install(VERSION);
    credentials(&system);
    hang(&system);
    addresses(&system);
    broken(&system);
    without_programs(&system);
}

/// A file in /etc/quantum/credentials is a credential by its name; without it the daemon runs and says what is missing.
fn credentials(system: &System) {
    system.wait_active("quantum-clm.service");
    let mirror = "quantum-clm health --verbose | grep '^mirror'";
    system
        .wait("the mirror lacks its password", &format!("{mirror} | grep -q 'there is no credential redis.password'"));
    system.sh("redis-cli config set requirepass 'a secret' >/dev/null");
    system.write("/etc/quantum/credentials/redis.password", 0o600, "a secret\n");
    system.sh("systemctl restart quantum-clm.service");
    system.wait("the mirror has its password", &format!("{mirror} | grep -q ' ok '"));
    assert_ne!(system.try_sh("runuser -u quantum-clm -- cat /etc/quantum/credentials/redis.password").code, Some(0));
    system.sh("redis-cli -a 'a secret' --no-auth-warning config set requirepass '' >/dev/null; rm /etc/quantum/credentials/redis.password");
}

/// A daemon that hangs is ended and started again, and everything that it had is there.
fn hang(system: &System) {
    system.configure("");
    system.write("/etc/systemd/system/quantum-clm.service.d/watchdog.conf", 0o644, "[Service]\nWatchdogSec=2\n");
    system.sh("systemctl daemon-reload; systemctl restart quantum-clm.service");
    let pid = system.property("quantum-clm.service", "MainPID");
    system.sh(&format!("kill -STOP {pid}"));
    // Asked while it hangs: the next one answers.
    system.wait(
        "another daemon is up",
        &format!("[ $(systemctl show --property=MainPID --value quantum-clm) != {pid} ] && curl -fsS --max-time 5 http://127.0.0.1:8000/health"),
    );
    assert!(system.sh("journalctl -q -o cat -u quantum-clm.service").contains("Watchdog timeout"), "who ended it?");
    system.sh("rm -r /etc/systemd/system/quantum-clm.service.d; systemctl daemon-reload; systemctl restart quantum-clm.service");
}

/// Addresses are the socket unit's; where the configuration says something else, the log says what to do.
fn addresses(system: &System) {
    system.configure("http.listen = \"127.0.0.1:9000\"\n");
    system.sh("systemctl restart quantum-clm.service");
    let log = system.sh("journalctl -q -o cat -u quantum-clm.service");
    let told = "http.listen = \"127.0.0.1:9000\" has no effect, because systemd listens on 127.0.0.1:8000";
    assert!(log.contains(told) && log.contains("systemctl edit quantum-clm.socket"), "{log}");
    system.sh("curl -fsS http://127.0.0.1:8000/health");
    system.write(
        "/etc/systemd/system/quantum-clm.socket.d/listen.conf",
        0o644,
        "[Socket]\nListenStream=\nListenStream=127.0.0.1:9000\nListenStream=/run/quantum-clm/api.sock\n",
    );
    system.sh("systemctl daemon-reload; systemctl restart quantum-clm.socket");
    system.sh("curl -fsS http://127.0.0.1:9000/health; quantum-clm status");
    assert_ne!(system.try_sh("curl -fsS http://127.0.0.1:8000/health").code, Some(0));
    // Without the unit the configuration holds.
    system.sh("rm -r /etc/systemd/system/quantum-clm.socket.d; systemctl stop quantum-clm.socket quantum-clm.service");
    system.sh("systemctl mask --now --quiet quantum-clm.socket; systemctl start quantum-clm.service");
    system.sh("curl -fsS http://127.0.0.1:9000/health; quantum-clm status");
    system.sh("systemctl stop quantum-clm.service; systemctl unmask --quiet quantum-clm.socket");
    system.configure("");
    system.sh("systemctl start quantum-clm.service; curl -fsS http://127.0.0.1:8000/health");
}

/// A configuration that makes no sense is told once and not started again and again; mended, it runs.
fn broken(system: &System) {
    system.configure("redis.maxlen = \"many\"\n");
    assert_ne!(system.try_sh("systemctl restart quantum-clm.service").code, Some(0));
    assert_eq!(system.property("quantum-clm.service", "ActiveState"), "failed");
    assert_eq!(system.property("quantum-clm.service", "NRestarts"), "0");
    assert!(system.sh("systemctl status quantum-clm.service --no-pager -n 20 || true").contains("redis.maxlen"));
    system.configure("");
    system.sh("systemctl restart quantum-clm.socket quantum-clm.service; curl -fsS http://127.0.0.1:8000/health");
    // A file that cannot be opened just now is tried again until it can.
    system.sh("systemctl stop quantum-clm.socket quantum-clm.service; chown root: /var/lib/quantum-clm/quantum.redb");
    assert_ne!(system.try_sh("systemctl start quantum-clm.service").code, Some(0));
    system.sh("chown quantum-clm: /var/lib/quantum-clm/quantum.redb");
    system.wait_active("quantum-clm.service");
}

/// A worker without programs says so and stays down.
fn without_programs(system: &System) {
    system.try_sh("systemctl start quantum-clm-worker.service");
    system.wait("it has failed", "systemctl is-failed quantum-clm-worker.service");
    assert!(system.sh("journalctl -q -o cat -u quantum-clm-worker.service").contains("[adapters.<type>]"));
    assert_eq!(system.property("quantum-clm-worker.service", "NRestarts"), "0");
}
