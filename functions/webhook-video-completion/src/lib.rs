//! Receives a generator's report about a video job: that it started, what it delivered, or why it failed.

use consigne_core::files::{Dimensions, Kind};
use consigne_core::jobs::ClaimedFile;
use consigne_runtime::completions::{self, Completion, ReportedError, ReportedStatus, Reports};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function and its dependencies.
pub type Function<A> = completions::Function<A, VideoCompletion>;

impl Reports for VideoCompletion {
    const FUNCTION: &'static str = env!("CARGO_PKG_NAME");
    const ROUTE: &'static str = "POST /api/webhooks/video-completion";
    const SUMMARY: &'static str = "Report that a video job was started, completed or failed";
    const KINDS: &'static [Kind] = &[Kind::Video];
    const LIST: &'static str = "videos";
}

/// A generator's report about a video job.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct VideoCompletion {
    /// Id of the job.
    pub generation_id: String,
    /// `processing` when the work starts; `completed` or `failed` at its end. When absent, it is `failed` if there is
    /// an `error`, else `completed`.
    pub status: Option<ReportedStatus>,
    /// The delivered files.
    pub videos: Option<Vec<VideoFile>>,
    /// Why the job failed.
    pub error: Option<ReportedError>,
}

/// A delivered video, as its generator describes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct VideoFile {
    /// Key of the file.
    pub s3_key: String,
    /// File name. It is ignored: the file has the name of its grant.
    pub filename: Option<String>,
    /// Width in pixels. It is shown only if the file cannot be measured.
    pub width: Option<u32>,
    /// Height in pixels. It is shown only if the file cannot be measured.
    pub height: Option<u32>,
    /// Length in seconds; rounded to whole seconds.
    pub duration_seconds: Option<f64>,
    /// Size in bytes; must be that of the file.
    pub file_size: Option<u64>,
    /// Media type; must be that of the file.
    pub content_type: Option<String>,
}

impl From<VideoCompletion> for Completion {
    fn from(body: VideoCompletion) -> Self {
        let claimed = |file: VideoFile| ClaimedFile {
            s3_key: file.s3_key,
            size: file.file_size,
            content_type: file.content_type,
            dimensions: Dimensions::reported(file.width, file.height),
            // The cast saturates. The length is only shown, so that does no harm.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            duration_seconds: file.duration_seconds.map(|seconds| seconds.round() as u32),
        };
        let files = body.videos.map(|videos| videos.into_iter().map(claimed).collect());
        let VideoCompletion { generation_id, status, error, .. } = body;
        Self { generation_id, status, files, text: None, error }
    }
}
