//! The API as its description tells it: a validator reads the description, and a client that makes up requests from it
//! finds no answer that is not described, and no failure of ours. Both come from PyPI; `make setup-test` puts them under
//! `target/python`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::support::ask::ask;
use crate::support::daemon::Bed;
use crate::support::wait_for;

/// Requests of each operation that are made up.
const EXAMPLES: &str = "25";

/// So that a failure comes again.
const SEED: &str = "20260117";

/// What every answer must be.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn python(program: &str) -> Command {
    let path = here("target/python/bin").join(program);
    assert!(path.exists(), "{} is missing: run `make setup-test`", path.display());
    Command::new(path)
}

#[track_caller]
fn assert_done(what: &str, output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{what}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_client_made_from_the_description_finds_no_failure() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\"", "rules.error_rate.threshold_per_hour = 3"]);
    let directory = tempfile::tempdir().unwrap();
    let daemon = bed.start();
    let token = bed.run(&["--json", "token", "create", "tester", "--role", "admin"]).json();
    let token = token["text"].as_str().unwrap();
    let described = ask(&bed.socket(), "GET", "/openapi.json", &[], []).expect("an answer");
    let description = directory.path().join("openapi.json");
    std::fs::write(&description, described.body).unwrap();
    // Something to find: events of every kind, and an intent.
    let events: String = (0..20)
        .map(|number| json!({ "unit": "u", "level": number % 8, "message": "BUY INJUSDT" }).to_string() + "\n")
        .collect();
    let lines = [("content-type", "application/x-ndjson")];
    assert_eq!(ask(&bed.socket(), "POST", "/api/events", &lines, events).expect("an answer").status, 202);
    // The model and the version that the examples are about, with a file and an evaluation.
    let version = "/api/models/xgboost_btcusdt_1h/versions";
    let new = json!({
        "version": "v20260117_034606", "job": "7f3c1c1e", "feature_count": 49,
        "data": { "from": "2025-10-01T00:00:00Z", "until": "2025-12-30T00:00:00Z" },
    });
    let evaluation = json!({ "type": "backtest", "returns": { "first_day": "2026-01-01", "values": [0.01, -0.004] } });
    for (method, path, body) in [
        ("POST", version.to_owned(), new.to_string()),
        ("PUT", format!("{version}/v20260117_034606/artifacts/model.json"), "{}".to_owned()),
        ("POST", format!("{version}/v20260117_034606/evaluations"), evaluation.to_string()),
    ] {
        let answer = ask(&bed.socket(), method, &path, &[], body).expect("an answer");
        assert_eq!(answer.status, 201, "{method} {path}: {answer:?}");
    }
    wait_for("an intent is open", || daemon.get("/api/intents/1").is_some());

    let checked = python("python").arg(here("tests/http/check_openapi.py")).arg(&description).output().unwrap();
    assert_done("the description", &checked);

    let run = |select: &[&str]| {
        python("schemathesis")
            .arg("run")
            .arg(&description)
            .args(["--url", &format!("http://{}", daemon.tcp())])
            .args(["-H", &format!("Authorization: Bearer {token}")])
            .args(select)
            // Not among them: that everything of the right shape is accepted. No schema says which cursors are ours.
            .args(["--checks", CHECKS])
            .args(["--max-examples", EXAMPLES, "--seed", SEED, "--phases", "examples,coverage,fuzzing"])
            .args(["--generation-with-security-parameters", "false", "--generation-database", "none"])
            .args(["--request-timeout", "20", "--continue-on-failure", "--no-color"])
            .env("SCHEMATHESIS_HOOKS", here("tests/http/schemathesis_hooks.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(directory.path())
            .output()
            .unwrap()
    };
    // Answers that go on are no answers to wait for, nor is work that does not come.
    let paths = ["/api/events/stream", "/api/events/follow", "/api/jobs/{id}/log/live", "/api/work/lease"];
    let endless: Vec<_> = paths.iter().flat_map(|path| ["--exclude-path", path]).collect();
    let revoking = "delete_api_tokens_by_id";
    let found = run(&[&endless[..], &["--exclude-operation-id", revoking]].concat());
    assert_done("requests that are made up", &found);
    // It may revoke the token that the requests carry, so it comes last.
    let found = run(&["--include-operation-id", revoking]);
    assert_done("tokens that are revoked", &found);
    let log = daemon.log();
    assert!(!log.contains("panicked") && !log.contains("a request failed"), "{log}");
    daemon.stop();
}
