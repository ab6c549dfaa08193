//! Takes what a generator reports at the end of an image job: what it delivered, or why it did not.

use consigne_auth::{Refreshed, WebhookSecrets};
use consigne_core::Fault;
use consigne_core::files::Kind;
use consigne_core::jobs::ClaimedFile;
use consigne_core::ports::{ApplyJobStep, GetFile, GetJob, ReadHead, WriteAudit};
use consigne_runtime::completions::{self, Completion, ReportedError, ReportedStatus};
use consigne_runtime::http::Operation;
use consigne_runtime::{Answer, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F, O> {
    /// Who may report.
    pub generators: Refreshed<WebhookSecrets>,
    /// The jobs and the records.
    pub jobs: F,
    /// The objects.
    pub objects: O,
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

/// Answers a report.
pub async fn handle<F, O>(deps: &Deps<F, O>, request: &Request) -> Result<Answer, Fault>
where
    F: GetJob + GetFile + ApplyJobStep + WriteAudit,
    O: ReadHead,
{
    let takes = (&[Kind::Image][..], "images");
    completions::answer::<ImageCompletion, _, _>(&deps.generators, (&deps.jobs, &deps.objects), takes, request).await
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let route = "POST /api/webhooks/image-completion";
    vec![completions::operation::<ImageCompletion>(route, "Report the end of an image job")]
}
