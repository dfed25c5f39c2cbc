use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::ask::ask;
use crate::support::daemon::{Bed, Daemon};
use crate::support::wait_for;

/// What fails a test that waits for a job: far beyond what a loaded machine takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// A daemon with quick leases, and a program that workers run.
pub(super) struct Scene {
    bed: Bed,
    pub(super) daemon: Option<Daemon>,
}

/// The real binary, working.
pub(super) struct Worker {
    child: Child,
    log: PathBuf,
}

impl Scene {
    pub(super) fn new(settings: &[&str]) -> Self {
        let quick = ["jobs.heartbeat = \"1s\"", "jobs.fence = \"1s\"", "jobs.backoff = \"1s\"", "jobs.running = 4"];
        let settings: Vec<_> = quick
            .into_iter()
            .filter(|quick| !settings.iter().any(|own| own.split(' ').next() == quick.split(' ').next()))
            .chain(settings.iter().copied())
            .collect();
        let mut scene = Self { bed: Bed::new("", &settings), daemon: None };
        fs::write(scene.program(), include_str!("adapter.sh")).unwrap();
        fs::set_permissions(scene.program(), fs::Permissions::from_mode(0o755)).unwrap();
        scene.daemon = Some(scene.bed.start());
        scene
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.bed.data_file().parent().and_then(Path::parent).unwrap().to_owned()
    }

    pub(super) fn program(&self) -> PathBuf {
        self.directory().join("adapter.sh")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.bed.socket()
    }

    pub(super) fn restart_daemon(&mut self) {
        self.daemon = Some(self.bed.start());
    }

    pub(super) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("a daemon")
    }

    /// The configuration of a worker, whose programs do `what` (see adapter.sh), by program.
    pub(super) fn configure(&self, name: &str, what: &[(&str, &str)], further: &str) -> PathBuf {
        let at = self.directory();
        let command = |program: &str| {
            let what = what.iter().find(|(of, _)| *of == program).map_or("answer", |(_, what)| what);
            format!("{program} = [\"{}\", \"{program}\", \"{what}\"]\n", self.program().display())
        };
        let text = format!(
            "http.socket = \"{}\"\n{further}\n[worker]\nname = \"{name}\"\ndirectory = \"{at}/{name}\"\ngrace = \"300ms\"\n\
             slots = 4\n[adapters.other]\n{}{}{}environment = {{ TEST_BED = \"{at}\" }}\n",
            self.socket().display(),
            command("data"),
            command("train"),
            command("evaluate"),
            at = at.display(),
        );
        let path = at.join(format!("{name}.toml"));
        fs::write(&path, text).unwrap();
        path
    }

    /// Starts a worker that was configured.
    pub(super) fn start(&self, name: &str, arguments: &[&str]) -> Worker {
        let log = self.directory().join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = self.command(name).arg("worker").args(arguments).stderr(file).spawn().unwrap();
        Worker { child, log }
    }

    /// A worker whose programs answer well, but for `what`.
    pub(super) fn worker(&self, name: &str, what: &[(&str, &str)]) -> Worker {
        self.configure(name, what, "");
        self.start(name, &[])
    }

    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quantum-clm"));
        command
            .arg("--config")
            .arg(self.directory().join(format!("{name}.toml")))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("QUANTUM_CLM_PREDECESSOR_DIR", self.directory().join("predecessor"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Asks for a training of a model of its own; the job's id.
    #[track_caller]
    pub(super) fn train(&self, symbol: &str) -> String {
        let body = json!({ "model_type": "other", "symbol": symbol });
        let answer =
            ask(&self.socket(), "POST", "/clm/train", &[("content-type", "application/json")], body.to_string());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["job_id"].as_str().unwrap().to_owned()
    }

    /// The job, as the API has it; none while the daemon does not answer.
    pub(super) fn job(&self, id: &str) -> Option<Value> {
        let answer = ask(&self.socket(), "GET", &format!("/api/jobs/{id}"), &[], "")?;
        (answer.status == 200).then(|| answer.json())
    }

    /// Waits until the job fits.
    #[track_caller]
    pub(super) fn wait(&self, id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        let mut last = None;
        loop {
            if let Some(job) = self.job(id) {
                if fits(&job) {
                    return job;
                }
                last = Some(job);
            }
            assert!(Instant::now() < deadline, "{id} is not {what}: {:#}", last.unwrap_or_default());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub(super) fn wait_state(&self, id: &str, state: &str) -> Value {
        self.wait(id, state, |job| {
            let is = job["state"].as_str().unwrap();
            let over = ["completed", "failed", "cancelled"];
            assert!(is == state || !over.contains(&is), "{id} is {is} and not {state}: {job:#}");
            is == state
        })
    }

    #[track_caller]
    pub(super) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = ask(&self.socket(), "POST", path, &[("content-type", "application/json")], body.to_string());
        let answer = answer.expect("an answer");
        (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
    }

    /// What the job's log holds at the daemon.
    pub(super) fn log_of(&self, id: &str) -> String {
        ask(&self.socket(), "GET", &format!("/api/jobs/{id}/log"), &[], "")
            .map(|answer| answer.body)
            .unwrap_or_default()
    }

    /// Lines of a file of the test's, none if it is not there.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.directory().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(super) fn touch(&self, name: &str) {
        File::create(self.directory().join(name)).unwrap();
    }

    /// Processes that programs of this test are, or started, or that supervise them.
    pub(super) fn processes(&self) -> Vec<(i32, String)> {
        let bed = self.directory().display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let read = |name: &str| {
                let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let line = read("cmdline");
            let runs = line.contains("run-program") && line.contains(&bed);
            if runs || read("environ").contains(&format!("TEST_BED={bed} ")) {
                found.push((pid, line));
            }
        }
        found
    }

    #[track_caller]
    pub(super) fn wait_no_process(&self) {
        let mut left = Vec::new();
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            left = self.processes();
            if left.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("processes are left: {left:?}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Whatever a test that failed left.
        for (pid, _) in self.processes() {
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }
}

impl Worker {
    pub(super) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(super) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL, until it is gone.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended before it was killed: {status}");
    }

    #[track_caller]
    pub(super) fn wait_end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the worker's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the worker's log ---\n{}", self.log());
        }
    }
}
