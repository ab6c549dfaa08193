//! The claims of a completion: what a generator says it has delivered.

use super::Output;
use crate::files::{Dimensions, File};
use crate::texts::Tokens;

/// A file that a completion lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedFile {
    /// Key of the file.
    pub s3_key: String,
    /// Size in bytes, if given.
    pub size: Option<u64>,
    /// Media type, if given.
    pub content_type: Option<String>,
    /// Dimensions of an image or a video, if given and plausible.
    pub dimensions: Option<Dimensions>,
    /// Length of a video in seconds, if given.
    pub duration_seconds: Option<u32>,
}

/// The data about a text in a completion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextFacts {
    /// Its final title, if given.
    pub title: Option<String>,
    /// Number of chapters, if given.
    pub chapters: Option<u32>,
    /// Number of words, if given.
    pub words: Option<u64>,
    /// Tokens that the language model used.
    pub tokens: Option<Tokens>,
}

/// A completion whose claims were checked against the files' records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The files, in the order of the completion.
    pub files: Vec<CheckedFile>,
    /// Its data about a text.
    pub text: Option<TextFacts>,
}

/// A claimed file that exists as claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedFile {
    /// The file as an output of the job.
    pub output: Output,
    /// The record of a file that was not granted for the job and is not ready yet. The job adopts it: the record gets
    /// the job's id.
    pub adopts: Option<File>,
}
