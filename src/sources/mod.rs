//! What brings events in.
