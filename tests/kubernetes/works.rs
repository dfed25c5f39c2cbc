//! What the containers are started with does what the manifests say, at a real daemon; and the figure that pods are scaled
//! by is one that the daemon tells.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Manifest, configuration};
use crate::support::daemon::{Bed, Daemon};
use crate::support::wait_for;

/// Stands in for the interpreter: it answers as the script that it is to run would.
const INTERPRETER: &str = r#"#!/bin/sh
set -eu
range='"data_range": {"from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z"}'
case $1 in
*/ohlcv.py) echo "{$range, \"rows\": 3}" > result.tmp ;;
*/train_gbt.py)
    echo model > model.bin
    echo "{$range, \"artifacts\": [\"model.bin\"], \"feature_count\": 2}" > result.tmp
    ;;
*/evaluate_walk_forward.py)
    values=0.01,-0.004,0.006
    echo "{\"kind\": \"walk_forward\", \"returns\": {\"first_day\": \"2025-06-02\", \"values\": [$values]}}" > result.tmp
    ;;
esac
mv result.tmp result.json
"#;

/// A daemon, and the files of a pod.
struct Scene {
    _bed: Bed,
    daemon: Daemon,
    pod: tempfile::TempDir,
    manifests: Vec<Manifest>,
}

impl Scene {
    fn new() -> Self {
        let bed = Bed::new("", &["jobs.heartbeat = \"1s\""]);
        let daemon = bed.start();
        let pod = tempfile::tempdir().unwrap();
        let manifests = Manifest::all();
        let at = |name: &str| pod.path().join(name);
        fs::create_dir(at("secret")).unwrap();
        fs::create_dir(at("jobs")).unwrap();
        let token = bed.run(&["--json", "token", "create", "kubernetes", "--scope", "worker"]).json();
        fs::write(at("secret/token"), token["text"].as_str().unwrap()).unwrap();
        fs::set_permissions(at("secret/token"), fs::Permissions::from_mode(0o440)).unwrap();
        fs::write(at("python"), INTERPRETER).unwrap();
        fs::set_permissions(at("python"), fs::Permissions::from_mode(0o755)).unwrap();
        // What is mounted elsewhere here, and a daemon of this machine, to which no certificate is needed.
        let mut text = configuration(&manifests);
        for (of, by) in [
            ("https://quantum.example:8443", daemon.url()),
            ("ca_file", "# ca_file".to_owned()),
            ("/run/secrets/quantum-clm", at("secret").display().to_string()),
            ("/var/lib/quantum-clm", at("jobs").display().to_string()),
            ("/opt/quantum-clm/adapters/python/bin/python", at("python").display().to_string()),
        ] {
            assert!(text.contains(of), "{of} is not in {text}");
            text = text.replace(of, &by);
        }
        fs::write(at("clm.toml"), text).unwrap();
        Self { _bed: bed, daemon, pod, manifests }
    }

    /// The container of that manifest.
    fn container(&self, file: &str) -> Container {
        let manifest = self.manifests.iter().find(|manifest| manifest.file == file).unwrap();
        let log = self.pod.path().join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_quantum-clm"))
            .arg("--config")
            .arg(self.pod.path().join("clm.toml"))
            .args(manifest.arguments().unwrap())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Container { child, log }
    }

    fn train(&self) -> String {
        let (status, answer) =
            self.daemon.ask("POST", "/clm/train", &json!({ "model_type": "xgboost", "symbol": "BTCUSDT" }));
        assert_eq!(status, 200, "{answer}");
        answer["job_id"].as_str().unwrap().to_owned()
    }

    fn job(&self, id: &str) -> Value {
        self.daemon.ask("GET", &format!("/api/jobs/{id}"), &Value::Null).1
    }

    /// The value of a figure of the daemon's, by its name with its labels.
    fn figure(&self, name: &str) -> Option<f64> {
        let text = self.daemon.get("/metrics")?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }
}

/// The worker of a pod. Killed when dropped.
struct Container {
    child: Child,
    log: PathBuf,
}

impl Container {
    #[track_caller]
    fn code(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("the container's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_pod_of_the_scaled_job_does_one_job_and_one_too_many_is_no_failure() {
    let scene = Scene::new();
    let id = scene.train();
    // What the pod is started for.
    wait_for("the figure", || scene.figure("quantum_clm_jobs_waiting") == Some(1.0));
    let mut container = scene.container("worker-scaled-job.yaml");
    wait_for("the job's end", || {
        container.child.try_wait().unwrap().is_some() || scene.job(&id)["state"] == "completed"
    });
    assert_eq!(container.code(), Some(0), "{}\n{:#}", container.log(), scene.job(&id));
    assert_eq!(scene.job(&id)["state"], "completed");
    wait_for("the figure", || scene.figure("quantum_clm_jobs_waiting") == Some(0.0));
    // It waits for 25 seconds, because a job may come.
    let mut idle = scene.container("worker-scaled-job.yaml");
    assert_eq!(idle.code(), Some(0), "{}", idle.log());
}

#[test]
fn a_pod_of_the_deployment_goes_when_it_is_asked_to_and_has_nothing_to_do() {
    let scene = Scene::new();
    let mut container = scene.container("worker-deployment.yaml");
    let id = scene.train();
    wait_for("the job's end", || scene.job(&id)["state"] == "completed");
    kill_process(Pid::from_child(&container.child), Signal::TERM).unwrap();
    assert_eq!(container.code(), Some(0), "{}", container.log());
}

#[test]
fn pods_are_scaled_by_a_figure_that_the_daemon_tells() {
    let scene = Scene::new();
    let queries: Vec<_> = scene
        .manifests
        .iter()
        .filter_map(|one| one.object["spec"]["triggers"][0]["metadata"]["query"].as_str())
        .collect();
    let [object, job] = queries.as_slice() else { panic!("{queries:?}") };
    assert_eq!(*job, "max(quantum_clm_jobs_waiting)");
    assert_eq!(
        *object,
        "max(quantum_clm_jobs_waiting) + sum(max by (state) (quantum_clm_jobs{state=~\"leased|running|lost\"}))"
    );
    // Without a series a query answers nothing, also while there is nothing to do.
    for name in ["waiting", "{state=\"leased\"}", "{state=\"running\"}", "{state=\"lost\"}"] {
        let separator = if name.starts_with('{') { "" } else { "_" };
        let name = format!("quantum_clm_jobs{separator}{name}");
        wait_for(&name, || scene.figure(&name) == Some(0.0));
    }
}

#[test]
fn a_flag_that_the_binary_does_not_know_would_be_seen() {
    for manifest in Manifest::all() {
        let Some(mut arguments) = manifest.arguments() else { continue };
        let code = |arguments: &[String]| {
            Command::new(env!("CARGO_BIN_EXE_quantum-clm"))
                .args(arguments)
                .arg("--help")
                .output()
                .unwrap()
                .status
                .code()
        };
        assert_eq!(code(&arguments), Some(0), "{}: {arguments:?}", manifest.file);
        arguments.push("--dran".into());
        assert_eq!(code(&arguments), Some(2), "{}: {arguments:?}", manifest.file);
    }
}
