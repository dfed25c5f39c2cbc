use std::collections::BTreeMap;

use quantum_clm::app::registry::{NewVersion, RegistryError};
use quantum_clm::domain::model::{ModelStatus, Origin};

use super::bed::{Bed, NOW, anna, keyed, model, name, new_version};

#[test]
fn versions_are_named_after_their_second_and_two_of_one_second_after_the_next_free_one() {
    let bed = Bed::new();
    let names: Vec<_> = (0..3)
        .map(|_| bed.registry.register(&anna(), &model(), &new_version(None)).unwrap().version.to_string())
        .collect();
    assert_eq!(names, ["v20260601_000000", "v20260601_000001", "v20260601_000002"]);
}

#[test]
fn a_name_is_given_once_also_after_its_version_was_deleted() {
    let bed = Bed::new();
    bed.register("v1");
    let again = |bed: &Bed| bed.registry.register(&anna(), &model(), &new_version(Some("v1"))).unwrap_err().to_string();
    assert_eq!(again(&bed), "there is a version v1 of xgboost_btcusdt_1h already");
    bed.registry.delete(&anna(), &model(), &name("v1"), "a typing error").unwrap();
    let said = again(&bed);
    assert!(said.contains("deleted by anna at 2026-06-01T00:00:00.000Z: a name is never given twice"), "{said}");
    let bed = bed.reopen();
    assert!(again(&bed).contains("never given twice"));
    // Nor does the clock give it again.
    bed.register("v20260601_000000");
    bed.registry.delete(&anna(), &model(), &name("v20260601_000000"), "not needed").unwrap();
    let named = bed.registry.register(&anna(), &model(), &new_version(None)).unwrap();
    assert_eq!(named.version.as_str(), "v20260601_000001");
}

#[test]
fn a_new_model_has_a_canonical_id() {
    let bed = Bed::new();
    for id in ["xgboost_BTCUSDT_1h", "my-model", "xgboost_btcusdt"] {
        let error = bed.registry.register(&anna(), &id.parse().unwrap(), &new_version(None)).unwrap_err();
        assert!(error.to_string().contains("is no id of a new model"), "{id}: {error}");
        assert!(bed.store.model(&id.parse().unwrap()).unwrap().is_none(), "{id} was made all the same");
    }
}

#[test]
fn what_no_version_may_lack_and_what_is_too_much() {
    let bed = Bed::new();
    type Spoil = fn(&mut NewVersion);
    let cases: [(&str, Spoil); 9] = [
        ("provenance.origin", |new| new.provenance.origin = Origin::Job(" ".into())),
        ("provenance.data", |new| new.provenance.data = None),
        ("provenance.data", |new| {
            let window = new.provenance.data.as_mut().unwrap();
            window.until = window.from;
        }),
        ("provenance.feature_count", |new| new.provenance.feature_count = None),
        ("provenance.parameters", |new| {
            new.provenance.parameters = (0..257).map(|at| (at.to_string(), "1".to_owned())).collect();
        }),
        ("provenance.parameters", |new| {
            new.provenance.parameters.insert("layers".into(), format!("{:?}", "x".repeat(64 << 10)));
        }),
        ("train_metrics.loss", |new| new.train_metrics = BTreeMap::from([("loss".into(), f64::NAN)])),
        ("validation_metrics.auc", |new| new.validation_metrics = BTreeMap::from([("auc".into(), f64::INFINITY)])),
        ("parent", |new| new.parent = Some("v0".parse().unwrap())),
    ];
    for (field, spoil) in cases {
        let mut new = new_version(None);
        spoil(&mut new);
        match bed.registry.register(&anna(), &model(), &new) {
            Err(RegistryError::Bad { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(bed.registry.counts().unwrap(), Default::default(), "something was registered");
}

#[test]
fn a_parent_may_be_a_tombstone_and_an_import_may_know_less() {
    let bed = Bed::new();
    bed.register("v1");
    bed.registry.delete(&anna(), &model(), &name("v1"), "superseded").unwrap();
    let mut new = new_version(Some("v2"));
    new.parent = Some(name("v1"));
    new.provenance.origin = Origin::Import("models/x/v2.json".into());
    new.provenance.data = None;
    new.provenance.feature_count = None;
    bed.registry.register(&anna(), &model(), &new).unwrap();
}

#[test]
fn a_training_that_failed_is_registered_as_failed_and_told() {
    let bed = Bed::new();
    bed.register("v1");
    let failed = NewVersion { success: false, ..new_version(Some("v2")) };
    assert_eq!(bed.registry.register(&anna(), &model(), &failed).unwrap().status, ModelStatus::Failed);
    let told: Vec<_> = bed
        .told()
        .iter()
        .map(|event| {
            let payload = &event.payload;
            (
                event.event_type.clone(),
                payload["version"].clone(),
                payload["success"].clone(),
                payload["job_id"].clone(),
            )
        })
        .collect();
    let trained =
        |version: &str, success: bool| ("clm.model_trained".to_owned(), version.into(), success.into(), "job-1".into());
    assert_eq!(told, [trained("v1", true), trained("v2", false)]);
}

#[test]
fn asked_twice_done_once() {
    let bed = Bed::new();
    let ask = keyed(anna(), "a");
    let first = bed.registry.register(&ask, &model(), &new_version(None)).unwrap();
    assert_eq!(bed.registry.register(&ask, &model(), &new_version(None)).unwrap(), first);
    let bed = bed.reopen();
    assert_eq!(bed.registry.register(&ask, &model(), &new_version(None)).unwrap(), first);
    assert_eq!(bed.history(&model()).len(), 1);
    let error = bed.registry.register(&ask, &model(), &new_version(Some("v9"))).unwrap_err();
    assert!(matches!(error, RegistryError::KeyUsed(_)), "{error}");
    assert_eq!(bed.registry.version(&model(), &first.version, NOW).unwrap().model.revision, 1);
}
