//! What a generator reports about a job.

use super::step::OURS;
use super::{ClaimedFile, Job, JobStep, TextFacts};
use crate::text::cut;
use crate::{Fault, Timestamp};

/// Longest code that is kept of a generator's report, in characters.
const CODE_MAX: usize = 64;
/// Longest message that is kept of a generator's report, in characters.
const MESSAGE_MAX: usize = 500;
/// Code of a failure that the generator reports without a code.
const FAILED: &str = "FAILED";

/// A report of a generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A generator has started the job.
    Begun,
    /// The job is done and these files were delivered.
    Completed {
        /// Name of the list of files in the report: `images`, `videos` or `texts`.
        list: &'static str,
        /// The files, as the generator describes them.
        files: Vec<ClaimedFile>,
        /// The report's data about a text.
        text: Option<TextFacts>,
    },
    /// The generator cannot do the job.
    Failed {
        /// Code that programs branch on.
        code: String,
        /// Sentence for the job's owner.
        message: String,
    },
}

impl Job {
    /// Returns the step after a reported failure, or `None` if the job has ended. The generator's texts are cut to a
    /// length that can be displayed. A code that only Consigne uses becomes `FAILED`.
    pub fn report_failure(&self, code: &str, message: &str, now: Timestamp) -> Option<JobStep> {
        let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
        let code = or(cut(code, CODE_MAX), FAILED);
        let code = if OURS.contains(&code.as_str()) { FAILED } else { &code };
        self.given_up(code, &or(cut(message, MESSAGE_MAX), "Generation failed"), now)
    }
}

/// Returns the 404 for a job that does not exist or belongs to somebody else.
pub fn job_not_found() -> Fault {
    Fault::not_found("Job")
}
