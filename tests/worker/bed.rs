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
use crate::support::groups::remove_groups;
use crate::support::receiver::write_secret;
use crate::support::wait_for;

/// What fails a test that waits for a job: far beyond what a loaded machine takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// What programs do that do not just answer (see adapter.sh), by program.
pub(super) type What<'a> = &'a [(&'a str, &'a str)];

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
        let quick = ["jobs.heartbeat = \"5s\"", "jobs.fence = \"1s\"", "jobs.backoff = \"1s\"", "jobs.running = 4"];
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

    /// The configuration of a worker, whose programs do `what` (see adapter.sh), by program; `further` are lines of its
    /// table `[worker]`.
    pub(super) fn configure(&self, name: &str, what: What<'_>, further: &str) {
        self.configure_types(name, &[("other", what, "")], further);
    }

    /// The same with programs for several model types, each with further lines of its own.
    pub(super) fn configure_types(&self, name: &str, types: &[(&str, What<'_>, &str)], further: &str) {
        let at = self.directory();
        let mut text = format!(
            "http.socket = \"{}\"\n[worker]\nname = \"{name}\"\ndirectory = \"{at}/{name}\"\ngrace = \"300ms\"\nslots = 4\n\
             {further}\n",
            self.socket().display(),
            at = at.display(),
        );
        for (model_type, what, further) in types {
            text.push_str(&format!("[adapters.{model_type}]\nenvironment = {{ TEST_BED = \"{}\" }}\n", at.display()));
            for program in ["data", "train", "evaluate"] {
                let what = what.iter().find(|(of, _)| *of == program).map_or("answer", |(_, what)| what);
                let path = self.program();
                text.push_str(&format!("{program} = [\"{}\", \"{program}\", \"{what}\"]\n", path.display()));
            }
            text.push_str(&format!("{further}\n"));
        }
        fs::write(self.configuration(name), text).unwrap();
    }

    /// Where the configuration of a worker is.
    pub(super) fn configuration(&self, name: &str) -> PathBuf {
        self.directory().join(format!("{name}.toml"))
    }

    /// The directory that a worker keeps its jobs in.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// What is left of jobs in a worker's directory, by their names.
    pub(super) fn jobs_of(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.place(name).join("jobs")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// An API token that does what workers do and nothing else, in a file that is this user's alone.
    pub(super) fn token(&self, name: &str) -> PathBuf {
        let made = self.bed.run(&["token", "create", name, "--scope", "worker", "--json"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        let path = self.directory().join(format!("{name}.token"));
        write_secret(&path, made.json()["text"].as_str().unwrap());
        path
    }

    /// Runs a worker that was configured to its end; its exit code and what it said.
    pub(super) fn run(&self, name: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let mut worker = self.start(name, arguments);
        let status = worker.wait_end();
        (status.code(), worker.log())
    }

    /// Starts a worker that was configured.
    pub(super) fn start(&self, name: &str, arguments: &[&str]) -> Worker {
        let log = self.directory().join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = self.command(name).arg("worker").args(arguments).stderr(file).spawn().unwrap();
        Worker { child, log }
    }

    /// A worker whose programs answer well, but for `what`.
    pub(super) fn worker(&self, name: &str, what: What<'_>) -> Worker {
        self.configure(name, what, "");
        self.start(name, &[])
    }

    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quantum-clm"));
        command
            .arg("--config")
            .arg(self.configuration(name))
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
        self.train_type("other", symbol)
    }

    #[track_caller]
    pub(super) fn train_type(&self, model_type: &str, symbol: &str) -> String {
        let (status, answer) = self.post("/clm/train", &json!({ "model_type": model_type, "symbol": symbol }));
        assert_eq!(status, 200, "{answer}");
        answer["job_id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(super) fn cancel(&self, id: &str, why: &str) {
        let (status, answer) = self.post(&format!("/api/jobs/{id}/cancel"), &json!({ "why": why }));
        assert_eq!(status, 200, "{answer}");
    }

    /// The job, as the API has it; none while the daemon does not answer.
    pub(super) fn job(&self, id: &str) -> Option<Value> {
        let answer = ask(&self.socket(), "GET", &format!("/api/jobs/{id}"), &[], "")?;
        (answer.status == 200).then(|| answer.json())
    }

    /// The tries of the step of that name: program steps are `data`, `train` and `evaluate`.
    pub(super) fn tries(job: &Value, step: &str) -> Vec<Value> {
        let steps = job["steps"].as_array().unwrap();
        let step = steps.iter().find(|of| of["step"] == step).unwrap_or_else(|| panic!("no {step}: {job:#}"));
        step["tries"].as_array().unwrap().clone()
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

    /// What the job's log holds at the daemon: its newest lines, of its newest lease.
    pub(super) fn log_of(&self, id: &str) -> String {
        ask(&self.socket(), "GET", &format!("/api/jobs/{id}/log?format=text"), &[], "")
            .map(|answer| answer.body)
            .unwrap_or_default()
    }

    /// Waits until a file of the test's is there, and not empty.
    #[track_caller]
    pub(super) fn wait_file(&self, name: &str) {
        wait_for(name, || !self.lines(name).is_empty());
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

    /// Kills all of them, until none is left.
    pub(super) fn kill_processes(&self) {
        loop {
            let processes = self.processes();
            if processes.is_empty() {
                return;
            }
            for (pid, _) in processes {
                // It may have gone meanwhile.
                let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
        }
    }

    #[track_caller]
    pub(super) fn wait_no_process(&self) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "processes are left: {left:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Whatever a test that failed left.
        self.kill_processes();
        remove_groups(&self.directory());
    }
}

impl Worker {
    /// The most memory that it ever had, in bytes.
    pub(super) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.split_ascii_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
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
