//! Applies generators' reports and changes of files to a job.

mod claim;
mod follow;
mod report;
#[cfg(test)]
mod tests;

pub use claim::accept;
pub use follow::follow;
pub use report::{Sender, apply_report};
