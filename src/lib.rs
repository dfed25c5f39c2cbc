//! `quantum-clm`: the learning side of a crypto trading system in one binary and one data file.
//!
//! The modules stand in the order in which a log line meets them; ARCHITECTURE.md is the map with the invariants.

/// Settings: one struct a concern, and where each value came from.
pub mod config;
/// Types and decisions: pure and synchronous; no I/O, no clock, no async.
pub mod domain;
/// Health, metrics, logging.
pub mod observe;
/// Child processes that never outlive their use.
pub mod process;
/// What brings events in.
pub mod sources;
