use bincode::{Decode, Encode};

use crate::domain::time::Micros;

/// How often a message is tried that does not fit, or whose effect is refused.
pub const TRIES: u32 = 3;

/// What is known of a message that came in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct InboxRow {
    /// When it came, or was last tried.
    pub at: Micros,
    /// Of what it says ([`super::Fields::digest`]).
    pub digest: [u8; 16],
    /// What became of it.
    pub state: InboxState,
}

/// What became of a message. The stored form is the variant's number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum InboxState {
    /// Its effect is in the file.
    Taken,
    /// It was tried so often, and failed each time.
    Failed(u32),
    /// It was given up, and is this dead letter.
    Dead(u64),
}

impl InboxRow {
    /// Whether nothing happens to it any more.
    pub fn is_over(&self) -> bool {
        !matches!(self.state, InboxState::Failed(_))
    }

    /// How often it was tried in vain.
    pub fn tries(&self) -> u32 {
        match self.state {
            InboxState::Failed(tries) => tries,
            InboxState::Taken | InboxState::Dead(_) => 0,
        }
    }
}
