//! What a generator claims to have delivered.

use super::Output;
use crate::files::File;
use crate::texts::Tokens;

/// One file, as a completion names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedFile {
    /// Key of the file.
    pub s3_key: String,
    /// Its size in bytes, where it is told.
    pub size: Option<u64>,
    /// Its type, where it is told.
    pub content_type: Option<String>,
    /// How long it plays, in seconds.
    pub duration_seconds: Option<u32>,
}

/// What a completion says of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextFacts {
    /// What it came to be called.
    pub title: Option<String>,
    /// Its chapters.
    pub chapters: Option<u32>,
    /// Its words.
    pub words: Option<u64>,
    /// What the language model was paid for.
    pub tokens: Option<Tokens>,
}

/// A completion that was held against what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The files, in the order of the completion.
    pub files: Vec<CheckedFile>,
    /// What is said of a text.
    pub text: Option<TextFacts>,
}

/// A claimed file that is there as claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedFile {
    /// The file as a part of the job.
    pub output: Output,
    /// The record of a file that was not granted for the job and waits for its check.
    pub adopts: Option<File>,
}
