//! Installed, upgraded, removed, purged, installed again.

use super::package::{BEFORE, BEHIND, VERSION};
use super::system::{BOOKWORM, System, TRIXIE};

/// What `systemd-analyze security` may say at most.
const EXPOSURE: f64 = 1.5;
const EXPOSURE_OF_WORKERS: f64 = 2.5;

#[test]
fn from_the_first_installation_to_the_last_purge_on_debian_12() {
    life(BOOKWORM);
}

#[test]
fn from_the_first_installation_to_the_last_purge_on_debian_13() {
    life(TRIXIE);
}

fn life(suite: &'static str) {
    let system = System::new(suite);
    installed(&system);
    confined(&system);
    upgraded(&system);
    removed(&system);
    purged(&system);
}

fn installed(system: &System) {
    let said = system.install(BEFORE);
    for hint in ["127.0.0.1:8000", "user add NAME --role admin"] {
        assert!(said.contains(hint), "nothing tells how to begin ({hint}): {said}");
    }
    for unit in ["quantum-clm.socket", "quantum-clm.service", "quantum-clm-backup.timer"] {
        let state = system.sh(&format!("systemctl is-enabled {unit}; systemctl is-active {unit}"));
        assert_eq!(state, "enabled\nactive", "{unit}");
    }
    assert_eq!(system.sh("systemctl --failed --quiet --plain"), "", "nothing is to be broken after an installation");
    let ldd = system.try_sh("ldd /usr/bin/quantum-clm 2>&1");
    assert!(ldd.out.contains("statically linked") || ldd.out.contains("not a dynamic"), "{ldd:?}");
    system.sh("curl -fsS http://127.0.0.1:8000/health && quantum-clm status");
    system.sh("quantum-clm user add ada --role admin --password-stdin <<< 'correct horse battery staple'");
}

/// Who runs it, as what, and what it could do.
fn confined(system: &System) {
    let pid = system.property("quantum-clm.service", "MainPID");
    let uids = system.sh(&format!("awk '/^Uid:/ {{ print $2, $3, $4, $5 }}' /proc/{pid}/status"));
    let own = system.sh("id -u quantum-clm");
    assert_eq!(uids, format!("{own} {own} {own} {own}"));
    assert_ne!(own, "0");
    let none = system.sh(&format!("awk '/^Cap(Eff|Prm|Bnd|Amb):/ {{ print $2 }}' /proc/{pid}/status | sort -u"));
    assert_eq!(none, "0000000000000000", "capabilities");
    for (unit, most) in [
        ("quantum-clm.service", EXPOSURE),
        ("quantum-clm-backup.service", EXPOSURE),
        ("quantum-clm-worker.service", EXPOSURE_OF_WORKERS),
    ] {
        let said = system.sh(&format!("systemd-analyze security {unit} | tail -n 1"));
        let exposure: f64 = said.split_ascii_whitespace().find_map(|word| word.parse().ok()).unwrap_or(10.0);
        assert!(exposure <= most, "{unit}: {said}");
        assert_ne!(system.property(unit, "User"), "", "{unit} runs as root");
    }
    // Nobody reads secrets and the data file but those whose they are.
    let modes = system
        .sh("stat -c '%a %U %n' /var/lib/quantum-clm/quantum.redb /var/backups/quantum-clm /etc/quantum/credentials");
    let expected = "600 quantum-clm /var/lib/quantum-clm/quantum.redb\n700 quantum-clm /var/backups/quantum-clm\n\
                    700 root /etc/quantum/credentials";
    assert_eq!(modes, expected);
    assert_eq!(system.try_sh("runuser -u nobody -- quantum-clm status").code, Some(2), "nobody may ask");
}

fn upgraded(system: &System) {
    system.configure("redis.maxlen = 12345 # of the administrator\n");
    system.install(VERSION);
    assert!(
        system.sh("cat /etc/quantum/clm.toml").contains("of the administrator"),
        "an edited conffile is the administrator's"
    );
    system.wait_active("quantum-clm.service");
    assert!(system.sh("quantum-clm config show").contains("12345"));
    // What was stopped stays so, and comes back when it is asked to.
    system.sh("systemctl stop quantum-clm.socket quantum-clm.service");
    system.install(BEHIND);
    assert_eq!(system.property("quantum-clm.service", "ActiveState"), "inactive");
    system.sh("systemctl start quantum-clm.service");
    system.sh("quantum-clm user list | grep ada");
    // Of what runs only what ran.
    system.sh("systemctl enable quantum-clm-worker.service; \
         systemctl stop quantum-clm-backup.timer quantum-clm-worker.service; systemctl start quantum-clm.socket");
    system.install(VERSION);
    system.wait_active("quantum-clm.service");
    for unit in ["quantum-clm-backup.timer", "quantum-clm-worker.service"] {
        assert_eq!(system.property(unit, "ActiveState"), "inactive", "{unit} was stopped before the upgrade");
    }
    system.sh("systemctl disable quantum-clm-worker.service; systemctl start quantum-clm-backup.timer");
}

fn removed(system: &System) {
    system.sh("apt-get -q -y remove quantum-clm");
    for unit in ["quantum-clm.socket", "quantum-clm.service", "quantum-clm-backup.timer"] {
        assert_ne!(system.try_sh(&format!("systemctl is-active {unit}")).code, Some(0), "{unit} runs on");
    }
    assert!(system.try_sh("pgrep -x quantum-clm").code == Some(1), "somebody of ours is left");
    system.sh("test -s /var/lib/quantum-clm/quantum.redb && test -e /etc/quantum/clm.toml");
    system.install(BEHIND);
    system.wait_active("quantum-clm.service");
    system.sh("quantum-clm user list | grep ada");
}

fn purged(system: &System) {
    let said = system.sh("apt-get -q -y purge quantum-clm 2>&1");
    assert!(said.contains("/var/lib/quantum-clm"), "nothing tells where the data is: {said}");
    system.sh("test -s /var/lib/quantum-clm/quantum.redb && test ! -e /etc/quantum/clm.toml");
    let said = system.install(BEHIND);
    assert!(said.contains("sign in as before"), "{said}");
    system.sh("quantum-clm user list | grep ada");

    // What others have there is theirs: among the backups, and in what is mounted below, also of the same disk.
    system.sh("quantum-clm backup");
    let of_others =
        ["/srv/mine", "/var/backups/quantum-clm/artifacts/run1/model.pkl", "/var/backups/quantum-clm/mine/notes"];
    system.sh("mkdir -p /var/lib/quantum-clm-worker/disk && mount --bind /srv /var/lib/quantum-clm-worker/disk");
    for path in of_others {
        system.sh(&format!("mkdir -p $(dirname {path}) && echo mine >{path}"));
    }
    system.sh("echo quantum-clm quantum-clm/purge-data boolean true | debconf-set-selections");
    let said = system.sh("apt-get -q -y purge quantum-clm 2>&1");
    assert!(said.contains("/var/lib/quantum-clm-worker/disk is mounted below it"), "{said}");
    let left = system.sh("find /var/backups/quantum-clm /srv -type f | sort");
    assert_eq!(left.lines().collect::<Vec<_>>(), of_others, "what is ours goes, and nothing else");
    system.sh("umount /var/lib/quantum-clm-worker/disk && rm -r /var/lib/quantum-clm-worker /var/backups/quantum-clm");
    for path in ["/var/lib/quantum-clm", "/etc/quantum/clm.toml", "/run/quantum-clm"] {
        assert_ne!(system.try_sh(&format!("test -e {path}")).code, Some(0), "{path} is left");
    }
    assert_eq!(system.sh("(systemctl list-unit-files 'quantum-clm*' --no-legend || true) | wc -l"), "0");
}
