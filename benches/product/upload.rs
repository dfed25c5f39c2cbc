//! A model's file of two gigabytes, in and out: how fast, and what it costs the daemon in memory.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use quantum_clm::app::registry::{Ask, NewVersion, Registry, Undeployed};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::model::{DataWindow, Origin, Provenance};
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe;
use quantum_clm::store::Store;

use crate::daemon::{Daemon, Setup};
use crate::journal::Live;
use crate::lines::noise;
use crate::table::Table;
use crate::{Bench, Result};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 2048 * MIB;
const MODEL: &str = "xgboost_btcusdt_1h_main";

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let journal = Live::new(bench.directory.join("journal-upload"))?;
    let setup = Setup::new(bench, "upload", &journal.directory, "url = \"\"")?;
    let _ = std::fs::remove_dir_all(bench.directory.join("artifacts"));
    register(&setup)?;
    let mut daemon = setup.start()?;
    daemon.ready()?;
    let version = format!("/api/models/{MODEL}/versions/v1");
    let file = format!("{version}/artifacts/large");
    // What any upload costs once.
    send(&setup, &format!("{version}/artifacts/small"), 1)?;

    let (before, begun) = (daemon.memory("VmHWM")?, Instant::now());
    send(&setup, &file, SIZE)?;
    known(table, &daemon, "upload of 2 GiB", before, begun, "hashed, on disk and in the manifest")?;
    let (before, begun) = (daemon.memory("VmHWM")?, Instant::now());
    let taken = receive(&setup, "GET", &file)?;
    if taken < SIZE {
        return Err(format!("{taken} bytes came back of {SIZE}").into());
    }
    known(table, &daemon, "download of 2 GiB", before, begun, "over the unix socket")?;
    let (before, begun) = (daemon.memory("VmHWM")?, Instant::now());
    receive(&setup, "POST", &format!("{version}/verify"))?;
    known(table, &daemon, "verify of 2 GiB", before, begun, "read again, largely from the page cache")?;
    daemon.stop()?;
    std::fs::remove_dir_all(bench.directory.join("artifacts"))?;
    Ok(())
}

fn known(table: &mut Table, daemon: &Daemon<'_>, what: &str, before: f64, begun: Instant, remark: &str) -> Result<()> {
    let speed = SIZE as f64 / MIB as f64 / begun.elapsed().as_secs_f64();
    let grown = daemon.memory("VmHWM")? - before;
    table.at_most(&format!("{what}, memory"), 32.0, "MiB", grown, "what the peak grew by");
    table.known(what, "MiB/s", speed, remark);
    Ok(())
}

fn register(setup: &Setup) -> Result<()> {
    let store = Arc::new(Store::open(&setup.data_file)?);
    let registry = Registry::new(store, &Config::default(), Box::new(Undeployed));
    let ask = Ask {
        actor: Actor::local("bench"),
        grant: Grant::Role(Role::Admin),
        now: observe::now(),
        key: None,
        expected: None,
    };
    let provenance = Provenance {
        origin: Origin::Job("bench".into()),
        data: Some(DataWindow { from: Micros(1), until: Micros(2) }),
        parameters: BTreeMap::new(),
        feature_count: Some(1),
        code_revision: None,
    };
    let new = NewVersion {
        name: Some("v1".parse()?),
        parent: None,
        provenance,
        train_metrics: BTreeMap::new(),
        validation_metrics: BTreeMap::new(),
        tags: BTreeMap::new(),
        importances: None,
        success: true,
    };
    registry.register(&ask, &MODEL.parse()?, &new)?;
    Ok(())
}

fn send(setup: &Setup, path: &str, size: u64) -> Result<()> {
    let piece: Vec<u8> = (0..MIB / 8).flat_map(|at| noise(at).to_le_bytes()).collect();
    let mut stream = UnixStream::connect(setup.socket())?;
    write!(stream, "PUT {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n")?;
    let mut left = size;
    while left > 0 {
        let part = left.min(MIB) as usize;
        stream.write_all(&piece[..part])?;
        left -= part as u64;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 201") { Ok(()) } else { Err(format!("not taken: {answer}").into()) }
}

/// Bytes of the answer, which has to be a good one.
fn receive(setup: &Setup, method: &str, path: &str) -> Result<u64> {
    let mut stream = UnixStream::connect(setup.socket())?;
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
    let mut chunk = vec![0; 256 << 10];
    let mut size = stream.read(&mut chunk)?;
    if !chunk.starts_with(b"HTTP/1.1 200") {
        return Err(String::from_utf8_lossy(&chunk[..size]).into_owned().into());
    }
    loop {
        match stream.read(&mut chunk)? {
            0 => return Ok(size as u64),
            read => size += read,
        }
    }
}
