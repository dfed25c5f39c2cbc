use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use super::{model_path, version_path};
use crate::app::answers::registry::{RegisteredAnswer, VersionDetailAnswer};
use crate::artifacts;
use crate::cli::ask::Daemon;
use crate::cli::{Global, complain, output, time};
use crate::domain::model::{ModelName, ModelType, VersionName};
use crate::domain::time::Micros;

#[derive(Args)]
pub(super) struct RegisterArgs {
    /// The model's type: xgboost, lightgbm, nhits, patchtst, tft, dlinear, rl_v2, rl_v3, other
    #[arg(long = "type", value_name = "TYPE")]
    model_type: ModelType,
    /// The symbol; without it the model is one of several
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// The timeframe: 1h, 15m, …
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: String,
    /// The market's regime that the model is for
    #[arg(long, value_name = "REGIME")]
    regime: Option<String>,
    /// The version's name; where nothing is said, made of the present second
    #[arg(long, value_name = "VERSION")]
    name: Option<VersionName>,
    /// The training job that made it
    #[arg(long, value_name = "ID")]
    job: String,
    /// The data that it was trained on: from here
    #[arg(long, value_name = "WHEN", value_parser = time::instant)]
    data_from: Micros,
    /// The data that it was trained on: to here
    #[arg(long, value_name = "WHEN", value_parser = time::instant)]
    data_until: Micros,
    /// How many features it reads
    #[arg(long, value_name = "NUMBER")]
    features: u32,
    /// Its parameters: a file with a JSON object
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// The revision of the code that trained it
    #[arg(long, value_name = "REVISION")]
    code_revision: Option<String>,
    /// The version that it was made from
    #[arg(long, value_name = "VERSION")]
    parent: Option<VersionName>,
    /// What to find it by; can be said several times
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
    /// Leave the files where they are, on the daemon's machine, instead of taking them in
    #[arg(long)]
    in_place: bool,
    /// The version's files
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &RegisterArgs, global: &Global) -> anyhow::Result<ExitCode> {
    // What can be wrong here is found before anything is registered.
    let files = named(&args.files)?;
    let id = ModelName::new(args.model_type, args.symbol.as_deref(), &args.timeframe, args.regime.as_deref())?.id();
    let body = json!({
        "version": args.name,
        "job": args.job,
        "data": { "from": args.data_from.rfc3339(), "until": args.data_until.rfc3339() },
        "parameters": args.parameters.as_deref().map(parameters).transpose()?.unwrap_or_default(),
        "feature_count": args.features,
        "code_revision": args.code_revision,
        "parent": args.parent,
        "tags": args.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
    });
    let in_place = if args.in_place { Some(in_place(&files)?) } else { None };

    let daemon = Daemon::for_a_change(global)?;
    let registered: RegisteredAnswer = daemon.post_once(&format!("{}/versions", model_path(&id)), &body)?;
    let path = version_path(&id, &registered.version);
    let taken = match in_place {
        Some(body) => daemon.post_once::<Value>(&format!("{path}/artifacts"), &body).map(drop),
        None => files.iter().try_for_each(|(name, file)| {
            upload(&daemon, &path, name, file).with_context(|| format!("{}", file.display()))
        }),
    };
    if let Err(error) = taken {
        // It is there, without all of its files: whoever reads this has to know under which name.
        complain(&format!("{id} {} is registered, but not all of its files", registered.version));
        return Err(error);
    }
    let detail: VersionDetailAnswer = daemon.get(&path, &())?;
    if global.json {
        output::json(&detail)?;
        return Ok(ExitCode::SUCCESS);
    }
    let version = &detail.version;
    let size = version.artifacts.as_ref().map_or(0, |artifacts| artifacts.size);
    let text = format!(
        "{} {} is registered with {}, {}\n",
        version.model_id,
        version.version,
        super::files(detail.files.len()),
        output::bytes(size)
    );
    output::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Sends one of the version's files. Announced as what it is, it can be gone on with.
fn upload(daemon: &Daemon, version: &str, name: &str, path: &Path) -> anyhow::Result<()> {
    let file = File::open(path)?;
    let (_, digest) = artifacts::digest(&file, u64::MAX)?;
    daemon.upload::<Value>(version, name, &file, &digest).map(drop)
}

/// Each file under the name that it has within the version.
fn named(files: &[PathBuf]) -> anyhow::Result<Vec<(String, &Path)>> {
    let mut names = BTreeSet::new();
    let mut named = Vec::new();
    for file in files {
        let found = fs::metadata(file).with_context(|| format!("{}", file.display()))?;
        ensure!(found.is_file(), "{} is no file", file.display());
        let name = file.file_name().and_then(|name| name.to_str());
        let Some(name) = name else { bail!("{}: a name that is no text", file.display()) };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        ensure!(name.bytes().all(plain), "{}: use A-Z a-z 0-9 . _ - in the name of a file", file.display());
        ensure!(names.insert(name.to_owned()), "two files are called {name}");
        named.push((name.to_owned(), file.as_path()));
    }
    Ok(named)
}

/// What the daemon is told of files that stay where they are.
fn in_place(files: &[(String, &Path)]) -> anyhow::Result<Value> {
    let mut directory = None;
    let mut listed = Vec::new();
    for (name, file) in files {
        let whole = fs::canonicalize(file).with_context(|| format!("{}", file.display()))?;
        let parent = whole.parent().map(Path::to_path_buf);
        ensure!(directory.is_none() || directory == parent, "with --in-place all files have to be in one directory");
        directory = parent;
        listed.push(json!({ "path": name }));
    }
    let Some(directory) = directory else { bail!("--in-place needs a file") };
    Ok(json!({ "in_place": directory, "files": listed }))
}

fn parameters(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON object", file.display()))
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("use NAME=VALUE".to_owned()),
    }
}
