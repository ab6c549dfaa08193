//! Receives a generator's report about a book or an article: that it started, what it delivered, or why it failed.

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
    const SUMMARY: &'static str = "Report that a book or an article was started, completed or failed";
    const KINDS: &'static [Kind] = &[Kind::Book, Kind::Blog];
    const LIST: &'static str = "texts";
}

/// A generator's report about a book or an article.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct TextCompletion {
    /// Id of the job.
    pub generation_id: String,
    /// `processing` when the work starts; `completed` or `failed` at its end. When absent, it is `failed` if there is
    /// an `error`, else `completed`.
    pub status: Option<ReportedStatus>,
    /// The delivered files.
    pub texts: Option<Vec<TextFile>>,
    /// Why the job failed.
    pub error: Option<ReportedError>,
}

/// A delivered book or article, as its generator describes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct TextFile {
    /// Key of the file.
    pub s3_key: String,
    /// File name. It is ignored: the file has the name of its grant.
    pub filename: Option<String>,
    /// Title of the text; cut off after 200 characters.
    pub title: Option<String>,
    /// Number of chapters.
    pub chapter_count: Option<u32>,
    /// Number of words.
    pub word_count: Option<u64>,
    /// Size in bytes; must be that of the file.
    pub file_size: Option<u64>,
    /// Media type; must be that of the file.
    pub content_type: Option<String>,
}

/// Most characters of a title that are stored.
const TITLE_MAX: usize = 200;

impl From<TextCompletion> for Completion {
    fn from(body: TextCompletion) -> Self {
        let text = body.texts.as_ref().and_then(|texts| texts.first()).map(|text| TextFacts {
            title: text.title.as_ref().map(|title| cut(title, TITLE_MAX)).filter(|title| !title.is_empty()),
            chapters: text.chapter_count,
            words: text.word_count,
            // The tokens that an external generator used are not ours to count.
            tokens: None,
        });
        let claimed = |file: TextFile| ClaimedFile {
            s3_key: file.s3_key,
            size: file.file_size,
            content_type: file.content_type,
            dimensions: None,
            duration_seconds: None,
        };
        let files = body.texts.map(|texts| texts.into_iter().map(claimed).collect());
        let TextCompletion { generation_id, status, error, .. } = body;
        Self { generation_id, status, files, text, error }
    }
}
