//! From files to a plan: each kind of damage by a table, and any damage by a property.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::model::{EvaluationKind, ModelStatus, ModelType};

const MODEL: &str = "xgboost_BTCUSDT_1h";
const JOB: &str = "6f1c3e0a-8a4f-4a59-9d0e-5a3c9f2b7d11";

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), content: Ok(text.as_bytes().to_vec()) }
}

fn version(name: &str, more: &str) -> File {
    let text = format!(
        r#"{{"model_id": "{MODEL}", "version": "{name}", "model_type": "xgboost", "status": "shadow",
            "created_at": "2026-01-17 03:46:06.123456"{more}}}"#
    );
    file(&format!("models/{MODEL}/{name}.json"), &text)
}

fn evaluation(version: &str, id: &str, more: &str) -> File {
    let text = format!(
        r#"{{"id": "{id}", "model_id": "{MODEL}", "version": "{version}", "evaluated_at": "2026-01-18T00:00:00",
            "evaluation_type": "backtest", "evaluation_period_days": 30, "sharpe_ratio": 1.5, "win_rate": 0.55{more}}}"#
    );
    file(&format!("evaluations/{MODEL}/{version}_{id}.json"), &text)
}

fn only(file: File) -> Planned {
    model(MODEL, [file], &Jobs::default())
}

#[test]
fn a_version_as_its_file_has_it() {
    let (jobs, refused) = jobs([file(
        &format!("training_jobs/{JOB}.json"),
        &format!(
            r#"{{"id": "{JOB}", "trigger_reason": "TriggerReason.DRIFT_DETECTED", "triggered_by": "system", "status":
                "completed", "started_at": "2026-01-17 03:00:00", "completed_at": null, "symbol": "BTCUSDT"}}"#
        ),
    )]);
    assert_eq!(refused, []);
    let more = format!(
        r#", "promoted_at": "2026-01-18T03:46:06+01:00", "retired_at": null, "parent_version": "1.0.0",
        "training_job_id": "{JOB}", "model_path": "/app/models/a.pkl", "model_size_bytes": 0, "model_hash": "{}",
        "training_data_range": {{"start": "2025-10-01", "end": "2026-01-01 00:00:00"}}, "feature_count": 49,
        "training_params": {{"missing": NaN, "seed": 18446744073709551616, "eta": 0.1}},
        "train_metrics": {{"loss": 0.4, "auc": NaN, "none": null, "words": "good"}}, "validation_metrics": {{}}"#,
        "AB".repeat(32),
    );
    let planned = model(MODEL, [version("v1", &more)], &jobs);
    assert_eq!(planned.refused, []);
    let record = planned.record.unwrap();
    assert_eq!(record.model_id.as_str(), MODEL);
    let [version] = &record.versions[..] else { panic!("one version") };
    assert_eq!((version.version.as_str(), version.model_type), ("v1", ModelType::Xgboost));
    assert_eq!(version.status, ModelStatus::Shadow);
    assert_eq!(version.created_at.map(|at| at.0), Some(1_768_621_566_123_456));
    assert_eq!(version.promoted_at.map(|at| at.rfc3339()).as_deref(), Some("2026-01-18T02:46:06.000Z"));
    assert_eq!(version.parent.as_ref().map(|parent| parent.as_str()), Some("1.0.0"));
    let job = version.job.as_ref().unwrap();
    assert_eq!((job.id.as_str(), job.trigger_reason.as_deref()), (JOB, Some("drift_detected")));
    assert_eq!(version.data_from.map(|at| at.rfc3339()).as_deref(), Some("2025-10-01T00:00:00.000Z"));
    assert_eq!(version.feature_count, Some(49));
    assert_eq!(version.parameters["missing"], "\"NaN\"");
    assert_eq!(version.parameters["seed"], "18446744073709551616");
    assert_eq!(version.train_metrics.keys().collect::<Vec<_>>(), ["loss"]);
    let artifact = version.artifact.as_ref().unwrap();
    assert_eq!((artifact.path.as_str(), artifact.size), ("/app/models/a.pkl", Some(0)));
    assert_eq!(artifact.sha256.unwrap().to_string(), "ab".repeat(32));
    let notes = &planned.notes[&version.source.path];
    assert_eq!(notes[..], ["train_metrics.auc is NaN: left out", "train_metrics.words is \"good\": left out"]);

    // The same over the wire.
    let sent = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<ModelRecord>(&sent).unwrap(), record);
}

#[test]
fn an_evaluation_as_its_file_has_it() {
    let more =
        r#", "total_trades": 500, "max_drawdown": -0.08, "sortino_ratio": Infinity, "avg_loss": null, "passed": true"#;
    let planned = only(evaluation("v1", "e1", more));
    assert_eq!(planned.refused, []);
    let record = planned.record.unwrap();
    let [evaluation] = &record.evaluations[..] else { panic!("one evaluation") };
    assert_eq!((evaluation.version.as_str(), evaluation.id.as_str()), ("v1", "e1"));
    assert_eq!((evaluation.kind, evaluation.period_days), (EvaluationKind::Backtest, 30.0));
    let figures = ReportedFigures {
        sharpe_ratio: Some(1.5),
        win_rate: Some(0.55),
        total_trades: Some(500.0),
        ..ReportedFigures::default()
    };
    assert_eq!((evaluation.figures, evaluation.passed), (figures, Some(true)));
    let notes = &planned.notes[&evaluation.source.path];
    assert_eq!(
        notes[..],
        ["sortino_ratio is Infinity: left out", "max_drawdown is -0.08, and not from 0 to 1: left out"]
    );
}

#[test]
fn what_cannot_be_taken_and_why() {
    let other = |text: &str| file(&format!("models/{MODEL}/v1.json"), text);
    for (file, expected) in [
        (other(""), "line 1, column 1: the file is empty"),
        (other("{\"model_id\": \"xgb"), "line 1, column 18: the file ends within a text"),
        (other("[]"), "it holds no JSON object"),
        (other("{}"), "it has no status"),
        (
            other(r#"{"status": "live"}"#),
            "its status is \"live\", which is none of training, shadow, candidate, production, retired, failed",
        ),
        (
            other(r#"{"status": "shadow", "version": "v2"}"#),
            "it says version \"v2\", but the file's name says \"v1\": put it in its place, or mend it",
        ),
        (
            other(r#"{"status": "shadow", "model_id": "xgboost_btcusdt_1h"}"#),
            "it says model_id \"xgboost_btcusdt_1h\", but the directory says \"xgboost_BTCUSDT_1h\": put it in its place, or mend it",
        ),
        (
            version("v 1", ""),
            "\"v 1\" is no version: it has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
        ),
        (
            evaluation("v1", "e1", r#", "evaluation_type": "paper""#),
            "its evaluation_type is \"paper\", which is none of backtest, shadow_test, walk_forward, training_metrics",
        ),
        (
            evaluation("v1", "e1", r#", "version": "v2""#),
            "it says version \"v2\" and id \"e1\", but the file's name says \"v1_e1\": put it in its place, or mend it",
        ),
        (
            File { path: format!("models/{MODEL}/v1.json"), content: Err("it cannot be read".into()) },
            "it cannot be read",
        ),
    ] {
        let path = file.path.clone();
        let planned = only(file);
        assert_eq!(planned.record, None, "{expected}");
        assert_eq!(planned.refused, [FileReport::not_taken(&path, expected)]);
    }
    let planned = model("no model", [file("models/no model/v1.json", "{}")], &Jobs::default());
    assert!(planned.refused[0].notes[0].starts_with("the directory's name is no model's: \"no model\" is no model id"));
}

#[test]
fn what_is_taken_in_spite_of_everything() {
    for (more, check) in [
        (r#", "status": "PRODUCTION""#, ModelStatus::Production),
        (r#", "status": "ModelStatus.RETIRED""#, ModelStatus::Retired),
        (
            r#", "model_type": "transformer", "created_at": "yesterday", "train_metrics": [], "training_data_range": {"start": "x"}"#,
            ModelStatus::Shadow,
        ),
        (r#", "model_id": null, "version": null, "model_path": "", "training_params": null"#, ModelStatus::Shadow),
    ] {
        let planned = only(version("v20260117_034606", more));
        let record = planned.record.unwrap_or_else(|| panic!("{more}: {:?}", planned.refused));
        assert_eq!(record.versions[0].status, check, "{more}");
        assert!(record.versions[0].created_at.is_some(), "{more}: its name says when");
    }
}

#[test]
fn jobs_go_with_their_versions() {
    let job = |id: &str, status: &str| {
        file(&format!("training_jobs/{id}.json"), &format!(r#"{{"id": "{id}", "status": "{status}"}}"#))
    };
    let (jobs, refused) =
        jobs([job("j1", "completed"), job("j2", "failed"), file("training_jobs/j3.json", r#"{"id": "j4"}"#)]);
    let why = "it says id \"j4\", but the file's name says \"j3\": put it in its place, or mend it";
    assert_eq!(refused, [FileReport::not_taken("training_jobs/j3.json", why)]);
    assert!(jobs.get("J1").is_some());
    let outcomes = jobs.outcomes(&BTreeMap::from([("j1".to_owned(), Outcome::Taken)]));
    let outcomes: Vec<_> = outcomes.iter().map(|report| (report.path.as_str(), report.outcome)).collect();
    assert_eq!(outcomes, [("training_jobs/j1.json", Outcome::Taken), ("training_jobs/j2.json", Outcome::Aside)]);
}

/// What may happen to a file.
#[derive(Clone, Debug)]
enum Damage {
    None,
    CutOff(prop::sample::Index),
    Emptied,
    Unreadable,
    Overwritten(Vec<u8>),
}

impl Damage {
    fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![
            3 => Just(Self::None),
            2 => any::<prop::sample::Index>().prop_map(Self::CutOff),
            1 => Just(Self::Emptied),
            1 => Just(Self::Unreadable),
            1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Self::Overwritten),
        ]
    }

    /// The file after it, and whether it is still what it was.
    fn done_to(&self, file: &File) -> (File, bool) {
        let mut bytes = file.content.clone().unwrap();
        let content = match self {
            Self::None => return (file.clone(), true),
            Self::CutOff(at) => {
                // The closing brace at least.
                bytes.truncate(at.index(bytes.len()));
                Ok(bytes)
            }
            Self::Emptied => Ok(Vec::new()),
            Self::Unreadable => Err("no permission".to_owned()),
            Self::Overwritten(with) => {
                bytes[..with.len()].copy_from_slice(with);
                Ok(bytes)
            }
        };
        (File { path: file.path.clone(), content }, false)
    }
}

proptest! {
    #[test]
    fn damaged_files_take_nothing_from_the_others(
        damages in prop::collection::vec(Damage::strategy(), 8), turn in 0..8_usize,
    ) {
        let sound: Vec<File> = (0..4)
            .map(|number| version(&format!("v{number}"), ""))
            .chain((0..4).map(|number| evaluation(&format!("v{number}"), "e1", "")))
            .collect();
        let whole = model(MODEL, sound.clone(), &Jobs::default()).record.unwrap();
        let done: Vec<_> = sound.iter().zip(&damages).map(|(file, damage)| damage.done_to(file)).collect();
        let mut files: Vec<File> = done.iter().map(|(file, _)| file.clone()).collect();
        files.rotate_left(turn);
        let planned = model(MODEL, files, &Jobs::default());
        let kept: BTreeSet<&str> = done.iter().filter(|(_, sound)| *sound).map(|(file, _)| file.path.as_str()).collect();
        let (versions, evaluations) = planned.record.map_or_else(Default::default, |r| (r.versions, r.evaluations));
        let expected: Vec<_> = whole.versions.into_iter().filter(|v| kept.contains(v.source.path.as_str())).collect();
        prop_assert_eq!(versions, expected);
        let expected: Vec<_> = whole.evaluations.into_iter().filter(|e| kept.contains(e.source.path.as_str())).collect();
        prop_assert_eq!(evaluations, expected);
        let refused: Vec<_> = planned.refused.iter().map(|report| report.path.as_str()).collect();
        let mut damaged: Vec<_> = done.iter().filter(|(_, sound)| !sound).map(|(file, _)| file.path.as_str()).collect();
        damaged.sort_unstable();
        prop_assert_eq!(refused, damaged, "each is told");
        prop_assert!(planned.refused.iter().all(|report| report.notes.iter().all(|note| !note.is_empty())));
    }

    #[test]
    fn any_fields_are_read_without_a_panic(
        fields in prop::collection::btree_map(
            prop::sample::select(vec![
                "model_id", "version", "id", "status", "model_type", "created_at", "promoted_at", "retired_at",
                "parent_version", "training_job_id", "model_path", "model_size_bytes", "model_hash", "feature_count",
                "training_data_range", "training_params", "train_metrics", "evaluation_type", "sharpe_ratio", "win_rate",
                "passed", "evaluated_at",
            ]),
            prop::sample::select(vec![
                "null", "true", "NaN", "-Infinity", "-1", "1e999", "1e-999", "\"\"", "\"PRODUCTION\"", "\"2026-01-01 00:00\"",
                "\"9999999-01-01\"", "[]", "[1]", "{}", "{\"start\": \"2026-01-01\", \"end\": 7}", "{\"a\": [NaN]}", "\"\\ud800\"",
            ]),
            0..12,
        ),
        of_a_version: bool,
    ) {
        let members: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let path = if of_a_version { format!("models/{MODEL}/v1.json") } else { format!("evaluations/{MODEL}/v1_e1.json") };
        let planned = only(file(&path, &format!("{{{}}}", members.join(", "))));
        prop_assert_eq!(planned.record.is_some(), planned.refused.is_empty());
        if let Some(record) = planned.record {
            let sent = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<ModelRecord>(&sent).unwrap(), record, "not finite, or no name");
        }
    }
}
