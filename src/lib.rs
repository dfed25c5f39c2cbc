//! `quantum-clm`: the learning side of a crypto trading system in one binary and one data file.
//!
//! The modules stand in the order in which a log line meets them; ARCHITECTURE.md is the map with the invariants.

/// Settings: one struct a concern, and where each value came from.
pub mod config;
/// Types and decisions: pure and synchronous; no I/O, no clock, no async.
pub mod domain;
/// The listeners, the one accept loop, the route table, and the commands' client.
pub mod http;
/// Health, metrics, logging.
pub mod observe;
/// What brings events in.
pub mod sources;
/// How far the daemon is in stopping: one signal that every part can wait for.
pub mod stop;
/// The driver of everything that runs for as long as the daemon: start, back-off, status, ordered drain.
pub mod tasks;
