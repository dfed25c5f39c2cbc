//! `quantum-clm`: the learning side of a crypto trading system in one binary and one data file.
//!
//! The modules stand in the order in which a log line meets them; ARCHITECTURE.md is the map with the invariants.

/// Settings: one struct a concern, and where each value came from.
pub mod config;
/// Named places at which a test can make the program fail or die.
mod failpoint;

/// Types and decisions: pure and synchronous; no I/O, no clock, no async.
pub mod domain;
/// Redis out: the events' stream, counters, intents. The only follower that speaks Redis.
pub mod mirror;
/// Health, metrics, logging.
pub mod observe;
/// What brings events in.
pub mod sources;
/// The data file: schema, codec, one file an aggregate, the writer, retention, migration, copy.
pub mod store;
