//! Models, versions, evaluations, promotion over the API.

mod answers;
mod bad_input;
mod clm;
mod concurrency;
mod conditions;
mod reading;
mod scenarios;

use axum::http::{Method, StatusCode};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Grant, Scope};
use quantum_clm::domain::role::Role;
use serde_json::{Value, json};

use crate::support::app::{Answer, Appliance, As};

const MODEL: &str = "xgboost_btcusdt_1h";

/// An appliance with somebody of each kind who asks it.
struct Desk {
    appliance: Appliance,
    admin: As,
    operator: As,
    viewer: As,
    worker: As,
}

impl Desk {
    fn new() -> Self {
        Self::configured(|_| {})
    }

    /// One that takes reported figures for evidence and asks for no shadow test, so that a version gets through on its
    /// figures alone.
    fn trusting() -> Self {
        Self::configured(trusting)
    }

    fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let appliance = Appliance::configured(change);
        let role = |role| appliance.token(Grant::Role(role), "registry");
        Self {
            admin: role(Role::Admin),
            operator: role(Role::Operator),
            viewer: role(Role::Viewer),
            worker: appliance.token(Grant::Scope(Scope::Worker), "registry"),
            appliance,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.appliance.get(&self.viewer, path).await
    }

    /// What is there, which has to be.
    async fn look(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    async fn post(&self, who: &As, path: &str, body: &Value) -> Answer {
        self.appliance.send(who, Method::POST, path, body).await
    }

    async fn post_with(&self, who: &As, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.appliance.ask(who, Method::POST, path, &body.to_string(), headers).await
    }

    /// Registers a version with a file.
    async fn register(&self, model: &str, version: &str) {
        let mut body = new_version();
        body["version"] = json!(version);
        let answer = self.post(&self.worker, &format!("/api/models/{model}/versions"), &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let path = format!("/api/models/{model}/versions/{version}/artifacts/model.json");
        let content = format!("{{\"model\": \"{model}/{version}\"}}");
        let answer = self.appliance.ask(&self.worker, Method::PUT, &path, &content, &[]).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }

    /// Records an evaluation, which has to be taken.
    async fn evaluate(&self, model: &str, version: &str, evaluation: &Value) -> Value {
        let path = format!("/api/models/{model}/versions/{version}/evaluations");
        let answer = self.post(&self.worker, &path, evaluation).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()
    }

    /// Where a version stands.
    async fn status(&self, model: &str, version: &str) -> String {
        let version = self.look(&format!("/api/models/{model}/versions/{version}")).await;
        version["status"].as_str().unwrap().to_owned()
    }

    /// Promotes a version, which has to work.
    async fn promote(&self, model: &str, version: &str) -> Value {
        let path = format!("/api/models/{model}/versions/{version}/promote");
        let answer = self.post(&self.operator, &path, &json!({ "why": "a test" })).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// A version that is fit for production.
    async fn fit(&self, model: &str, version: &str) {
        self.register(model, version).await;
        let judged = self.evaluate(model, version, &good("backtest")).await;
        assert_eq!(judged["status"], "candidate", "{judged}");
    }
}

fn trusting(config: &mut Config) {
    config.gates.accept_reported = true;
    config.promotion.require_shadow = false;
}

fn new_version() -> Value {
    json!({
        "job": "job-1", "data": { "from": "2025-10-01T00:00:00Z", "until": "2025-12-30T00:00:00Z" },
        "parameters": { "max_depth": 6, "eta": 0.1, "objective": "reg:squarederror" }, "feature_count": 49,
        "train_metrics": { "accuracy": 0.61 }, "validation_metrics": { "accuracy": 0.57 }, "tags": { "team": "alpha" },
    })
}

/// Figures of a good model, as an adapter reports them.
fn good(kind: &str) -> Value {
    json!({
        "type": kind, "period_days": 90,
        "metrics": {
            "sharpe_ratio": 1.45, "win_rate": 0.58, "profit_factor": 1.65, "max_drawdown": 0.08, "total_trades": 100,
        },
    })
}

/// Figures of a bad one.
fn bad() -> Value {
    json!({
        "type": "backtest", "period_days": 90,
        "metrics": {
            "sharpe_ratio": 0.6, "win_rate": 0.48, "profit_factor": 1.1, "max_drawdown": 0.22, "total_trades": 100,
        },
    })
}
