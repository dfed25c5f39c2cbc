//! The commands, through the real binary.

mod accounts;
mod answers;
mod bed;
mod config;
mod doctor;
mod import;
mod jobs;
mod models;
mod offline;
mod refusals;
mod secrets;
mod terminal;
