//! A registry as the predecessor left it: a little simulation of its programs, which write what they wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Duration, NaiveDateTime};
use serde_json::{Value, json};

use super::Random;

/// Files of a registry by path, as bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The simulation.
pub(crate) struct Predecessor {
    random: Random,
    now: NaiveDateTime,
    /// By model and version.
    versions: BTreeMap<(String, String), Value>,
    files: Files,
    /// Where it says that it keeps the versions' own files.
    models_dir: String,
}

impl Predecessor {
    /// One that has done nothing yet.
    pub(crate) fn new(seed: u64, models_dir: &str) -> Self {
        let now = DateTime::parse_from_rfc3339("2026-01-10T06:00:00Z").unwrap().naive_utc();
        Self {
            random: Random(seed),
            now,
            versions: BTreeMap::new(),
            files: Files::new(),
            models_dir: models_dir.to_owned(),
        }
    }

    /// Some weeks of work on some models.
    pub(crate) fn worked(seed: u64, models_dir: &str, models: usize, rounds: usize) -> Self {
        let mut predecessor = Self::new(seed, models_dir);
        let names = [
            ("xgboost", "BTCUSDT"),
            ("lightgbm", "ETHUSDT"),
            ("rl_v3", "multi"),
            ("patchtst", "SOLUSDT"),
            ("other", "XRPUSDT"),
        ];
        for round in 0..rounds {
            for (model_type, symbol) in names.iter().cycle().take(models) {
                let version = predecessor.train(model_type, symbol, round);
                predecessor.evaluate(model_type, symbol, &version);
                match predecessor.random.below(4) {
                    0 => predecessor.fail(model_type),
                    1 => predecessor.roll_back(model_type, symbol),
                    _ => predecessor.promote(model_type, symbol, &version),
                }
            }
        }
        predecessor
    }

    /// Its files.
    pub(crate) fn files(&self) -> Files {
        let mut files = self.files.clone();
        for ((model, name), version) in &self.versions {
            files.insert(format!("models/{model}/{name}.json"), python(version));
        }
        files
    }

    /// A version's record.
    pub(crate) fn version(&mut self, model: &str, name: &str) -> &mut Value {
        self.versions.get_mut(&(model.to_owned(), name.to_owned())).unwrap()
    }

    /// An instant as Python's `str` writes it: a blank, and no fraction where it is zero.
    fn time(&mut self) -> String {
        let steps = i64::try_from(self.random.below(1_000_000)).unwrap();
        self.now += Duration::microseconds(1 + steps);
        self.now.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
    }

    fn wait(&mut self) {
        let minutes = i64::try_from(30 + self.random.below(600)).unwrap();
        self.now += Duration::minutes(minutes);
    }

    fn id(&mut self) -> String {
        let (a, b) = (self.random.next(), self.random.next());
        format!("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, a & 0xffff, b & 0xfff, (b >> 12) & 0xfff, b >> 16)
    }

    fn job(&mut self, model_type: &str, symbol: Option<&str>, status: &str) -> String {
        let id = self.id();
        let (triggered, started, completed) = (self.time(), self.time(), self.time());
        let error = (status == "failed").then_some("Training script failed (rc=1)\nTraceback …");
        let job = json!({
            "id": id, "model_type": model_type, "symbol": symbol, "timeframe": "1h", "dataset_span_days": 90,
            "trigger_reason": "periodic", "triggered_at": triggered, "triggered_by": "system", "training_params": {},
            "feature_config": null, "strategy_candidate_id": null, "parent_model_version": null, "status": status,
            "started_at": started, "completed_at": completed, "error_message": error,
        });
        self.files.insert(format!("training_jobs/{id}.json"), python(&job));
        id
    }

    /// A job that made a version; its name.
    pub(crate) fn train(&mut self, model_type: &str, symbol: &str, round: usize) -> String {
        self.wait();
        let job = self.job(model_type, Some(symbol).filter(|symbol| *symbol != "multi"), "completed");
        let model = format!("{model_type}_{symbol}_1h");
        let name = match round {
            0 => "v1".to_owned(),
            1 => "1.0.0".to_owned(),
            _ => self.now.format("v%Y%m%d_%H%M%S").to_string(),
        };
        let accuracy = 0.4 + self.random.below(250) as f64 / 1000.0;
        let created = self.time();
        let version = json!({
            "model_id": model, "version": name, "model_type": model_type, "status": "training", "created_at": created,
            "promoted_at": null, "retired_at": null, "parent_version": null, "training_job_id": job,
            "model_path": format!("{}/{model}_{name}.pkl", self.models_dir), "model_size_bytes": 0, "model_hash": null,
            "training_data_range": {"start": "2025-10-12T06:00:00.000001", "end": "2026-01-10T06:00:00"},
            "feature_count": 0, "training_params": {"eta": 0.1, "missing": "@NaN@", "max_depth": 6},
            "train_metrics": {"train_loss": 1.0 - accuracy, "train_accuracy": accuracy, "train_sharpe": 1.5, "epochs": 150},
            "validation_metrics": {"val_loss": 0.05},
        });
        self.versions.insert((model, name.clone()), version);
        name
    }

    /// Its evaluation by what it was trained with, and at times by a backtest.
    pub(crate) fn evaluate(&mut self, model_type: &str, symbol: &str, name: &str) {
        let model = format!("{model_type}_{symbol}_1h");
        let kind = if self.random.below(3) == 0 { "backtest" } else { "training_metrics" };
        let sharpe = 0.5 + self.random.below(200) as f64 / 100.0;
        let (id, at) = (self.id(), self.time());
        let sortino = if self.random.below(5) == 0 { json!("@Infinity@") } else { json!(sharpe * 1.2) };
        let evaluation = json!({
            "id": id, "model_id": model, "version": name, "evaluated_at": at, "evaluation_type": kind,
            "evaluation_period_days": 30, "total_trades": 500, "win_rate": 0.56, "profit_factor": 1.4, "sharpe_ratio": sharpe,
            "sortino_ratio": sortino, "max_drawdown": 0.08, "avg_win": 0.012, "avg_loss": -0.008, "total_pnl": 0.15,
            "risk_adjusted_return": 0.23, "calmar_ratio": 1.2, "passed": true, "promotion_score": 56.0,
            "failure_reason": null, "min_sharpe": 1.0, "min_win_rate": 0.52, "min_profit_factor": 1.3,
            "max_drawdown_threshold": 0.15,
        });
        self.files.insert(format!("evaluations/{model}/{name}_{id}.json"), python(&evaluation));
        self.version(&model, name)["status"] = json!("shadow");
    }

    fn fail(&mut self, model_type: &str) {
        self.wait();
        self.job(model_type, None, "failed");
    }

    fn in_production(&self, model: &str) -> Option<String> {
        let of_it = self.versions.iter().filter(|((of, _), _)| of == model);
        let mut current = of_it.filter(|(_, version)| version["status"] == "production");
        current.next().map(|((_, name), _)| name.clone())
    }

    fn retire(&mut self, model: &str) {
        if let Some(current) = self.in_production(model) {
            let at = self.time();
            let version = self.version(model, &current);
            version["status"] = json!("retired");
            version["retired_at"] = json!(at);
        }
    }

    /// As its promotion did: two files, one after the other.
    pub(crate) fn promote(&mut self, model_type: &str, symbol: &str, name: &str) {
        self.wait();
        let model = format!("{model_type}_{symbol}_1h");
        self.retire(&model);
        let at = self.time();
        let version = self.version(&model, name);
        version["status"] = json!("production");
        version["promoted_at"] = json!(at);
    }

    fn roll_back(&mut self, model_type: &str, symbol: &str) {
        let model = format!("{model_type}_{symbol}_1h");
        let of_it = self.versions.iter().filter(|((of, _), _)| *of == model);
        let mut retired =
            of_it.filter(|(_, version)| version["status"] == "retired").map(|((_, name), _)| name.clone());
        if let Some(target) = retired.next_back() {
            self.promote(model_type, symbol, &target);
        }
    }
}

/// As `json.dump(…, indent=2, default=str)` writes it, numbers that are none included.
pub(crate) fn python(value: &Value) -> Vec<u8> {
    let text = serde_json::to_string_pretty(value).unwrap();
    let text =
        ["NaN", "Infinity", "-Infinity"].iter().fold(text, |text, name| text.replace(&format!("\"@{name}@\""), name));
    text.into_bytes()
}

/// Puts files on the disk.
pub(crate) fn write(directory: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
