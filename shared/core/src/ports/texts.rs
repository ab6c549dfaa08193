//! Ports for writing texts.

use super::PortFuture;
use crate::JobId;
use crate::files::File;
use crate::idempotency::CommitOutcome;
use crate::texts::{Chapter, Draft, Prompt, Reply, Trouble};

/// Calls a language model. No IAM action: the settings name the model.
pub trait AskModel {
    /// Sends the prompt once. Returns the model's answer, or why there is no usable answer.
    fn ask_model(&self, prompt: &Prompt) -> impl PortFuture<Result<Reply, Trouble>>;
}

/// Reads a draft. The job's id contains the owner. `dynamodb:GetItem`.
pub trait GetDraft {
    /// Reads the draft consistently. Returns `None` if there is none.
    fn get_draft(&self, job: &JobId) -> impl PortFuture<Option<Draft>>;
}

/// Stores a draft, with a chapter in the same transaction if there is one. `dynamodb:PutItem`.
pub trait StoreDraft {
    /// Replaces the previous revision. Returns `Conflict` if another revision is stored.
    fn store_draft(&self, draft: &Draft, chapter: Option<&Chapter>) -> impl PortFuture<CommitOutcome>;
}

/// Reads the chapters of a draft. `dynamodb:Query`.
pub trait ReadChapters {
    /// Returns the texts of the chapters, in order.
    fn read_chapters(&self, job: &JobId) -> impl PortFuture<Vec<String>>;
}

/// Deletes a draft and its chapters. `dynamodb:Query`, `dynamodb:DeleteItem`.
pub trait ForgetDraft {
    /// Deletes the draft. Succeeds if it does not exist.
    fn forget_draft(&self, job: &JobId) -> impl PortFuture<()>;
}

/// Writes an object to the bucket. `s3:PutObject`.
pub trait PutObject {
    /// Writes the bytes under the key of a granted file, with the file's media type, like an upload. Returns `false` if
    /// the object already exists.
    fn put_object(&self, file: &File, bytes: &[u8]) -> impl PortFuture<bool>;
}
