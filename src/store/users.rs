use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::USERS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::account::UserName;
use crate::domain::role::Role;
use crate::domain::time::Micros;

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// The password's argon2id hash as a PHC string, with its salt and parameters.
    pub password_hash: String,
    /// Whether signing in is refused.
    pub disabled: bool,
    /// When they were added.
    pub created_at: Micros,
    /// When the password was set.
    pub password_changed_at: Micros,
    /// When they last signed in.
    pub last_sign_in: Option<Micros>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, role, disabled, .. } = self;
        write!(f, "User({name}, {}, disabled: {disabled})", role.as_str())
    }
}

records! { User = 1, "user"; }

impl Store {
    /// One user.
    pub fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        self.read(|ReadTxn { txn }| get(&txn.open_table(USERS)?, name))
    }

    /// Every user, by name.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read(|ReadTxn { txn }| all(&txn.open_table(USERS)?))
    }

    /// Whether there is any user.
    pub fn has_users(&self) -> Result<bool, StoreError> {
        self.read(|ReadTxn { txn }| Ok(txn.open_table(USERS)?.first()?.is_some()))
    }
}

fn get(table: &impl ReadableTable<&'static str, &'static [u8]>, name: &UserName) -> Result<Option<User>, StoreError> {
    table.get(name.as_str())?.map(|row| codec::decode(row.value())).transpose()
}

fn all(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Vec<User>, StoreError> {
    let mut users = Vec::new();
    for row in table.iter()? {
        users.push(codec::decode(row?.1.value())?);
    }
    Ok(users)
}

impl WriteTxn {
    /// One user, as this transaction sees them.
    pub fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        get(&self.txn.open_table(USERS)?, name)
    }

    /// Every user, as this transaction sees them.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        all(&self.txn.open_table(USERS)?)
    }

    /// Stores a user as they now are.
    pub fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.txn.open_table(USERS)?.insert(user.name.as_str(), codec::encode(user)?.as_slice())?;
        Ok(())
    }

    /// Removes a user.
    pub fn remove_user(&self, name: &UserName) -> Result<(), StoreError> {
        self.txn.open_table(USERS)?.remove(name.as_str())?;
        Ok(())
    }
}
