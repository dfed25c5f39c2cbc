use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use redis::{Connection, ConnectionLike as _, Value};

use super::wait_for_some;

/// A real redis-server in a directory of its own, on a unix socket: no port that somebody else may take while it is down.
pub(crate) struct RedisServer {
    directory: tempfile::TempDir,
    child: Option<Child>,
    options: Vec<String>,
    connection: Option<Connection>,
}

impl RedisServer {
    /// A server that is not started yet.
    pub(crate) fn stopped(options: &[&str]) -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            child: None,
            options: options.iter().map(ToString::to_string).collect(),
            connection: None,
        }
    }

    pub(crate) fn started(options: &[&str]) -> Self {
        let mut server = Self::stopped(options);
        server.start();
        server
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) fn start(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(self.directory.path())
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server, of the package of that name");
        self.child = Some(child);
        let client = ::redis::Client::open(self.url()).expect("a client");
        self.connection = Some(wait_for_some(
            || {
                let mut connection = client.get_connection().ok()?;
                match ::redis::cmd("PING").query::<String>(&mut connection) {
                    Ok(_) => Some(connection),
                    Err(error) if error.code() == Some("NOAUTH") => Some(connection),
                    Err(_) => None,
                }
            },
            || "redis-server does not start".into(),
        ));
    }

    /// Ends it in order, with or without saving what it holds.
    pub(crate) fn stop(&mut self, save: bool) {
        let _ = self.try_run(&["SHUTDOWN", if save { "SAVE" } else { "NOSAVE" }]);
        self.connection = None;
        if let Some(mut child) = self.child.take() {
            child.wait().expect("it ended");
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.connection = None;
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it ran");
            child.wait().expect("it ended");
        }
    }

    pub(crate) fn try_run(&mut self, words: &[&str]) -> redis::RedisResult<Value> {
        let mut command = ::redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        self.connection.as_mut().expect("a started server").req_command(&command)
    }

    /// Runs a command on a connection of the test's own.
    pub(crate) fn run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let value = self.try_run(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        redis::from_redis_value(value).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// All entries of a stream: the id, and the value of `field` where there is one.
    pub(crate) fn entries(&mut self, stream: &str, field: &str) -> Vec<(String, Option<String>)> {
        let entries: Vec<(String, Vec<String>)> = self.run(&["XRANGE", stream, "-", "+"]);
        entries
            .into_iter()
            .map(|(id, fields)| {
                let value = fields.chunks(2).find(|pair| pair[0] == field).map(|pair| pair[1].clone());
                (id, value)
            })
            .collect()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
