use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountError, Accounts, lock, micros, secret};
use crate::domain::access::{Actor, Grant};
use crate::domain::account::{self, Fingerprint, SHOWN, SecretText, TokenName};
use crate::domain::audit::AuditEntry;
use crate::domain::id::TokenId;
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::{self, Token};

/// How long a token lives where nobody says.
const LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// The most tokens: every page lists them all.
const TOKENS: usize = 1_000;

/// A token, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRow {
    /// Its number.
    pub id: TokenId,
    /// What it is called.
    pub name: TokenName,
    /// How its text begins.
    pub prefix: String,
    /// What it allows: a role, or a machine's scope.
    pub grant: Grant,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
    /// By whom.
    pub created_by: String,
    /// Its end.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub expires_at: Micros,
    /// Whether that is past.
    pub expired: bool,
    /// When a request last carried it.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub last_used: Option<Micros>,
    /// Where that came from; empty where it was not used.
    pub last_address: String,
}

impl TokenRow {
    fn of(token: Token, now: Micros) -> Self {
        let Token { id, name, shown, grant, created_at, created_by, expires_at, last_used, last_address } = token;
        let expired = now >= expires_at;
        Self { id, name, prefix: shown, grant, created_at, created_by, expires_at, expired, last_used, last_address }
    }
}

/// The tokens that were not revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenList {
    /// By number.
    pub tokens: Vec<TokenRow>,
    /// Null: the list is whole.
    pub next: Option<String>,
}

impl TokenList {
    /// From the data file alone.
    pub fn read(store: &store::Store, now: Micros) -> Result<Self, AccountError> {
        let tokens = store.tokens()?.into_iter().map(|token| TokenRow::of(token, now)).collect();
        Ok(Self { tokens, next: None })
    }
}

/// A token that was just made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What is known of it from now on.
    pub row: TokenRow,
    /// What programs send. It is shown once, and nobody can have it a second time.
    pub text: SecretText,
}

/// Why a token is no credential.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It has not the form of one.
    #[error("this is no token of quantum-clm")]
    Malformed,
    /// There is none such, or it was revoked.
    #[error("there is no such token: it was revoked, or never made")]
    Unknown,
    /// It has expired.
    #[error("the token {name} has expired: make another one")]
    Expired {
        /// What it is called.
        name: TokenName,
    },
    /// It could not be looked up.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl Accounts {
    /// The token of that text, if it is good; `address` is where it was sent from.
    pub fn token(&self, text: &str, address: &str) -> Result<Token, TokenError> {
        if !account::is_token(text) {
            return Err(TokenError::Malformed);
        }
        let found = self.store.token(&Fingerprint::of_token(text)).map_err(AccountError::from)?;
        let token = found.ok_or(TokenError::Unknown)?;
        let now = (self.clock)();
        if now >= token.expires_at {
            return Err(TokenError::Expired { name: token.name });
        }
        lock(&self.seen).tokens.insert(token.id, (now, address.to_owned()));
        Ok(token)
    }

    /// Every token that was not revoked.
    pub fn tokens(&self) -> Result<TokenList, AccountError> {
        let mut list = TokenList::read(&self.store, (self.clock)())?;
        let seen = lock(&self.seen);
        for row in &mut list.tokens {
            if let Some((at, address)) = seen.tokens.get(&row.id) {
                (row.last_used, row.last_address) = (Some(*at), address.clone());
            }
        }
        Ok(list)
    }

    /// How long a new token lives at most, and where nobody says.
    pub fn token_lifetimes(&self) -> (Duration, Duration) {
        let most = self.settings.token_lifetime_max;
        (most, LIFETIME.min(most))
    }

    /// Makes a token. Names are unique, so that the log tells who acts, and a request that is sent twice makes one.
    pub fn create_token(
        &self,
        actor: &Actor,
        name: TokenName,
        grant: Grant,
        lifetime: Option<Duration>,
    ) -> Result<NewToken, AccountError> {
        let (most, usual) = self.token_lifetimes();
        let lifetime = lifetime.unwrap_or(usual);
        if lifetime.is_zero() || lifetime > most {
            let why = format!("a token lives from a second to {} days", most.as_secs() / 86_400);
            return Err(AccountError::Bad { field: "expires_in_days", why });
        }
        if !Grant::GIVEN.contains(&grant) {
            return Err(AccountError::Bad { field: "grant", why: crate::domain::access::BadGrant.to_string() });
        }
        let text = account::token_text(&secret()?);
        let print = Fingerprint::of_token(text.expose());
        let now = (self.clock)();
        self.store.write(|txn| {
            let tokens = txn.tokens()?;
            if let Some(other) = tokens.iter().find(|token| token.name == name) {
                let why = format!("there is a token {name} already, number {}: revoke it first", other.id);
                return Err(AccountError::Conflict(why));
            }
            if tokens.len() >= TOKENS {
                return Err(AccountError::Conflict(format!("there are {TOKENS} tokens: revoke some first")));
            }
            let token = Token {
                id: txn.next_token_id()?,
                name,
                shown: text.expose().chars().take(SHOWN).collect(),
                grant,
                created_at: now,
                created_by: actor.name.clone(),
                expires_at: now.plus(micros(lifetime)),
                last_used: None,
                last_address: String::new(),
            };
            txn.put_token(&print, &token)?;
            let why = format!("{grant}, until {}", token.expires_at.rfc3339());
            txn.audit(AuditEntry::done(now, actor, "token.create", about(&token), why))?;
            Ok(NewToken { row: TokenRow::of(token, now), text })
        })
    }

    /// Revokes a token: from now on it is no credential.
    pub fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<TokenRow, AccountError> {
        let now = (self.clock)();
        self.store.write(|txn| {
            let removed = txn.remove_tokens(|token| token.id == id)?;
            let token = removed.into_iter().next().ok_or_else(|| AccountError::Unknown(format!("token {id}")))?;
            txn.audit(AuditEntry::done(now, actor, "token.revoke", about(&token), ""))?;
            Ok(TokenRow::of(token, now))
        })
    }
}

/// How the audit log names a token.
pub(super) fn about(token: &Token) -> String {
    format!("token {} {}", token.id, token.name)
}
