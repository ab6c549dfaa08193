//! Generation jobs, and what generators report.

mod completion_refusals;
pub mod completions;
mod finished_texts;
mod job_ends;
mod job_scans;
pub mod job_status;
mod job_uploads;
pub mod requests;
pub mod texts;
mod texts_troubles;
