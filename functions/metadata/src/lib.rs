//! Shows one file with all its metadata, and changes what its owner says about it: name and texts.

mod revision;

use std::collections::BTreeMap;

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::{FILE_NAME_MAX, File, FileName, FilePatch, FileView, ObjectKey, PublicAddresses};
use consigne_core::ports::{ChangeFile, FileChange, FileChangeOutcome, GetFile};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use revision::Expected;

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

/// Change of what an owner says about a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetadataPatch {
    /// Key of the file.
    #[schemars(length(min = 1))]
    pub s3_key: String,
    /// New file name, with an extension of the file's type or with none.
    #[schemars(length(min = 1, max = FILE_NAME_MAX))]
    pub filename: Option<String>,
    /// New texts by name; null removes one, and others stay. At most 32 names and 2,048 bytes together.
    pub metadata: Option<BTreeMap<String, Option<String>>>,
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
    addresses: PublicAddresses = public_addresses(),
}

impl<A: Adapters<Table: GetFile + ChangeFile>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let file = if request.route().starts_with("PATCH ") {
            self.change(&user, request).await?
        } else {
            let text = request.query("s3Key")?.ok_or_else(|| Fault::field("s3Key", "s3Key is missing"))?;
            request.names_file(&text);
            self.find(&user, &text).await?
        };
        Ok(Answer::plain(200, &FileMetadata::of(&file, &self.addresses)).header("etag", revision::tag(&file)))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<FileMetadata>("GET /api/files/metadata", "Get a file's metadata")
                .parameter("s3Key", "Key of the file", true)
                .tagged()
                .refuses(&[Code::NotFound]),
            Operation::new::<FileMetadata>("PATCH /api/files/metadata", "Change a file's name and metadata")
                .takes::<MetadataPatch>()
                .tagged()
                .refuses(&[Code::NotFound, Code::InvalidFilename, Code::UnsupportedFileType, Code::RateLimited]),
        ]
    }
}

impl<A: Adapters<Table: GetFile + ChangeFile>> Function<A> {
    /// Reads a user's file that is not being deleted.
    async fn find(&self, user: &User, key: &str) -> Result<File, Fault> {
        let key = ObjectKey::parse_for(&user.id, key).ok_or_else(|| Fault::not_found("File"))?;
        let file = self.files.get_file(&user.id, key.file()).await?;
        let file = file.filter(|file| file.key == key && file.status.is_visible());
        file.ok_or_else(|| Fault::not_found("File"))
    }

    /// Changes a file. Returns its record after the change.
    async fn change(&self, user: &User, request: &Request) -> Result<File, Fault> {
        let body: MetadataPatch = request.json()?;
        request.names_file(&body.s3_key);
        let patch = parse(&body)?;
        let expected = Expected::parse(request.limiting_header("if-match"))?;
        let mut retry = ConflictRetry::of("the file");
        loop {
            let file = self.find(user, &body.s3_key).await?;
            let changed = file.patched(&patch)?;
            if changed == file {
                // The record says so already: from the start, or since a request whose answer was lost. RFC 9110, section
                // 13.1.1, lets such a request succeed whatever its `If-Match` says.
                return Ok(file);
            }
            expected.check(&file)?;
            let change = FileChange { file: changed, plan: user.plan, now: request.now };
            match self.files.change_file(&change).await? {
                FileChangeOutcome::Applied => return Ok(change.file),
                FileChangeOutcome::OverRate(over) => return Err(over.refusal(user.plan, request.now)),
                FileChangeOutcome::Conflict => retry.wait().await?,
            }
        }
    }
}

/// Parses the body of a change.
fn parse(body: &MetadataPatch) -> Result<FilePatch, Fault> {
    if body.s3_key.is_empty() {
        return Err(Fault::field("s3Key", "s3Key must not be empty"));
    }
    if body.filename.is_none() && body.metadata.is_none() {
        return Err(Fault::field("metadata", "filename or metadata must be given"));
    }
    let name = body.filename.as_deref().map(FileName::parse).transpose()?;
    Ok(FilePatch { name, metadata: body.metadata.clone().unwrap_or_default() })
}

impl FileMetadata {
    fn of(file: &File, addresses: &PublicAddresses) -> Self {
        Self {
            file: FileView::with_address(file, addresses),
            etag: file.pinned.as_ref().map(|pinned| pinned.etag.clone()),
            version_id: file.pinned.as_ref().map(|pinned| pinned.version.clone()),
            sha256: file.sha256.clone(),
            rejected_reason: file.rejected_reason.clone(),
        }
    }
}
