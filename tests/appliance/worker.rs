//! The worker's unit: programs that outlive an upgrade, what they cannot see, and the one service that they may restart.

use std::path::Path;

use super::package::{BEHIND, VERSION};
use super::system::{BOOKWORM, System};
use super::traders;

const WORKER: &str = "quantum-clm-worker.service";

/// Programs of the worker's own tests (tests/worker/adapter.sh): training waits until it is let go on.
const PROGRAMS: &str = r#"
[promotion]
hook = ["/usr/bin/systemctl", "restart", "quantum-ai-engine.service"]
[adapters.xgboost]
environment = { TEST_BED = "/tmp/bed" }
data = ["/usr/local/bin/adapter", "data"]
train = ["/usr/local/bin/adapter", "train", "wait"]
evaluate = ["/usr/local/bin/adapter", "evaluate"]
"#;

#[test]
fn programs_outlive_an_upgrade_see_nothing_of_the_daemons_and_restart_one_service() {
    let system = System::new(BOOKWORM);
    traders::start(&system);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    system.put(&root.join("tests/worker/adapter.sh"), "/usr/local/bin/adapter");
    system.sh("chmod 755 /usr/local/bin/adapter");
    system.configure(PROGRAMS);
    system.install(VERSION);
    system.wait_active("quantum-clm.service");
    system.sh(&format!("install -d -o quantum-worker /tmp/bed; systemctl enable --quiet --now {WORKER}"));

    hidden(&system);
    let version = upgraded(&system);
    restarts_one_service(&system, root, &version);
}

fn hidden(system: &System) {
    let pid = system.property(WORKER, "MainPID");
    let uid = system.sh(&format!("stat -c %U /proc/{pid}"));
    assert_eq!(uid, "quantum-worker");
    // In the worker's own view of the files not even root finds them.
    let looks = format!("nsenter --target {pid} --mount --");
    for path in ["/var/lib/quantum-clm/quantum.redb", "/var/backups/quantum-clm/.", "/etc/quantum/credentials/."] {
        let said = system.try_sh(&format!("{looks} runuser -u quantum-worker -- ls {path}"));
        assert_ne!(said.code, Some(0), "the worker sees {path}: {}", said.out);
        system.sh(&format!("test -e {path}"));
    }
    let said = system.sh(&format!("{looks} ls -A /var/lib/quantum-clm"));
    assert_eq!(said, "", "the data file's directory is to be an empty one");
}

/// Trains over an upgrade; the version that came of it.
fn upgraded(system: &System) -> String {
    let job = system
        .sh("quantum-clm --json train xgboost --symbol BTCUSDT --timeframe 1h | grep -o 'job-[0-9]*' | head -n 1");
    system.wait("the training is under way", "[ -s /tmp/bed/waits ]");
    let program = system.sh("pgrep -f 'adapter train wait' | head -n 1");
    let group = system.sh(&format!("sed -n 's/^0:://p' /proc/{program}/cgroup"));
    let own = format!("/system.slice/{WORKER}/{job}-");
    assert!(group.starts_with(&own), "the program has no control group of its own: {group}");
    let (daemon, worker) = (system.property("quantum-clm.service", "MainPID"), system.property(WORKER, "MainPID"));
    system.install(BEHIND);
    system.wait_active("quantum-clm.service");
    system.wait_active(WORKER);
    assert_ne!(system.property("quantum-clm.service", "MainPID"), daemon);
    assert_ne!(system.property(WORKER, "MainPID"), worker);
    assert_eq!(system.sh("pgrep -f 'adapter train wait' | head -n 1"), program, "the training did not live on");
    system.sh("touch /tmp/bed/go");
    system
        .wait("the job is over", &format!("quantum-clm --json jobs show {job} | grep -q '\"state\": *\"completed\"'"));
    assert_eq!(system.sh("cat /tmp/bed/trained"), job, "trained once");
    assert_eq!(system.try_sh("pgrep -f /usr/local/bin/adapter").code, Some(1), "somebody is left of it");
    system.sh(&format!("quantum-clm --json jobs show {job} | grep -o 'v[0-9]*_[0-9]*' | sort -u"))
}

fn restarts_one_service(system: &System, root: &Path, version: &str) {
    system.put(&root.join("packaging/polkit/50-quantum-clm.rules"), "/etc/polkit-1/rules.d/50-quantum-clm.rules");
    system.sh("systemctl restart polkit.service");
    let before = system.property("quantum-ai-engine.service", "InvocationID");
    system.sh(&format!(
        "quantum-clm models promote xgboost_btcusdt_1h {version} --force --why 'shows that the hook restarts the engine'"
    ));
    system.wait(
        "the hook has restarted the engine",
        &format!("[ \"$(systemctl show --property=InvocationID --value quantum-ai-engine)\" != {before} ]"),
    );
    system.wait_active("quantum-ai-engine.service");
    // Nobody else, nothing else.
    for (user, verb) in [
        ("quantum-worker", "stop quantum-ai-engine.service"),
        ("quantum-worker", "restart quantum-execution.service"),
        ("quantum-worker", "restart quantum-clm.service"),
        ("quantum-clm", "restart quantum-ai-engine.service"),
        ("nobody", "restart quantum-ai-engine.service"),
    ] {
        let said = system.try_sh(&format!("runuser -u {user} -- systemctl --no-ask-password {verb}"));
        assert_ne!(said.code, Some(0), "{user} may {verb}");
    }
    system.sh("runuser -u quantum-worker -- systemctl --no-ask-password restart quantum-ai-engine.service");
}
