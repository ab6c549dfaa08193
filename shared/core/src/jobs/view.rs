//! A job as answers show it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Ask, Job, JobStatus, Output};
use crate::Fault;
use crate::files::Kind;
use crate::texts::Tokens;

/// A job.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JobView {
    /// Id, opaque.
    pub job_id: String,
    /// `image`, `video`, `book` or `blog`.
    pub kind: &'static str,
    /// `pending`, `processing`, `completed` or `failed`.
    pub status: &'static str,
    /// Percent.
    pub progress: u8,
    /// How it stands, as a sentence.
    pub message: String,
    /// What it is called: its title, or how the wish begins.
    pub title: String,
    /// When it was accepted.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// What was delivered, once it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<JobResult>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
}

/// What was delivered.
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
    /// What it is called.
    pub book_title: String,
    /// What it is about.
    pub topic: String,
    /// Key of the file.
    pub s3_key: String,
    /// A ticket to read it, for an hour at most.
    pub download_url: String,
    /// Bytes.
    pub file_size: u64,
    /// Chapters, where the generator told.
    pub chapter_count: Option<u32>,
    /// Words, where the generator told.
    pub word_count: Option<u64>,
    /// What the language model was paid for, where one of this installation wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensView>,
    /// When it was complete.
    pub generated_at: String,
}

/// What a text took of a language model, in its own units.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct TokensView {
    /// Read by it.
    pub prompt: u64,
    /// Written by it.
    pub completion: u64,
}

/// A picture or a video.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MediaView {
    /// Key of the file.
    pub s3_key: String,
    /// Name of the file.
    pub filename: String,
    /// Pixels, as measured; images only.
    pub width: Option<u32>,
    /// Pixels, as measured; images only.
    pub height: Option<u32>,
    /// Bytes.
    pub file_size: u64,
    /// Seconds, as the generator told; videos only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u32>,
    /// A ticket to read it, for an hour at most.
    pub download_url: String,
}

/// Why a job failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ErrorView {
    /// What programs branch on.
    pub code: String,
    /// A sentence for the owner.
    pub message: String,
}

impl JobView {
    /// Shows a job without its result.
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
        }
    }

    /// Shows a job with its result, if it is complete; `ticket` signs what reads an output.
    pub fn with_result(job: &Job, ticket: impl Fn(&Output) -> Result<String, Fault>) -> Result<Self, Fault> {
        let view = Self::of(job);
        if job.status != JobStatus::Completed {
            return Ok(view);
        }
        let result = match job.kind {
            Kind::Image => JobResult::Images { images: media(job, ticket)? },
            Kind::Video => JobResult::Videos { videos: media(job, ticket)? },
            Kind::Book | Kind::Blog => JobResult::Text(text(job, ticket)?),
        };
        Ok(Self { result: Some(result), ..view })
    }
}

fn media(job: &Job, ticket: impl Fn(&Output) -> Result<String, Fault>) -> Result<Vec<MediaView>, Fault> {
    let show = |output: &Output| {
        Ok(MediaView {
            s3_key: output.key.to_string(),
            filename: output.name.as_str().to_owned(),
            width: output.dimensions.map(|dimensions| dimensions.width),
            height: output.dimensions.map(|dimensions| dimensions.height),
            file_size: output.size,
            duration_seconds: output.duration_seconds,
            download_url: ticket(output)?,
        })
    };
    job.delivered().map(show).collect()
}

fn text(job: &Job, ticket: impl Fn(&Output) -> Result<String, Fault>) -> Result<TextView, Fault> {
    let output = job.delivered().next().ok_or_else(|| Fault::internal("a completed text has no file"))?;
    let facts = job.text.clone().unwrap_or_default();
    let Ask::Text { topic, .. } = &job.ask else { return Err(Fault::internal("a text has the wish of another kind")) };
    Ok(TextView {
        book_title: facts.title.unwrap_or_else(|| job.ask.title()),
        topic: topic.clone(),
        s3_key: output.key.to_string(),
        download_url: ticket(output)?,
        file_size: output.size,
        chapter_count: facts.chapters,
        word_count: facts.words,
        tokens: facts.tokens.map(|Tokens { prompt, completion }| TokensView { prompt, completion }),
        generated_at: job.updated_at.to_string(),
    })
}
