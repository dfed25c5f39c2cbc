//! The scheduler over a data file of its own, asked in this very process at instants of the test's choice.

pub(crate) mod bed;
mod triggers;
mod working;
