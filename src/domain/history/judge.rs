use super::NotTaken;
use super::entry::Historic;
use crate::domain::id::EventId;
use crate::domain::time::Micros;

/// What an entry is judged against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Nothing older is kept.
    pub oldest: Micros,
    /// The newest event that was taken from a history before this one; its successors stand behind it.
    pub after: EventId,
    /// The first event that the appliance stored by itself: what is taken stands before it.
    pub before: Option<EventId>,
}

/// What is known of an entry besides itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The store has a line of the same unit and time that it read itself.
    pub stored: bool,
    /// The stream had the same line before.
    pub twice: bool,
}

/// Whether an entry is taken in.
///
/// The order of the questions is that in which the answers help: a line that is stored needs no explanation, whatever
/// its id is.
pub fn judge(id: EventId, event: &Historic, known: Verdict, terms: &Terms) -> Result<(), NotTaken> {
    if known.twice {
        Err(NotTaken::Twice)
    } else if known.stored {
        Err(NotTaken::Stored)
    } else if event.ts < terms.oldest {
        Err(NotTaken::Old)
    } else if id <= terms.after || terms.before.is_some_and(|before| id >= before) {
        Err(NotTaken::NotBefore)
    } else {
        Ok(())
    }
}
