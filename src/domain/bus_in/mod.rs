//! What other programs tell over the bus: which types are subscribed to, what a message must hold, and what becomes of one
//! that nobody can make sense of.

mod entry;
mod fields;
mod inbox;
mod letter;
mod message;
mod topic;
mod trade;

pub use self::entry::{BadEntryId, EntryId};
pub use self::fields::{Fields, MESSAGE_BYTES};
pub use self::inbox::{InboxRow, InboxState, TRIES};
pub use self::letter::{BadLetterState, DeadLetter, LetterState, LetterStateName};
pub use self::message::{About, Malformed, Message};
pub use self::topic::{BadTopic, Topic};
pub use self::trade::Trade;
