//! Types and decisions. Nothing here does I/O, reads a clock or is async: the present is an argument.

/// What a credential allows, and who acts.
pub mod access;
/// Users, passwords, and the secrets of sessions and tokens.
pub mod account;
/// What the operator's own programs are asked, and what they answer.
pub mod adapter;
/// Records of what was done and refused, chained by hash.
pub mod audit;
/// How long somebody who guesses has to wait.
pub mod backoff;
/// Backups: their names, what they say of themselves, which are kept, and what looking at one found.
pub mod backup;
/// A columnar run of events: what a source hands over, a block holds and a query reads.
pub mod batch;
/// Events that other programs are told: models trained, evaluated, promoted, rolled back.
pub mod bus;
/// What other programs tell us over the bus.
pub mod bus_in;
/// The predecessor's registry of JSON files.
pub mod clm3;
/// Hourly counters.
pub mod counter;
/// The path of one decision through the trading services.
pub mod decision_path;
/// How long the disk will do.
pub mod disk;
/// The UTF event and its parts.
pub mod event;
/// What a source delivers: events, its position, gaps, and how far time has come.
pub mod feed;
/// What a version has to show before it goes on.
pub mod gates;
/// Components, their states, and the verdict over them.
pub mod health;
/// What the predecessor left in its stream: what of it is taken in, and what the journal need not give again.
pub mod history;
/// Hourly counters as series for a chart.
pub mod hourly;
/// Typed identifiers.
pub mod id;
/// Instants as people write them.
pub mod instant;
/// Intents: things that somebody should look at, and their life.
pub mod intent;
/// What workers run: its states, its steps, and what worker and daemon tell each other.
pub mod job;
/// Models, versions, evaluations, history.
pub mod model;
/// From a log line to the fields of an event.
pub mod normalise;
/// Figures of returns and trades.
pub mod performance;
/// The names that the Python system has on a machine.
pub mod predecessor;
/// From what a program sends in to events.
pub mod publish;
/// Refused attempts on their way into the audit log.
pub mod refusal;
/// What a request may look like: its host, the page behind it, its way, its path, its depth.
pub mod request;
/// What a client names a request with, so that it can be sent again.
pub mod request_key;
/// What somebody may do.
pub mod role;
/// Rules: folds over what is committed, which open, update and resolve intents.
pub mod rules;
/// When which model is trained, and why not yet.
pub mod schedule;
/// Which trading service stands behind a unit.
pub mod source;
/// The stations on the path of a decision.
pub mod stage;
/// Instants, hours, and how they are written.
pub mod time;
/// What became of the signals of a window, stage by stage.
pub mod trade_path;
/// Webhooks: what is sent, when it is tried again, when it is given up.
pub mod webhook;
