use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::DEADLINE;

/// The units of the configuration's default.
pub(crate) const UNITS: [&str; 4] = [
    "quantum-ai-engine.service",
    "quantum-strategy-brain.service",
    "quantum-risk-brain.service",
    "quantum-execution.service",
];

/// A directory with everything that one daemon needs: configuration, journal, data file, socket, log.
pub(crate) struct Bed {
    directory: tempfile::TempDir,
    data_file: PathBuf,
    /// Programs that stand in for the machine's.
    programs: OnceLock<PathBuf>,
}

/// The real binary, serving. Killed when dropped, and its log is shown when the test fails.
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    /// Where in the log it begins.
    begins: usize,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.directory.disable_cleanup(true);
            eprintln!("what the daemon had is kept in {}", self.directory.path().display());
        }
    }
}

impl Bed {
    /// `redis` is the URL; `settings` are lines of TOML with full key names, such as `events.commit_interval = "50ms"`.
    pub(crate) fn new(redis: &str, settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_file = directory.path().join("data/quantum.redb");
        for name in ["data", "journal", "predecessor", "run"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let at = directory.path().display();
        let mut text = format!(
            "data_file = \"{at}/data/quantum.redb\"\nhttp.listen = \"127.0.0.1:0\"\nhttp.socket = \"{at}/run/api.sock\"\n\
             journal.directory = \"{at}/journal\"\njournal.start = \"head\"\nredis.url = \"{redis}\"\n\
             backup.directory = \"{at}/backups\"\n"
        );
        for line in settings {
            text.push_str(line);
            text.push('\n');
        }
        fs::write(directory.path().join("clm.toml"), text).unwrap();
        Self { directory, data_file, programs: OnceLock::new() }
    }

    /// Adds a setting for the next daemon; it must not be set yet.
    pub(crate) fn set(&self, line: &str) {
        let path = self.directory.path().join("clm.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}{line}\n")).unwrap();
    }

    /// Where everything is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// From here on, programs are looked for in this directory first.
    pub(crate) fn programs_first(&self, directory: &Path) {
        self.programs.set(directory.to_owned()).unwrap();
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    pub(crate) fn backups(&self) -> PathBuf {
        self.directory.path().join("backups")
    }

    pub(crate) fn data_file(&self) -> &Path {
        &self.data_file
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("run/api.sock")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// A command with the daemon's configuration, which nobody waits for.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quantum-clm"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.directory.path().join("clm.toml"))
            .env_clear()
            .envs(self.search_path().map(|path| ("PATH", path)))
            .env("QUANTUM_CLM_PREDECESSOR_DIR", self.directory.path().join("predecessor"))
            .stdin(Stdio::null());
        command
    }

    fn search_path(&self) -> Option<OsString> {
        let path = std::env::var_os("PATH")?;
        let first = self.programs.get().cloned().into_iter();
        Some(std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap())
    }

    /// Starts the daemon and does not wait for it. `failpoints` go into its environment.
    pub(crate) fn spawn(&self, failpoints: &str) -> Daemon {
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let begins = log.metadata().unwrap().len() as usize;
        let child = self
            .command(&["serve"])
            .env("FAILPOINTS", failpoints)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary of these tests");
        Daemon { child, socket: self.socket(), log: self.log(), begins }
    }

    /// Starts the daemon and waits until it answers.
    #[track_caller]
    pub(crate) fn start(&self) -> Daemon {
        let mut daemon = self.spawn("");
        daemon.wait("an answer", |_| true);
        daemon
    }

    /// Runs another command with the same configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, "")
    }

    /// The same with something to read on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Daemon {
    /// Where a browser finds it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.tcp())
    }

    /// The port that it chose. It answers a moment before it says so.
    pub(crate) fn tcp(&self) -> SocketAddr {
        // What a daemon before it said is another port.
        let said = || {
            self.log().get(self.begins..)?.split_once("ready, listening on ")?.1.split_whitespace().next()?.parse().ok()
        };
        super::wait_for_some(said, || format!("no port: {}", self.log()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The answer to `GET path` over the socket, without a command's start: the tests ask very often.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 200"))?.1.to_owned())
    }

    /// The status and the answer of a request over the socket, where this process is admin.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (head, body) =
            (format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close"), body.to_string());
        let length = body.len();
        write!(stream, "{head}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.unwrap_or_else(|| panic!("{head}")), serde_json::from_str(body).unwrap_or_default())
    }

    pub(crate) fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.get("/api/status")?).ok()
    }

    /// Events ever stored; `None` while it does not answer.
    pub(crate) fn events(&self) -> Option<u64> {
        self.status()?["events"].as_u64()
    }

    /// A figure of its metrics.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let text = self.get("/metrics")?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until its status fits.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, mut fits: impl FnMut(&Value) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut last = None;
        loop {
            if let Some(status) = self.status() {
                if fits(&status) {
                    return;
                }
                last = Some(status);
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended ({ended:?}) before {what}");
            assert!(Instant::now() < deadline, "waited in vain for {what}; the last answer was {last:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    pub(crate) fn wait_events(&mut self, count: u64) {
        self.wait(&format!("{count} events"), |status| status["events"].as_u64() >= Some(count));
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// SIGKILL, until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended before it was killed: {status}");
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn wait_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGTERM, and it ends with 0.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.terminate();
        let status = self.wait_end();
        assert_eq!(status.code(), Some(0), "{status}");
    }

    /// Everything that daemons of this bed logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.char_indices().rev().nth(6_000).map_or(0, |(at, _)| at);
            eprintln!("--- the end of the daemon's log ---\n{}", &log[from..]);
        }
    }
}

/// A file system of its own for the data file: `Disk::over` the directory `data` of a bed.
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    pub(crate) fn over(bed: &Bed, mib: u64) -> Self {
        Self::at(bed.data_file().parent().unwrap(), mib)
    }

    pub(crate) fn at(path: &Path, mib: u64) -> Self {
        let path = path.to_owned();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(&path)
            .output()
            .expect("the program mount");
        let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
        assert!(
            mounted.status.success(),
            "this test mounts a small tmpfs, so it must run as root with CAP_SYS_ADMIN: {why}"
        );
        Self { path }
    }

    /// Fills it up to the last byte.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        let zeros = vec![0; 64 << 10];
        while file.write(&zeros).is_ok_and(|written| written > 0) {}
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
