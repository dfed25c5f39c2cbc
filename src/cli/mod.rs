//! The command line: this file parses, dispatches and turns the outcome into an exit code.
//!
//! 0 is done, 1 is "the answer is no", 2 is wrong usage, wrong configuration or a failure, told in one line on stderr.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::config::{ConfigError, Loaded, Request};

mod adapter;
mod ask;
mod audit;
mod backup;
mod completions;
mod config;
mod counters;
mod demo;
mod doctor;
mod events;
mod health;
mod import;
mod intents;
mod jobs;
mod man;
mod models;
mod named_backup;
mod output;
mod password;
mod remote;
mod restore;
mod run_program;
mod schedule;
mod serve;
mod session;
mod status;
mod takeover;
mod time;
mod token;
mod train;
mod user;
mod verify;
mod worker;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILT_FROM"), ")");

/// The learning side of a crypto trading system: an exactly-once event feed, detection and intents,
/// training, models and their promotion.
#[derive(Parser)]
#[command(name = "quantum-clm", version = VERSION, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Read this configuration instead of $QUANTUM_CLM_CONFIG or /etc/quantum/clm.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Use this data file; a command that asks reads it itself, without a daemon
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) data_file: Option<PathBuf>,
    /// Speak to the daemon at this unix socket
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

impl Global {
    /// The configuration, with these options and this process's environment in it.
    pub(crate) fn load(&self) -> Result<Loaded, ConfigError> {
        Loaded::from(&self.request())
    }

    /// As [`Global::load`]; no unit needs to be named.
    pub(crate) fn load_without_units(&self) -> Result<Loaded, ConfigError> {
        Loaded::from(&Request { demo: true, ..self.request() })
    }

    /// The socket of the daemon. Who may speak to it need not be allowed to read the configuration: then it is the one
    /// that the environment names, or the default.
    pub(crate) fn socket_path(&self) -> Result<PathBuf, ConfigError> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        match self.load() {
            Err(error) if error.denied && error.faults.len() == 1 => Ok(std::env::var_os("QUANTUM_CLM_HTTP_SOCKET")
                .map_or_else(|| crate::config::Http::default().socket, PathBuf::from)),
            loaded => Ok(loaded?.config.http.socket),
        }
    }

    fn request(&self) -> Request {
        Request {
            file: self.config.clone(),
            data_file: self.data_file.clone(),
            socket: self.socket.clone(),
            ..Request::from_process()
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon: read the journal, store, detect, mirror, answer
    Serve(serve::ServeArgs),
    /// Run jobs: the operator's programs, for a daemon on this machine or another
    Worker(worker::WorkerArgs),
    /// Try the programs that fetch data, train and evaluate
    Adapter(adapter::AdapterArgs),
    /// Run the daemon on a built-in feed, without a journal and without Redis
    Demo(demo::DemoArgs),
    /// Tell whether everything works; exits with 1 if not
    Health(health::HealthArgs),
    /// Tell what the daemon is doing, in a few lines
    Status(status::StatusArgs),
    /// List events, newest first, or follow them
    Events(events::EventsArgs),
    /// List the hourly counters
    Counters(counters::CountersArgs),
    /// List intents, and acknowledge or resolve them
    Intents(intents::IntentsArgs),
    /// List, show and compare models; register, evaluate, promote, roll back, verify, delete
    Models(models::ModelsArgs),
    /// Train a model
    Train(train::TrainArgs),
    /// List jobs, show one and its log, call one off, do one again
    Jobs(jobs::JobsArgs),
    /// Tell when which model is trained, and why not yet
    Schedule(schedule::ScheduleArgs),
    /// Take over the registry or the events of the Python system
    Import(import::ImportArgs),
    /// Put a backup in the place of the data file, or say what that would do
    Restore(restore::RestoreArgs),
    /// Go over from the Python units to this daemon, on this machine; without --apply only tells
    Takeover(takeover::TakeoverArgs),
    /// List users, and add, change or delete them
    User(user::UserArgs),
    /// List API tokens, and make or revoke them
    Token(token::TokenArgs),
    /// List who is signed in, and end sessions
    Session(session::SessionArgs),
    /// List what was done and refused, and check that nobody has changed that log
    Audit(audit::AuditArgs),
    /// Make a backup, bring it elsewhere, list those that there are
    Backup(backup::BackupArgs),
    /// Look at everything in a backup or a data file; exits with 1 if it is not whole
    Verify(verify::VerifyArgs),
    /// Check the machine and say how to repair what is wrong
    Doctor(doctor::DoctorArgs),
    /// Check or show the configuration
    Config(config::ConfigArgs),
    /// Print what a shell needs to complete these commands
    Completions(completions::CompletionsArgs),
    /// Print the manual pages
    Man(man::ManArgs),
    /// Run a program of a job (started by a worker)
    #[command(hide = true)]
    RunProgram(run_program::RunArgs),
    /// Become a program of a job (started by run-program)
    #[command(hide = true)]
    ExecProgram(run_program::RunArgs),
}

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let global = &cli.global;
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(args, global),
        Command::Worker(args) => worker::run(&args, global),
        Command::Adapter(args) => adapter::run(args, global),
        Command::Demo(args) => demo::run(args, global),
        Command::Health(args) => health::run(args, global),
        Command::Status(args) => status::run(args, global),
        Command::Events(args) => events::run(args, global),
        Command::Counters(args) => counters::run(args, global),
        Command::Intents(args) => intents::run(args, global),
        Command::Models(args) => models::run(args, global),
        Command::Train(args) => train::run(&args, global),
        Command::Jobs(args) => jobs::run(&args, global),
        Command::Schedule(args) => schedule::run(args, global),
        Command::Import(args) => import::run(args, global),
        Command::Restore(args) => restore::run(&args, global),
        Command::Takeover(args) => takeover::run(args, global),
        Command::User(args) => user::run(args, global),
        Command::Token(args) => token::run(args, global),
        Command::Session(args) => session::run(args, global),
        Command::Audit(args) => audit::run(args, global),
        Command::Backup(args) => backup::run(args, global),
        Command::Verify(args) => verify::run(&args, global),
        Command::Doctor(args) => doctor::run(args, global),
        Command::Config(args) => config::run(args, global),
        Command::Completions(args) => completions::run(args, global),
        Command::Man(args) => man::run(args, global),
        Command::RunProgram(args) => run_program::supervise(&args),
        Command::ExecProgram(args) => Ok(run_program::execute(&args)),
    };
    outcome.unwrap_or_else(|error| failed(&error))
}

/// The exit code of a failure, after telling it.
fn failed(error: &anyhow::Error) -> ExitCode {
    // Whoever reads our output has seen enough.
    if error.downcast_ref::<output::PrintError>().is_some_and(output::PrintError::is_closed) {
        return ExitCode::SUCCESS;
    }
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        error.faults.iter().for_each(|fault| complain(fault));
    } else {
        complain(&crate::observe::in_full(error));
    }
    ExitCode::from(2)
}

/// What is being done, on stderr, where somebody watches.
pub(crate) fn say(message: &str) {
    if io::stderr().is_terminal() {
        drop(writeln!(io::stderr(), "{message} …"));
    }
}

/// One line on stderr, which may hold a part of what came from outside. Where stderr is closed, `eprintln!` would panic.
pub(crate) fn complain(message: &str) {
    drop(writeln!(io::stderr(), "quantum-clm: {}", output::visible(message)));
}

/// Help and version as clap prints them; a mistake as one line, with clap's tip in it.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        drop(error.print());
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && io::stderr().is_terminal() {
        drop(error.print());
        return ExitCode::from(2);
    }
    complain(&one_line(&error.render().to_string()));
    ExitCode::from(2)
}

fn one_line(rendered: &str) -> String {
    let mut parts = Vec::new();
    for paragraph in rendered.split("\n\n") {
        let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(text) = text.strip_prefix("error: ") {
            parts.push(text.to_owned());
        } else if let Some(text) = text.strip_prefix("tip: ") {
            parts.push(text.to_owned());
        } else if text.starts_with("[possible values") && !parts.is_empty() {
            parts.push(text);
        }
    }
    if parts.is_empty() {
        parts.push("a command is missing".to_owned());
    }
    parts.push("see quantum-clm --help".to_owned());
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn mistakes_in_one_line() {
        for (arguments, expected) in [
            (
                &["events", "--folow"][..],
                "unexpected argument '--folow' found; a similar argument exists: '--follow'; see quantum-clm --help",
            ),
            (
                &["evnts"],
                "unrecognized subcommand 'evnts'; a similar subcommand exists: 'events'; see quantum-clm --help",
            ),
            (
                &["intents", "ack", "3"],
                "the following required arguments were not provided: --why <WHY>; see quantum-clm --help",
            ),
        ] {
            let arguments = std::iter::once("quantum-clm").chain(arguments.iter().copied());
            let error = Cli::try_parse_from(arguments).err().unwrap();
            assert_eq!(one_line(&error.render().to_string()), expected);
        }
    }
}
