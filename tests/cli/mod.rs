//! The commands, through the real binary.

mod accounts;
mod adapter;
mod answers;
mod bed;
mod config;
mod doctor;
mod import;
mod jobs;
mod models;
mod offline;
mod refusals;
mod schedule;
mod secrets;
mod terminal;
