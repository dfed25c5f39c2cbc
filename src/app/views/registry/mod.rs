//! The pages of the registry. Each is one snapshot of the data file, so that what stands on it fits together.

/// One model: what was in production when, its versions, its history.
pub mod model;
/// All models.
pub mod models;
