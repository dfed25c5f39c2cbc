//! The journal source on real journal files.

mod child;
mod kinds;
mod loss;
mod resume;

use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use quantum_clm::config::{Config, Journal, JournalStart};
use quantum_clm::domain::event::Level;
use quantum_clm::domain::feed::{Delivery, Gap, Position, Progress};
use quantum_clm::domain::normalise::{NormaliseConfig, Normaliser};
use quantum_clm::observe::status::{Component, StatusBoard};
use quantum_clm::process::StopFlag;
use quantum_clm::sources::journal::{JournalSource, Timing};

use crate::support::wait_for;

pub(crate) const UNIT: &str = "quantum-ai-engine.service";

/// An event as the tests look at it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) unit: String,
    pub(crate) source: String,
    pub(crate) host: String,
    pub(crate) level: Level,
    pub(crate) message: String,
}

/// What a reader delivered: the store of these tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) events: Vec<Seen>,
    pub(crate) gaps: Vec<Gap>,
    /// Every position delivered, with the number of events up to it.
    pub(crate) positions: Vec<(Position, usize)>,
    pub(crate) progress: Progress,
    pub(crate) deliveries: usize,
}

impl Taken {
    fn take(&mut self, delivery: &Delivery) {
        self.events.extend(delivery.events.iter().map(|event| Seen {
            unit: event.unit.to_owned(),
            source: event.source.to_owned(),
            host: event.host.to_owned(),
            level: event.level,
            message: event.message.to_owned(),
        }));
        self.gaps.extend(delivery.gaps.iter().cloned());
        if let Some(position) = &delivery.position {
            self.positions.push((position.clone(), self.events.len()));
        }
        self.progress = delivery.progress;
        self.deliveries += 1;
    }

    pub(crate) fn position(&self) -> Option<Position> {
        self.positions.last().map(|(position, _)| position.clone())
    }

    /// The numbers of the messages `n <number>`, in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.events.iter().filter_map(|event| event.message.strip_prefix("n ")?.parse().ok()).collect()
    }

    pub(crate) fn messages(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.message.as_str()).collect()
    }
}

/// Holds deliveries with events back while it is closed. Others pass: on a slow machine one comes before the first event.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
    held: AtomicBool,
}

/// A reader on its thread.
pub(crate) struct Running {
    taken: Arc<Mutex<Taken>>,
    gate: Arc<Gate>,
    stop: StopFlag,
    board: StatusBoard,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn config(directory: &Path) -> Journal {
    Journal {
        units: vec![UNIT.into()],
        directory: Some(directory.into()),
        start: JournalStart::Head,
        ..Config::default().journal
    }
}

/// Short times, so that tests do not wait for what takes a minute in life.
pub(crate) fn timing() -> Timing {
    Timing {
        tick: Duration::from_millis(20),
        quiet: Duration::from_millis(20),
        idle_probe: Duration::from_millis(500),
        hang: Duration::from_secs(3),
        vacuum_check: Duration::from_millis(50),
        backoff: Duration::from_millis(10),
        backoff_cap: Duration::from_millis(200),
        ..Timing::default()
    }
}

impl Running {
    pub(crate) fn start(config: &Journal, taken: Taken) -> Self {
        Self::start_gated(config, taken, false)
    }

    /// The same, with the gate closed from the beginning if `closed`.
    pub(crate) fn start_gated(config: &Journal, taken: Taken, closed: bool) -> Self {
        let normaliser = Arc::new(Normaliser::new(&NormaliseConfig { quote_currencies: vec!["USDT".into()] }));
        let board = StatusBoard::new();
        let source = JournalSource::new(config, normaliser, "fallback", board.reporter("journal")).unwrap();
        let source = source.with_timing(timing());
        let position = taken.position();
        let taken = Arc::new(Mutex::new(taken));
        let gate = Arc::new(Gate { closed: Mutex::new(closed), ..Gate::default() });
        let stop = StopFlag::new().unwrap();
        let thread = std::thread::spawn({
            let (taken, gate, stop) = (Arc::clone(&taken), Arc::clone(&gate), stop.clone());
            move || {
                source.run(position, &stop, |delivery| {
                    if !delivery.events.is_empty() {
                        let closed = gate.closed.lock().unwrap();
                        gate.held.store(*closed, Ordering::SeqCst);
                        drop(gate.opened.wait_while(closed, |closed| *closed).unwrap());
                    }
                    if stop.is_set() {
                        return ControlFlow::Break(());
                    }
                    taken.lock().unwrap().take(&delivery);
                    ControlFlow::Continue(())
                });
            }
        });
        Self { taken, gate, stop, board, thread: Some(thread) }
    }

    pub(crate) fn set_gate(&self, closed: bool) {
        *self.gate.closed.lock().unwrap() = closed;
        self.gate.opened.notify_all();
    }

    /// Whether a delivery with events waits at the gate.
    pub(crate) fn is_held(&self) -> bool {
        self.gate.held.load(Ordering::SeqCst)
    }

    pub(crate) fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap()
    }

    pub(crate) fn component(&self) -> Component {
        self.board.all().remove(0)
    }

    #[track_caller]
    pub(crate) fn wait(&self, what: &str, mut condition: impl FnMut(&Taken) -> bool) {
        wait_for(what, || condition(&self.taken()));
    }

    /// Waits for `count` events, and then until nothing is left to read.
    #[track_caller]
    pub(crate) fn wait_events(&self, count: usize) {
        self.wait(&format!("{count} events"), |taken| taken.events.len() >= count);
        self.wait_caught_up();
    }

    #[track_caller]
    pub(crate) fn wait_caught_up(&self) {
        let before = self.taken().deliveries;
        self.wait("caught up", |taken| {
            matches!(taken.progress, Progress::CaughtUp(_)) && taken.deliveries > before + 1
        });
    }

    pub(crate) fn stop(mut self) -> Taken {
        self.stop.set();
        self.set_gate(false);
        self.thread.take().unwrap().join().unwrap();
        self.taken().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.set();
        self.set_gate(false);
    }
}

/// Reads everything there is, from where `taken` stands.
pub(crate) fn read_all(config: &Journal, taken: Taken) -> Taken {
    let running = Running::start(config, taken);
    running.wait_caught_up();
    running.stop()
}

pub(crate) fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    std::fs::create_dir(&path).unwrap();
    (directory, path)
}

/// A journalctl of the test's own: a script.
pub(crate) fn program(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("journalctl");
    std::fs::write(&path, format!("#!/bin/bash\n{text}")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
