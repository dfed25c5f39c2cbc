//! Real programs under the real supervisor.

mod adopt;
mod bed;
mod ends;
mod lease;
mod limits;
mod nobody_left;
mod output;
