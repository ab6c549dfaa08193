//! Shows one file with all its metadata.

use consigne_auth::SessionVerifier;
use consigne_core::files::{File, FileView, ObjectKey};
use consigne_core::ports::GetFile;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// A file with all its metadata.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileMetadata {
    /// The fields that a list of files shows too.
    #[serde(flatten)]
    pub file: FileView,
    /// Entity tag of the object in S3; absent until the file has arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Version id of the object in S3; absent until the file has arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// SHA-256 in base64; absent when the upload request did not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why the file was rejected; absent unless it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_reason: Option<String>,
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
}

impl<A: Adapters<Table: GetFile>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let text = request.query("s3Key")?.ok_or_else(|| Fault::field("s3Key", "s3Key is missing"))?;
        request.names_file(&text);

        let key = ObjectKey::parse_for(&user.id, &text).ok_or_else(|| Fault::not_found("File"))?;
        let file = self.files.get_file(&user.id, key.file()).await?;
        let file = file.filter(|file| file.key == key && file.status.is_visible());
        let file = file.ok_or_else(|| Fault::not_found("File"))?;
        Ok(Answer::plain(200, &FileMetadata::from(&file)))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<FileMetadata>("GET /api/files/metadata", "Get a file's metadata")
                .parameter("s3Key", "Key of the file", true)
                .refuses(&[Code::NotFound]),
        ]
    }
}

impl From<&File> for FileMetadata {
    fn from(file: &File) -> Self {
        Self {
            file: FileView::from(file),
            etag: file.pinned.as_ref().map(|pinned| pinned.etag.clone()),
            version_id: file.pinned.as_ref().map(|pinned| pinned.version.clone()),
            sha256: file.sha256.clone(),
            rejected_reason: file.rejected_reason.clone(),
        }
    }
}
