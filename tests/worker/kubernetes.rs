//! The manifests in packaging/kubernetes, against Kubernetes' own schemas and against this binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bed::Scene;
use crate::support::wait_for;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What the checker says of manifests: what it prints, or what is wrong.
fn checked(manifests: &[PathBuf]) -> Result<String, String> {
    let output = Command::new(here("target/python/bin/python"))
        .arg(here("tests/worker/check_kubernetes.py"))
        .args(manifests)
        .output()
        .expect("target/python, which packaging/scripts/setup-test makes");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn manifests_are_what_kubernetes_takes_and_what_they_say_to_us_is_taken_too() {
    let manifests = ["worker.yaml", "worker-once.yaml"].map(|name| here("packaging/kubernetes").join(name));
    let configuration = checked(&manifests).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clm.toml");
    fs::write(&file, configuration).unwrap();
    let shown = Command::new(env!("CARGO_BIN_EXE_quantum-clm"))
        .args(["config", "show", "--json", "--config"])
        .arg(&file)
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "{said}");
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("https://quantum.example") && shown.contains("/opt/adapters/train"), "{shown}");
    // A checker that takes everything checks nothing.
    let wrong = directory.path().join("wrong.yaml");
    let text = fs::read_to_string(&manifests[0]).unwrap();
    fs::write(&wrong, text.replace("terminationGracePeriodSeconds: 43200", "terminationGracePeriod: 43200")).unwrap();
    let why = checked(&[wrong]).unwrap_err();
    assert!(why.contains("Deployment") && why.contains("terminationGracePeriod"), "{why}");
}

#[test]
fn what_the_autoscaler_follows_is_what_the_daemon_shows() {
    let scene = Scene::new(&[]);
    let _id = scene.train("BTCUSDT");
    let shown =
        |name: &str| scene.daemon().get("/metrics").unwrap_or_default().lines().any(|line| line.starts_with(name));
    let rule = fs::read_to_string(here("packaging/kubernetes/prometheus-rule.yaml")).unwrap();
    assert!(
        rule.contains("sum(quantum_clm_jobs_waiting) + sum(quantum_clm_jobs{state=~\"leased|running|lost\"})"),
        "{rule}"
    );
    wait_for("jobs that want a worker", || shown("quantum_clm_jobs_waiting 1"));
    for state in ["leased", "running", "lost"] {
        assert!(shown(&format!("quantum_clm_jobs{{state=\"{state}\"}} 0")), "{state}");
    }
    let recorded = rule.lines().find_map(|line| line.trim().strip_prefix("- record: ")).unwrap();
    let worker = fs::read_to_string(here("packaging/kubernetes/worker.yaml")).unwrap();
    assert!(worker.contains(&format!("name: {recorded}\n")), "{worker}");
}
