use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::role::Role;

/// What a program's token is for where it is not for a role: one thing, and nothing else. The stored form is the
/// variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Sends events in.
    Publish,
    /// Takes jobs and reports on them, and registers, uploads and evaluates versions of models.
    Worker,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 2] = [Self::Publish, Self::Worker];

    /// As configuration, API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Worker => "worker",
        }
    }
}

/// What a credential allows. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Grant {
    /// All that a role may.
    Role(Role),
    /// One machine's work.
    Scope(Scope),
}

impl Grant {
    /// What no credential allows.
    pub const NONE: Self = Self::Role(Role::Open);

    /// Every grant that a token can have: three roles and two scopes.
    pub const GIVEN: [Self; 5] = [
        Self::Role(Role::Viewer),
        Self::Role(Role::Operator),
        Self::Role(Role::Admin),
        Self::Scope(Scope::Publish),
        Self::Scope(Scope::Worker),
    ];

    /// The role's or the scope's name; no two are the same.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::Scope(scope) => scope.as_str(),
        }
    }

    /// The role; a machine's grant has none beyond what is open to everybody.
    pub fn role(self) -> Role {
        match self {
            Self::Role(role) => role,
            Self::Scope(_) => Role::Open,
        }
    }

    /// Whether it opens what asks for `least`, or for `scope` where it names one.
    pub fn allows(self, least: Role, scope: Option<Scope>) -> bool {
        match self {
            Self::Role(role) => role >= least,
            Self::Scope(own) => least == Role::Open || scope == Some(own),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use viewer, operator, admin, publish or worker")]
pub struct BadGrant;

impl FromStr for Grant {
    type Err = BadGrant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::GIVEN.into_iter().find(|grant| grant.as_str() == text).ok_or(BadGrant)
    }
}

impl JsonSchema for Grant {
    fn schema_name() -> Cow<'static, str> {
        "Grant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "enum": Self::GIVEN.map(Self::as_str),
            "description": "A role, or the one thing that a machine may do.",
        })
    }
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What stands before a token's name where it acts. No user's name has a colon.
const TOKEN: &str = "token:";

/// Where who comes over the unix socket comes from.
const SOCKET: &str = "socket";

/// By what somebody who does something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A user.
    Person,
    /// A program with a token.
    Token,
    /// A process of this machine, over the unix socket: the credential is an account of the machine and no user.
    Local,
    /// The daemon itself: the scheduler, a job of ours, upkeep.
    Own,
}

/// Who does something, as the audit log names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user's or token's name.
    pub name: String,
    /// Where from: an IP address, or `socket`; empty for the daemon itself.
    pub address: String,
    /// By what they are known.
    pub kind: ActorKind,
}

impl Actor {
    /// A user, at an address.
    pub fn person(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address: address.into(), kind: ActorKind::Person }
    }

    /// A program with a token; `name` is [`token_actor`]'s.
    pub fn token(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address: address.into(), kind: ActorKind::Token }
    }

    /// An account of this machine, over the unix socket.
    pub fn local(name: impl Into<String>) -> Self {
        Self { name: name.into(), address: SOCKET.to_owned(), kind: ActorKind::Local }
    }

    /// A part of the daemon: `scheduler`, `job-17`. No user can be called what it is called then.
    pub fn own(part: impl fmt::Display) -> Self {
        let name = format!("{}:{part}", env!("CARGO_PKG_NAME"));
        Self { name, address: String::new(), kind: ActorKind::Own }
    }

    /// The daemon, where no part of it is to be told apart.
    pub fn daemon() -> Self {
        Self { name: env!("CARGO_PKG_NAME").to_owned(), address: String::new(), kind: ActorKind::Own }
    }
}

/// How a token of this name is called where it acts.
pub fn token_actor(name: impl fmt::Display) -> String {
    format!("{TOKEN}{name}")
}

/// The token's name, where it was one that acted as `name`.
pub fn acting_token(name: &str) -> Option<&str> {
    name.strip_prefix(TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_opens_its_own_routes_and_no_others() {
        for scope in [Scope::Publish, Scope::Worker] {
            let grant = Grant::Scope(scope);
            assert!(grant.allows(Role::Open, None), "{scope:?} may not do what everybody may");
            assert!(grant.allows(Role::Admin, Some(scope)), "{scope:?} may not do its own work");
            for least in [Role::Viewer, Role::Operator, Role::Admin] {
                assert!(!grant.allows(least, None), "{scope:?} acts as {least:?}");
            }
        }
        assert!(!Grant::Scope(Scope::Publish).allows(Role::Admin, Some(Scope::Worker)));
        assert!(!Grant::Role(Role::Operator).allows(Role::Admin, Some(Scope::Publish)));
    }

    #[test]
    fn who_acts_is_written_as_it_always_was() {
        assert_eq!(token_actor("trainer"), "token:trainer");
        assert_eq!(acting_token("token:trainer"), Some("trainer"));
        assert_eq!(acting_token("trainer"), None);
        assert_eq!(Actor::local("root").address, "socket");
        assert_eq!(Actor::daemon().name, "quantum-clm");
        assert_eq!(Actor::own("job-17").name, "quantum-clm:job-17");
        assert!(
            crate::domain::account::UserName::typed(&Actor::own("scheduler").name).is_err(),
            "a user can be called so"
        );
    }
}
