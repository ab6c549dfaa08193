//! Takes what a generator reports at the end of a video job: what it delivered, or why it did not.

use consigne_core::files::Kind;
use consigne_core::jobs::ClaimedFile;
use consigne_runtime::completions::{self, Completion, ReportedError, ReportedStatus, Reports};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function and its dependencies.
pub type Function<A> = completions::Function<A, VideoCompletion>;

impl Reports for VideoCompletion {
    const FUNCTION: &'static str = env!("CARGO_PKG_NAME");
    const ROUTE: &'static str = "POST /api/webhooks/video-completion";
    const SUMMARY: &'static str = "Report the end of a video job";
    const KINDS: &'static [Kind] = &[Kind::Video];
    const LIST: &'static str = "videos";
}

/// A report.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct VideoCompletion {
    /// Id of the job.
    pub generation_id: String,
    /// `processing` when it is taken up, `completed` or `failed` at its end; one of the latter, from what else is there, when
    /// absent.
    pub status: Option<ReportedStatus>,
    /// What was delivered.
    pub videos: Option<Vec<VideoFile>>,
    /// Why it failed.
    pub error: Option<ReportedError>,
}

/// A video, as its generator describes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct VideoFile {
    /// Key of the file.
    pub s3_key: String,
    /// Name; the file keeps that of its grant.
    pub filename: Option<String>,
    /// How long it plays, in seconds; shown rounded.
    pub duration_seconds: Option<f64>,
    /// Bytes; must be those of the file.
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
            // Saturates; nothing here depends on it.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            duration_seconds: file.duration_seconds.map(|seconds| seconds.round() as u32),
        };
        let files = body.videos.map(|videos| videos.into_iter().map(claimed).collect());
        let VideoCompletion { generation_id, status, error, .. } = body;
        Self { generation_id, status, files, text: None, error }
    }
}
