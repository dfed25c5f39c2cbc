use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::wait_for_some;

/// A directory with a configuration of its own, and the real binary run in it with nothing else in its environment.
pub(super) struct Bed {
    directory: tempfile::TempDir,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn with(text: &str) -> Self {
        let bed = Self::new();
        fs::write(bed.path().join("clm.toml"), text).unwrap();
        bed
    }

    /// One in which a daemon can run: its file, socket and port are its own, and there is no Redis.
    pub(super) fn for_daemon(more: &str) -> Self {
        let bed = Self::new();
        let path = bed.path().display().to_string();
        let text = format!(
            "data_file = \"{path}/d.redb\"\nhttp.listen = \"127.0.0.1:0\"\nhttp.socket = \"{path}/s.sock\"\n\
             redis.url = \"\"\nevents.commit_interval = \"50ms\"\nbackup.directory = \"{path}/backups\"\n{more}"
        );
        fs::write(bed.path().join("clm.toml"), text).unwrap();
        bed
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path().join("s.sock")
    }

    pub(super) fn data_file(&self) -> PathBuf {
        self.path().join("d.redb")
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quantum-clm"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.path())
            .env("QUANTUM_CLM_PREDECESSOR_DIR", self.path())
            .stdin(Stdio::null());
        if self.path().join("clm.toml").exists() {
            command.env("QUANTUM_CLM_CONFIG", "clm.toml");
        }
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        told(self.command(arguments).output().unwrap())
    }

    /// What a command prints; it must succeed and complain of nothing.
    #[track_caller]
    pub(super) fn out(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
        out
    }

    /// The same, as JSON.
    #[track_caller]
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let out = self.out(&[&["--json"], arguments].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// Every file with what it holds; of what is no file, which one it is.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(directory: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let found = fs::symlink_metadata(&path).unwrap();
                let holds = if found.is_file() { fs::read(&path).unwrap() } else { found.ino().to_string().into() };
                if found.is_dir() {
                    walk(&path, into);
                }
                into.insert(path, holds);
            }
        }
        let mut files = BTreeMap::new();
        walk(self.path(), &mut files);
        files
    }

    /// A daemon that is ready.
    pub(super) fn serve(&self, arguments: &[&str]) -> Serving {
        self.start(self.command(arguments))
    }

    pub(super) fn start(&self, mut command: Command) -> Serving {
        let log = self.path().join("log");
        let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut serving = Serving { child, log, tcp: None };
        serving.tcp = Some(wait_for_some(
            || {
                let log = serving.log();
                let ended = serving.child.try_wait().unwrap();
                assert!(ended.is_none(), "it ended ({ended:?}): {log}");
                let (_, after) = log.split_once("ready, listening on ")?;
                after.split_whitespace().next()?.parse().ok()
            },
            || "the daemon is ready".to_owned(),
        ));
        serving
    }
}

/// A running daemon. Killed when dropped.
pub(super) struct Serving {
    child: Child,
    log: PathBuf,
    tcp: Option<SocketAddr>,
}

impl Serving {
    /// What it wrote to standard error so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(super) fn tcp(&self) -> SocketAddr {
        self.tcp.unwrap()
    }

    /// The status and the body of a request over TCP.
    pub(super) fn request(&self, method: &str, path: &str) -> (u16, String) {
        let host = self.tcp();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until it is healthy, without a check that growth would be measured from.
    pub(super) fn is_healthy(&self) {
        wait_for_some(
            || (self.request("GET", "/health").1.contains("\"status\":\"healthy\"")).then_some(()),
            || format!("it is healthy: {}", self.log()),
        );
    }

    /// Stops it in order.
    pub(super) fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
    }

    /// Ends it as a power cut does.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}
