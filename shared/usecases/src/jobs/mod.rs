//! Applies generators' reports and changes of files to jobs.

mod claim;
mod follow;
mod report;
#[cfg(test)]
mod tests;

pub use claim::accept;
pub use follow::follow;
pub(crate) use follow::follow_arrival;
pub use report::{Sender, apply_report};
