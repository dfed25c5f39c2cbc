use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;
use super::named_backup::{NamedBackup, named_backup};
use super::output::{self, Screen, Style};
use super::remote::{self, Fetched};
use crate::backup::seal::Identity;
use crate::backup::{RestoreRequest, RestoreStep, Restored, Verifier, restore};
use crate::config::Config;
use crate::domain::backup::{Difference, START, STOP, TokenName};
use crate::domain::time::Micros;
use crate::http::peer::{Admins, Peer};
use crate::observe::now;

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// The backup: its id in backup.directory, its directory, or where it is elsewhere: s3://bucket/prefix/ID
    #[arg(value_name = "BACKUP")]
    backup: String,
    /// Say what would go back in time, and change nothing. To compare, quantum-clm must be stopped; beside a daemon this says
    /// only what the backup holds, and ends with 1
    #[arg(long)]
    dry_run: bool,
    /// The file with the private key of an encrypted one, as age-keygen writes it
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Take it although it is not encrypted, where --identity is given or backup.recipients is set: without this it is refused
    #[arg(long)]
    plain: bool,
    /// Leave out models' files that are damaged in the backup and missing here, and say which
    #[arg(long)]
    without_models: bool,
}

pub(crate) fn run(args: &RestoreArgs, global: &Global) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "failpoints")]
    crate::failpoint::from_environment();
    let config = global.load_without_units()?.config;
    let identity = args.identity.as_deref().map(Identity::read).transpose()?;
    let source = Source::of(args, &config, global)?;
    let (screen, quiet) = (Screen::stdout(), global.json);
    let restored = restore(&RestoreRequest {
        backup: &source.path(),
        data_file: &config.data_file,
        identity: identity.as_ref(),
        sealed: !args.plain && (identity.is_some() || !config.backup.recipients.is_empty()),
        by: &asker(),
        at: now(),
        dry_run: args.dry_run,
        without_models: args.without_models,
        verifier: &Verifier::this_program(),
        progress: &|step| {
            if !quiet {
                super::say(step_in_words(step));
            }
        },
    })?;
    if global.json {
        output::json(&restored)?;
    } else {
        output::print(report(&restored, &screen).as_bytes())?;
    }
    // What would be refused is a no, also where it is only asked.
    Ok(if restored.in_use { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A backup of this machine, or one that was fetched.
enum Source {
    Here(PathBuf),
    Fetched(Fetched),
}

impl Source {
    fn of(args: &RestoreArgs, config: &Config, global: &Global) -> anyhow::Result<Self> {
        let directory = &config.backup.directory;
        match named_backup(Path::new(&args.backup), || Ok(directory.clone()))? {
            NamedBackup::Remote(place) => {
                if !global.json {
                    super::say(&format!("fetching {place}"));
                }
                // Beside the data file: there the room is needed anyway. It goes when all is done.
                let beside = config.data_file.parent().unwrap_or(Path::new("."));
                Ok(Self::Fetched(remote::fetch(&place, config, beside)?))
            }
            // `.` and links have no name of their own.
            NamedBackup::Directory(path) => Ok(Self::Here(path.canonicalize()?)),
            NamedBackup::Other(path) => bail!(
                "{} is neither a directory nor the id of a backup in {} (they look like 2026-11-21T031500Z)",
                path.display(),
                directory.display()
            ),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Here(path) => path.clone(),
            Self::Fetched(fetched) => fetched.path(),
        }
    }
}

/// Which account of this machine asks.
fn asker() -> String {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    Admins::default().caller(&Peer::Unix { uid, gid, pid: None }).name
}

fn step_in_words(step: RestoreStep) -> &'static str {
    match step {
        RestoreStep::Verify => "comparing the backup with its checksums",
        RestoreStep::Copy => "copying the data beside the data file",
        RestoreStep::VerifyCopy => "verifying everything in the copy",
        RestoreStep::Models => "bringing models' files",
        RestoreStep::Rename => "putting it in the data file's place",
    }
}

/// What was done, or would be, for people.
fn report(restored: &Restored, screen: &Screen) -> String {
    let mut text = Text { screen, text: String::new() };
    let Restored { backup, host, taken_at, difference, .. } = restored;
    let (is, path) = (if restored.dry_run { "would be" } else { "is" }, restored.data_file.display());
    text.line(
        Style::Strong,
        &format!("{path} {is} that of backup {backup}, taken on {host} at {}", taken_at.rfc3339()),
    );
    if restored.already_there {
        text.line(Style::Plain, "a run before this one put it there, and nothing has been started on it since");
    }
    match &restored.kept {
        Some(kept) => text.line(Style::Plain, &format!("the data file of before is {}", kept.display())),
        None if restored.dry_run => text.line(Style::Plain, "nothing was changed"),
        None => {}
    }
    if let Some(why) = &restored.not_compared {
        text.line(Style::Warning, &format!("what is otherwise than now cannot be told: {why}"));
    }
    if restored.in_use {
        text.line(
            Style::Bad,
            &format!("it would be refused: stop quantum-clm first, which also shows what goes back in time: {STOP}"),
        );
    }
    text.difference(difference, *taken_at);
    text.models(restored);
    if !restored.dry_run {
        text.line(
            Style::Plain,
            &format!(
                "start quantum-clm ({START}): it reads the journal on from there, and says in health what happened"
            ),
        );
    }
    text.text
}

struct Text<'a> {
    screen: &'a Screen,
    text: String,
}

impl Text<'_> {
    fn line(&mut self, style: Style, line: &str) {
        self.text.push_str(&self.screen.styled(line, style));
        self.text.push('\n');
    }

    /// A line with what it is about in a column of its own.
    fn about(&mut self, what: &str, line: &str) {
        self.line(Style::Plain, &format!("  {what:<10}{line}"));
    }

    fn names(&mut self, what: &str, names: &[String], said: &str) {
        if !names.is_empty() {
            self.about(what, &format!("{said}: {}", names.join(", ")));
        }
    }

    fn difference(&mut self, difference: &Difference, taken_at: Micros) {
        let Difference { events, journal, users, tokens, intents, production, versions, jobs, .. } = difference;
        let from = journal.then.unwrap_or(taken_at).rfc3339();
        let since = match events.now {
            Some(now) => format!(
                "; {} stored since are gone, and come again where the journal has them",
                now.saturating_sub(events.then)
            ),
            None => String::new(),
        };
        self.about("events", &format!("{}{since}", events.then));
        self.about("journal", &format!("is read on behind {from}; what programs published since then is gone"));
        self.about("users", &format!("{} ({})", users.then.len(), users.then.join(", ")));
        self.names("", &users.come_back, "deleted since, and back");
        self.names("", &users.gone, "added since, and gone");
        for role in &users.roles {
            self.about("", &format!("{} is {} again, not {}", role.user, role.then, role.now));
        }
        self.names("", &users.enabled, "disabled since, and able to sign in again");
        self.names("", &users.disabled, "enabled since, and disabled again");
        self.names("", &users.passwords, "changed their password since: the one before counts again");
        self.about("sessions", "all ended: everybody signs in again");
        self.about("tokens", &tokens.then.to_string());
        let named = |tokens: &[TokenName]| -> Vec<String> {
            tokens.iter().map(|token| format!("{} {:?} ({})", token.number, token.name, token.grant)).collect()
        };
        self.names("", &named(&tokens.alive_again), "revoked since, and VALID AGAIN: revoke them once more");
        self.names("", &named(&tokens.gone), "made since, and refused from now on");
        self.about(
            "intents",
            &format!(
                "{} open; {} resolved since and open again, {} acknowledged since, {} opened since and gone",
                intents.open, intents.open_again, intents.unacknowledged, intents.gone
            ),
        );
        let now = versions.now.map_or(String::new(), |now| format!("; {now} now"));
        self.about("models", &format!("{} versions{now}", versions.then));
        for change in production {
            let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
            let (then, now) = (version(&change.then), version(&change.now));
            self.about("", &format!("{}: in production is {then} again, not {now}", change.model));
        }
        self.about("jobs", &format!("{} asked for since are gone", jobs.gone));
        for job in &jobs.done_again {
            self.about("", &format!("{} ({}) was with a worker, and is done again", job.job, job.model));
        }
    }

    fn models(&mut self, restored: &Restored) {
        let Restored { artifacts_there: there, artifacts_restored: brought, .. } = restored;
        let come = if restored.dry_run { "would come from the backup" } else { "came from the backup" };
        self.about("files", &format!("{there} of models are there, {brought} {come}"));
        for lacking in &restored.artifacts_left_out {
            let why = format!("{} does not come: {}; send it again", lacking.sha256, lacking.why);
            self.line(Style::Warning, &format!("  {:<10}{why}", ""));
        }
        for damaged in &restored.artifacts_damaged {
            let why = format!("{} is whole here, and damaged in the backup: {}", damaged.sha256, damaged.why);
            self.line(Style::Warning, &format!("  {:<10}{why}", ""));
        }
        if restored.artifacts_in_place > 0 {
            let count = restored.artifacts_in_place;
            self.about(
                "",
                &format!("of {count} versions they lie elsewhere, as registered, and are not in the backup"),
            );
        }
    }
}
