//! Webhooks against a real HTTP server.

mod order;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quantum_clm::config::{Notify, Webhook as Settings};
use quantum_clm::domain::webhook::{Delivery, Pauses};
use quantum_clm::notify::{Timing, Webhook, Webhooks};
use quantum_clm::observe::metrics::{Exposition, Metrics};
use quantum_clm::observe::now;
use quantum_clm::observe::status::{Component, StatusBoard};
use quantum_clm::stop::{self, Stop, Stopper};
use quantum_clm::store::Store;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::support::receiver::write_secret;
use crate::support::wait_for_some;

const SECRET: &str = "a secret that nobody may see";

/// Pauses of milliseconds, and receivers that must be quick.
const QUICK: Timing = Timing {
    pauses: Pauses { first: 2_000, most: 20_000 },
    connect: Duration::from_secs(20),
    answer: Duration::from_secs(20),
    drain: Duration::from_secs(5),
    failed_after: Duration::from_secs(3_600),
};

/// A data file, and webhooks at work on it.
struct Bed {
    directory: tempfile::TempDir,
    runtime: Runtime,
    store: Option<Arc<Store>>,
    notify: Notify,
    timing: Timing,
}

struct Running {
    stopper: Stopper,
    task: JoinHandle<()>,
    webhook: Webhook,
    board: StatusBoard,
    metrics: Metrics,
}

impl Bed {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Some(Arc::new(Store::open(&directory.path().join("q.redb")).expect("a new file")));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let notify = Notify { webhooks: BTreeMap::new() };
        Self { directory, runtime: runtime.expect("a runtime"), store, notify, timing: QUICK }
    }

    fn store(&self) -> Arc<Store> {
        self.store.clone().expect("an open store")
    }

    /// Configures a webhook.
    fn webhook(&mut self, name: &str, url: &str) -> &mut Settings {
        let secret_file = self.directory.path().join(format!("{name}.secret"));
        write_secret(&secret_file, &format!("{SECRET}\n"));
        let settings = Settings {
            url: url.parse().expect("a URL"),
            secret_file,
            ca_file: None,
            events: Vec::new(),
            allow_http: false,
            give_up_after: Duration::from_secs(3 * 86_400),
        };
        self.notify.webhooks.entry(name.parse().expect("a name")).or_insert(settings)
    }

    /// Starts one, and waits until it has its place.
    fn start(&self, name: &str) -> Running {
        let board = StatusBoard::new();
        let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", now());
        let webhooks = Webhooks::new(&self.notify, &self.store(), &metrics, self.timing);
        let webhook = webhooks.get(&name.parse().expect("a name")).expect("a webhook").clone();
        let (stopper, stopping) = stop::signal();
        let (works, reporter) = (webhook.clone(), board.reporter(&format!("webhook:{name}")));
        let task = self.runtime.spawn(async move { works.run(reporter, stopping).await.expect("it goes on") });
        let running = Running { stopper, task, webhook, board, metrics };
        wait_for_some(|| self.store().webhook(name).expect("a look"), || "its place".into());
        running
    }

    /// Waits until no event waits for this one.
    #[track_caller]
    fn settle(&self, running: &Running) {
        wait_for_some(
            || (running.webhook.standing().expect("a look").waiting == 0).then_some(()),
            || format!("{:#?} {:#?}", running.status(), running.webhook.standing()),
        );
    }

    /// The log of a webhook, the first line first.
    fn log(&self, name: &str) -> Vec<Delivery> {
        let lines = self.store().deliveries(name, u64::MAX, 10_000).expect("a look");
        lines.into_iter().rev().map(|(_, delivery)| delivery).collect()
    }
}

impl Running {
    fn status(&self) -> Component {
        self.board.all().pop().expect("a component")
    }

    fn metrics(&self) -> String {
        self.metrics.render(Exposition::PlainText)
    }

    /// Ends it in order.
    fn stop(self, bed: &Bed) {
        self.stopper.ask(Stop::Drain);
        bed.runtime.block_on(self.task).expect("no panic");
    }

    /// Ends it as a crash does: wherever it waits, nothing saved.
    fn crash(self, bed: &Bed) {
        self.task.abort();
        let _ = bed.runtime.block_on(self.task);
    }
}
