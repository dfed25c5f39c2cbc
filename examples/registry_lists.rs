//! Fills a data file with versions of models and measures how long lists, queries, comparisons and verdicts take.
//!
//! `cargo run --release --example registry_lists -- 200 50`: models, and versions of each. The last version
//! gets a thousand evaluations besides: what many trials cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quantum_clm::app::registry::{
    Ask, HistoryQuery, ModelQuery, ModelSort, NewVersion, Registry, RegistryError, Undeployed, VersionQuery,
};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::model::{BadName, DataWindow, ModelId, ModelStatus, Origin, Provenance, VersionName};
use quantum_clm::domain::performance::EvaluationInput;
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::store::Store;
use serde_json::json;

const NOW: Micros = Micros(1_780_272_000_000_000);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let models: usize = words.next().map_or(Ok(200), |word| word.parse())?;
    let versions: usize = words.next().map_or(Ok(50), |word| word.parse())?;
    let directory = tempfile::tempdir()?;
    let config = Config { data_file: directory.path().join("bench.redb"), ..Config::default() };
    let store = Arc::new(Store::open(&config.data_file)?);
    let registry = Registry::new(store.clone(), &config, Box::new(Undeployed));
    let started = Instant::now();
    let id = |at| format!("xgboost_coin{at:03}_1h").parse();
    let ids = (0..models).map(id).collect::<Result<Vec<ModelId>, BadName>>()?;
    let mut names = Vec::new();
    for at in 0..versions {
        for (of, id) in ids.iter().enumerate() {
            let name = register(&registry, id, at, of)?;
            registry.evaluate(&ask(at * models + of), id, &name, &evaluation(at + of)?)?;
            names.push((id.clone(), name));
        }
    }
    println!("{} versions, each evaluated once, in {:.1} s", names.len(), started.elapsed().as_secs_f64());
    let last = names.last().cloned().ok_or("no versions")?;
    let all = VersionQuery::default();
    measure("versions, the newest 50", || Ok(registry.versions(&all)?))?;
    let most = VersionQuery { limit: Some(1_000), ..VersionQuery::default() };
    measure("versions, the newest 1,000", || Ok(registry.versions(&most)?))?;
    let of_model = VersionQuery { model: ids.first().cloned(), ..VersionQuery::default() };
    measure("versions of one model", || Ok(registry.versions(&of_model)?))?;
    let tagged = VersionQuery { tag: Some("owner=nobody".into()), ..VersionQuery::default() };
    measure("versions by a tag that none has", || Ok(registry.versions(&tagged)?))?;
    let good = VersionQuery { min_sharpe: Some(100.0), status: Some(ModelStatus::Shadow), ..VersionQuery::default() };
    measure("versions by Sharpe and status, none", || Ok(registry.versions(&good)?))?;
    measure("models, 50 by id", || Ok(registry.models(&ModelQuery::default())?))?;
    let by_score = ModelQuery { sort: Some(ModelSort::Score), limit: Some(1_000), ..ModelQuery::default() };
    measure("models, all by score", || Ok(registry.models(&by_score)?))?;
    measure("one model", || Ok(registry.model(&last.0, NOW)?))?;
    measure("one version", || Ok(registry.version(&last.0, &last.1, NOW)?))?;
    measure("compare four", || Ok(registry.compare(&names[names.len() - 4..], NOW)?))?;
    measure("history, 50 entries", || Ok(registry.history(&last.0, &HistoryQuery::default())?))?;
    measure("what is in production everywhere", || Ok(registry.production_at(None, NOW)?))?;
    measure("counts", || Ok(registry.counts()?))?;
    measure("verdicts", || Ok(registry.verdicts(&last.0, &last.1)?))?;
    for at in 0..names.len().min(1_000) {
        registry.evaluate(&ask(at), &last.0, &last.1, &evaluation(at)?)?;
    }
    println!("and {} evaluations more of the last version", names.len().min(1_000));
    measure("verdicts", || Ok(registry.verdicts(&last.0, &last.1)?))?;
    measure("evaluations of it", || Ok(registry.evaluations(&last.0, &last.1)?))?;
    measure("compare four", || Ok(registry.compare(&names[names.len() - 4..], NOW)?))?;
    println!("{} bytes in the data file", std::fs::metadata(&config.data_file)?.len());
    Ok(())
}

fn ask(seconds: usize) -> Ask {
    Ask {
        actor: Actor::local("bench"),
        grant: Grant::Role(Role::Admin),
        now: NOW.plus(seconds as u64 * Micros::SECOND),
        key: None,
        expected: None,
    }
}

fn register(registry: &Registry, id: &ModelId, at: usize, of: usize) -> Result<VersionName, RegistryError> {
    let new = NewVersion {
        name: None,
        parent: None,
        provenance: Provenance {
            origin: Origin::Job(format!("job-{at}-{of}")),
            data: Some(DataWindow { from: NOW.minus(400 * Micros::DAY), until: NOW.minus(300 * Micros::DAY) }),
            parameters: (0..30).map(|key| (format!("parameter_{key}"), format!("{}", at * key))).collect(),
            feature_count: Some(42),
            code_revision: Some("0123456789abcdef0123456789abcdef01234567".into()),
        },
        train_metrics: (0..10).map(|key| (format!("metric_{key}"), key as f64)).collect(),
        validation_metrics: (0..10).map(|key| (format!("metric_{key}"), key as f64)).collect(),
        tags: BTreeMap::from([("owner".into(), format!("team {}", of % 7)), ("run".into(), at.to_string())]),
        importances: None,
        success: true,
    };
    Ok(registry.register(&ask(at * 200 + of), id, &new)?.version)
}

/// 250 days of returns that differ from one seed to the next.
fn evaluation(seed: usize) -> serde_json::Result<EvaluationInput> {
    let mut state = seed as u64 + 1;
    let values: Vec<f64> = (0..250)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as f64 / (1_u64 << 31) as f64 - 0.48) * 0.04
        })
        .collect();
    let input = json!({ "type": "backtest", "returns": { "first_day": "2025-08-01", "values": values } });
    serde_json::from_value(input)
}

fn measure<T>(what: &str, mut look: impl FnMut() -> Result<T, Failure>) -> Result<(), Failure> {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        look()?;
        times.push(started.elapsed());
    }
    times.sort();
    let millis = |at: usize| times[at].as_secs_f64() * 1_000.0;
    println!("{what:<40} median {:>7.2} ms   p99 {:>7.2} ms", millis(100), millis(198));
    Ok(())
}
