//! Takes what a generator reports at the end of an image job: what it delivered, or why it did not.

use consigne_core::files::Kind;
use consigne_core::jobs::ClaimedFile;
use consigne_runtime::completions::{self, Completion, ReportedError, ReportedStatus, Reports};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function and its dependencies.
pub type Function<A> = completions::Function<A, ImageCompletion>;

impl Reports for ImageCompletion {
    const FUNCTION: &'static str = env!("CARGO_PKG_NAME");
    const ROUTE: &'static str = "POST /api/webhooks/image-completion";
    const SUMMARY: &'static str = "Report the end of an image job";
    const KINDS: &'static [Kind] = &[Kind::Image];
    const LIST: &'static str = "images";
}

/// A report.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct ImageCompletion {
    /// Id of the job.
    pub generation_id: String,
    /// `processing` when it is taken up, `completed` or `failed` at its end; one of the latter, from what else is there, when
    /// absent.
    pub status: Option<ReportedStatus>,
    /// What was delivered.
    pub images: Option<Vec<ImageFile>>,
    /// Why it failed.
    pub error: Option<ReportedError>,
}

/// A picture, as its generator describes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct ImageFile {
    /// Key of the file.
    pub s3_key: String,
    /// Name; the file keeps that of its grant.
    pub filename: Option<String>,
    /// Pixels; what counts is what is measured here.
    pub width: Option<u32>,
    /// Pixels; what counts is what is measured here.
    pub height: Option<u32>,
    /// Bytes; must be those of the file.
    pub file_size: Option<u64>,
    /// Media type; must be that of the file.
    pub content_type: Option<String>,
}

impl From<ImageCompletion> for Completion {
    fn from(body: ImageCompletion) -> Self {
        let claimed = |file: ImageFile| ClaimedFile {
            s3_key: file.s3_key,
            size: file.file_size,
            content_type: file.content_type,
            duration_seconds: None,
        };
        let files = body.images.map(|images| images.into_iter().map(claimed).collect());
        let ImageCompletion { generation_id, status, error, .. } = body;
        Self { generation_id, status, files, text: None, error }
    }
}
