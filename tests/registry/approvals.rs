use quantum_clm::app::registry::{Expected, Promoted, RegistryError, Target};
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::account::Fingerprint;
use quantum_clm::domain::id::TokenId;
use quantum_clm::domain::model::{ArtifactFile, ModelStatus, Step};
use quantum_clm::domain::role::Role;
use quantum_clm::store::{StoreError, Token};

use super::bed::{Bed, FORCED, NOW, after, anna, ask, bad, expecting, file, good, is_linear, model, name, root};

fn bed() -> Bed {
    Bed::with(|config| config.promotion.approval = true)
}

fn berta() -> quantum_clm::app::registry::Ask {
    ask("berta", Role::Operator)
}

fn waiting(bed: &Bed) -> Vec<String> {
    bed.registry.model(&model(), NOW).unwrap().approvals.iter().map(|approval| approval.version.to_string()).collect()
}

#[test]
fn a_second_person_puts_it_into_production() {
    let bed = bed();
    bed.fit("v1");
    let asked = bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false).unwrap();
    assert!(matches!(&asked, Promoted::Waiting { asked_by, .. } if asked_by == "anna"), "{asked:?}");
    assert_eq!((bed.status("v1"), waiting(&bed)), (ModelStatus::Candidate, vec!["v1".to_owned()]));

    let approve = |who| bed.registry.approve(&who, &model(), &name("v1"), "");
    assert!(matches!(approve(anna()), Err(RegistryError::Forbidden(_))), "she approved her own");
    assert!(
        matches!(approve(ask("token:ci", Role::Operator)), Err(RegistryError::Forbidden(_))),
        "a token is no person"
    );
    let promoted = approve(berta()).unwrap();
    assert!(matches!(promoted, Promoted::Done { forced: false, .. }), "{promoted:?}");
    assert_eq!((bed.status("v1"), waiting(&bed)), (ModelStatus::Production, vec![]));
    let entry = bed.history(&model()).pop().unwrap();
    assert_eq!(
        (entry.by.as_str(), entry.approved_by.as_deref(), entry.why.as_str()),
        ("anna", Some("berta"), "it is good")
    );
    assert_eq!(bed.last_record().3, "anna asked for it: it is good");
    assert!(matches!(approve(berta()), Err(RegistryError::Conflict(_))), "approved twice");
}

/// Whoever made the token asked, and the machine's accounts are nobody in particular.
#[test]
fn nobody_is_two_persons() {
    let bed = bed();
    bed.fit("v1");
    let token = Token {
        id: TokenId(1),
        name: "ci".parse().unwrap(),
        shown: "qclm_abcdefg".to_owned(),
        grant: Grant::Role(Role::Operator),
        created_at: NOW,
        created_by: "berta".to_owned(),
        expires_at: NOW,
        last_used: None,
        last_address: String::new(),
    };
    bed.store.write::<_, StoreError>(|txn| txn.put_token(&Fingerprint::of_token("qclm_abcdefg"), &token)).unwrap();
    bed.registry.promote(&ask("token:ci", Role::Operator), &model(), &name("v1"), "it is good", false).unwrap();
    let approve = |who| bed.registry.approve(&who, &model(), &name("v1"), "");
    assert!(matches!(approve(berta()), Err(RegistryError::Forbidden(_))), "her own token asked");
    let mut local = anna();
    local.actor = Actor::local("anna");
    assert!(matches!(approve(local), Err(RegistryError::Forbidden(_))), "an account of the machine approved");
    assert!(matches!(approve(anna()), Ok(Promoted::Done { .. })));
}

#[test]
fn what_waits_takes_no_other_files() {
    let bed = bed();
    bed.register("v1");
    bed.attach("v1");
    bed.force("v1").unwrap();
    let other = ArtifactFile { path: "other.bin".parse().unwrap(), ..file(9) };
    let attached = bed.registry.attach(&anna(), &model(), &name("v1"), &other, u64::MAX);
    assert!(matches!(&attached, Err(RegistryError::Conflict(why)) if why.contains("waits")), "{attached:?}");
}

#[test]
fn an_admin_who_forces_needs_a_second_person_too() {
    let bed = bed();
    bed.register("v1");
    bed.attach("v1");
    assert!(matches!(bed.force("v1").unwrap(), Promoted::Waiting { .. }));
    assert!(matches!(bed.registry.approve(&root(), &model(), &name("v1"), ""), Err(RegistryError::Forbidden(_))));
    let done = bed.registry.approve(&berta(), &model(), &name("v1"), "agreed on the phone").unwrap();
    assert!(matches!(done, Promoted::Done { forced: true, .. }), "{done:?}");
    let forced = bed.registry.version(&model(), &name("v1"), NOW).unwrap().version.forced;
    assert_eq!((forced.len(), forced[0].by.as_str()), (1, "root"));
    assert_eq!(bed.last_record().3, format!("root asked for it past its gates: {FORCED}; agreed on the phone"));
}

#[test]
fn the_gates_are_asked_again() {
    let bed = bed();
    bed.fit("v1");
    bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false).unwrap();
    bed.evaluate("v1", &bad());
    let error = bed.registry.approve(&berta(), &model(), &name("v1"), "").unwrap_err();
    assert!(matches!(error, RegistryError::Gates(_)), "{error}");
    // What waits goes on waiting: the next evaluation may be better.
    assert_eq!(waiting(&bed), ["v1"]);
    bed.evaluate("v1", &good());
    bed.registry.approve(&berta(), &model(), &name("v1"), "").unwrap();
}

#[test]
fn it_can_be_refused_and_withdrawn_and_asked_for_once_at_a_time() {
    let bed = bed();
    bed.fit("v1");
    let promote = || bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false);
    promote().unwrap();
    let twice = promote().unwrap_err().to_string();
    assert_eq!(
        twice,
        "anna has asked for this promotion already: it waits for a second person until 2026-06-02T00:00:00.000Z"
    );
    bed.registry.deny(&berta(), &model(), &name("v1"), "not before the weekend").unwrap();
    assert!(waiting(&bed).is_empty());
    promote().unwrap();
    bed.registry.deny(&anna(), &model(), &name("v1"), "a mistake").unwrap();
    assert_eq!(bed.last_record().3, "withdrawn: a mistake");
    let steps: Vec<_> = bed.history(&model()).into_iter().rev().take(4).map(|entry| entry.step).collect();
    assert_eq!(steps, [Step::ApprovalDenied, Step::ApprovalAsked, Step::ApprovalDenied, Step::ApprovalAsked]);
    assert!(bed.registry.approve(&berta(), &model(), &name("v1"), "").is_err());
}

#[test]
fn it_expires() {
    let bed = bed();
    bed.fit("v1");
    bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false).unwrap();
    let next_day = |who| after(who, 86_400);
    let error = bed.registry.approve(&next_day(berta()), &model(), &name("v1"), "").unwrap_err().to_string();
    assert!(error.contains("that anna asked for waited until 2026-06-02T00:00:00.000Z: ask again"), "{error}");
    assert!(bed.registry.model(&model(), next_day(anna()).now).unwrap().approvals.is_empty());
    bed.registry.promote(&next_day(anna()), &model(), &name("v1"), "still good", false).unwrap();
    bed.registry.approve(&next_day(berta()), &model(), &name("v1"), "").unwrap();
}

#[test]
fn what_waits_is_void_once_something_else_is_in_production() {
    let bed = bed();
    for version in ["v1", "v2"] {
        bed.register(version);
        bed.attach(version);
        bed.force(version).unwrap();
    }
    assert_eq!(waiting(&bed), ["v1", "v2"]);
    bed.registry.approve(&berta(), &model(), &name("v1"), "").unwrap();
    assert!(waiting(&bed).is_empty(), "v2 was to replace nothing, not v1");
    let last = bed.history(&model()).pop().unwrap();
    assert_eq!((last.version.as_str(), last.step), ("v2", Step::ApprovalDenied));
    assert_eq!(last.why, "v1 went into production meanwhile: ask again");
    is_linear(&bed.history(&model()));
}

#[test]
fn what_waits_is_not_deleted_and_what_fails_does_not_wait() {
    let bed = bed();
    bed.fit("v1");
    bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false).unwrap();
    let error = bed.registry.delete(&anna(), &model(), &name("v1"), "tidying").unwrap_err().to_string();
    assert!(error.ends_with("its promotion waits for a second person (anna asked)"), "{error}");
    bed.registry.advance(&anna(), &model(), &name("v1"), ModelStatus::Failed, "it leaks the future").unwrap();
    assert!(waiting(&bed).is_empty());
}

#[test]
fn a_rollback_waits_for_nobody() {
    let bed = bed();
    for version in ["v1", "v2"] {
        bed.register(version);
        bed.attach(version);
        bed.force(version).unwrap();
        bed.registry.approve(&berta(), &model(), &name(version), "").unwrap();
    }
    bed.registry.roll_back(&anna(), &model(), &Target::Before, "v2 loses").unwrap();
    assert_eq!(bed.production().as_deref(), Some("v1"));
}

#[test]
fn the_second_person_may_say_what_they_have_seen() {
    let bed = bed();
    bed.fit("v1");
    bed.registry.promote(&anna(), &model(), &name("v1"), "it is good", false).unwrap();
    let seen = bed.store.model(&model()).unwrap().unwrap().revision;
    bed.evaluate("v1", &good());
    let approve =
        |revision| bed.registry.approve(&expecting(berta(), Expected::Revision(revision)), &model(), &name("v1"), "");
    assert!(matches!(approve(seen), Err(RegistryError::Changed(_))));
    approve(seen + 1).unwrap();
}

/// Otherwise a second person would be asked about a version that has failed meanwhile.
#[test]
fn what_the_gates_fail_waits_no_more() {
    let bed = bed();
    bed.register("v1");
    bed.attach("v1");
    bed.force("v1").unwrap();
    assert_eq!(waiting(&bed), ["v1"]);
    bed.evaluate("v1", &bad());
    bed.registry.apply_gates(&anna(), &model(), &name("v1")).unwrap();
    assert_eq!((bed.status("v1"), waiting(&bed)), (ModelStatus::Failed, vec![]));
}
