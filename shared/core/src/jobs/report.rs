//! What a generator reports of a job.

use super::step::OURS;
use super::{ClaimedFile, Job, JobStep, TextFacts};
use crate::text::cut;
use crate::{Fault, Timestamp};

/// Most characters kept of a code and of a sentence that a generator reports.
const CODE_MAX: usize = 64;
const MESSAGE_MAX: usize = 500;
/// Code of a failure whose generator gives none of its own.
const FAILED: &str = "FAILED";

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A generator has taken the job and is at work.
    Begun,
    /// The job is done, and this was delivered.
    Completed {
        /// What its sender calls the files: `images`, `videos` or `texts`.
        list: &'static str,
        /// The files.
        files: Vec<ClaimedFile>,
        /// What is said of a text.
        text: Option<TextFacts>,
    },
    /// It will not be done.
    Failed {
        /// What programs branch on.
        code: String,
        /// A sentence for the job's owner.
        message: String,
    },
}

impl Job {
    /// The step after a reported failure; `None` when the job has ended. The generator's words are cut to a length fit to be
    /// shown, and a code that only Consigne gives becomes `FAILED`.
    pub fn report_failure(&self, code: &str, message: &str, now: Timestamp) -> Option<JobStep> {
        let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
        let code = or(cut(code, CODE_MAX), FAILED);
        let code = if OURS.contains(&code.as_str()) { FAILED } else { &code };
        self.given_up(code, &or(cut(message, MESSAGE_MAX), "Generation failed"), now)
    }
}

/// The 404 for a job that does not exist, or belongs to somebody else.
pub fn job_not_found() -> Fault {
    Fault::not_found("Job")
}
