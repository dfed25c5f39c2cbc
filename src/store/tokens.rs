use redb::{ReadableTable, Table};

use super::codec::{self, records};
use super::schema::TOKENS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::access::Grant;
use crate::domain::account::{Fingerprint, TokenName};
use crate::domain::id::TokenId;
use crate::domain::time::Micros;

/// A credential for programs. The row's key is the fingerprint of its text.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Token {
    /// Its number.
    pub id: TokenId,
    /// What it is called.
    pub name: TokenName,
    /// How its text begins, to tell one from another.
    pub shown: String,
    /// What it allows.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Micros,
    /// By whom.
    pub created_by: String,
    /// Its end.
    pub expires_at: Micros,
    /// When a request last carried it, to the minute.
    pub last_used: Option<Micros>,
    /// Where that came from.
    pub last_address: String,
}

records! { Token = 1, "token"; }

impl Store {
    /// The token of that text, whether it has expired or not.
    pub fn token(&self, print: &Fingerprint) -> Result<Option<Token>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let table = txn.open_table(TOKENS)?;
            let row = table.get(print.0.as_slice())?;
            row.map(|row| codec::decode(row.value())).transpose()
        })
    }

    /// Every token, in order of number.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut tokens: Vec<_> = all(&txn.open_table(TOKENS)?)?.into_iter().map(|(_, token)| token).collect();
            tokens.sort_by_key(|token| token.id);
            Ok(tokens)
        })
    }
}

type Rows = Vec<(Vec<u8>, Token)>;

fn all(table: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Rows, StoreError> {
    let mut tokens = Vec::new();
    for row in table.iter()? {
        let (print, row) = row?;
        tokens.push((print.value().to_vec(), codec::decode(row.value())?));
    }
    Ok(tokens)
}

impl WriteTxn {
    /// Every token, as this transaction sees them.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        Ok(all(&self.txn.open_table(TOKENS)?)?.into_iter().map(|(_, token)| token).collect())
    }

    /// Stores a token under its text's fingerprint.
    pub fn put_token(&self, print: &Fingerprint, token: &Token) -> Result<(), StoreError> {
        put(&mut self.txn.open_table(TOKENS)?, &print.0, token)
    }

    /// Removes the tokens that `ends` picks, and tells which they were.
    pub fn remove_tokens(&self, mut ends: impl FnMut(&Token) -> bool) -> Result<Vec<Token>, StoreError> {
        let mut table = self.txn.open_table(TOKENS)?;
        let mut removed = Vec::new();
        for (print, token) in all(&table)? {
            if ends(&token) {
                table.remove(print.as_slice())?;
                removed.push(token);
            }
        }
        Ok(removed)
    }

    /// Lets `change` see each token; stores those for which it answers `true`.
    pub fn change_tokens(&self, mut change: impl FnMut(&mut Token) -> bool) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(TOKENS)?;
        for (print, mut token) in all(&table)? {
            if change(&mut token) {
                put(&mut table, &print, &token)?;
            }
        }
        Ok(())
    }
}

fn put(table: &mut Table<'_, &'static [u8], &'static [u8]>, print: &[u8], token: &Token) -> Result<(), StoreError> {
    table.insert(print, codec::encode(token)?.as_slice())?;
    Ok(())
}
