use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::task::JoinHandle;

use super::Global;
use crate::app::takeover::{self, MarkError};
use crate::app::{App, files as models_files, restored};
use crate::config::{self, Loaded};
use crate::http::accept::{self, Limits};
use crate::http::api;
use crate::http::border::Border;
use crate::http::door::Door;
use crate::http::files;
use crate::http::listen::{self, ListenError};
use crate::http::passed::Passed;
use crate::http::peer::Admins;
use crate::http::routes::{self, Times};
use crate::observe::metrics::Metrics;
use crate::observe::notify::Notify;
use crate::observe::status::StatusBoard;
use crate::observe::{logging, now, signals};
use crate::process::unless_inherited;
use crate::sources::journal;
use crate::stop::{self, Stop, Stopper, Stopping};
use crate::store::{OpenError, Store};
use crate::tasks::feed::{self, Origin};
use crate::tasks::{
    Tasks, accounts, backups, jobs, mirror, scheduler, subscriptions, tail, trade_path, upkeep, webhooks,
};

/// How long the tasks may drain. With the listeners' own two seconds, a stop takes five at most.
const DRAIN: Duration = Duration::from_secs(3);

/// The exit code of what another start may mend: sysexits' EX_TEMPFAIL. Everything else is 2, which the unit takes as a reason to
/// stay down (`RestartPreventExitStatus=`).
const MAY_PASS: u8 = 75;

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Read the built-in feed instead of the journal, and mirror nothing
    #[arg(long)]
    pub(crate) demo: bool,
}

pub(crate) fn run(args: ServeArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let loaded = if args.demo { global.load_without_units()? } else { global.load()? };
    let origin = if args.demo { Origin::Demo } else { Origin::Journal };
    daemon(loaded, origin, |app, _| tell_how_to_begin(app)).or_else(|error| {
        if stays(&error) {
            return Err(error);
        }
        super::complain(&crate::observe::in_full(&error));
        Ok(ExitCode::from(MAY_PASS))
    })
}

/// Whether a start would fail in the same way until somebody changes something.
fn stays(error: &anyhow::Error) -> bool {
    let of_file = error.downcast_ref::<OpenError>().map(|error| match error {
        OpenError::InUse { .. } | OpenError::Locked { .. } | OpenError::Io { .. } => false,
        OpenError::Migration { source, .. } => !source.is_full(),
        OpenError::Foreign { .. }
        | OpenError::Newer { .. }
        | OpenError::NotReady { .. }
        | OpenError::Damaged { .. } => true,
    });
    let of_sockets = error.downcast_ref::<ListenError>().map(|error| {
        matches!(
            error,
            ListenError::Address(_) | ListenError::TooLong(_) | ListenError::NoSocket(_) | ListenError::Passed { .. }
        )
    });
    of_file.or(of_sockets).unwrap_or(false)
}

/// There is no default password: who starts a new appliance is told how the first user is added.
fn tell_how_to_begin(app: &App) -> anyhow::Result<()> {
    if !app.accounts.has_users()? {
        tracing::info!("no user can sign in yet: as root, quantum-clm user add NAME --role admin adds the first");
    }
    Ok(())
}

/// Runs the daemon until a signal ends it; `ready` is called once it answers, with the address that it listens on.
pub(super) fn daemon(
    loaded: Loaded,
    origin: Origin,
    ready: impl FnOnce(&App, &str) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    logging::init()?;
    #[cfg(feature = "failpoints")]
    crate::failpoint::from_environment();
    // Before any thread: it reads what systemd passed from the environment.
    let passed = Passed::from_env();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(serve(loaded, origin, passed, ready));
    // A thread that hangs in a system call must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    code
}

async fn serve(
    loaded: Loaded,
    origin: Origin,
    passed: Passed,
    ready: impl FnOnce(&App, &str) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let started = now();
    let set: Vec<_> = ["http.listen", "http.socket"]
        .into_iter()
        .filter(|key| loaded.origin(key) != config::Origin::Default)
        .collect();
    let is_set = |key: &str| set.contains(&key);
    let inherited = loaded.from_predecessor();
    let Loaded { config, notices, .. } = loaded;
    let signals = signals::listen().context("cannot listen for signals")?;
    // Everything that can be refused is refused before the first byte of the data file is touched.
    if origin == Origin::Journal {
        let seen = journal::check(&config.journal)?;
        if let Some(failure) = seen.failure() {
            bail!("{}; {}", failure.summary, failure.remedy);
        }
    }
    let prepared = listen::prepare(&config.http, passed)?;
    for line in prepared.overruled(&config.http, is_set) {
        tracing::warn!("{line}");
    }
    let (path, jobs) = (config.data_file.clone(), config.jobs.clone());
    let opening = tokio::task::spawn_blocking(move || {
        // Opening writes, into a file that is another's as well.
        unless_inherited(|| Store::inspect(&path), |error| matches!(error, OpenError::InUse { .. }))?;
        // Before the file is ours: what a restore needs that is under way is not touched.
        match crate::backup::sweep_leftovers(&path) {
            Ok(swept) => {
                if swept.removed > 0 {
                    tracing::info!("what a restore left that was broken off was removed");
                }
                for (left, error) in swept.left {
                    let left = left.display();
                    tracing::warn!("what a restore left that was broken off stays: {error}; as root, rm -r {left}");
                }
            }
            Err(error) => tracing::warn!("what a restore left that was broken off cannot be looked for: {error}"),
        }
        let store = Store::open(&path)?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // Before anything else writes into it or answers a worker.
        if restored::take_note(&store, &jobs, &host, now())
            .context("that the data file was restored cannot be noted")?
        {
            tracing::warn!("the data file was restored from a backup; see the audit log and health");
        }
        match takeover::take_mark(&store, &path, now()) {
            Ok(true) => tracing::info!("the stream was given back to the predecessor; the mirror takes it over anew"),
            Ok(false) => {}
            Err(MarkError::Stays(error)) => {
                let mark = takeover::mark_of(&path);
                tracing::warn!("the stream was given back to the predecessor; {} stays: {error}", mark.display());
            }
            Err(error) => return Err(error).context("that the stream was given back cannot be noted"),
        }
        anyhow::Ok(store)
    });
    let store = Notify.extending("opening the data file; a repair or a migration takes its time", opening).await??;
    let admins = Admins::default();
    let listeners = prepared.finish(&admins)?;
    let listening = listeners.describe();
    let (addresses, outlive_us) = (listeners.tcp_addresses(), listeners.outlive_us());
    for notice in notices {
        tracing::info!("{notice}");
    }

    let board = StatusBoard::new();
    if !inherited.is_empty() {
        // In the log by its first report, and in health for whoever looks later.
        board.reporter("config").ok(inherited.join("; "));
    }
    let metrics = Metrics::new(board.clone(), env!("CARGO_PKG_VERSION"), env!("BUILT_FROM"), started);
    let app = App::new(config, store, board.clone(), metrics, started);
    let begun = app.clone();
    let tidying = tokio::task::spawn_blocking(move || models_files::start(&begun));
    Notify.extending("looking after the files of models", tidying).await?;
    let mut tasks = Tasks::new(board);
    let pulse = feed::spawn(&mut tasks, &app, origin);
    if origin == Origin::Journal {
        // Before the mirror, which sends what follows from messages.
        subscriptions::spawn(&mut tasks, &app);
        mirror::spawn(&mut tasks, &app);
        webhooks::spawn(&mut tasks, &app);
    }
    tail::spawn(&mut tasks, &app);
    trade_path::spawn(&mut tasks, &app);
    upkeep::spawn(&mut tasks, &app);
    accounts::spawn(&mut tasks, &app);
    scheduler::spawn(&mut tasks, &app);
    jobs::spawn(&mut tasks, &app);
    backups::spawn(&mut tasks, &app);

    let door = Door::new(admins).with_accounts(app.accounts.clone()).behind(Border::new(&app.config.http));
    let router = routes::router(api::routes(), app.clone(), door, Times::default());
    let (http_stopper, http_stopping) = stop::signal();
    let (limits, evicted) = (files::allow(Limits::default()), app.metrics.connections_evicted.clone());
    let server = tokio::spawn(accept::serve(listeners, router, limits, evicted, http_stopping));
    tokio::spawn(Notify.watchdog(move || pulse.is_alive(), signals.clone()));
    Notify.ready(&format!("listening on {listening}"));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data_file = %app.store.path().display(), "ready, listening on {listening}");
    let url = addresses.first().map(|address| format!("http://{address}")).unwrap_or_default();
    ready(&app, &url)?;

    signals.asked().await;
    Notify.stopping();
    tracing::info!("stopping: what was read is being stored");
    let server = (http_stopper, server);
    let drained = if outlive_us {
        // Whoever comes from here on waits for the next daemon; whoever was let in is answered while everything still works.
        close(server, &signals).await?;
        tasks.drain(DRAIN, &signals).await
    } else {
        // The listeners stop last, so that `health` answers during the drain.
        let drained = tasks.drain(DRAIN, &signals).await;
        close(server, &signals).await?;
        drained
    };
    if !drained.late.is_empty() {
        tracing::warn!(
            tasks = drained.late.join(", "),
            "not finished; what was not stored is read again from the journal"
        );
    }
    tokio::task::spawn_blocking(move || {
        // The listeners answered, and refused, until just now.
        if let Err(error) = app.accounts.flush() {
            tracing::warn!("the last refused attempts are not in the audit log: {error}");
        }
        app.close();
    })
    .await
    .context("closing the data file failed")?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Accepts nobody any more, and lets requests under way finish, unless that is given up.
async fn close((stopper, mut server): (Stopper, JoinHandle<usize>), signals: &Stopping) -> anyhow::Result<()> {
    stopper.ask(Stop::Drain);
    let ended = tokio::select! {
        ended = &mut server => ended,
        () = signals.reached(Stop::GiveUp) => {
            stopper.ask(Stop::GiveUp);
            server.await
        }
    };
    ended.map(drop).context("the listeners ended badly")
}
