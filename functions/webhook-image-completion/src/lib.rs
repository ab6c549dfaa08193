//! Receives a generator's report about an image job: that it started, what it delivered, or why it failed.

use consigne_core::files::{Dimensions, Kind};
use consigne_core::jobs::ClaimedFile;
use consigne_runtime::completions::{self, Completion, ReportedError, ReportedStatus, Reports};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function and its dependencies.
pub type Function<A> = completions::Function<A, ImageCompletion>;

impl Reports for ImageCompletion {
    const FUNCTION: &'static str = env!("CARGO_PKG_NAME");
    const ROUTE: &'static str = "POST /api/webhooks/image-completion";
    const SUMMARY: &'static str = "Report that an image job was started, completed or failed";
    const KINDS: &'static [Kind] = &[Kind::Image];
    const LIST: &'static str = "images";
}

/// A generator's report about an image job.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct ImageCompletion {
    /// Id of the job.
    pub generation_id: String,
    /// `processing` when the work starts; `completed` or `failed` at its end. When absent, it is `failed` if there is
    /// an `error`, else `completed`.
    pub status: Option<ReportedStatus>,
    /// The delivered files.
    pub images: Option<Vec<ImageFile>>,
    /// Why the job failed.
    pub error: Option<ReportedError>,
}

/// A delivered image, as its generator describes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct ImageFile {
    /// Key of the file.
    pub s3_key: String,
    /// File name. It is ignored: the file has the name of its grant.
    pub filename: Option<String>,
    /// Width in pixels. It is shown only if the file cannot be measured.
    pub width: Option<u32>,
    /// Height in pixels. It is shown only if the file cannot be measured.
    pub height: Option<u32>,
    /// Size in bytes; must be that of the file.
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
            dimensions: Dimensions::reported(file.width, file.height),
            duration_seconds: None,
        };
        let files = body.images.map(|images| images.into_iter().map(claimed).collect());
        let ImageCompletion { generation_id, status, error, .. } = body;
        Self { generation_id, status, files, text: None, error }
    }
}
