use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::{Global, complain, serve};
use crate::app::{App, sample};
use crate::config::Origin as ValueOrigin;
use crate::domain::access::Actor;
use crate::domain::account::UserName;
use crate::observe::now;
use crate::sources::journal;
use crate::tasks::feed::Origin;

#[derive(Args)]
pub(crate) struct DemoArgs {}

pub(crate) fn run(_args: DemoArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let mut loaded = global.load_without_units()?;
    let directory = directory()?;
    let own_file = matches!(loaded.origin("data_file"), ValueOrigin::Default);
    if own_file {
        loaded.config.data_file = directory.join("demo.redb");
        if matches!(loaded.origin("backup.directory"), ValueOrigin::Default) {
            loaded.config.backup.directory = directory.join("backups");
        }
    }
    if matches!(loaded.origin("http.socket"), ValueOrigin::Default) {
        loaded.config.http.socket = directory.join("api.sock");
    }
    // A demo must never write its invented events where real ones belong.
    loaded.config.redis.url = String::new();
    let seen = journal::check(&loaded.config.journal);
    let journal = match &seen {
        Ok(seen) => match seen.failure() {
            Some(failure) => format!("not readable here ({})", failure.summary),
            None if seen.units.iter().all(|unit| unit.seen.is_empty()) => {
                "holds no line of the trading services".to_owned()
            }
            None => "holds lines of the trading services; `quantum-clm serve` reads them".to_owned(),
        },
        Err(error) => error.to_string(),
    };
    complain(&format!("demo: journal: {journal}; running the built-in demo feed"));
    complain("demo: Redis: the demo mirrors nothing; `quantum-clm serve` does, to redis.url");
    let (data_file, socket) = (loaded.config.data_file.clone(), loaded.config.http.socket.clone());
    serve::daemon(loaded, Origin::Demo, |app, url| {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("quantum-clm"));
        let ask = format!("{} --socket {}", program.display(), socket.display());
        complain(&format!("demo: data file {}", data_file.display()));
        if own_file {
            sample::fill(app, now()).context("the sample of models")?;
            sample::fill_jobs(app, now()).context("the sample of jobs")?;
            sample::ask_for_backup(app, now()).context("the sample of a backup")?;
            complain(&format!("demo: {url}/models and {url}/jobs show a sample of models and jobs: invented data"));
        }
        complain(&format!("demo: {url}/health and {url}/metrics answer without a credential"));
        for line in sign_in(app, url, own_file)? {
            complain(&format!("demo: {line}"));
        }
        complain(
            "demo: the commands use the unix socket, open to root and to the user that runs this. In another terminal:",
        );
        for command in ["health --verbose", "events --follow", "counters --since -1h", "intents", "jobs"] {
            complain(&format!("demo:   {ask} {command}"));
        }
        complain("demo: Ctrl-C stops it");
        Ok(())
    })
}

/// How to sign in. In the demo's own file there is always the admin `demo`, with a password that is new with each start,
/// because nobody keeps that of a demo; the users of another file are left alone.
fn sign_in(app: &App, url: &str, own_file: bool) -> anyhow::Result<Vec<String>> {
    if !own_file && app.accounts.has_users()? {
        return Ok(vec![format!("sign in at {url}/ as one of this data file's users (quantum-clm user list)")]);
    }
    let name: UserName = "demo".parse()?;
    let actor = Actor::person("quantum-clm demo", "console");
    let password = app.accounts.demo_admin(&actor, &name)?;
    Ok(vec![
        format!("sign in at {url}/ as {name} with the password {}", password.expose()),
        "the password is new with each start of the demo".to_owned(),
    ])
}

/// A directory of this user's own for the demo's file and socket.
fn directory() -> anyhow::Result<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let directory = std::env::temp_dir().join(format!("quantum-clm-demo-{uid}"));
    make_private(&directory, uid).with_context(|| format!("cannot use {}", directory.display()))?;
    Ok(directory)
}

/// `/tmp` belongs to everybody: a directory that somebody else put there is not used.
fn make_private(directory: &Path, uid: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let found = std::fs::symlink_metadata(directory)?;
    anyhow::ensure!(found.is_dir() && found.uid() == uid, "it belongs to somebody else: remove it, or set TMPDIR");
    Ok(())
}
