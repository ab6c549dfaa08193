//! Steps on the table and the bucket that several functions share.
//!
//! `consigne-core` decides: it computes a step from what was read. A use case here reads, lets the step be computed and
//! writes it on condition that nothing has changed since. If another writer was faster, it starts again.

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
