use quantum_clm::app::registry::{Promoted, RegistryError, Target};
use quantum_clm::domain::access::{Grant, Scope};
use quantum_clm::domain::model::{ArtifactFile, ModelStatus, Step};
use quantum_clm::domain::role::Role;

use super::bed::{Bed, FORCED, anna, ask, bad, file, good, good_shadow, is_linear, model, name, root};

#[test]
fn a_good_version_goes_the_whole_way_and_each_move_is_an_entry() {
    let bed = Bed::new();
    bed.register("v1");
    bed.attach("v1");
    let judged = bed.evaluate("v1", &good());
    assert_eq!((judged.from, judged.status), (ModelStatus::Training, ModelStatus::Candidate), "{judged:#?}");
    let error = bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false).unwrap_err();
    assert!(matches!(error, RegistryError::Gates(_)), "without a shadow test: {error}");
    bed.evaluate("v1", &good_shadow());
    let promoted = bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false).unwrap();
    assert!(matches!(promoted, Promoted::Done { previous: None, forced: false, .. }), "{promoted:?}");
    let steps: Vec<_> = bed.history(&model()).into_iter().map(|entry| entry.step).collect();
    use ModelStatus::{Candidate, Shadow, Training};
    assert_eq!(
        steps,
        [
            Step::Registered,
            Step::Evaluated,
            Step::Moved { from: Training, to: Shadow },
            Step::Moved { from: Shadow, to: Candidate },
            Step::Evaluated,
            Step::Promoted { from: Candidate, previous: None, forced: false },
        ]
    );
    let last = bed.history(&model()).pop().unwrap();
    assert!(last.verdict.is_some_and(|verdict| verdict.passed), "the gates' answer is not kept");
    assert_eq!(
        bed.last_record(),
        ("anna".into(), "model.promote".into(), "model xgboost_btcusdt_1h v1".into(), "it is good".into())
    );
    let told: Vec<_> = bed.told().into_iter().map(|event| event.event_type).collect();
    assert_eq!(told, ["clm.model_trained", "clm.model_evaluated", "clm.model_evaluated", "clm.model_promoted"]);
}

#[test]
fn a_bad_version_stays_and_fails_where_the_gates_are_applied() {
    let bed = Bed::new();
    bed.register("v1");
    let judged = bed.evaluate("v1", &bad());
    assert!(!judged.passed && judged.score < 50.0 && judged.failure_reason.contains("Sharpe"), "{judged:?}");
    assert_eq!(judged.status, ModelStatus::Training);
    let judged = bed.registry.apply_gates(&anna(), &model(), &name("v1")).unwrap();
    assert_eq!((judged.from, judged.status), (ModelStatus::Training, ModelStatus::Failed));
    let error = bed.force("v1").unwrap_err();
    assert!(error.to_string().contains("a failed version stays failed; register a new one"), "{error}");
}

#[test]
fn too_little_data_is_no_failure() {
    let bed = Bed::new();
    bed.register("v1");
    let judged = bed.registry.apply_gates(&anna(), &model(), &name("v1")).unwrap();
    assert_eq!(judged.status, ModelStatus::Training);
}

#[test]
fn a_person_moves_a_version_only_where_its_gates_let_it() {
    let bed = Bed::new();
    bed.register("v1");
    let to = |who, status| bed.registry.advance(&who, &model(), &name("v1"), status, "it is time");
    assert!(matches!(to(anna(), ModelStatus::Shadow), Err(RegistryError::Gates(_))));
    assert!(matches!(to(anna(), ModelStatus::Candidate), Err(RegistryError::NoWay(_))));
    for status in [ModelStatus::Production, ModelStatus::Retired, ModelStatus::Training] {
        assert!(to(anna(), status).is_err(), "{status}");
    }
    let mut worker = anna();
    worker.grant = Grant::Scope(Scope::Worker);
    assert!(matches!(to(worker.clone(), ModelStatus::Shadow), Err(RegistryError::Forbidden(_))));
    assert_eq!(to(worker, ModelStatus::Failed).unwrap().status, ModelStatus::Failed);
}

#[test]
fn without_auto_candidate_a_person_makes_the_candidate() {
    let bed = Bed::with(|config| config.promotion.auto_candidate = false);
    bed.register("v1");
    assert_eq!(bed.evaluate("v1", &good()).status, ModelStatus::Shadow);
    let moved = bed.registry.advance(&anna(), &model(), &name("v1"), ModelStatus::Candidate, "looks sound").unwrap();
    assert_eq!((moved.from, moved.status), (ModelStatus::Shadow, ModelStatus::Candidate));
}

#[test]
fn with_auto_production_applied_gates_promote_and_with_an_approval_they_do_not() {
    for (approval, expected) in [(false, ModelStatus::Production), (true, ModelStatus::Candidate)] {
        let bed = Bed::with(|config| {
            config.promotion.auto_production = true;
            config.promotion.approval = approval;
        });
        bed.fit("v1");
        assert_eq!(bed.status("v1"), ModelStatus::Candidate);
        assert_eq!(bed.registry.apply_gates(&anna(), &model(), &name("v1")).unwrap().status, expected);
        assert_eq!(bed.status("v1"), expected);
        is_linear(&bed.history(&model()));
    }
}

#[test]
fn force_is_for_admins_who_say_why_and_it_is_marked_for_ever() {
    let bed = Bed::new();
    bed.register("v1");
    bed.attach("v1");
    let force = |who, why| bed.registry.promote(&who, &model(), &name("v1"), why, true);
    assert!(matches!(force(anna(), FORCED), Err(RegistryError::Forbidden(_))));
    assert!(matches!(force(ask("token:ci", Role::Operator), FORCED), Err(RegistryError::Forbidden(_))));
    assert!(force(root(), "because").unwrap_err().to_string().contains("at least 20 characters"));
    let promoted = force(root(), FORCED).unwrap();
    assert!(matches!(promoted, Promoted::Done { forced: true, .. }), "{promoted:?}");
    assert_eq!(bed.last_record().3, format!("past its gates: {FORCED}"));
    bed.in_production("v2");
    bed.registry.roll_back(&anna(), &model(), &Target::Version(name("v1")), "v2 loses").unwrap();
    let bed = bed.reopen();
    let forced = bed.registry.version(&model(), &name("v1"), super::bed::NOW).unwrap().version.forced;
    assert_eq!((forced.len(), forced[0].by.as_str(), forced[0].why.as_str()), (1, "root", FORCED));
}

#[test]
fn force_that_open_gates_did_not_need_is_no_mark() {
    let bed = Bed::new();
    bed.fit("v1");
    assert!(matches!(bed.force("v1").unwrap(), Promoted::Done { forced: false, .. }));
}

#[test]
fn without_whole_files_nothing_is_promoted_not_even_by_force() {
    let bed = Bed::new();
    bed.register("v1");
    assert!(bed.force("v1").unwrap_err().to_string().contains("has no files: upload them first"));
    let empty = ArtifactFile { size: 0, ..file(1) };
    bed.registry.attach(&anna(), &model(), &name("v1"), &empty, u64::MAX).unwrap();
    assert!(bed.force("v1").unwrap_err().to_string().contains("a file without content"));
    assert_eq!(bed.production(), None);
}

#[test]
fn what_was_there_is_retired_and_comes_back_by_a_rollback_only() {
    let bed = Bed::new();
    bed.in_production("v1");
    assert!(bed.force("v1").unwrap_err().to_string().contains("in production already"));
    bed.in_production("v2");
    assert_eq!((bed.status("v1"), bed.status("v2")), (ModelStatus::Retired, ModelStatus::Production));
    assert!(bed.force("v1").unwrap_err().to_string().contains("roll back to it"));
    let back = bed.registry.roll_back(&anna(), &model(), &Target::Before, "v2 loses").unwrap();
    assert_eq!((back.version.as_str(), back.changed), ("v1", true));
    assert_eq!((bed.status("v1"), bed.status("v2")), (ModelStatus::Production, ModelStatus::Retired));
    let version = bed.registry.version(&model(), &name("v2"), super::bed::NOW).unwrap().version;
    assert!(version.retired_at.is_some() && version.promoted_at.is_some());
    is_linear(&bed.history(&model()));
}

#[test]
fn rolling_back_goes_back_promotion_by_promotion_and_never_to_and_fro() {
    let bed = Bed::new();
    for version in ["v1", "v2", "v3"] {
        bed.in_production(version);
    }
    let back = |target| bed.registry.roll_back(&anna(), &model(), &target, "it loses");
    assert_eq!(back(Target::Before).unwrap().version.as_str(), "v2");
    assert_eq!(back(Target::Before).unwrap().version.as_str(), "v1");
    let error = back(Target::Before).unwrap_err().to_string();
    assert!(error.contains("nothing of xgboost_btcusdt_1h was in production before v1 was promoted"), "{error}");
    // Forward again by name; before v3 there is v2, whatever was rolled back meanwhile.
    assert_eq!(back(Target::Version(name("v3"))).unwrap().version.as_str(), "v3");
    assert_eq!(back(Target::Before).unwrap().version.as_str(), "v2");
    // A rollback to what is there has no effect, and leaves no entry.
    let revision = bed.history(&model()).len();
    let same = back(Target::Version(name("v2"))).unwrap();
    assert!(!same.changed && bed.history(&model()).len() == revision, "{same:?}");
    // What was never in production does not come back.
    bed.register("v4");
    assert!(matches!(back(Target::Version(name("v4"))), Err(RegistryError::NoWay(_))));
    assert!(matches!(back(Target::Version(name("v9"))), Err(RegistryError::NoVersion(..))));
    is_linear(&bed.history(&model()));
}

#[test]
fn a_rollback_asks_no_gate_and_tells_the_bus() {
    let bed = Bed::with(|config| config.promotion.hook = vec!["/bin/reload".into()]);
    bed.in_production("v1");
    bed.in_production("v2");
    bed.evaluate("v1", &bad());
    bed.registry.roll_back(&anna(), &model(), &Target::Before, "v2 loses").unwrap();
    let last = bed.told().pop().unwrap();
    assert_eq!(last.event_type, "clm.model_rollback");
    let told = |field: &str| last.payload[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (told("from_version"), told("to_version"), told("reason"), told("rollback_by")),
        ("v2".into(), "v1".into(), "v2 loses".into(), "anna".into())
    );
    // Only what is in production now is to be announced.
    let hooks = bed.store.hooks(Some(quantum_clm::domain::model::HookState::Pending), u64::MAX, 10).unwrap();
    let due: Vec<_> = hooks.iter().map(|hook| hook.version.as_str()).collect();
    assert_eq!(due, ["v1"]);
}
