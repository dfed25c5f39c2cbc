//! `quantum-clm`: the learning side of a crypto trading system in one binary and one data file.
//!
//! The modules stand in the order in which a log line meets them; ARCHITECTURE.md is the map with the invariants.

/// What brings events in.
pub mod sources;
/// Types and decisions: pure, synchronous; no I/O, no clock, no async.
pub mod domain;
/// Batches become transactions.
pub mod pipeline;
/// The data file: schema, codec, one file an aggregate, the writer, retention, migration, copy.
pub mod store;
/// The files of models' versions: the directory beside the data file, and what is in production.
pub mod artifacts;
/// Backups: made, verified, kept and removed. Knows the data file and its directory, and nothing of the daemon.
pub mod backup;
/// Redis out: the events' stream, counters, intents, the event bus. The only follower that speaks Redis.
pub mod mirror;
/// Webhooks: signed requests to whoever wants to know. A follower of the outbox.
pub mod notify;
/// The one value that a task or a handler is given, and what the product answers when somebody asks.
pub mod app;
/// The driver of everything that runs for as long as the daemon: start, back-off, status, ordered drain.
pub mod tasks;
/// The listeners, the one accept loop, the route table, and the commands' client.
pub mod http;
/// The worker: runs the operator's programs for the daemon's jobs, in a process of its own.
pub mod worker;
/// Health, metrics, logging.
pub mod observe;
/// Child processes that never outlive their use.
pub mod process;
/// The log of a job: bounded, with offsets that never change.
pub mod joblog;
/// Running an operator's program under a supervisor, so that nothing of it survives and nothing of it is unknown.
pub mod runner;
/// Hosts' addresses without glibc's name service.
pub mod names;
/// Connections to them, with TLS.
pub mod connect;
/// How far the daemon is in stopping: one signal that every part can wait for.
pub mod stop;
/// Settings: one struct a concern, and where each value came from.
pub mod config;
/// The commands: one file a subcommand.
pub mod cli;
/// Named places at which a test can make the program fail or die.
mod failpoint;
/// Takes what shall fail from the environment; not a part of the product.
#[cfg(feature = "failpoints")]
#[doc(hidden)]
pub use failpoint::from_environment as failpoints_from_environment;
/// Entry points of the fuzzer; not a part of the product.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
