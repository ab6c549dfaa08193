//! Generation jobs, and what generators report.

mod completion_refusals;
pub mod completions;
mod job_ends;
pub mod job_status;
mod job_uploads;
pub mod requests;
pub mod texts;
mod texts_troubles;
