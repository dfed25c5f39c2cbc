//! What the predecessor left in its Redis stream: how an entry of it reads, which of them are taken, and which lines of
//! the journal it had already come to.
//!
//! An entry's `ts` is the journal entry's own time in microseconds (`__REALTIME_TIMESTAMP`), so a line is the same line
//! where unit and time are the same, whoever read it. The id of the entry in the stream is the id of the event.

mod entry;
mod judge;
mod places;

pub use entry::{Historic, NotTaken, id_of, read};
pub use judge::{Terms, Verdict, judge};
pub use places::{Place, Places};
