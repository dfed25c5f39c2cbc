//! Trainings over the API: asked for, listed, called off, done again; their logs; the predecessor's calls.

mod answers;
mod asking;
mod clm;
mod live;
mod log;
mod reading;

use axum::http::{Method, StatusCode};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Grant, Scope};
use quantum_clm::domain::role::Role;
use serde_json::{Value, json};

use crate::support::app::{Answer, Appliance, As};
use crate::support::work::{MODEL_FILE, data_result, digest, done, evaluation, failed, lease_request, report, trained};

/// An appliance with somebody of each kind who asks it.
struct Desk {
    appliance: Appliance,
    operator: As,
    viewer: As,
    worker: As,
}

impl Desk {
    fn new() -> Self {
        Self::configured(|_| {})
    }

    fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let appliance = Appliance::configured(change);
        Self {
            operator: appliance.token(Grant::Role(Role::Operator), "desk"),
            viewer: appliance.token(Grant::Role(Role::Viewer), "desk"),
            worker: appliance.token(Grant::Scope(Scope::Worker), "desk"),
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

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.appliance.send(&self.operator, Method::POST, path, body).await
    }

    async fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.appliance.ask(&self.operator, Method::POST, path, &body.to_string(), headers).await
    }

    /// Asks for a training of that symbol's model; the job's id.
    async fn train(&self, symbol: &str) -> String {
        let answer = self.post("/api/jobs", &training(symbol)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["job_id"].as_str().unwrap().to_owned()
    }

    /// As the worker says it, which has to be taken.
    async fn say(&self, path: &str, body: &Value) -> Value {
        let answer = self.appliance.send(&self.worker, Method::POST, path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    /// A worker takes the next job: its first program.
    async fn lease(&self) -> Value {
        self.say("/api/work/lease", &lease_request()).await
    }

    /// What comes after a program has ended like this.
    async fn report(&self, assignment: &Value, end: &Value) -> Value {
        let (job, body) = (assignment["job"].as_str().unwrap(), report(assignment, end));
        self.say(&format!("/api/work/jobs/{job}/report"), &body).await
    }

    /// Lines of the worker's log from this offset on; how far it is then.
    async fn write(&self, job: &str, epoch: u64, offset: u64, records: &str) -> u64 {
        let path = format!("/api/work/jobs/{job}/log?epoch={epoch}&offset={offset}");
        let bytes = [("content-type", "application/octet-stream")];
        let answer = self.appliance.ask(&self.worker, Method::POST, &path, records, &bytes).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["next"].as_u64().unwrap()
    }

    /// A worker takes the next job to its good end.
    async fn complete(&self) -> String {
        let first = self.lease().await;
        self.finish(&first).await;
        first["job"].as_str().unwrap().to_owned()
    }

    /// The worker takes a job that it has to its good end.
    async fn finish(&self, first: &Value) {
        let (job, epoch) = (first["job"].as_str().unwrap(), first["epoch"].as_u64().unwrap());
        let train = self.report(first, &done(data_result(), json!({}))).await;
        let upload = self.report(&train["assignment"], &trained()).await;
        assert_eq!(upload["next"], "upload", "{upload}");
        let sha256 = digest(MODEL_FILE);
        let path = format!("/api/work/jobs/{job}/artifacts/model.json?epoch={epoch}&sha256={sha256}");
        let answer = self.appliance.ask(&self.worker, Method::PUT, &path, MODEL_FILE, &[]).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let evaluate = self.say(&format!("/api/work/jobs/{job}/continue"), &json!({ "epoch": epoch })).await;
        let over = self.report(&evaluate["assignment"], &done(evaluation(), json!({}))).await;
        assert_eq!(over, json!({ "next": "over", "ending": "completed" }));
    }

    /// A worker takes the next job, whose first program fails.
    async fn fail(&self, why: &str) -> String {
        let first = self.lease().await;
        let over = self.report(&first, &failed(why)).await;
        assert_eq!(over, json!({ "next": "over", "ending": "failed" }));
        first["job"].as_str().unwrap().to_owned()
    }
}

fn training(symbol: &str) -> Value {
    json!({ "model_type": "xgboost", "symbol": symbol, "why": "a test" })
}

/// What a refusal says: its sentence, or those of what does not fit, each behind its place.
fn words(answer: &Answer) -> String {
    match &answer.json()["detail"] {
        Value::String(text) => text.clone(),
        Value::Array(misfits) => {
            let misfit = |misfit: &Value| format!("{} {}", misfit["loc"], misfit["msg"].as_str().unwrap());
            misfits.iter().map(misfit).collect::<Vec<_>>().join("; ")
        }
        other => panic!("no detail: {other}"),
    }
}
