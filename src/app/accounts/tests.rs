use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::domain::access::{Actor, Grant, Scope};
use crate::domain::account::UserName;
use crate::domain::audit::Outcome;
use crate::domain::role::Role;

const PASSWORD: &str = "correct horse battery";
const HOUR: u64 = Micros::HOUR;
const SECOND: u64 = Micros::SECOND;

/// Accounts of a new file, with a clock that stands until it is moved.
struct Bed {
    accounts: Accounts,
    clock: Arc<AtomicU64>,
    _directory: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("q.redb")).unwrap());
        let clock = Arc::new(AtomicU64::new(1_768_621_479_000_000));
        let read = clock.clone();
        let accounts = Accounts::with_clock(store, Auth::default(), move || Micros(read.load(Ordering::Relaxed)));
        Self { accounts, clock, _directory: directory }
    }

    /// With an admin, an operator and a viewer.
    fn with_users() -> Self {
        let bed = Self::new();
        for (name, role) in [("ada", Role::Admin), ("otto", Role::Operator), ("vera", Role::Viewer)] {
            bed.accounts.add_user(&root(), user(name), role, PASSWORD.into()).unwrap();
        }
        bed
    }

    fn pass(&self, micros: u64) {
        self.clock.fetch_add(micros, Ordering::Relaxed);
    }

    fn sign_in(&self, name: &str, password: &str) -> Result<NewSession, SignInError> {
        self.accounts.sign_in(name, password, "10.0.0.1", "a browser")
    }

    #[track_caller]
    fn signed_in(&self, name: &str) -> NewSession {
        self.sign_in(name, PASSWORD).unwrap()
    }

    fn is_good(&self, session: &NewSession) -> bool {
        self.accounts.session(session.secret.expose()).unwrap().is_some()
    }

    /// Action, subject and outcome of every record, oldest first.
    fn log(&self) -> Vec<(String, String, Outcome)> {
        self.accounts.upkeep().unwrap();
        let query = AuditQuery { limit: Some(1_000), ..AuditQuery::default() };
        let mut rows = self.accounts.audit(&query).unwrap().records;
        rows.reverse();
        rows.into_iter().map(|row| (row.action, row.subject, row.outcome)).collect()
    }

    #[track_caller]
    fn last(&self) -> AuditRow {
        self.accounts.upkeep().unwrap();
        self.accounts.audit(&AuditQuery::default()).unwrap().records.remove(0)
    }
}

fn root() -> Actor {
    Actor::local("root")
}

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

#[test]
fn a_session_from_sign_in_to_sign_out() {
    let bed = Bed::with_users();
    let one = bed.accounts.sign_in(" Vera ", PASSWORD, "10.0.0.1", &"x".repeat(500)).unwrap();
    let found = bed.accounts.session(one.secret.expose()).unwrap().unwrap();
    assert_eq!((found.user.as_str(), found.role, found.id), ("vera", Role::Viewer, one.id));
    assert_eq!(found.csrf.len(), 64);
    let two = bed.signed_in("vera");
    assert_ne!(one.secret, two.secret, "a secret twice");
    assert_ne!(found.csrf, bed.accounts.session(two.secret.expose()).unwrap().unwrap().csrf);

    let list = bed.accounts.sessions(None).unwrap().sessions;
    assert_eq!(list.iter().map(|row| row.id).collect::<Vec<_>>(), [one.id, two.id]);
    assert_eq!((list[0].agent.len(), list[0].address.as_str()), (200, "10.0.0.1"));
    assert!(bed.accounts.sessions(Some(&user("ada"))).unwrap().sessions.is_empty());

    bed.accounts.sign_out(&root(), one.id).unwrap();
    assert!(!bed.is_good(&one) && bed.is_good(&two));
    assert_eq!((bed.last().action.as_str(), bed.last().why.as_str()), ("sign-out", "of vera"));
    for secret in ["", "x", &"0".repeat(43), one.secret.expose()] {
        assert_eq!(bed.accounts.session(secret).unwrap(), None, "{secret:?}");
    }
    // Numbers do not come back: the log names them.
    assert!(bed.signed_in("vera").id > two.id);
}

#[test]
fn nothing_in_the_file_is_a_secret() {
    let bed = Bed::with_users();
    let session = bed.signed_in("ada");
    let token = bed.accounts.create_token(&root(), "t".parse().unwrap(), Grant::Scope(Scope::Publish), None).unwrap();
    bed.accounts.token(token.text.expose(), "10.0.0.1").unwrap();
    let csrf = bed.accounts.session(session.secret.expose()).unwrap().unwrap().csrf;
    bed.accounts.flush().unwrap();
    let file = std::fs::read(bed.accounts.store.path()).unwrap();
    for secret in [PASSWORD, session.secret.expose(), token.text.expose(), &csrf] {
        assert!(memchr::memmem::find(&file, secret.as_bytes()).is_none(), "{secret:?} is in the file");
    }
    assert!(memchr::memmem::find(&file, token.row.prefix.as_bytes()).is_some(), "the search finds nothing at all");
}

#[test]
fn sessions_end_by_idleness_and_by_age() {
    let bed = Bed::with_users();
    let (idle, used) = (bed.signed_in("vera"), bed.signed_in("otto"));
    for _ in 0..7 {
        bed.pass(HOUR);
        assert!(bed.is_good(&used));
    }
    // Use is known before the file hears of it, and after.
    bed.accounts.upkeep().unwrap();
    bed.pass(HOUR - 1);
    assert!(bed.is_good(&used));
    bed.pass(1);
    assert!(!bed.is_good(&idle), "idle for 8 h");
    assert_eq!(bed.accounts.sessions(None).unwrap().sessions.len(), 1);
    for _ in 0..(7 * 24 - 9) {
        bed.pass(HOUR);
        assert!(bed.is_good(&used));
    }
    bed.pass(HOUR);
    assert!(!bed.is_good(&used), "a week old");
    bed.accounts.upkeep().unwrap();
    assert!(bed.accounts.store.sessions().unwrap().is_empty(), "what has ended stays in the file");
    let expired = bed.log().iter().filter(|(action, ..)| action == "session.expire").count();
    assert_eq!(expired, 2);
}

#[test]
fn use_is_remembered_over_a_restart() {
    let bed = Bed::with_users();
    let session = bed.signed_in("vera");
    let token = bed.accounts.create_token(&root(), "t".parse().unwrap(), Grant::Role(Role::Viewer), None).unwrap();
    bed.pass(5 * HOUR);
    assert!(bed.is_good(&session));
    bed.accounts.token(token.text.expose(), "10.0.0.9").unwrap();
    let at = Micros(bed.clock.load(Ordering::Relaxed));
    assert_eq!(bed.accounts.tokens().unwrap().tokens[0].last_used, Some(at), "not seen before it is written");
    bed.accounts.flush().unwrap();
    let stored = bed.accounts.store.sessions().unwrap();
    assert_eq!(stored[0].last_seen, at);
    let stored = bed.accounts.store.tokens().unwrap();
    assert_eq!((stored[0].last_used, stored[0].last_address.as_str()), (Some(at), "10.0.0.9"));
    assert!(bed.accounts.seen.lock().unwrap().sessions.is_empty(), "kept in memory for ever");
}

#[test]
fn whatever_changes_a_user_ends_their_sessions_and_only_theirs() {
    type Change = fn(&Accounts) -> Result<UserRow, AccountError>;
    let changes: [(&str, Change); 4] = [
        ("user.password", |a| a.set_password(&root(), &user("otto"), "another password".into())),
        ("user.role", |a| a.set_role(&root(), &user("otto"), Role::Viewer)),
        ("user.disable", |a| a.disable_user(&root(), &user("otto"))),
        ("user.delete", |a| a.delete_user(&root(), &user("otto"))),
    ];
    for (action, change) in changes {
        let bed = Bed::with_users();
        let (otto, ada) = (bed.signed_in("otto"), bed.signed_in("ada"));
        change(&bed.accounts).unwrap();
        assert!(!bed.is_good(&otto), "{action} leaves a session");
        assert!(bed.is_good(&ada), "{action} ends another's session");
        let last = bed.last();
        assert_eq!((last.action.as_str(), last.subject.as_str(), last.by.as_str()), (action, "user otto", "root"));
    }
    let bed = Bed::with_users();
    let (one, two) = (bed.signed_in("vera"), bed.signed_in("vera"));
    assert!(bed.accounts.revoke_session(&root(), one.id, Some(&user("otto"))).is_err(), "somebody else's");
    bed.accounts.revoke_session(&root(), one.id, Some(&user("vera"))).unwrap();
    assert!(!bed.is_good(&one) && bed.is_good(&two));
    bed.accounts.revoke_all(&root(), &user("vera")).unwrap();
    assert!(!bed.is_good(&two));
}

#[test]
fn a_disabled_user_comes_back_with_the_old_password() {
    let bed = Bed::with_users();
    bed.accounts.disable_user(&root(), &user("vera")).unwrap();
    assert!(matches!(bed.sign_in("vera", PASSWORD), Err(SignInError::Wrong { seconds: 0 })), "told apart");
    assert_eq!(bed.last().why, "the user is disabled");
    bed.accounts.enable_user(&root(), &user("vera")).unwrap();
    bed.signed_in("vera");
}

#[test]
fn the_last_enabled_admin_stays() {
    let bed = Bed::with_users();
    let (root, ada, eva) = (root(), user("ada"), user("eva"));
    bed.accounts.add_user(&root, eva.clone(), Role::Admin, PASSWORD.into()).unwrap();
    bed.accounts.disable_user(&root, &eva).unwrap();
    let session = bed.signed_in("ada");
    for refused in [
        bed.accounts.delete_user(&root, &ada),
        bed.accounts.disable_user(&root, &ada),
        bed.accounts.set_role(&root, &ada, Role::Operator),
    ] {
        assert!(matches!(refused, Err(AccountError::LastAdmin(_))), "{refused:?}");
    }
    assert!(bed.is_good(&session), "half of it was done");
    let refused: Vec<_> = bed.log().into_iter().filter(|(.., outcome)| *outcome == Outcome::Refused).collect();
    assert_eq!(refused.len(), 3, "{refused:?}");
    bed.accounts.enable_user(&root, &eva).unwrap();
    bed.accounts.set_role(&root, &ada, Role::Operator).unwrap();
    // A disabled admin, or none at all, may go.
    bed.accounts.delete_user(&root, &ada).unwrap();
}

#[test]
fn users_are_checked() {
    let bed = Bed::with_users();
    let add = |role, password: &str| bed.accounts.add_user(&root(), user("new"), role, password.into());
    assert!(matches!(add(Role::Open, PASSWORD), Err(AccountError::Bad { field: "role", .. })));
    assert!(matches!(add(Role::Viewer, "short"), Err(AccountError::Bad { field: "password", .. })));
    add(Role::Viewer, PASSWORD).unwrap();
    assert!(matches!(add(Role::Viewer, PASSWORD), Err(AccountError::Conflict(_))));
    let nobody = user("nobody");
    assert!(matches!(bed.accounts.set_role(&root(), &nobody, Role::Admin), Err(AccountError::Unknown(_))));
    assert!(matches!(bed.accounts.delete_user(&root(), &nobody), Err(AccountError::Unknown(_))));
    let unchanged = bed.log().len();
    bed.accounts.set_role(&root(), &user("new"), Role::Viewer).unwrap();
    bed.accounts.enable_user(&root(), &user("new")).unwrap();
    assert_eq!(bed.log().len(), unchanged, "what changes nothing is no record");
}

#[test]
fn guessing_is_slowed_down_alike_for_known_and_unknown_names() {
    for name in ["vera", "nobody", "No Name!"] {
        let bed = Bed::with_users();
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.push(match bed.sign_in(name, "wrong") {
                Err(SignInError::Wrong { seconds }) => {
                    bed.pass(seconds * SECOND);
                    seconds
                }
                other => panic!("{name}: {other:?}"),
            });
        }
        assert_eq!(answers, [0, 0, 0, 0, 1, 2, 4, 8], "{name}");
        bed.sign_in(name, "wrong").unwrap_err();
        // In the wait nothing is looked at, and it does not grow by trying.
        for _ in 0..3 {
            assert!(matches!(bed.sign_in(name, PASSWORD), Err(SignInError::Wait { seconds: 16 })), "{name}");
        }
    }
}

#[test]
fn an_account_is_guarded_from_many_addresses_and_an_address_from_many_accounts() {
    let bed = Bed::with_users();
    let from = |address: &str, name: &str| bed.accounts.sign_in(name, "wrong", address, "");
    for n in 0..5 {
        from(&format!("10.0.0.{n}"), "vera").unwrap_err();
    }
    assert!(matches!(from("10.0.1.1", "vera"), Err(SignInError::Wait { seconds: 1 })));
    assert!(matches!(from("10.0.1.1", "otto"), Err(SignInError::Wrong { seconds: 0 })));
    // One network of IPv6 is one address.
    for n in 0..5 {
        from(&format!("2001:db8::{n}"), &format!("user{n}")).unwrap_err();
    }
    assert!(matches!(from("2001:db8::ffff", "ada"), Err(SignInError::Wait { .. })));
    assert!(matches!(from("2001:db8:0:1::1", "ada"), Err(SignInError::Wrong { .. })));
    assert_eq!(sessions::address_key("::ffff:10.0.0.1"), "10.0.0.1");
}

#[test]
fn success_clears_the_account_and_gives_the_address_back_one_try() {
    let bed = Bed::with_users();
    for _ in 0..4 {
        bed.sign_in("vera", "wrong").unwrap_err();
    }
    bed.signed_in("vera");
    // The account begins anew, the address does not: its owner may be somebody who guesses at others' accounts.
    assert!(matches!(bed.sign_in("otto", "wrong"), Err(SignInError::Wrong { seconds: 1 })));
    let other = bed.accounts.sign_in("vera", "wrong", "10.9.9.9", "");
    assert!(matches!(other, Err(SignInError::Wrong { seconds: 0 })));
}

#[test]
fn a_password_is_changed_by_who_knows_it() {
    let bed = Bed::with_users();
    let session = bed.signed_in("vera");
    let actor = Actor::person("vera", "10.0.0.1");
    let change =
        |present: &str, new: &str| bed.accounts.change_own_password(&actor, &user("vera"), present, new.into());
    assert!(matches!(change("wrong", "a new password"), Err(SignInError::Wrong { .. })));
    assert!(matches!(change(PASSWORD, "short"), Err(SignInError::Account(AccountError::Bad { .. }))));
    assert!(bed.is_good(&session));
    change(PASSWORD, "a new password").unwrap();
    assert!(!bed.is_good(&session));
    bed.sign_in("vera", PASSWORD).unwrap_err();
    bed.sign_in("vera", "a new password").unwrap();
}

#[test]
fn a_user_has_at_most_fifty_sessions() {
    let bed = Bed::with_users();
    // Made as sign-in makes them, without fifty password hashes.
    for n in 0..60_u8 {
        bed.accounts
            .store
            .write(|txn| {
                let id = txn.next_session_id()?;
                let now = Micros(bed.clock.load(Ordering::Relaxed));
                let (user, address, agent) = (user("vera"), String::new(), String::new());
                let expires_at = now.plus(HOUR);
                let session =
                    crate::store::Session { id, user, created_at: now, expires_at, last_seen: now, address, agent };
                txn.put_session(&crate::domain::account::Fingerprint([n; 32]), &session)
            })
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
    }
    let ada = bed.signed_in("ada");
    let newest = bed.signed_in("vera");
    let of_vera = bed.accounts.sessions(Some(&user("vera"))).unwrap().sessions;
    assert_eq!(of_vera.len(), 50);
    assert_eq!(of_vera.last().unwrap().id, newest.id, "the newest went");
    assert!(bed.is_good(&ada));
}

#[test]
fn a_token_from_making_to_revoking() {
    let bed = Bed::with_users();
    let create =
        |name: &str, grant, lifetime| bed.accounts.create_token(&root(), name.parse().unwrap(), grant, lifetime);
    let publish = Grant::Scope(Scope::Publish);
    let new = create("Execution 1", publish, None).unwrap();
    assert!(new.text.expose().starts_with(&new.row.prefix) && new.row.prefix.len() == 12, "{new:?}");
    assert_eq!(new.row.expires_at.0 - new.row.created_at.0, 90 * Micros::DAY);
    assert!(!format!("{new:?}").contains(new.text.expose()), "a debug line shows it");
    let found = bed.accounts.token(new.text.expose(), "10.0.0.1").unwrap();
    assert_eq!((found.id, found.grant), (new.row.id, publish));

    assert!(matches!(create("Execution 1", publish, None), Err(AccountError::Conflict(_))), "a name twice");
    for lifetime in [Duration::ZERO, Duration::from_secs(365 * 86_400 + 1)] {
        let refused = create("other", publish, Some(lifetime));
        assert!(matches!(refused, Err(AccountError::Bad { field: "expires_in_days", .. })), "{lifetime:?}");
    }
    assert!(matches!(create("other", Grant::NONE, None), Err(AccountError::Bad { field: "grant", .. })));

    let unknown = format!("qclm_{}", "0".repeat(43));
    assert!(matches!(bed.accounts.token(&unknown, ""), Err(TokenError::Unknown)));
    let text = new.text.expose();
    for malformed in ["", "x", &text[..text.len() - 1], &text.to_uppercase(), &format!("{text} ")] {
        assert!(matches!(bed.accounts.token(malformed, ""), Err(TokenError::Malformed)), "{malformed:?}");
    }
    bed.accounts.revoke_token(&root(), new.row.id).unwrap();
    assert!(matches!(bed.accounts.token(text, ""), Err(TokenError::Unknown)));
    assert!(matches!(bed.accounts.revoke_token(&root(), new.row.id), Err(AccountError::Unknown(_))));
    let actions: Vec<_> = bed.log().into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions[3..], ["token.create", "token.revoke"]);
}

#[test]
fn a_token_expires_and_goes_a_month_later() {
    let bed = Bed::with_users();
    let day = Some(Duration::from_secs(86_400));
    let new = bed.accounts.create_token(&root(), "t".parse().unwrap(), Grant::Role(Role::Admin), day).unwrap();
    bed.pass(24 * HOUR - 1);
    bed.accounts.token(new.text.expose(), "").unwrap();
    bed.pass(1);
    assert!(matches!(bed.accounts.token(new.text.expose(), ""), Err(TokenError::Expired { .. })));
    bed.accounts.upkeep().unwrap();
    assert!(bed.accounts.tokens().unwrap().tokens[0].expired, "gone before anybody saw why");
    bed.pass(30 * 24 * HOUR);
    bed.accounts.upkeep().unwrap();
    assert!(bed.accounts.tokens().unwrap().tokens.is_empty());
    assert_eq!(bed.last().action, "token.expire");
}

#[test]
fn refused_attempts_are_few_records_and_none_is_forgotten() {
    let bed = Bed::with_users();
    for _ in 0..5 {
        bed.sign_in("vera", "wrong").unwrap_err();
    }
    for _ in 0..95 {
        bed.sign_in("vera", "wrong").unwrap_err();
    }
    bed.accounts.upkeep().unwrap();
    bed.sign_in("nobody", "wrong").unwrap_err();
    bed.accounts.flush().unwrap();
    let query = AuditQuery { outcome: Some(Outcome::Refused), ..AuditQuery::default() };
    let rows = bed.accounts.audit(&query).unwrap().records;
    let told: Vec<_> = rows.iter().rev().map(|row| (row.by.as_str(), row.subject.as_str(), row.times)).collect();
    assert_eq!(told, [("vera", "user vera", 100), ("unknown", "user unknown", 1)]);
    assert!(bed.accounts.verify_audit().unwrap().whole);
}

#[test]
fn the_demo_has_its_admin_whatever_became_of_it() {
    let bed = Bed::new();
    let demo = user("demo");
    assert!(!bed.accounts.has_users().unwrap());
    let first = bed.accounts.demo_admin(&root(), &demo).unwrap();
    bed.sign_in("demo", first.expose()).unwrap();
    bed.accounts.add_user(&root(), user("ada"), Role::Admin, PASSWORD.into()).unwrap();
    bed.accounts.set_role(&root(), &demo, Role::Viewer).unwrap();
    bed.accounts.disable_user(&root(), &demo).unwrap();
    let second = bed.accounts.demo_admin(&root(), &demo).unwrap();
    assert_ne!(first, second);
    bed.sign_in("demo", first.expose()).unwrap_err();
    assert_eq!(bed.sign_in("demo", second.expose()).unwrap().role, Role::Admin);
}
