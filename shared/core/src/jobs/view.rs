//! Jobs as the API shows them.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Ask, Job, JobStatus, Output, TextFacts};
use crate::Fault;
use crate::files::{Kind, shown_dimensions};
use crate::texts::Tokens;

/// A generation job with its progress.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JobView {
    /// Id of the job, opaque.
    pub job_id: String,
    /// `image`, `video`, `book` or `blog`.
    #[schemars(extend("enum" = Kind::GENERATED.map(Kind::name)))]
    pub kind: &'static str,
    /// `pending`, `processing`, `completed` or `failed`.
    #[schemars(extend("enum" = JobStatus::ALL.map(JobStatus::name)))]
    pub status: &'static str,
    /// Progress in percent, which never falls.
    #[schemars(range(max = 100))]
    pub progress: u8,
    /// The status as a sentence.
    pub message: String,
    /// Title: the requested one, or the start of the topic or prompt.
    pub title: String,
    /// When it was accepted.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// When it last changed.
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
    /// What was delivered, once it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<JobResult>,
    /// Why it failed; absent unless it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
    /// Whether the month's allowance was given back; absent unless the job failed or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowance_returned: Option<bool>,
}

/// What a job delivered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum JobResult {
    Text(TextView),
    Images { images: Vec<MediaView> },
    Videos { videos: Vec<MediaView> },
}

/// A book or an article.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TextView {
    /// Title of the text.
    pub book_title: String,
    /// What it is about.
    pub topic: String,
    /// Key of the file.
    pub s3_key: String,
    /// A ticket to read the file, valid for an hour at most.
    #[schemars(extend("format" = "uri"))]
    pub download_url: String,
    /// Size of the file in bytes.
    pub file_size: u64,
    /// Number of chapters, if the generator reported it.
    pub chapter_count: Option<u32>,
    /// Number of words, if the generator reported it.
    pub word_count: Option<u64>,
    /// Tokens that were used, if this installation's language model wrote the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensView>,
    /// When it was completed.
    #[schemars(extend("format" = "date-time"))]
    pub generated_at: String,
}

/// A finished book or article in its owner's list, with the field names of `/api/books` and `/api/blog`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinishedTextView {
    /// Id of the job that wrote it.
    pub job_id: String,
    /// Title of the text.
    pub title: String,
    /// What it is about.
    pub topic: String,
    /// Key of the file.
    pub s3_key: String,
    /// Size of the file in bytes.
    pub file_size: u64,
    /// Number of chapters, if the generator reported it.
    pub chapter_count: Option<u32>,
    /// Number of words, if the generator reported it.
    pub word_count: Option<u64>,
    /// When it was completed.
    #[schemars(extend("format" = "date-time"))]
    pub generated_at: String,
}

impl FinishedTextView {
    /// Builds the view of a completed text.
    ///
    /// # Errors
    /// `INTERNAL` if the job's record lacks its file or its request.
    pub fn of(job: &Job) -> Result<Self, Fault> {
        let (topic, output, facts) = text_parts(job)?;
        Ok(Self {
            job_id: job.id.to_string(),
            title: facts.title.unwrap_or_else(|| job.ask.title()),
            topic: topic.to_owned(),
            s3_key: output.key.to_string(),
            file_size: output.size,
            chapter_count: facts.chapters,
            word_count: facts.words,
            generated_at: job.updated_at.to_string(),
        })
    }
}

/// Tokens that the language model used for a text.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct TokensView {
    /// Tokens the model read.
    pub prompt: u64,
    /// Tokens the model wrote.
    pub completion: u64,
}

/// An image or a video.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MediaView {
    /// Key of the file.
    pub s3_key: String,
    /// Name of the file.
    pub filename: String,
    /// Width in pixels, as a browser shows it; null if it is not known.
    pub width: Option<u32>,
    /// Height in pixels, as a browser shows it; null if it is not known.
    pub height: Option<u32>,
    /// Whether width and height were measured, or reported by the generator; null if they are not known.
    #[schemars(extend("enum" = ["measured", "reported", null]))]
    pub dimensions: Option<&'static str>,
    /// Size of the file in bytes.
    pub file_size: u64,
    /// Length in seconds, as the generator reported it; videos only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u32>,
    /// A ticket to read the file, valid for an hour at most.
    #[schemars(extend("format" = "uri"))]
    pub download_url: String,
}

/// Why a job failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ErrorView {
    /// Code that programs branch on.
    pub code: String,
    /// Sentence for the owner.
    pub message: String,
}

impl JobView {
    /// Builds the view of a job without its result.
    pub fn of(job: &Job) -> Self {
        let error = job.failure.as_ref();
        Self {
            job_id: job.id.to_string(),
            kind: job.kind.name(),
            status: job.status.name(),
            progress: job.progress,
            message: job.message(),
            title: job.ask.title(),
            created_at: job.created_at.to_string(),
            updated_at: job.updated_at.to_string(),
            result: None,
            error: error.map(|error| ErrorView { code: error.code.clone(), message: error.message.clone() }),
            allowance_returned: (job.status == JobStatus::Failed).then_some(!job.spent),
        }
    }

    /// Builds the view of a job, with its result if it is completed. `ticket` signs the URL for reading an output.
    ///
    /// # Errors
    /// Those of `ticket`; `INTERNAL` if the record of a completed text lacks its file or its request.
    pub fn with_result(job: &Job, ticket: impl Fn(&Output) -> Result<String, Fault>) -> Result<Self, Fault> {
        let view = Self::of(job);
        if job.status != JobStatus::Completed {
            return Ok(view);
        }
        let result = match job.kind {
            Kind::Image => JobResult::Images { images: media(job, ticket)? },
            Kind::Video => JobResult::Videos { videos: media(job, ticket)? },
            Kind::Book | Kind::Blog => JobResult::Text(text(job, ticket)?),
            Kind::Document | Kind::Audio => return Err(Fault::internal("a job has a kind that jobs do not make")),
        };
        Ok(Self { result: Some(result), ..view })
    }
}

fn media(job: &Job, ticket: impl Fn(&Output) -> Result<String, Fault>) -> Result<Vec<MediaView>, Fault> {
    let show = |output: &Output| {
        let shown = shown_dimensions(output.dimensions, output.reported);
        Ok(MediaView {
            s3_key: output.key.to_string(),
            filename: output.name.as_str().to_owned(),
            width: shown.map(|(dimensions, _)| dimensions.width),
            height: shown.map(|(dimensions, _)| dimensions.height),
            dimensions: shown.map(|(_, source)| source),
            file_size: output.size,
            duration_seconds: output.duration_seconds,
            download_url: ticket(output)?,
        })
    };
    job.delivered().map(show).collect()
}

/// Returns the topic, the file and the reported facts of a completed text.
fn text_parts(job: &Job) -> Result<(&str, &Output, TextFacts), Fault> {
    let output = job.delivered().next().ok_or_else(|| Fault::internal("a completed text has no file"))?;
    let Ask::Text { topic, .. } = &job.ask else {
        return Err(Fault::internal("a text job has the request of another kind"));
    };
    Ok((topic, output, job.text.clone().unwrap_or_default()))
}

fn text(job: &Job, ticket: impl Fn(&Output) -> Result<String, Fault>) -> Result<TextView, Fault> {
    let (topic, output, facts) = text_parts(job)?;
    Ok(TextView {
        book_title: facts.title.unwrap_or_else(|| job.ask.title()),
        topic: topic.to_owned(),
        s3_key: output.key.to_string(),
        download_url: ticket(output)?,
        file_size: output.size,
        chapter_count: facts.chapters,
        word_count: facts.words,
        tokens: facts.tokens.map(|Tokens { prompt, completion }| TokensView { prompt, completion }),
        generated_at: job.updated_at.to_string(),
    })
}
