use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountError, Accounts, lock, secret};
use crate::domain::access::Actor;
use crate::domain::account::{Password, SecretText, UserName};
use crate::domain::audit::AuditEntry;
use crate::domain::refusal::Refusal;
use crate::domain::role::Role;
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::{User, WriteTxn};

/// The most users of an appliance: every page lists them all.
const USERS: usize = 1_000;

/// A user, without what nobody needs to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserRow {
    /// The name.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// Whether signing in is refused.
    pub disabled: bool,
    /// When they were added.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
    /// When the password was set.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub password_changed_at: Micros,
    /// When they last signed in.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub last_sign_in: Option<Micros>,
}

/// Every user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<UserRow>,
    /// Null: the list is whole.
    pub next: Option<String>,
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        let User { name, role, disabled, created_at, password_changed_at, last_sign_in, .. } = user;
        Self { name, role, disabled, created_at, password_changed_at, last_sign_in }
    }
}

impl UserList {
    /// From the data file alone.
    pub fn read(store: &crate::store::Store) -> Result<Self, AccountError> {
        Ok(Self { users: store.users()?.into_iter().map(UserRow::from).collect(), next: None })
    }
}

impl Accounts {
    /// Every user.
    pub fn users(&self) -> Result<UserList, AccountError> {
        UserList::read(&self.store)
    }

    /// Adds a user.
    pub fn add_user(
        &self,
        actor: &Actor,
        name: UserName,
        role: Role,
        password: String,
    ) -> Result<UserRow, AccountError> {
        let role = given(role)?;
        let password_hash = self.hash(password, &name)?;
        let now = (self.clock)();
        self.store.write(|txn| {
            if txn.user(&name)?.is_some() {
                return Err(AccountError::Conflict(format!("there is a user {name} already")));
            }
            if txn.users()?.len() >= USERS {
                return Err(AccountError::Conflict(format!("there are {USERS} users: delete some first")));
            }
            let user = User {
                name: name.clone(),
                role,
                password_hash,
                disabled: false,
                created_at: now,
                password_changed_at: now,
                last_sign_in: None,
            };
            txn.put_user(&user)?;
            txn.audit(AuditEntry::done(now, actor, "user.add", about(&name), format!("role {}", role.as_str())))?;
            Ok(UserRow::from(user))
        })
    }

    /// Sets a user's password, and ends every session that began with the old one.
    pub fn set_password(&self, actor: &Actor, name: &UserName, password: String) -> Result<UserRow, AccountError> {
        // Before the work of a hash, and again in the transaction.
        self.store.user(name)?.ok_or_else(|| unknown(name))?;
        let hash = self.hash(password, name)?;
        self.change(actor, name, "user.password", |user, now| {
            user.password_hash = hash;
            user.password_changed_at = now;
            Ok(Some(String::new()))
        })
    }

    /// Sets the password of somebody who is signed in and says the present one, which is guarded against guessing as at
    /// sign-in. Ends every session of theirs, this one too.
    pub fn change_own_password(
        &self,
        actor: &Actor,
        name: &UserName,
        present: &str,
        password: String,
    ) -> Result<UserRow, super::SignInError> {
        self.confirm(actor, name, present, "user.password")?;
        Ok(self.set_password(actor, name, password)?)
    }

    /// Gives a user another role, and ends their sessions.
    pub fn set_role(&self, actor: &Actor, name: &UserName, role: Role) -> Result<UserRow, AccountError> {
        let role = given(role)?;
        self.change(actor, name, "user.role", |user, _| {
            let before = std::mem::replace(&mut user.role, role);
            Ok((before != role).then(|| format!("from {} to {}", before.as_str(), role.as_str())))
        })
    }

    /// Lets a user sign in no more, and ends their sessions.
    pub fn disable_user(&self, actor: &Actor, name: &UserName) -> Result<UserRow, AccountError> {
        self.change(actor, name, "user.disable", |user, _| {
            Ok((!std::mem::replace(&mut user.disabled, true)).then(String::new))
        })
    }

    /// Lets a user sign in again.
    pub fn enable_user(&self, actor: &Actor, name: &UserName) -> Result<UserRow, AccountError> {
        self.change(actor, name, "user.enable", |user, _| {
            Ok(std::mem::replace(&mut user.disabled, false).then(String::new))
        })
    }

    /// Deletes a user, and ends their sessions. Tokens that they made stay: those are the programs' own.
    pub fn delete_user(&self, actor: &Actor, name: &UserName) -> Result<UserRow, AccountError> {
        let now = (self.clock)();
        let deleted = self.store.write(|txn| {
            let user = txn.user(name)?.ok_or_else(|| unknown(name))?;
            txn.remove_user(name)?;
            an_admin_is_left(txn, &user)?;
            txn.end_sessions(|session| session.user == *name)?;
            txn.audit(AuditEntry::done(now, actor, "user.delete", about(name), ""))?;
            Ok(UserRow::from(user))
        });
        if deleted.is_ok() {
            self.end_held(actor, "user.delete", |session| session.user == *name, now);
        }
        self.tell(actor, "user.delete", name, deleted)
    }

    /// Makes `name` an admin with a new random password, whatever was there: for the demo's own file, and no other.
    pub fn demo_admin(&self, actor: &Actor, name: &UserName) -> Result<SecretText, AccountError> {
        let password = secret()?;
        if self.store.user(name)?.is_none() {
            self.add_user(actor, name.clone(), Role::Admin, password.expose().to_owned())?;
        } else {
            self.set_password(actor, name, password.expose().to_owned())?;
            self.enable_user(actor, name)?;
            self.set_role(actor, name, Role::Admin)?;
        }
        Ok(password)
    }

    fn hash(&self, password: String, name: &UserName) -> Result<String, AccountError> {
        let password = Password::new(password, name)
            .map_err(|error| AccountError::Bad { field: "password", why: error.to_string() })?;
        self.hashing.hash(&password)
    }

    /// Changes a user, ends their sessions and records it, in one transaction. `change` answers what to say in the log, or
    /// nothing where nothing changes.
    fn change(
        &self,
        actor: &Actor,
        name: &UserName,
        action: &'static str,
        change: impl FnOnce(&mut User, Micros) -> Result<Option<String>, AccountError>,
    ) -> Result<UserRow, AccountError> {
        let now = (self.clock)();
        let changed = self.store.write(|txn| {
            let before = txn.user(name)?.ok_or_else(|| unknown(name))?;
            let mut user = before.clone();
            if let Some(why) = change(&mut user, now)? {
                txn.put_user(&user)?;
                an_admin_is_left(txn, &before)?;
                txn.end_sessions(|session| session.user == *name)?;
                txn.audit(AuditEntry::done(now, actor, action, about(name), why))?;
            }
            Ok(UserRow::from(user))
        });
        if changed.is_ok() {
            self.end_held(actor, action, |session| session.user == *name, now);
        }
        self.tell(actor, action, name, changed)
    }

    /// Takes down an attempt on the last admin.
    fn tell<T>(
        &self,
        actor: &Actor,
        action: &'static str,
        name: &UserName,
        result: Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        if matches!(result, Err(AccountError::LastAdmin(_))) {
            let why = "the last admin who can sign in".to_owned();
            self.refused(Refusal { actor: actor.clone(), action, subject: about(name), why });
        }
        result
    }

    /// Forgets failed sign-ins of an account, once its owner has shown who they are.
    pub(super) fn forgive(&self, account: &str, address: &str) {
        let mut throttle = lock(&self.throttle);
        throttle.accounts.clear(account);
        // Only this attempt: the others of the address may have been guesses at other accounts.
        throttle.addresses.give_back(address);
    }
}

/// Refuses a change, made in this transaction to a user who was `before`, that takes away the last enabled admin.
fn an_admin_is_left(txn: &WriteTxn, before: &User) -> Result<(), AccountError> {
    let is_one = |user: &User| user.role == Role::Admin && !user.disabled;
    if is_one(before) && !txn.users()?.iter().any(is_one) {
        return Err(AccountError::LastAdmin(before.name.to_string()));
    }
    Ok(())
}

fn given(role: Role) -> Result<Role, AccountError> {
    if Role::GIVEN.contains(&role) {
        return Ok(role);
    }
    Err(AccountError::Bad { field: "role", why: "use viewer, operator or admin".into() })
}

/// How the audit log names a user.
pub(super) fn about(name: &UserName) -> String {
    format!("user {name}")
}

fn unknown(name: &UserName) -> AccountError {
    AccountError::Unknown(about(name))
}
