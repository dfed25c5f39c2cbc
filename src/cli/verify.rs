use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::named_backup::{NamedBackup, named_backup};
use super::output::{self, Screen, Style};
use super::{Global, remote};
use crate::backup::remote::S3Place;
use crate::backup::seal::Identity;
use crate::backup::{self, ReceiveError, Verifier};
use crate::config::Config;
use crate::domain::backup::{Part, Report};

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// A backup: its directory, its id in backup.directory, or s3://bucket/prefix/ID; or a data file that no daemon has
    #[arg(value_name = "FILE|BACKUP")]
    path: PathBuf,
    /// Also compare the models' files of this data directory (its `artifacts`) with their digests; a backup has its own
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// The file with the private key of an encrypted backup, as age-keygen writes it; without it only digests are compared
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Take it although it is not encrypted, where --identity is given or backup.recipients is set: without this it is refused
    #[arg(long)]
    plain: bool,
    /// Look at one file and answer in JSON (started by whoever verifies)
    #[arg(long, hide = true)]
    child: bool,
}

/// The answer in JSON.
#[derive(Serialize)]
struct Verdict<'a> {
    path: &'a Path,
    whole: bool,
    #[serde(flatten)]
    report: &'a Report,
}

pub(crate) fn run(args: &VerifyArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let artifacts = args.artifacts.as_deref();
    if args.child {
        output::print(&backup::answer(&args.path, artifacts)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let verifier = Verifier::this_program();
    let identity = args.identity.as_deref().map(Identity::read).transpose()?;
    let named = named_backup(&args.path, || Ok(global.load_without_units()?.config.backup.directory))?;
    anyhow::ensure!(
        artifacts.is_none() || matches!(named, NamedBackup::Other(_)),
        "--artifacts is for a data file: a backup has its models' files beside it"
    );
    let (path, report) = match named {
        NamedBackup::Remote(place) => {
            (args.path.clone(), verify_remote(&place, args, global, identity.as_ref(), &verifier)?)
        }
        NamedBackup::Directory(path) => {
            require_sealed(&path, args, &global.load_without_units()?.config)?;
            let report = backup::verify_backup(&path, true, identity.as_ref(), &verifier)?;
            (path, report)
        }
        NamedBackup::Other(path) => {
            let report = backup::verify_file(&path, artifacts, &verifier)?;
            (path, report)
        }
    };
    let path = &path;
    if global.json {
        output::json(&Verdict { path, whole: report.is_whole(), report: &report })?;
    } else {
        output::print(told(path, &report, &Screen::stdout()).as_bytes())?;
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fetches the backup first. What is damaged there shows on the way already.
fn verify_remote(
    place: &S3Place,
    args: &VerifyArgs,
    global: &Global,
    identity: Option<&Identity>,
    verifier: &Verifier,
) -> anyhow::Result<Report> {
    let config = global.load_without_units()?.config;
    let fetched = match remote::fetch(place, &config, &backup::temporary()) {
        Ok(fetched) => fetched,
        Err(error) => match error.downcast_ref::<ReceiveError>() {
            Some(ReceiveError::Damaged { at, why }) => {
                let mut report = Report::default();
                report.add(Part::Backup, at, why);
                return Ok(report);
            }
            _ => return Err(error),
        },
    };
    require_sealed(&fetched.path(), args, &config)?;
    Ok(backup::verify_backup(&fetched.path(), true, identity, verifier)?)
}

/// Where backups are encrypted, one that is not is no backup of ours, unless somebody insists.
fn require_sealed(path: &Path, args: &VerifyArgs, config: &Config) -> anyhow::Result<()> {
    let should_be = args.identity.is_some() || !config.backup.recipients.is_empty();
    if should_be && !args.plain { Ok(backup::require_sealed(path)?) } else { Ok(()) }
}

/// The report for people.
fn told(path: &Path, report: &Report, screen: &Screen) -> String {
    let path = path.display().to_string();
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    if report.is_whole() {
        line(format!("{} is {}", output::visible(&path), screen.styled("whole", Style::Good)));
    } else {
        line(format!("{} is {}:", output::visible(&path), screen.styled("NOT WHOLE", Style::Bad)));
        for finding in &report.findings {
            let (what, why) = (output::visible(&finding.what), output::visible(&finding.why));
            line(format!("  {}: {what}: {why}", part(finding.part)));
        }
        line(
            "  do not restore it: take another backup, or see quantum-clm doctor where it is the live data file"
                .to_owned(),
        );
    }
    if let Some(schema) = report.schema {
        let tables = report.tables.len();
        line(format!("  schema {schema}, {tables} tables, {} records, {} events", report.records, report.events));
    }
    if let Some(feed) = report.feed.as_ref().filter(|feed| feed.events > 0) {
        line(format!("  newest event {} of {} ever stored", feed.last, feed.events));
    }
    if let Some(audit) = report.audit.as_ref().filter(|audit| audit.count > 0) {
        line(format!("  audit log: {} records, the last one's hash is {}", audit.count, audit.last));
    }
    if report.bytes > 0 {
        let files = report.artifacts;
        line(format!(
            "  {} compared with their digests, among them {files} files of models",
            output::bytes(report.bytes)
        ));
    }
    for note in &report.notes {
        line(format!("  note: {}", output::visible(note)));
    }
    text
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Backup => "backup",
        Part::Structure => "structure",
        Part::Records => "record",
        Part::References => "reference",
        Part::Audit => "audit log",
        Part::Artifacts => "file of a model",
    }
}
