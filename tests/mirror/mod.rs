//! The mirror against a real Redis.

mod bus;
mod conditions;
mod formats;
mod model;
mod subscribe;
mod takeover;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use quantum_clm::config::{Config, MirrorMode};
use quantum_clm::mirror::{Mirror, MirrorSettings, MirrorStats, Timing};
use quantum_clm::observe::status::{Component, State, StatusBoard};
use quantum_clm::store::Store;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::wait_for_some;

const STREAM: &str = "quantum:stream:utf";
const INTENTS: &str = "quantum:stream:clm.intent";

/// A mirror at work.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    board: StatusBoard,
    stats: Arc<MirrorStats>,
}

fn settings(url: &str) -> MirrorSettings {
    let mut config = Config::default().redis;
    config.url = url.to_owned();
    config.consumer = "quantumtrader-prod-1".into();
    let mut settings = MirrorSettings::new(&config);
    settings.systemctl = PathBuf::from("/nonexistent/systemctl");
    settings.redis.mirror = MirrorMode::On;
    settings.timing = Timing {
        backoff_first: Duration::from_millis(5),
        backoff_most: Duration::from_millis(50),
        look: Duration::from_millis(20),
        counters: Duration::from_millis(10),
        save: Duration::from_millis(50),
        ..Timing::default()
    };
    settings
}

impl Running {
    fn start(runtime: &Runtime, store: Arc<Store>, settings: MirrorSettings) -> Self {
        let (stop, shutdown) = watch::channel(false);
        let board = StatusBoard::new();
        let stats = Arc::new(MirrorStats::default());
        let mirror = Mirror::new(store, settings, board.reporter("mirror"), stats.clone());
        Self { stop, task: runtime.spawn(mirror.run(shutdown)), board, stats }
    }

    fn status(&self) -> Component {
        self.board.all().pop().expect("a component")
    }

    /// Waits for a state whose summary contains `summary`; its remedy must contain `remedy`.
    fn wait_for_some(&self, state: State, summary: &str, remedy: &str) {
        let component = wait_for_some(
            || Some(self.status()).filter(|now| now.state == state && now.summary.contains(summary)),
            || format!("{state:?} with {summary:?}; it is {:#?}", self.status()),
        );
        let said = component.remedy.unwrap_or_default();
        assert!(said.contains(remedy), "the remedy for {summary:?} is {said:?}");
    }

    /// Ends it in order.
    fn stop(self, runtime: &Runtime) {
        self.stop.send_replace(true);
        runtime.block_on(self.task).expect("no panic");
    }

    /// Ends it as a crash does: wherever it waits, nothing saved.
    fn crash(self, runtime: &Runtime) {
        self.task.abort();
        let _ = runtime.block_on(self.task);
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
