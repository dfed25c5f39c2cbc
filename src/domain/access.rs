use serde::{Deserialize, Serialize};

use super::role::Role;

/// What a program's token is for where it is not for a role: one thing, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Sends events in.
    Publish,
    /// Takes leases and uploads what became of them.
    Worker,
}

/// What a credential allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// All that a role may.
    Role(Role),
    /// One machine's work.
    Scope(Scope),
}

impl Grant {
    /// What no credential allows.
    pub const NONE: Self = Self::Role(Role::Open);

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

/// Who does something, as the audit log names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user's or token's name.
    pub name: String,
    /// Where from: an IP address, or `socket`.
    pub address: String,
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
}
