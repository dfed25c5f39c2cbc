//! The integration tests: one binary, so that it links once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod support;

#[path = "../examples/gates_table/strategy.rs"]
mod strategy;

mod adapter;
mod adapters;
mod appliance;
mod backup;
mod browser;
mod cli;
mod gates;
mod http;
mod import;
mod jobs;
mod journal;
mod kubernetes;
mod mirror;
mod notify;
mod operations;
mod package;
mod product;
mod registry;
mod restore;
mod runner;
mod schedule;
mod static_binary;
mod takeover;
mod tidy;
mod worker;
