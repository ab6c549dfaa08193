//! Ports for uploads in parts, in the bucket.

use super::PortFuture;
use crate::files::{File, NamedPart, OpenUpload, StoredPart};

/// Opens an upload in parts. `s3:PutObject`.
pub trait OpenUploadInParts {
    /// Opens an upload for a file's key, with its media type. Returns its id. With `checked`, S3 wants a SHA-256 of each
    /// part. Every call opens a further upload.
    fn open_upload(&self, file: &File, checked: bool) -> impl PortFuture<String>;
}

/// Lists the parts of an open upload. `s3:ListMultipartUploadParts`.
pub trait ListParts {
    /// Returns all parts that have arrived, by number. Returns `None` if the upload was completed or aborted.
    fn list_parts(&self, file: &File, upload: &OpenUpload) -> impl PortFuture<Option<Vec<StoredPart>>>;
}

/// The outcome of completing an upload in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The object exists now.
    Completed,
    /// The upload was completed or aborted before, or its key has an object.
    Over,
    /// Something else is happening to the key. A later try tells the outcome.
    Busy,
    /// S3 does not have the parts as they are named. Nothing has changed.
    Refused {
        /// S3's code, such as `InvalidPart`.
        code: String,
    },
}

/// Completes an upload in parts. `s3:PutObject`.
pub trait CompleteUpload {
    /// Makes the object of the parts, which must be in the order of their numbers, unless the key has an object already.
    fn complete_upload(&self, file: &File, upload: &OpenUpload, parts: &[NamedPart]) -> impl PortFuture<Completion>;
}

/// Lists the open uploads of a key. `s3:ListBucketMultipartUploads`.
pub trait ListUploads {
    /// Returns the ids of the key's open uploads.
    fn list_uploads(&self, key: &str) -> impl PortFuture<Vec<String>>;
}

/// Aborts an upload in parts. `s3:AbortMultipartUpload`.
pub trait AbortUpload {
    /// Aborts the upload and removes its parts. Succeeds if it is not open.
    fn abort_upload(&self, key: &str, upload: &str) -> impl PortFuture<()>;
}
