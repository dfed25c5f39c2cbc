//! The registry with many models: lists, queries, one model, one version, a comparison, as pages and over the API.

use std::time::Instant;

use serde_json::json;

use crate::connection::Connection;
use crate::daemon::Setup;
use crate::journal::Live;
use crate::table::{Table, percentile};
use crate::web::{free_address, token};
use crate::{Bench, Result};

const MODELS: usize = 200;
const VERSIONS: usize = 50;
const DAYS: usize = 250;
const LOADS: usize = 200;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let journal = Live::new(bench.directory.join("journal-models"))?;
    let address = free_address()?;
    let setup = Setup::listening(bench, "models", &journal.directory, "url = \"\"", &address.to_string())?;
    let mut daemon = setup.start()?;
    daemon.ready()?;
    let mut connection = Connection::tcp(address, &token(&setup, "--role", "admin")?)?;

    let begun = Instant::now();
    let versions = fill(&mut connection)?;
    let took = begun.elapsed().as_secs_f64();
    let many = format!("{MODELS} models of {VERSIONS} versions, each evaluated over {DAYS} days");
    table.known("changes of the registry, one after the other", "/s", (2 * MODELS * VERSIONS) as f64 / took, &many);

    let model = &versions[MODELS / 2].0;
    let names = &versions[MODELS / 2].1;
    let compared: Vec<String> = names.iter().take(4).map(|name| format!("{model}/{name}")).collect();
    let asked = |key: &str| compared.iter().map(|version| format!("{key}={version}")).collect::<Vec<_>>().join("&");
    for (name, path) in [
        ("page /models", "/models".to_owned()),
        ("page of a model", format!("/models/{model}")),
        ("page of a version", format!("/models/{model}/versions/{}", names[7])),
        ("page /models/compare, four versions", format!("/models/compare?{}", asked("v"))),
        ("GET /api/models", "/api/models".to_owned()),
        ("GET /api/versions by type and status", "/api/versions?type=lightgbm&status=shadow".to_owned()),
        ("GET /api/versions by least Sharpe ratio", "/api/versions?min_sharpe=1.5".to_owned()),
        ("GET /clm/models, 1,000 of them", "/clm/models?limit=1000".to_owned()),
        ("GET /api/compare, four versions", format!("/api/compare?{}", asked("version"))),
        ("GET /api/production, as of now", "/api/production".to_owned()),
    ] {
        let mut times = Vec::new();
        for _ in 0..LOADS {
            let begun = Instant::now();
            connection.ask("GET", &path, None)?;
            times.push(begun.elapsed().as_secs_f64());
        }
        let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
        table.at_most(&format!("{name}, p99"), 25.0, "ms", p99 * 1e3, &format!("p50 {:.1} ms; {many}", p50 * 1e3));
    }
    table.known("resident memory with them, peak", "MiB", daemon.memory("VmHWM")?, "");
    daemon.stop()
}

/// Models with their versions, each evaluated; the last but one of each is put into production halfway.
fn fill(connection: &mut Connection) -> Result<Vec<(String, Vec<String>)>> {
    const TYPES: [&str; 4] = ["xgboost", "lightgbm", "nhits", "patchtst"];
    let mut noise = Noise(7);
    let mut models = Vec::new();
    for number in 0..MODELS {
        let model = format!("{}_coin{number}usdt_1h", TYPES[number % TYPES.len()]);
        let mut names = Vec::new();
        for version in 0..VERSIONS {
            let new = json!({
                "job": format!("bench-{number}-{version}"),
                "data": { "from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z" },
                "parameters": { "max_depth": version % 9, "eta": 0.1, "subsample": 0.8, "seed": version },
                "feature_count": 49,
                "tags": { "bench": "yes" },
                "train_metrics": { "accuracy": 0.6 },
                "validation_metrics": { "accuracy": 0.55 },
            });
            let answer = connection.ask("POST", &format!("/api/models/{model}/versions"), Some(&new))?;
            let name = answer["version"].as_str().ok_or("a version without a name")?.to_owned();
            let path = format!("/api/models/{model}/versions/{name}");
            let weights = format!("{number} {version}");
            let file = format!("{path}/artifacts/model.bin");
            connection.send("PUT", &file, "application/octet-stream", weights.as_bytes())?;
            let drift = (version % 10) as f64 * 0.0004;
            let returns: Vec<f64> = (0..DAYS).map(|_| drift + 0.01 * noise.next()).collect();
            let evaluation = json!({
                "type": "backtest",
                "returns": { "first_day": "2025-06-01", "values": returns },
                "metrics": { "total_trades": 200 },
            });
            connection.ask("POST", &format!("{path}/evaluations"), Some(&evaluation))?;
            if version == VERSIONS / 2 {
                let why = json!({ "why": "the bench needs something in production", "force": true });
                connection.ask("POST", &format!("{path}/promote"), Some(&why))?;
            }
            names.push(name);
        }
        models.push((model, names));
    }
    Ok(models)
}

/// Numbers that look normal: the sum of twelve even ones.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        let mut even = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(|_| even()).sum::<f64>() - 6.0
    }
}
