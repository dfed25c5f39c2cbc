//! What goes back in time with a restore, in words that people know: users, tokens, intents, models, jobs.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::access::Grant;
use crate::domain::id::{EventId, IntentId, TokenId};
use crate::domain::intent::IntentState;
use crate::domain::job::JobId;
use crate::domain::role::Role;
use crate::domain::time::{Micros, rfc3339_option};

/// What a data file holds of that, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Events ever stored.
    pub events: u64,
    /// The newest one.
    pub last: EventId,
    /// The time of the journal's entry that was read last.
    pub position: Option<Micros>,
    /// Users by name.
    pub users: BTreeMap<String, HeldUser>,
    /// Tokens: number and name.
    pub tokens: BTreeMap<(TokenId, String), HeldToken>,
    /// Users who are signed in.
    pub sessions: u64,
    /// Where each intent stands.
    pub intents: BTreeMap<IntentId, IntentState>,
    /// The version in production of each model, if any.
    pub production: BTreeMap<String, Option<String>>,
    /// Versions of models that are not deleted.
    pub versions: u64,
    /// The number given to a job last.
    pub last_job: u64,
    /// Jobs that a worker has, or had until it was lost, and their models.
    pub held_jobs: BTreeMap<JobId, String>,
}

/// What is told of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldUser {
    /// What they may do.
    pub role: Role,
    /// Whether signing in is refused.
    pub disabled: bool,
    /// When the password was set.
    pub password_changed_at: Micros,
}

/// What is told of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldToken {
    /// What it allows.
    pub grant: Grant,
    /// Its end.
    pub expires_at: Micros,
}

/// What is otherwise after a restore. Where there is no file to compare with, `now` is absent, and nothing comes or goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Events: in the backup, and stored since.
    pub events: Count,
    /// Up to where the journal was read; it is read on from the backup's.
    pub journal: Instants,
    /// Users.
    pub users: UserChanges,
    /// Tokens.
    pub tokens: TokenChanges,
    /// Sessions of the backup: they are ended in any case.
    pub sessions_ended: u64,
    /// Intents.
    pub intents: IntentChanges,
    /// Models of which another version is in production.
    pub production: Vec<ProductionChange>,
    /// Versions of models.
    pub versions: Count,
    /// Jobs.
    pub jobs: JobChanges,
}

/// A number then and now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// In the backup.
    pub then: u64,
    /// In the present data file.
    pub now: Option<u64>,
}

/// An instant then and now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instants {
    /// In the backup, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub then: Option<Micros>,
    /// In the present data file, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub now: Option<Micros>,
}

/// Users, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserChanges {
    /// Everybody in the backup.
    pub then: Vec<String>,
    /// Deleted since: they can sign in again.
    pub come_back: Vec<String>,
    /// Added since: they are gone.
    pub gone: Vec<String>,
    /// Whose role is that of then.
    pub roles: Vec<RoleChange>,
    /// Disabled since: they can sign in again.
    pub enabled: Vec<String>,
    /// Enabled since: they cannot sign in.
    pub disabled: Vec<String>,
    /// Who changed their password since: the former one counts again.
    pub passwords: Vec<String>,
}

/// A role then and now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleChange {
    /// Whose.
    pub user: String,
    /// In the backup.
    pub then: String,
    /// In the present data file.
    pub now: String,
}

/// Tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenChanges {
    /// How many are in the backup.
    pub then: u64,
    /// Revoked since, and not expired: they are valid again.
    pub alive_again: Vec<TokenName>,
    /// Made since: they are refused.
    pub gone: Vec<TokenName>,
}

/// A token, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenName {
    /// Its number.
    pub number: TokenId,
    /// What it is called.
    pub name: String,
    /// What it allows: a role or a scope.
    pub grant: String,
}

/// Intents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntentChanges {
    /// Not resolved in the backup.
    pub open: u64,
    /// Resolved since: they are open again.
    pub open_again: u64,
    /// Acknowledged since: that is forgotten.
    pub unacknowledged: u64,
    /// Opened since: what the journal still has opens them again, under other numbers.
    pub gone: u64,
}

/// The version of a model in production, then and now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductionChange {
    /// Which model.
    pub model: String,
    /// In the backup.
    pub then: Option<String>,
    /// In the present data file.
    pub now: Option<String>,
}

/// Jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobChanges {
    /// Asked for since: they are gone, with what came of them.
    pub gone: u64,
    /// That a worker had at the time of the backup: what it says of them is refused, and they are done again.
    pub done_again: Vec<HeldJob>,
}

/// A job and its model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldJob {
    /// Which job.
    pub job: JobId,
    /// For which model.
    pub model: String,
}

/// What is otherwise when `then` takes the place of `now`; `at` is the present.
pub fn difference(then: &Holdings, now: Option<&Holdings>, at: Micros) -> Difference {
    let done_again = then.held_jobs.iter().map(|(job, model)| HeldJob { job: *job, model: model.clone() }).collect();
    let count = |then, now| Count { then, now };
    Difference {
        events: count(then.events, now.map(|now| now.events)),
        journal: Instants { then: then.position, now: now.and_then(|now| now.position) },
        users: users(then, now),
        tokens: tokens(then, now, at),
        sessions_ended: then.sessions,
        intents: intents(then, now),
        production: now.map(|now| production(then, now)).unwrap_or_default(),
        versions: count(then.versions, now.map(|now| now.versions)),
        jobs: JobChanges { gone: now.map_or(0, |now| now.last_job.saturating_sub(then.last_job)), done_again },
    }
}

fn users(then: &Holdings, now: Option<&Holdings>) -> UserChanges {
    let mut changes = UserChanges { then: then.users.keys().cloned().collect(), ..UserChanges::default() };
    let Some(now) = now else { return changes };
    changes.gone = now.users.keys().filter(|name| !then.users.contains_key(*name)).cloned().collect();
    for (name, was) in &then.users {
        let Some(is) = now.users.get(name) else {
            changes.come_back.push(name.clone());
            continue;
        };
        if was.role != is.role {
            let (then, now) = (was.role.as_str().to_owned(), is.role.as_str().to_owned());
            changes.roles.push(RoleChange { user: name.clone(), then, now });
        }
        match (was.disabled, is.disabled) {
            (false, true) => changes.enabled.push(name.clone()),
            (true, false) => changes.disabled.push(name.clone()),
            _ => {}
        }
        if was.password_changed_at != is.password_changed_at {
            changes.passwords.push(name.clone());
        }
    }
    changes
}

fn tokens(then: &Holdings, now: Option<&Holdings>, at: Micros) -> TokenChanges {
    let named = |((number, name), token): (&(TokenId, String), &HeldToken)| TokenName {
        number: *number,
        name: name.clone(),
        grant: token.grant.as_str().to_owned(),
    };
    let only_in = |these: &Holdings, those: &Holdings| {
        let alone = these.tokens.iter().filter(|(key, token)| !those.tokens.contains_key(key) && token.expires_at > at);
        alone.map(named).collect()
    };
    TokenChanges {
        then: then.tokens.len() as u64,
        alive_again: now.map(|now| only_in(then, now)).unwrap_or_default(),
        gone: now.map(|now| only_in(now, then)).unwrap_or_default(),
    }
}

fn intents(then: &Holdings, now: Option<&Holdings>) -> IntentChanges {
    let open = |state: &IntentState| *state != IntentState::Resolved;
    let mut changes =
        IntentChanges { open: then.intents.values().filter(|state| open(state)).count() as u64, ..Default::default() };
    let Some(now) = now else { return changes };
    for (id, was) in then.intents.iter().filter(|(_, was)| open(was)) {
        match (was, now.intents.get(id)) {
            (_, Some(IntentState::Resolved)) => changes.open_again += 1,
            (IntentState::Open, Some(IntentState::Acknowledged)) => changes.unacknowledged += 1,
            _ => {}
        }
    }
    changes.gone = now.intents.keys().filter(|id| !then.intents.contains_key(id)).count() as u64;
    changes
}

fn production(then: &Holdings, now: &Holdings) -> Vec<ProductionChange> {
    let models: BTreeSet<&String> = then.production.keys().chain(now.production.keys()).collect();
    let of = |holdings: &Holdings, model| holdings.production.get(model).cloned().flatten();
    let changes = models.into_iter().map(|model| ProductionChange {
        model: model.clone(),
        then: of(then, model),
        now: of(now, model),
    });
    changes.filter(|change| change.then != change.now).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Scope;

    const AT: Micros = Micros(1_000);

    fn user(role: Role, disabled: bool, password: u64) -> HeldUser {
        HeldUser { role, disabled, password_changed_at: Micros(password) }
    }

    fn with_users(users: &[(&str, HeldUser)]) -> Holdings {
        let users = users.iter().map(|(name, user)| ((*name).to_owned(), *user)).collect();
        Holdings { users, ..Holdings::default() }
    }

    #[test]
    fn users_come_back_go_and_are_what_they_were() {
        let then = with_users(&[
            ("anna", user(Role::Admin, false, 1)),
            ("bert", user(Role::Viewer, false, 1)),
            ("carl", user(Role::Viewer, true, 1)),
            ("dora", user(Role::Viewer, false, 1)),
        ]);
        let now = with_users(&[
            ("anna", user(Role::Operator, false, 2)),
            ("carl", user(Role::Viewer, false, 1)),
            ("dora", user(Role::Viewer, true, 1)),
            ("eve", user(Role::Admin, false, 1)),
        ]);
        let changes = difference(&then, Some(&now), AT).users;
        assert_eq!(changes.come_back, ["bert"]);
        assert_eq!(changes.gone, ["eve"]);
        let role = RoleChange { user: "anna".into(), then: "admin".into(), now: "operator".into() };
        assert_eq!(changes.roles, [role]);
        assert_eq!((changes.enabled, changes.disabled), (vec!["dora".to_owned()], vec!["carl".to_owned()]));
        assert_eq!(changes.passwords, ["anna"]);
    }

    #[test]
    fn a_revoked_token_lives_again_and_an_expired_one_does_not() {
        let token = |expires: u64| HeldToken { grant: Grant::Scope(Scope::Publish), expires_at: Micros(expires) };
        let key = |number, name: &str| (TokenId(number), name.to_owned());
        let then = Holdings {
            tokens: [(key(1, "feed"), token(2_000)), (key(2, "old"), token(900)), (key(3, "stays"), token(2_000))]
                .into(),
            ..Holdings::default()
        };
        let now = Holdings {
            tokens: [(key(3, "stays"), token(2_000)), (key(4, "new"), token(2_000))].into(),
            ..Holdings::default()
        };
        let changes = difference(&then, Some(&now), AT).tokens;
        let names = |tokens: &[TokenName]| tokens.iter().map(|token| token.name.clone()).collect::<Vec<_>>();
        assert_eq!((names(&changes.alive_again), names(&changes.gone)), (vec!["feed".into()], vec!["new".into()]));
        assert_eq!(changes.alive_again[0].grant, "publish");
    }

    #[test]
    fn intents_production_and_jobs() {
        use IntentState::{Acknowledged, Open, Resolved};
        let intents = |states: &[IntentState]| (1..).map(IntentId).zip(states.iter().copied()).collect();
        let production = |versions: &[(&str, Option<&str>)]| {
            versions.iter().map(|(model, version)| ((*model).to_owned(), version.map(str::to_owned))).collect()
        };
        let then = Holdings {
            intents: intents(&[Open, Open, Resolved, Acknowledged]),
            production: production(&[("a", Some("v1")), ("b", Some("v1")), ("c", None)]),
            last_job: 4,
            held_jobs: [(JobId(4), "a".to_owned())].into(),
            ..Holdings::default()
        };
        let now = Holdings {
            intents: intents(&[Resolved, Acknowledged, Resolved, Acknowledged, Open]),
            production: production(&[("a", Some("v2")), ("b", Some("v1")), ("c", None), ("d", Some("v9"))]),
            last_job: 7,
            ..Holdings::default()
        };
        let changes = difference(&then, Some(&now), AT);
        assert_eq!(changes.intents, IntentChanges { open: 3, open_again: 1, unacknowledged: 1, gone: 1 });
        let named: Vec<_> = changes.production.iter().map(|change| (change.model.as_str(), &change.then)).collect();
        assert_eq!(named, [("a", &Some("v1".to_owned())), ("d", &None)]);
        assert_eq!((changes.jobs.gone, changes.jobs.done_again.len()), (3, 1));
    }

    #[test]
    fn nothing_to_compare_with_is_no_difference() {
        let then = with_users(&[("anna", user(Role::Admin, false, 1))]);
        let changes = difference(&then, None, AT);
        assert_eq!(changes.users, UserChanges { then: vec!["anna".into()], ..UserChanges::default() });
        assert_eq!(changes.events.now, None);
    }
}
