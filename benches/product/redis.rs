//! A redis-server of our own, and how fast the mirror fills it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::Connection;

use crate::daemon::Setup;
use crate::journal::Live;
use crate::large::fill;
use crate::table::Table;
use crate::{Bench, Result};

pub(crate) const STREAM: &str = "quantum:stream:utf";

pub(crate) struct Server {
    directory: tempfile::TempDir,
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(directory.path().join("s"));
        command.arg("--dir").arg(directory.path()).stdout(Stdio::null());
        let child = command.spawn().map_err(|error| format!("redis-server: {error}"))?;
        let server = Self { directory, child };
        let started = Instant::now();
        while let Err(error) = server.connect() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        let client = redis::Client::open(format!("unix://{}", self.socket().display()))?;
        let mut connection = client.get_connection()?;
        redis::cmd("PING").query::<()>(&mut connection)?;
        Ok(connection)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// The mirror's configuration.
    pub(crate) fn config(&self, maxlen: u64) -> String {
        format!("url = \"unix://{}\"\nmirror = \"on\"\nmaxlen = {maxlen}", self.socket().display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let server = Server::start()?;
    let mut connection = server.connect()?;
    let journal = Live::new(bench.directory.join("journal-empty"))?;
    let setup = Setup::new(bench, "redis", &journal.directory, &server.config(bench.events))?;
    fill(bench, &setup.data_file, bench.events, None)?;
    let len = |connection: &mut Connection| redis::cmd("XLEN").arg(STREAM).query::<u64>(connection);
    let mut daemon = setup.start()?;
    daemon.ready()?;
    let mut first = None;
    let rate = loop {
        let (count, now) = (len(&mut connection)?, Instant::now());
        match first {
            None if count > 0 => first = Some((count, now)),
            Some((had, since)) if count >= bench.events => break (count - had) as f64 / (now - since).as_secs_f64(),
            _ => {}
        }
        if daemon.started.elapsed() > Duration::from_secs(60) {
            return Err(format!("after a minute the stream has {count} of {}", bench.events).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    daemon.stop()?;
    let entry: redis::Value =
        redis::cmd("XREVRANGE").arg(STREAM).arg(&["+", "-", "COUNT", "1000"]).query(&mut connection)?;
    let entries: redis::streams::StreamRangeReply = redis::from_redis_value(entry)?;
    let bytes: usize = entries.ids.iter().filter_map(|id| id.get::<String>("event")).map(|event| event.len()).sum();
    let bytes = bytes / entries.ids.len().max(1);
    redis::cmd("DEL").arg(STREAM).query::<()>(&mut connection)?;
    let maxlen = bench.events.to_string();
    let mut command = Command::new("redis-benchmark");
    command.arg("-s").arg(server.socket()).args(["-P", "100", "-q", "-n", &maxlen]);
    command.args(["XADD", STREAM, "MAXLEN", "~", &maxlen, "*", "event", &"x".repeat(bytes)]);
    let said = String::from_utf8(command.output()?.stdout)?;
    let bare = said.split(" requests per second").next().and_then(|text| text.rsplit(' ').next()?.parse::<f64>().ok());
    let bare = bare.ok_or(format!("redis-benchmark said {said:?}"))?;
    let remark = format!("{bytes} bytes an event; `redis-benchmark -P 100` XADD of that size {bare:.0}/s");
    table.at_least("Redis catch-up", 300_000.0, "events/s", rate, &remark);
    Ok(())
}
