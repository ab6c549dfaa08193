//! What the writing of texts needs of the outside world.

use super::PortFuture;
use crate::JobId;
use crate::files::File;
use crate::texts::{Chapter, Manuscript, Prompt, Reply, Trouble};

/// Asks a language model, once. No IAM action: which one is what the installation names.
pub trait AskModel {
    /// Gives what it wrote, or the trouble the call ended in.
    fn ask_model(&self, prompt: &Prompt) -> impl PortFuture<Result<Reply, Trouble>>;
}

/// Reads a manuscript; its job names the owner. `dynamodb:GetItem`.
pub trait GetManuscript {
    /// Gives it as it is at this moment; `None` when there is none.
    fn get_manuscript(&self, job: &JobId) -> impl PortFuture<Option<Manuscript>>;
}

/// Keeps a manuscript, with a chapter in the same transaction if there is one. `dynamodb:PutItem`.
pub trait KeepManuscript {
    /// Keeps it in the place of the revision before; `false` when another stands there, and nothing was kept.
    fn keep_manuscript(&self, manuscript: &Manuscript, chapter: Option<&Chapter>) -> impl PortFuture<bool>;
}

/// Reads the chapters of a manuscript. `dynamodb:Query`.
pub trait ReadChapters {
    /// Gives their texts, in order.
    fn read_chapters(&self, job: &JobId) -> impl PortFuture<Vec<String>>;
}

/// Removes a manuscript whose owner is gone, with its chapters. `dynamodb:Query`, `dynamodb:DeleteItem`.
pub trait ForgetManuscript {
    /// Removes it; one that is gone already is removed.
    fn forget_manuscript(&self, job: &JobId) -> impl PortFuture<()>;
}

/// Puts an object into the bucket. `s3:PutObject`.
pub trait PutObject {
    /// Puts the bytes under the key of a file that was granted, as its upload would: of its type, and where nothing is yet.
    /// `false` when something is.
    fn put_object(&self, file: &File, bytes: &[u8]) -> impl PortFuture<bool>;
}
