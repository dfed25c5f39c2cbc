//! Backups: made, broken off, damaged, verified, and made while events come in.

mod bed;
mod create;
#[cfg(feature = "failpoints")]
mod interrupted;
mod load;
mod verify;
