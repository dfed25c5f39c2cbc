use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::api::blocking;
use super::border::{Border, ClientAddress};
use super::cookie;
use super::error::ApiError;
use super::peer::{ADMIN_GROUP, Admins, Caller, Credential, Peer, Role};
use crate::app::accounts::{Accounts, TokenError};
use crate::domain::access::{Actor, Grant, token_actor};
use crate::domain::account::{SHOWN, is_token};
use crate::domain::refusal::Refusal;

/// What stands before every route: who asks, by the socket's peer, a session's cookie or an API token.
#[derive(Clone, Default)]
pub struct Door {
    admins: Admins,
    border: Border,
    accounts: Option<Arc<Accounts>>,
}

/// A credential that is refused, with what the audit log can say about whose it is.
pub(super) struct BadCredential {
    pub(super) error: ApiError,
    by: String,
    why: String,
}

impl BadCredential {
    fn new(by: impl Into<String>, why: impl Into<String>, error: impl FnOnce(String) -> ApiError) -> Self {
        let why = why.into();
        Self { error: error(why.clone()), by: by.into(), why }
    }

    /// Of nobody that is known.
    fn anonymous(why: &str, error: impl FnOnce(String) -> ApiError) -> Self {
        Self::new(Caller::anonymous().name, why, error)
    }
}

impl From<ApiError> for BadCredential {
    fn from(error: ApiError) -> Self {
        Self { by: Caller::anonymous().name, why: error.to_string(), error }
    }
}

impl Door {
    /// A door that knows the processes of this machine, and no users.
    pub fn new(admins: Admins) -> Self {
        Self { admins, border: Border::default(), accounts: None }
    }

    /// Stands behind this border.
    pub fn behind(mut self, border: Border) -> Self {
        self.border = border;
        self
    }

    /// What stands before it.
    pub(super) fn border(&self) -> &Border {
        &self.border
    }

    /// Knows users and tokens besides.
    pub fn with_accounts(mut self, accounts: Arc<Accounts>) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// Who asks, as far as the connection tells. Reads no file of ours, so that `/health` answers whatever is broken.
    pub(super) fn peer(&self, parts: &Parts) -> Caller {
        parts.extensions.get::<Peer>().map_or_else(Caller::anonymous, |peer| self.admins.caller(peer))
    }

    /// Who asks. A wrong token is refused, never taken for nobody's: its sender should learn of it. A cookie that has ended
    /// is nobody's: it is what a browser has after a week.
    pub(super) async fn caller(&self, parts: &Parts) -> Result<Caller, BadCredential> {
        let (token, secret) = (bearer(&parts.headers)?, cookie::find(&parts.headers)?);
        match (token, secret) {
            (Some(_), Some(_)) => Err(ApiError::Refused("a token and a cookie: send one of them".to_owned()).into()),
            (Some(token), None) => self.token(token, address(parts)).await,
            // Browsers do not speak over the socket; whoever does is known already.
            (None, _) if matches!(parts.extensions.get(), Some(Peer::Unix { .. })) => Ok(self.peer(parts)),
            (None, Some(secret)) => self.session(secret).await,
            (None, None) => Ok(Caller::anonymous()),
        }
    }

    async fn session(&self, secret: &str) -> Result<Caller, BadCredential> {
        let Some(accounts) = self.accounts.clone() else { return Ok(Caller::anonymous()) };
        let secret = secret.to_owned();
        let session = blocking(move || accounts.session(&secret)).await?;
        Ok(session.map_or_else(Caller::anonymous, |session| Caller {
            name: session.user.to_string(),
            grant: Grant::Role(session.role),
            credential: Credential::Session { id: session.id, csrf: session.csrf },
        }))
    }

    async fn token(&self, text: &str, address: String) -> Result<Caller, BadCredential> {
        let Some(accounts) = self.accounts.clone() else {
            return Err(BadCredential::anonymous("there are no tokens here", ApiError::Unauthenticated));
        };
        // Which token it would be: the start of its text, which lists show too. Nothing of what is no token at all: it may
        // be a password.
        let shown: String = if is_token(text) { text.chars().take(SHOWN).collect() } else { String::new() };
        let text = text.to_owned();
        let found = blocking(move || Ok::<_, ApiError>(accounts.token(&text, &address))).await?;
        match found {
            Ok(token) => Ok(Caller {
                // No user can be called this, whoever names the token.
                name: token_actor(&token.name),
                grant: token.grant,
                credential: Credential::Token(token.id),
            }),
            Err(TokenError::Account(error)) => Err(ApiError::from(error).into()),
            Err(TokenError::Expired { name }) => {
                let why = TokenError::Expired { name: name.clone() }.to_string();
                Err(BadCredential::new(token_actor(name), why, ApiError::Unauthenticated))
            }
            Err(error) => {
                let mut refused = BadCredential::anonymous(&error.to_string(), ApiError::Unauthenticated);
                if !shown.is_empty() {
                    refused.why = format!("{}: {shown}…", refused.why);
                }
                Err(refused)
            }
        }
    }

    /// Why the caller may not do what asks for `least`, and what would help.
    pub(super) fn refusal(&self, caller: &Caller, least: Role) -> ApiError {
        match caller.credential {
            Credential::None => {
                ApiError::Unauthenticated("this needs a credential: sign in, or send an API token".to_owned())
            }
            Credential::Socket => ApiError::Forbidden(format!(
                "this is not for {}: add that user to the group {ADMIN_GROUP}",
                caller.name
            )),
            Credential::Session { .. } | Credential::Token(_) => ApiError::Forbidden(format!(
                "this asks for the role {}, which {} does not have",
                least.as_str(),
                caller.name
            )),
        }
    }

    /// Takes down that a credential was refused.
    pub(super) fn note_credential(&self, parts: &Parts, path: &str, refused: &BadCredential) {
        self.note(parts, path, "access.credential", &refused.by, &refused.why);
    }

    /// Takes down that `by` was refused at one of the borders: `access.role`, `access.csrf`, ….
    pub(super) fn note(&self, parts: &Parts, path: &str, action: &'static str, by: &str, why: &str) {
        if let Some(accounts) = &self.accounts {
            // Whoever it is, they did nothing.
            let actor = Actor::person(by, address(parts));
            let subject = format!("{} {path}", method(&parts.method));
            accounts.refused(Refusal { actor, action, subject, why: why.to_owned() });
        }
    }
}

/// A method as the audit log names it: what a client invents is not written down.
fn method(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::PATCH | Method::OPTIONS => {
            method.as_str()
        }
        _ => "another method",
    }
}

/// Where a request comes from, as the audit log and the back-off know it: behind a trusted proxy, who it asks for.
pub(super) fn address(parts: &Parts) -> String {
    match parts.extensions.get() {
        Some(ClientAddress(address)) => address.to_string(),
        None => parts.extensions.get::<Peer>().map_or_else(String::new, Peer::address),
    }
}

/// The text of `Authorization: Bearer …`, where there is such a header. Two headers are refused, and so is another scheme.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, BadCredential> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::Refused("two Authorization headers: send one".to_owned()).into());
    }
    let parts = value.to_str().ok().and_then(|value| value.split_once(' '));
    match parts {
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(text.trim())),
        _ => Err(ApiError::Unauthenticated("the Authorization header is not `Bearer <token>`".to_owned()).into()),
    }
}
