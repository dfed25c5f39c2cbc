use axum::extract::Request;

use super::border::Border;
use super::error::ApiError;
use super::peer::{ADMIN_GROUP, Admins, Caller, Credential, Peer, Role};
use crate::domain::access::Actor;

/// What stands before every route: who asks.
#[derive(Clone, Debug, Default)]
pub struct Door {
    admins: Admins,
    border: Border,
}

impl Door {
    /// A door that knows the processes of this machine.
    pub fn new(admins: Admins) -> Self {
        Self { admins, border: Border::default() }
    }

    /// The same door behind this border.
    pub fn behind(self, border: Border) -> Self {
        Self { border, ..self }
    }

    /// What stands before it.
    pub(super) fn border(&self) -> &Border {
        &self.border
    }

    /// Who asks.
    pub(super) fn caller(&self, request: &Request) -> Caller {
        request.extensions().get::<Peer>().map_or_else(Caller::anonymous, |peer| self.admins.caller(peer))
    }

    /// Who acts, and from where.
    pub(super) fn actor(&self, caller: &Caller, request: &Request) -> Actor {
        let address = request.extensions().get::<Peer>().map_or_else(String::new, Peer::address);
        Actor { name: caller.name.clone(), address }
    }

    /// Why the caller may not do what asks for `least`, and what would help.
    pub(super) fn refusal(&self, caller: &Caller, least: Role) -> ApiError {
        match caller.credential {
            Credential::None => {
                ApiError::Unauthenticated("this needs a credential: sign in, or send an API token".to_owned())
            }
            Credential::Socket => ApiError::Forbidden(format!(
                "{} may not do this: add that user to the group {ADMIN_GROUP}",
                caller.name
            )),
            Credential::Session { .. } | Credential::Token(_) => {
                ApiError::Forbidden(format!("{} may not do this: it asks for the role {}", caller.name, least.as_str()))
            }
        }
    }
}
