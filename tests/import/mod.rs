//! Taking over the predecessor's registry, in this process: what is stored of it, and that it is stored once. The command
//! itself is tested with the commands.

mod bed;

use proptest::prelude::*;
use quantum_clm::app::registry::{RegistryError, Target};
use quantum_clm::domain::clm3::Outcome;
use quantum_clm::domain::model::{EvaluationId, EvaluationKind, FigureOrigin, ModelId, ModelStatus, Step};
use serde_json::json;

use self::bed::{Bed, ask, at, count, records};
use crate::support::clm3::{Files, Predecessor, python};

const MODEL: &str = "xgboost_BTCUSDT_1h";

#[test]
fn twice_is_the_same_as_once() {
    let files = Predecessor::worked(1, "/app/models", 5, 8).files();
    let bed = Bed::new();
    let first = bed.import(&files, at(0));
    assert_eq!(count(&first, Outcome::NotTaken), 0, "{first:#?}");
    assert_eq!(count(&first, Outcome::Taken), files.keys().filter(|path| !path.starts_with("training_jobs")).count());
    let state = bed.state();
    assert!(state.contains(&"0 messages".to_owned()), "what is imported did not happen now");
    assert!(state.contains(&"5 audit records".to_owned()), "one a model: {:?}", state.last());
    let again = bed.import(&files, at(1));
    assert_eq!(count(&again, Outcome::Already), count(&first, Outcome::Taken));
    assert_eq!(bed.state(), state);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first.production, again.production);
    }
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let bed = Bed::new();
    let empty = bed.state();
    for planned in records(&Predecessor::worked(2, "/app/models", 2, 6).files()) {
        let record = planned.record.unwrap();
        let dry = bed.registry.import(&ask(at(0)), &record, true).unwrap();
        assert_eq!(bed.state(), empty);
        let mut done = Bed::new().take(&record, at(0));
        assert!(dry.dry_run && !done.dry_run);
        done.dry_run = true;
        assert_eq!(dry, done);
    }
}

/// One that was promoted, one that replaced it, and the first again.
fn three_promotions() -> Predecessor {
    let mut predecessor = Predecessor::new(3, "/app/models");
    let one = predecessor.train("xgboost", "BTCUSDT", 0);
    predecessor.evaluate("xgboost", "BTCUSDT", &one);
    let two = predecessor.train("xgboost", "BTCUSDT", 1);
    for (version, status, times) in [
        (&one, "production", json!({"promoted_at": "2026-03-03 00:00:00", "retired_at": "2026-02-02 00:00:00"})),
        (
            &two,
            "retired",
            json!({"promoted_at": "2026-02-02T00:00:00.000100", "retired_at": "2026-03-02 23:59:59.999"}),
        ),
    ] {
        let version = predecessor.version(MODEL, version);
        version["status"] = json!(status);
        version["promoted_at"] = times["promoted_at"].clone();
        version["retired_at"] = times["retired_at"].clone();
    }
    predecessor
}

#[test]
fn the_past_can_be_asked() {
    let bed = Bed::new();
    bed.import(&three_promotions().files(), at(0));
    for (when, expected) in [
        ("2026-02-01T00:00:00Z", None),
        ("2026-02-02T00:00:01Z", Some("1.0.0")),
        ("2026-03-02T23:59:59Z", Some("1.0.0")),
        ("2026-03-03T00:00:00Z", Some("v1")),
        ("2026-10-01T00:00:00Z", Some("v1")),
    ] {
        assert_eq!(bed.production_at(MODEL, when).as_deref(), expected, "{when}");
    }
    let id: ModelId = MODEL.parse().unwrap();
    let history = bed.store.read(|txn| txn.model_history(&id, u64::MAX, 100)).unwrap();
    assert!(history.iter().all(|entry| entry.step == Step::Imported && entry.by == "root"));
    assert!(history.is_sorted_by(|newer, older| newer.at >= older.at && newer.revision == older.revision + 1));
    let before = bed.registry.roll_back(&ask(at(1)), &id, &Target::Before, "worse than before").unwrap();
    assert_eq!(before.version.as_str(), "1.0.0", "the one before it");
}

#[test]
fn a_past_that_ended_is_over() {
    let mut predecessor = three_promotions();
    let version = predecessor.version(MODEL, "v1");
    version["status"] = json!("retired");
    version["retired_at"] = json!("2026-04-04 00:00:00");
    let bed = Bed::new();
    let answers = bed.import(&predecessor.files(), at(0));
    assert_eq!(answers[0].production, None);
    let note = "nothing is in production: v1 left it at 2026-04-04T00:00:00.000Z, and nothing took its place";
    assert!(answers[0].notes.iter().any(|said| said.starts_with(note)), "{:?}", answers[0].notes);
    assert_eq!(bed.production_at(MODEL, "2026-04-03T00:00:00Z").as_deref(), Some("v1"));
    assert_eq!(bed.production_at(MODEL, "2026-04-05T00:00:00Z"), None);
    let id: ModelId = MODEL.parse().unwrap();
    let reigns = bed.store.read(|txn| txn.reigns(&id, 10)).unwrap();
    assert_eq!(reigns.len(), 2, "the end is no reign: {reigns:?}");
}

#[test]
fn two_in_production_become_one() {
    let mut predecessor = three_promotions();
    predecessor.version(MODEL, "1.0.0")["status"] = json!("PRODUCTION");
    let bed = Bed::new();
    let answers = bed.import(&predecessor.files(), at(0));
    assert_eq!(answers[0].production.as_ref().map(|name| name.as_str()), Some("v1"), "promoted last");
    let path = format!("models/{MODEL}/1.0.0.json");
    let told = answers[0].files.iter().find(|file| file.path == path).unwrap();
    let note = "it says that it is in production: it becomes retired, as v1 is in production";
    assert!(told.notes.contains(&note.to_owned()), "{told:?}");
    let id: ModelId = MODEL.parse().unwrap();
    let detail = bed.registry.version(&id, &"1.0.0".parse().unwrap(), at(1)).unwrap();
    assert_eq!(detail.status, ModelStatus::Retired);
    assert!(detail.version.retired_at.is_some());
}

#[test]
fn what_is_here_stays_as_it_is() {
    let mut predecessor = three_promotions();
    let bed = Bed::new();
    bed.import(&predecessor.files(), at(0));
    // Here somebody decides, and there it goes on as well.
    let id: ModelId = MODEL.parse().unwrap();
    bed.registry.roll_back(&ask(at(1)), &id, &Target::Version("1.0.0".parse().unwrap()), "better").unwrap();
    predecessor.version(MODEL, "v1")["feature_count"] = json!(7);
    let new = predecessor.train("xgboost", "BTCUSDT", 2);
    predecessor.evaluate("xgboost", "BTCUSDT", &new);
    let version = predecessor.version(MODEL, &new);
    version["status"] = json!("production");
    version["promoted_at"] = json!("2026-08-08 00:00:00");
    let answers = bed.import(&predecessor.files(), at(2));
    let said = |path: String| answers[0].files.iter().find(|file| file.path == path).unwrap().clone();
    let changed = said(format!("models/{MODEL}/v1.json"));
    assert_eq!(changed.outcome, Outcome::NotTaken);
    assert_eq!(
        changed.notes,
        ["it has changed since it was imported at 2026-09-01T00:00:00.000Z: what is here stays as it is"]
    );
    let added = said(format!("models/{MODEL}/{new}.json"));
    assert_eq!(added.outcome, Outcome::Taken);
    assert!(
        added.notes.iter().any(|note| note.ends_with("it becomes retired, as 1.0.0 is in production")),
        "{added:?}"
    );
    assert_eq!(answers[0].production.as_ref().map(|name| name.as_str()), Some("1.0.0"));
    assert_eq!(bed.production_at(MODEL, "2026-08-09T00:00:00Z").as_deref(), Some("v1"), "the past was told before");
    let state = bed.state();
    bed.import(&predecessor.files(), at(3));
    assert_eq!(bed.state(), state);
}

#[test]
fn a_name_that_is_taken_or_deleted_is_not_given_again() {
    let predecessor = three_promotions();
    let bed = Bed::new();
    let files = predecessor.files();
    let lone: Files =
        files.iter().filter(|(path, _)| path.contains("v1")).map(|(p, b)| (p.clone(), b.clone())).collect();
    bed.import(&files, at(0));
    let id: ModelId = MODEL.parse().unwrap();
    bed.registry.roll_back(&ask(at(1)), &id, &Target::Version("1.0.0".parse().unwrap()), "better").unwrap();
    let deleted = bed.registry.delete(&ask(at(2)), &id, &"v1".parse().unwrap(), "gone for good");
    match deleted {
        Ok(_) => {
            let state = bed.state();
            let answers = bed.import(&lone, at(3));
            let version = answers[0].files.iter().find(|file| file.path.starts_with("models")).unwrap();
            assert_eq!(version.outcome, Outcome::Already);
            assert_eq!(version.notes, ["root deleted it here at 2026-09-01T02:00:00.000Z"]);
            assert_eq!(bed.state(), state, "it came back");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn evaluations_are_somebodys_word() {
    let mut predecessor = Predecessor::new(5, "/app/models");
    let name = predecessor.train("xgboost", "BTCUSDT", 0);
    let mut files = predecessor.files();
    let good = json!({
        "id": "e1", "model_id": MODEL, "version": name, "evaluated_at": "2026-02-01 00:00:00", "evaluation_type": "backtest",
        "evaluation_period_days": 400, "total_trades": 5000, "win_rate": 0.6, "profit_factor": 2.0, "sharpe_ratio": 3.0,
        "max_drawdown": 0.05, "passed": true, "promotion_score": 100.0,
    });
    files.insert(format!("evaluations/{MODEL}/{name}_e1.json"), python(&good));
    let mut bad = good.clone();
    bad["id"] = json!("e0");
    bad["evaluated_at"] = json!("2026-01-20 00:00:00");
    bad["sharpe_ratio"] = json!(0.6);
    files.insert(format!("evaluations/{MODEL}/{name}_e0.json"), python(&bad));
    let mut training = good;
    training["id"] = json!("e2");
    training["evaluation_type"] = json!("training_metrics");
    files.insert(format!("evaluations/{MODEL}/{name}_e2.json"), python(&training));
    let bed = Bed::new();
    let answers = bed.import(&files, at(0));
    let notes = [
        "evaluations that only show figures of the training, and count for nothing: 1",
        "evaluations that passed there, and do not pass the gates here: 1",
    ];
    assert_eq!(answers[0].notes, notes);
    let id: ModelId = MODEL.parse().unwrap();
    let mut seen = Vec::new();
    let look = bed.store.read(|txn| {
        txn.walk_evaluations(&id, EvaluationId(u64::MAX), |evaluation| {
            seen.push(evaluation);
            Ok(true)
        })
    });
    look.unwrap();
    for evaluation in &seen {
        assert_eq!(evaluation.figures.plain.sharpe_ratio.map(|figure| figure.origin), Some(FigureOrigin::Reported));
        assert!(evaluation.figures.psr.is_none() && !evaluation.has_returns);
        let sharpe = evaluation.figures.plain.sharpe_ratio.map(|figure| figure.value);
        assert_eq!(evaluation.passed, evaluation.kind == EvaluationKind::Backtest && sharpe == Some(3.0));
    }
    let name = name.parse().unwrap();
    let promoted = bed.registry.promote(&ask(at(1)), &id, &name, "looks good", false);
    assert!(matches!(promoted, Err(RegistryError::Gates(_) | RegistryError::Conflict(_))), "{promoted:?}");
    let detail = bed.registry.version(&id, &name, at(1)).unwrap();
    assert_eq!(detail.version.sharpe, Some(3.0), "of the newest backtest, not of the training");
}

/// The files that `damage` leaves whole, and all of them with the others damaged.
fn damaged(files: &Files, damage: &[u8]) -> (Files, Files) {
    let (mut whole, mut all) = (Files::new(), Files::new());
    for ((path, bytes), damage) in files.iter().zip(damage.iter().cycle()) {
        let bytes = match damage % 6 {
            0 => Vec::new(),
            1 => bytes[..bytes.len() * usize::from(*damage) / 256].to_vec(),
            _ => {
                whole.insert(path.clone(), bytes.clone());
                bytes.clone()
            }
        };
        all.insert(path.clone(), bytes);
    }
    (whole, all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn damaged_files_take_nothing_from_the_others_and_can_be_mended(
        seed in 0..1000_u64, damage in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let files = Predecessor::worked(seed, "/app/models", 2, 5).files();
        let (whole, all) = damaged(&files, &damage);
        let (bed, other) = (Bed::new(), Bed::new());
        bed.import(&all, at(0));
        other.import(&whole, at(0));
        prop_assert_eq!(bed.state(), other.state(), "damaged files are as good as absent");
        bed.import(&files, at(1));
        let (mended, mut expected) = (bed.state().len(), 0);
        for model in bed.store.models().unwrap() {
            expected += bed.versions(model.id.as_str()).len();
        }
        let versions = files.keys().filter(|path| path.starts_with("models/")).count();
        prop_assert_eq!(expected, versions, "each version is here in the end");
        bed.import(&files, at(2));
        prop_assert_eq!(bed.state().len(), mended);
    }
}
