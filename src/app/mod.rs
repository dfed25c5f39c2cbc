//! The one value that a task or a handler is given, and what the product answers when somebody asks.

/// Users, sessions, tokens: who may do what, and the audit log.
pub mod accounts;
pub mod answers;
/// Backups: who asked for one, how it went, who is told when there is none.
pub mod backups;
/// What other programs tell over the bus.
pub mod bus_in;
/// What every change under an idempotency key has in common.
pub mod change;
/// The files of models' versions.
pub mod files;
/// What operators do with intents.
pub mod intents;
/// Jobs and their workers.
pub mod jobs;
/// Events that programs send in.
pub mod publish;
/// Models, versions, gates, promotion.
pub mod registry;
/// What follows from a restore.
pub mod restored;
/// A small registry for newcomers.
pub mod sample;
/// Events as they are stored, for all who read along.
pub mod tail;
/// When which model is trained.
pub mod schedule;
/// What the predecessor left, taken over.
pub mod takeover;
/// What the pages show.
pub mod views;
/// What operators do with webhooks.
pub mod webhooks;

use std::sync::{Arc, Mutex, PoisonError};

use self::accounts::Accounts;
use self::backups::Backups;
use self::bus_in::{BusIn, Scheduled};
use self::files::{Files, Following};
use self::jobs::{Jobs, Orchestrator};
use self::registry::Registry;
use self::schedule::Schedule;
use self::tail::Tail;
use crate::artifacts::{Deployments, Directory};
use crate::config::Config;
use crate::domain::health::{self, Health};
use crate::domain::normalise::{NormaliseConfig, Normaliser};
use crate::domain::time::Micros;
use crate::notify::{self, Webhooks};
use crate::observe::metrics::Metrics;
use crate::observe::now;
use crate::observe::status::StatusBoard;
use crate::pipeline::inbox::Inbox;
use crate::store::Store;

/// Configuration, store, status board and metrics. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What was configured.
    pub config: Arc<Config>,
    /// The data file.
    pub store: Arc<Store>,
    /// The state of every component.
    pub board: StatusBoard,
    /// Figures for Prometheus.
    pub metrics: Metrics,
    /// Users, sessions, tokens, the audit log.
    pub accounts: Arc<Accounts>,
    /// Models, versions, gates, promotion.
    pub registry: Arc<Registry>,
    /// The files of models' versions.
    pub files: Files,
    /// Jobs and their workers.
    pub jobs: Arc<Jobs>,
    /// When which model is trained.
    pub schedule: Arc<Schedule>,
    /// Backups.
    pub backups: Arc<Backups>,
    /// What is in production, on the disk.
    pub deployments: Arc<Deployments>,
    /// When the daemon started.
    pub started: Micros,
    /// Reads fields from a message.
    pub normaliser: Arc<Normaliser>,
    /// This machine's name.
    pub host: Arc<str>,
    /// Where the pipeline's work comes in.
    pub inbox: Arc<Inbox>,
    /// Events as they are stored.
    pub tail: Tail,
    /// Who is told what.
    pub webhooks: Webhooks,
    /// What other programs tell over the bus.
    pub bus_in: Arc<BusIn>,
    /// The places of publications under way.
    publisher: publish::Publisher,
    /// What pages keep in memory.
    pub views: Arc<views::Memory>,
    growth: Arc<Mutex<Option<u64>>>,
    /// Held by who takes the predecessor's history in.
    taking_over: Arc<tokio::sync::Mutex<()>>,
}

impl App {
    /// The value of a daemon that starts now.
    pub fn new(config: Config, store: Store, board: StatusBoard, metrics: Metrics, started: Micros) -> Self {
        let (config, store) = (Arc::new(config), Arc::new(store));
        let quote_currencies = config.events.quote_currencies.clone();
        let directory = Arc::new(Directory::new(store.clone(), config.artifacts.clone()));
        let deployments = Arc::new(Deployments::new(directory.clone(), board.clone()));
        let following =
            Following { store: store.clone(), deployments: deployments.clone(), directory: directory.clone() };
        let registry = Arc::new(Registry::new(store.clone(), &config, Box::new(following)));
        let files = Files::new(directory);
        let orchestrator = Box::new(Orchestrator { registry: registry.clone() });
        let jobs =
            Arc::new(Jobs::new(store.clone(), config.jobs.clone(), metrics.clone(), orchestrator, Box::new(now)));
        let schedule = Arc::new(Schedule::new(store.clone(), jobs.clone(), &config.scheduler, metrics.clone()));
        let scheduled = Arc::new(Scheduled(schedule.clone()));
        let backups = Arc::new(Backups::new(store.clone(), &config.backup, &board, metrics.clone()));
        Self {
            accounts: Arc::new(Accounts::new(store.clone(), config.auth.clone())),
            registry,
            files,
            schedule,
            backups,
            jobs,
            deployments,
            webhooks: Webhooks::new(&config.notify, &store, &metrics, notify::Timing::default()),
            bus_in: Arc::new(BusIn::new(store.clone(), metrics.clone(), scheduled)),
            config,
            store,
            board,
            metrics,
            started,
            normaliser: Arc::new(Normaliser::new(&NormaliseConfig { quote_currencies })),
            host: rustix::system::uname().nodename().to_string_lossy().into(),
            inbox: Inbox::new(),
            tail: Tail::default(),
            publisher: publish::Publisher::default(),
            views: Arc::default(),
            growth: Arc::default(),
            taking_over: Arc::default(),
        }
    }

    /// The verdict. `check` makes it the check that the next one measures its growth from.
    pub fn health(&self, check: bool) -> Health {
        let stored = self.store.committed().borrow().events;
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        let since_last = growth.map(|before| stored.saturating_sub(before));
        if check {
            *growth = Some(stored);
        }
        health::assess(&self.board.all(), since_last)
    }

    /// Closes the data file in order, if nobody else holds it any more.
    pub fn close(self) {
        let Self { store, accounts, registry, files, jobs, schedule, backups, bus_in, deployments, webhooks, .. } =
            self;
        drop((accounts, registry, files, bus_in, schedule, jobs, backups, deployments, webhooks));
        // Also where a thread has it still: one that makes a backup does not know yet that nobody waits for it.
        store.shut();
    }
}
