//! Backups: made, broken off, damaged, verified, made while events come in, and their copies.

mod bed;
mod create;
mod daemon;
#[cfg(feature = "failpoints")]
mod incomplete;
#[cfg(feature = "failpoints")]
mod interrupted;
mod load;
mod receive;
mod remote;
mod s3;
mod sealed;
mod verify;
