use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a caller may do; each role may do what the ones before it may. The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What needs no credential. Nobody is given it.
    #[schemars(skip)]
    Open,
    /// Sees.
    Viewer,
    /// Acknowledges, trains, promotes through the gates.
    Operator,
    /// Users, tokens, backup, forced promotion.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 4] = [Self::Open, Self::Viewer, Self::Operator, Self::Admin];

    /// The roles that a user or a token can be given: what is open to everybody is none.
    pub const GIVEN: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// As configuration, API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}
