use std::env;
use std::io;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{self, Screen, Style, Table};
use super::{Global, complain};
use crate::config::{ConfigError, Loaded, SecretError};
use crate::notify;

#[derive(Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Look for mistakes; exits with 2 if there are any
    Check,
    /// Show every value and where it comes from, without secrets
    Show,
}

pub(crate) fn run(args: ConfigArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        ConfigCommand::Check => check(global),
        ConfigCommand::Show => show(&global.load()?, global),
    }
}

fn check(global: &Global) -> anyhow::Result<ExitCode> {
    let (loaded, notices) = match global.load().and_then(with_secrets) {
        Ok(checked) => checked,
        Err(error) if global.json => {
            output::json(&json!({"ok": false, "errors": error.faults}))?;
            return Ok(ExitCode::from(2));
        }
        Err(error) => return Err(error.into()),
    };
    let file = loaded.file.as_ref().map(|path| path.display().to_string());
    if global.json {
        output::json(&json!({"ok": true, "file": file, "notices": notices}))?;
        return Ok(ExitCode::SUCCESS);
    }
    notices.iter().for_each(|notice| complain(&format!("note: {notice}")));
    let told = file.unwrap_or_else(|| format!("{} does not exist; the defaults", crate::config::DEFAULT_FILE));
    output::print(format!("{}: no mistake found\n", output::visible(&told)).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the secrets can be read, as far as this user can tell: credentials exist for the unit only, and the files of
/// another user are that user's.
pub(super) fn with_secrets(loaded: Loaded) -> Result<(Loaded, Vec<String>), ConfigError> {
    let mut notices = loaded.notices.clone();
    let mut faults = Vec::new();
    let mut look = |key: &str, name: String, result: Result<(), SecretError>| match result {
        Ok(()) => {}
        Err(SecretError::NoCredentials(path)) if env::var_os("CREDENTIALS_DIRECTORY").is_none() => {
            notices.push(format!("the credential {} was not looked at: only the unit has it", path.display()));
        }
        Err(SecretError::Read { path, error }) if error.kind() == io::ErrorKind::PermissionDenied => {
            notices.push(format!("{} was not looked at: this user may not read it", path.display()));
        }
        Err(error) => faults.push(format!("{}: {name}: {:#}", loaded.origin(key), anyhow::Error::new(error))),
    };
    let config = &loaded.config;
    look("redis.password_file", "redis.password_file".to_owned(), config.redis.target().map(drop));
    let key = "backup.s3.secret_access_key_file";
    look(key, key.to_owned(), config.backup.s3.secret_access_key().map(drop));
    let mut no_keys = Vec::new();
    for (name, webhook) in &config.notify.webhooks {
        let key = format!("notify.webhooks.{name}.secret_file");
        let secrets = webhook.secrets();
        if let Ok(Err(error)) = secrets.as_deref().map(notify::check) {
            no_keys.push(format!("{}: {key}: {error}", loaded.origin("notify.webhooks")));
        }
        look("notify.webhooks", key, secrets.map(drop));
    }
    faults.extend(no_keys);
    if faults.is_empty() { Ok((loaded, notices)) } else { Err(ConfigError { faults, denied: false }) }
}

fn show(loaded: &Loaded, global: &Global) -> anyhow::Result<ExitCode> {
    let settings = loaded.settings();
    if global.json {
        let settings: Vec<_> = settings
            .iter()
            .map(|setting| json!({"key": setting.key, "value": setting.value, "from": setting.origin.json()}))
            .collect();
        let file = loaded.file.as_ref().map(|path| path.display().to_string());
        output::json(&json!({"file": file, "settings": settings, "notices": loaded.notices}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["KEY", "VALUE", "FROM"]).wrapping(1);
    for setting in &settings {
        let from = setting.origin.to_string();
        let style = if from == "default" { Style::Faint } else { Style::Plain };
        table.row([(setting.key, Style::Plain), (&setting.toml(), Style::Plain), (&from, style)]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    loaded.notices.iter().for_each(|notice| complain(&format!("note: {notice}")));
    Ok(ExitCode::SUCCESS)
}
