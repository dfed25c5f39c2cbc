//! The pages of the registry. Each is one snapshot of the data file, so that what stands on it fits together.

/// One model: what was in production when, its versions, its history.
pub mod model;
/// All models.
pub mod models;
/// Returns as curves.
pub mod returns;
/// One version: where it comes from, what it has shown, what the gates say.
pub mod version;
/// Several versions beside each other.
pub mod compare;
