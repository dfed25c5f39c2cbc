//! The registry over a data file of its own, asked in this very process.

mod approvals;
mod as_of;
pub(crate) mod bed;
mod changes;
mod deletion;
mod lists;
mod many_at_once;
mod model_based;
mod names;
mod promotion;
mod trials;
