//! What several functions do in the same way with the table and the bucket.
//!
//! `consigne-core` decides: it computes a step from what was read. A use case here reads, has the step computed, writes it on
//! condition that nothing has changed, and tries again when another writer was faster.

pub mod calls;
pub mod endpoints;
pub mod holds;
pub mod jobs;
pub mod keys;
pub mod members;
pub mod migrations;
mod retry;
pub mod uploads;

pub use retry::ConflictRetry;
