//! The integration tests: one binary, so that it links once.
// A test's own functions count as tests, which clippy cannot know.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cli;
