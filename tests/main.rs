//! The integration tests: one binary, so that it links once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod support;

mod browser;
mod cli;
mod http;
mod journal;
mod mirror;
mod notify;
mod product;
mod registry;
mod static_binary;
mod tidy;
