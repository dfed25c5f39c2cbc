use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use redis::streams::StreamReadReply;

use crate::daemon::Setup;
use crate::journal::Live;
use crate::redis::{STREAM, Server};
use crate::table::{Table, percentile};
use crate::{Bench, Result};

const LINES: usize = 300;
const PAUSE: Duration = Duration::from_millis(47);

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let server = Server::start()?;
    let mut journal = Live::new(bench.directory.join("journal-latency"))?;
    journal.append(bench, None)?;
    let setup = Setup::new(bench, "latency", &journal.directory, &server.config(200_000))?;
    let mut daemon = setup.start()?;
    daemon.stored(1)?;
    let (in_redis, seen_in_redis) = channel();
    let mut connection = server.connect()?;
    std::thread::spawn(move || -> std::result::Result<(), redis::RedisError> {
        let mut after = "0".to_owned();
        loop {
            let mut command = redis::cmd("XREAD");
            command.arg(&["COUNT", "1000", "BLOCK", "100", "STREAMS", STREAM, &after]);
            let Some(reply) = command.query::<Option<StreamReadReply>>(&mut connection)? else { continue };
            let now = Instant::now();
            for id in reply.keys.into_iter().flat_map(|key| key.ids) {
                let event = id.get::<String>("event").unwrap_or_default();
                after = id.id;
                if let Some(number) = number(&event)
                    && in_redis.send((number, now)).is_err()
                {
                    return Ok(());
                }
            }
        }
    });
    let (in_tail, seen_in_tail) = channel();
    let mut tail = setup.command(&["events", "--follow", "--json"]).stdout(Stdio::piped()).spawn()?;
    let output = BufReader::new(tail.stdout.take().ok_or("no output")?);
    std::thread::spawn(move || {
        for line in output.lines() {
            let Ok(line) = line else { return };
            if let Some(number) = number(&line)
                && in_tail.send((number, Instant::now())).is_err()
            {
                return;
            }
        }
    });
    std::thread::sleep(Duration::from_secs(1));
    let mut written = Vec::new();
    for number in 0..LINES {
        written.push(Instant::now());
        journal.append(bench, Some(&format!("2026-01-17 03:46:59 - bench - INFO - latency <{number}>")))?;
        std::thread::sleep(PAUSE);
    }
    let (redis, follow) = (waits(&written, &seen_in_redis), waits(&written, &seen_in_tail));
    tail.kill()?;
    tail.wait()?;
    daemon.stop()?;
    for (what, waits) in [("in Redis", redis), ("in `events --follow`", follow)] {
        let mut waits = waits.map_err(|error| format!("{what}: {error}"))?;
        let (p50, p99) = (percentile(&mut waits, 50), percentile(&mut waits, 99));
        let remark =
            format!("p50 {p50:.2} s; {LINES} lines, 20 a second; without journald's own delay of up to 0.25 s");
        table.at_most(&format!("line written → seen {what}, p99"), 1.0, "s", p99, &remark);
    }
    Ok(())
}

fn number(event: &str) -> Option<usize> {
    let (_, rest) = event.split_once("latency <")?;
    rest.split_once('>')?.0.parse().ok()
}

fn waits(written: &[Instant], seen: &Receiver<(usize, Instant)>) -> Result<Vec<f64>> {
    let mut waits = HashMap::new();
    while waits.len() < written.len() {
        let (number, at) = seen
            .recv_timeout(Duration::from_secs(10))
            .map_err(|_| format!("{} of {} lines came", waits.len(), written.len()))?;
        if let Some(since) = written.get(number) {
            waits.insert(number, (at - *since).as_secs_f64());
        }
    }
    Ok(waits.into_values().collect())
}
