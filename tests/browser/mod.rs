//! The pages as people meet them: in a real browser, with and without scripts, by mouse and by keyboard, at a desk and on
//! a phone, by day and by night.

mod backups;
mod checks;
mod forms;
mod full_disk;
mod hostile;
mod jobs;
mod journey;
mod keyboard;
mod pages;
mod registry;
mod scene;
mod web;
