//! One run of a shell script under the real supervisor, and a way to see who of it is alive that knows nothing of how the
//! runner finds out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use quantum_clm::domain::job::{JobId, Program};
use quantum_clm::joblog::{LogReader, Record, Stream};
use quantum_clm::runner::{Adopted, ExitRecord, Limits, Runner, Running, Spec, since_boot};
use serde_json::Value;

use crate::support::groups::remove_groups;
use crate::support::{DEADLINE, wait_for};

/// Long enough for whatever a test does.
pub(crate) const LEASE: Duration = Duration::from_secs(600);

/// The end of a lease that is so long from now on.
pub(crate) fn until(lease: Duration) -> Duration {
    since_boot() + lease
}

/// A directory for one run. Whoever is left of it is killed when it is dropped.
pub(crate) struct Bed {
    directory: tempfile::TempDir,
    pub(crate) runner: Runner,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("work")).unwrap();
        Self { directory, runner: Runner::of_binary(env!("CARGO_BIN_EXE_quantum-clm")) }
    }

    /// One on a machine that gives us control groups, if this one does, and one on a machine that does not.
    pub(crate) fn both() -> [Self; 2] {
        let mut without = Self::new();
        without.runner = without.runner.clone().without_groups();
        [without, Self::new()]
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.path().join("run")
    }

    /// What runs `script` with this binary's marks in its arguments, so that those who clear their environment are found.
    pub(crate) fn spec(&self, script: &str) -> Spec {
        let script = format!(": {}\n{script}", self.path().display());
        Spec {
            job: JobId(17),
            epoch: 3,
            program: Program::Train,
            command: ["/bin/sh", "-c", &script].map(str::to_owned).to_vec(),
            work: self.work(),
            log: self.path().join("log"),
            log_bytes: 1 << 20,
            environment: Default::default(),
            secrets: Default::default(),
            limits: Limits::default(),
        }
    }

    pub(crate) fn start_spec(&self, spec: Spec) -> Running {
        self.runner.start(&self.run(), spec, until(LEASE)).unwrap()
    }

    pub(crate) fn start(&self, script: &str) -> Running {
        self.start_spec(self.spec(script))
    }

    pub(crate) fn start_with(&self, script: &str, limits: Limits) -> Running {
        self.start_spec(Spec { limits, ..self.spec(script) })
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn end_of(&self, running: &mut Running) -> ExitRecord {
        let record = running.wait(4 * DEADLINE).unwrap();
        let record = record.unwrap_or_else(|| panic!("it does not end; its log: {:#?}", self.log()));
        assert_eq!(self.living(), Vec::<String>::new(), "there is a record, and somebody lives: {record:?}");
        record
    }

    #[track_caller]
    pub(crate) fn adopt(&self) -> Adopted {
        self.runner.adopt(&self.run()).unwrap()
    }

    /// Waits until the program has written a file of that name.
    #[track_caller]
    pub(crate) fn wait_file(&self, name: &str) {
        let path = self.work().join(name);
        wait_for(&format!("{name} of the program; its log: {:#?}", self.log()), || path.exists());
    }

    /// Stream and text of everything in the log.
    pub(crate) fn log(&self) -> Vec<(Stream, String)> {
        let lines = LogReader::open(self.path().join("log")).read(0, 8 << 20).unwrap();
        let text = String::from_utf8(lines.bytes).unwrap();
        let record = |line| Record::parse(line).map(|record| (record.stream, record.text.to_owned()));
        text.lines().map(|line| record(line).unwrap_or_else(|| panic!("no record: {line:?}"))).collect()
    }

    /// What the program wrote.
    pub(crate) fn said(&self) -> Vec<String> {
        self.log().into_iter().filter(|(stream, _)| *stream != Stream::Note).map(|(_, text)| text).collect()
    }

    /// The process of the run that is named so in `running.json`.
    pub(crate) fn pid(&self, who: &str) -> i32 {
        let path = self.run().join("running.json");
        let mut pid = None;
        wait_for("running.json", || {
            let value = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            pid = value.and_then(|value| value[who]["pid"].as_i64());
            pid.is_some()
        });
        i32::try_from(pid.unwrap()).unwrap()
    }

    /// Everybody who lives and has this bed's path among arguments or environment, which nobody else has; but for the
    /// supervisor and its trampoline on their way out or in.
    pub(crate) fn living(&self) -> Vec<String> {
        self.everybody()
            .into_iter()
            .filter(|(_, arguments)| !arguments.contains("run-program"))
            .map(|(_, a)| a)
            .collect()
    }

    fn everybody(&self) -> Vec<(i32, String)> {
        let mark = self.path().as_os_str().as_encoded_bytes();
        let holds = |bytes: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let arguments = read("cmdline");
            let is_own = pid == std::process::id() as i32;
            if !is_own && (holds(&arguments) || holds(&read("environ"))) {
                found.push((pid, String::from_utf8_lossy(&arguments).replace('\0', " ")));
            }
        }
        found
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // Supervisors first: each ends its own.
        for _ in 0..50 {
            let everybody = self.everybody();
            if everybody.is_empty() {
                break;
            }
            if std::thread::panicking() {
                eprintln!("left over: {everybody:?}");
            }
            for (pid, _) in everybody {
                kill("KILL", pid);
            }
        }
        remove_groups(self.path());
    }
}

pub(crate) fn kill(signal: &str, pid: i32) {
    let _ = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).output();
}
