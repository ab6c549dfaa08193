//! Takes what a generator reports at the end of a book or an article: what it delivered, or why it did not.

use consigne_auth::{Refreshed, WebhookSecrets};
use consigne_core::Fault;
use consigne_core::files::Kind;
use consigne_core::jobs::{ClaimedFile, TextFacts};
use consigne_core::ports::{ApplyJobStep, GetFile, GetJob, ReadHead, WriteAudit};
use consigne_core::text::cut;
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
pub struct TextCompletion {
    /// Id of the job.
    pub generation_id: String,
    /// `processing` when it is taken up, `completed` or `failed` at its end; one of the latter, from what else is there, when
    /// absent.
    pub status: Option<ReportedStatus>,
    /// What was delivered.
    pub texts: Option<Vec<TextFile>>,
    /// Why it failed.
    pub error: Option<ReportedError>,
}

/// A book or an article, as its generator describes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct TextFile {
    /// Key of the file.
    pub s3_key: String,
    /// Name; the file keeps that of its grant.
    pub filename: Option<String>,
    /// What it came to be called, at most 200 characters of it.
    pub title: Option<String>,
    /// Its chapters.
    pub chapter_count: Option<u32>,
    /// Its words.
    pub word_count: Option<u64>,
    /// Bytes; must be those of the file.
    pub file_size: Option<u64>,
    /// Media type; must be that of the file.
    pub content_type: Option<String>,
}

/// Most characters kept of a title.
const TITLE_MAX: usize = 200;

impl From<TextCompletion> for Completion {
    fn from(body: TextCompletion) -> Self {
        let text = body.texts.as_ref().and_then(|texts| texts.first()).map(|text| TextFacts {
            title: text.title.as_ref().map(|title| cut(title, TITLE_MAX)).filter(|title| !title.is_empty()),
            chapters: text.chapter_count,
            words: text.word_count,
            // What others paid is nothing to us.
            tokens: None,
        });
        let claimed = |file: TextFile| ClaimedFile {
            s3_key: file.s3_key,
            size: file.file_size,
            content_type: file.content_type,
            duration_seconds: None,
        };
        let files = body.texts.map(|texts| texts.into_iter().map(claimed).collect());
        let TextCompletion { generation_id, status, error, .. } = body;
        Self { generation_id, status, files, text, error }
    }
}

/// Answers a report.
pub async fn handle<F, O>(deps: &Deps<F, O>, request: &Request) -> Result<Answer, Fault>
where
    F: GetJob + GetFile + ApplyJobStep + WriteAudit,
    O: ReadHead,
{
    let takes = (&[Kind::Book, Kind::Blog][..], "texts");
    completions::answer::<TextCompletion, _, _>(&deps.generators, (&deps.jobs, &deps.objects), takes, request).await
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let route = "POST /api/webhooks/text-completion";
    vec![completions::operation::<TextCompletion>(route, "Report the end of a book or an article")]
}
