//! Use cases: operations on the table and the bucket that several functions share.
//!
//! A use case reads records, lets `consigne-core` compute a step from them, and writes the step on condition that the
//! records have not changed since. After a conflict it starts again.

pub mod calls;
pub mod endpoints;
pub mod exports;
pub mod holds;
pub mod jobs;
pub mod keys;
pub mod members;
pub mod migrations;
mod orders;
pub mod orgs;
pub mod reconcile;
mod retry;
pub mod uploads;

pub use retry::ConflictRetry;
