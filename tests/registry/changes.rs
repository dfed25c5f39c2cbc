use quantum_clm::app::registry::{Expected, RegistryError, Target};

use super::bed::{Bed, FORCED, after, anna, ask, expecting, good, keyed, model, name, root};
use quantum_clm::domain::role::Role;

#[test]
fn of_two_who_saw_the_same_page_one_succeeds_and_the_other_is_told_what_changed() {
    let bed = Bed::new();
    for version in ["v1", "v2"] {
        bed.register(version);
        bed.attach(version);
    }
    let seen = bed.store.model(&model()).unwrap().unwrap().revision;
    let promote = |ask, version: &str| bed.registry.promote(&ask, &model(), &name(version), FORCED, true);
    promote(expecting(root(), Expected::Revision(seen)), "v1").unwrap();
    let other = expecting(after(ask("berta", Role::Admin), 5), Expected::Revision(seen));
    let Err(RegistryError::Changed(said)) = promote(other, "v2") else { panic!("both succeeded") };
    assert_eq!(
        said,
        "xgboost_btcusdt_1h has changed since you looked at it (r2, now r5): v1 was promoted past its gates (root, \
         2026-06-01T00:00:00.000Z); v1 went from shadow to candidate (root, 2026-06-01T00:00:00.000Z); v1 went from \
         training to shadow (root, 2026-06-01T00:00:00.000Z)"
    );
    assert_eq!(bed.production().as_deref(), Some("v1"));
}

#[test]
fn what_is_believed_to_be_in_production_is_checked() {
    let bed = Bed::new();
    bed.register("v1");
    bed.attach("v1");
    let promote = |expected, version: &str| {
        bed.registry.promote(&expecting(root(), expected), &model(), &name(version), FORCED, true)
    };
    let said = promote(Expected::Production(Some(name("v0"))), "v1").unwrap_err().to_string();
    assert_eq!(said, "of xgboost_btcusdt_1h, nothing is in production, not v0");
    promote(Expected::Production(None), "v1").unwrap();
    bed.register("v2");
    bed.attach("v2");
    let said = promote(Expected::Production(None), "v2").unwrap_err().to_string();
    assert_eq!(
        said,
        "of xgboost_btcusdt_1h, v1 is in production, not nothing: v1 was promoted past its gates (root, \
         2026-06-01T00:00:00.000Z)"
    );
    promote(Expected::Production(Some(name("v1"))), "v2").unwrap();
    let said = promote(Expected::Revision(99), "v1").unwrap_err().to_string();
    assert!(said.contains("you say r99: look at it again"), "{said}");
}

#[test]
fn a_request_that_is_sent_again_is_answered_again_whatever_has_changed() {
    let bed = Bed::new();
    bed.in_production("v1");
    bed.in_production("v2");
    let ask = keyed(expecting(anna(), Expected::Production(Some(name("v2")))), "back");
    let first = bed.registry.roll_back(&ask, &model(), &Target::Before, "v2 loses").unwrap();
    assert_eq!(bed.registry.roll_back(&ask, &model(), &Target::Before, "v2 loses").unwrap(), first);
    assert_eq!(bed.production().as_deref(), Some("v1"));
    let other = bed.registry.roll_back(&ask, &model(), &Target::Before, "another reason");
    assert!(matches!(other, Err(RegistryError::KeyUsed(_))), "{other:?}");
}

#[test]
fn an_evaluation_that_is_sent_again_is_recorded_once() {
    let bed = Bed::new();
    bed.register("v1");
    let ask = keyed(anna(), "e");
    let first = bed.registry.evaluate(&ask, &model(), &name("v1"), &good()).unwrap();
    assert_eq!(bed.registry.evaluate(&ask, &model(), &name("v1"), &good()).unwrap(), first);
    assert_eq!(bed.registry.evaluations(&model(), &name("v1")).unwrap().len(), 1);
    let other = bed.registry.evaluate(&ask, &model(), &name("v1"), &super::bed::bad());
    assert!(matches!(other, Err(RegistryError::KeyUsed(_))), "{other:?}");
}

#[test]
fn a_change_says_why() {
    let bed = Bed::new();
    bed.in_production("v1");
    bed.register("v2");
    let long = "x".repeat(1_001);
    for why in ["", "  ", &long] {
        let bad = |result: Result<(), RegistryError>| match result {
            Err(RegistryError::Bad { field, .. }) => assert_eq!(field, "why"),
            other => panic!("{why:?}: {other:?}"),
        };
        bad(bed.registry.roll_back(&anna(), &model(), &Target::Before, why).map(drop));
        bad(bed.registry.promote(&anna(), &model(), &name("v2"), why, false).map(drop));
        bad(bed.registry.delete(&anna(), &model(), &name("v2"), why).map(drop));
        bad(bed.registry.deny(&anna(), &model(), &name("v2"), why).map(drop));
    }
}
