//! Generation jobs: what people request, what generators deliver, and the steps in between.

mod ask;
mod claim;
mod generations;
mod id;
mod record;
mod report;
mod step;
mod view;

pub use ask::{ASPECT_RATIOS, Ask, COUNT_MAX, DURATION_MAX, GOAL_MAX, PROMPT_MAX, TITLE_MAX, TOPIC_MAX};
pub use claim::{CheckedFile, Claim, ClaimedFile, TextFacts};
pub use generations::Generations;
pub use id::JobId;
pub use record::{Admission, Failure, Job, JobStatus, NewJob, Output, allowance_spent};
pub use report::{Report, job_not_found};
pub use step::{CANCELLED, CancelOutcome, JobStep, StepOutcome};
pub use view::{ErrorView, FinishedTextView, JobResult, JobView, MediaView, TextView, TokensView};
