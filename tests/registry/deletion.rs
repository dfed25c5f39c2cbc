use quantum_clm::app::registry::{NewVersion, RegistryError, Target};
use quantum_clm::domain::model::Digest;

use super::bed::{Bed, NOW, anna, file, good, model, name, new_version};

fn uses(bed: &Bed, content: u8) -> Option<u64> {
    bed.store.artifact(&Digest([content; 32])).unwrap().map(|artifact| artifact.uses)
}

#[test]
fn what_something_refers_to_stays_and_the_sentence_says_what() {
    let bed = Bed::new();
    bed.in_production("v1");
    bed.in_production("v2");
    bed.register("v3");
    let child = NewVersion { parent: Some(name("v3")), ..new_version(Some("v4")) };
    bed.registry.register(&anna(), &model(), &child).unwrap();
    let refused =
        |version: &str| bed.registry.delete(&anna(), &model(), &name(version), "tidying").unwrap_err().to_string();
    assert!(refused("v2").ends_with("v2 of xgboost_btcusdt_1h cannot be deleted: it is in production"));
    assert!(refused("v1").ends_with("a rollback from v2 leads to it"));
    assert!(refused("v3").ends_with("v4 was made from it"));
    // Once nothing refers to it, it goes.
    bed.registry.delete(&anna(), &model(), &name("v4"), "tidying").unwrap();
    bed.registry.delete(&anna(), &model(), &name("v3"), "tidying").unwrap();
    let counts = bed.store.model(&model()).unwrap().unwrap().counts;
    assert_eq!((counts.living(), counts.deleted), (2, 2));
}

#[test]
fn a_tombstone_is_left_and_files_are_released_once_each() {
    let bed = Bed::new();
    for version in ["v1", "v2"] {
        bed.register(version);
        bed.attach(version);
    }
    assert_eq!(uses(&bed, 1), Some(2));
    bed.registry.delete(&anna(), &model(), &name("v1"), "tidying").unwrap();
    assert_eq!(uses(&bed, 1), Some(1));
    let gone = bed.registry.version(&model(), &name("v1"), NOW).unwrap().version;
    let tombstone = gone.deleted.expect("a tombstone");
    assert_eq!((tombstone.by.as_str(), tombstone.why.as_str()), ("anna", "tidying"));
    let again = bed.registry.delete(&anna(), &model(), &name("v1"), "tidying").unwrap_err();
    assert!(matches!(&again, RegistryError::Deleted(said) if said.contains("was deleted by anna at 2026")), "{again}");
    assert_eq!(uses(&bed, 1), Some(1), "released twice");
    let attach = bed.registry.attach(&anna(), &model(), &name("v1"), &file(2), u64::MAX);
    assert!(matches!(attach, Err(RegistryError::Deleted(_))), "{attach:?}");
    assert!(matches!(bed.registry.evaluate(&anna(), &model(), &name("v1"), &good()), Err(RegistryError::Deleted(_))));
    assert!(bed.force("v1").is_err());
    assert_eq!(bed.history(&model()).pop().unwrap().why, "tidying");
}

#[test]
fn the_way_back_leads_past_what_was_deleted() {
    let bed = Bed::new();
    for version in ["v1", "v2", "v3"] {
        bed.in_production(version);
    }
    // v3 is in production and a rollback leads to v2; v1 is free to go, and v0 would be where v2's way led.
    bed.in_production("v4");
    bed.registry.delete(&anna(), &model(), &name("v2"), "tidying").unwrap();
    let back = || bed.registry.roll_back(&anna(), &model(), &Target::Before, "it loses").unwrap().version.to_string();
    assert_eq!(back(), "v3");
    assert_eq!(back(), "v1", "v2 is gone");
}

#[test]
fn where_the_way_back_leads_past_a_tombstone_its_end_is_kept_too() {
    let bed = Bed::new();
    for version in ["v1", "v2", "v3"] {
        bed.in_production(version);
    }
    bed.registry.roll_back(&anna(), &model(), &Target::Version(name("v1")), "both lose").unwrap();
    bed.registry.delete(&anna(), &model(), &name("v2"), "tidying").unwrap();
    bed.registry.roll_back(&anna(), &model(), &Target::Version(name("v3")), "it is better after all").unwrap();
    let error = bed.registry.delete(&anna(), &model(), &name("v1"), "tidying").unwrap_err().to_string();
    assert!(error.ends_with("a rollback from v3 leads to it"), "{error}");
}
