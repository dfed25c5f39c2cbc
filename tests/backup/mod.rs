//! Backups, made by the real binary, and their copies.

mod s3;
