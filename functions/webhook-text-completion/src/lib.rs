//! Takes what a generator reports at the end of a book or an article: what it delivered, or why it did not.

use consigne_core::files::Kind;
use consigne_core::jobs::{ClaimedFile, TextFacts};
use consigne_core::text::cut;
use consigne_runtime::completions::{self, Completion, ReportedError, ReportedStatus, Reports};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function and its dependencies.
pub type Function<A> = completions::Function<A, TextCompletion>;

impl Reports for TextCompletion {
    const FUNCTION: &'static str = env!("CARGO_PKG_NAME");
    const ROUTE: &'static str = "POST /api/webhooks/text-completion";
    const SUMMARY: &'static str = "Report the end of a book or an article";
    const KINDS: &'static [Kind] = &[Kind::Book, Kind::Blog];
    const LIST: &'static str = "texts";
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
