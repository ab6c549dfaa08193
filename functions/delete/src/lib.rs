//! Deletes a file for good: marks its record as deleting, then removes its object version.
//!
//! The owner no longer sees the file once the record is marked. The bytes are given back when S3 reports that the
//! version is gone. If this function is killed in between, `sweep` finishes the deletion.

use consigne_auth::SessionVerifier;
use consigne_core::files::{File, ObjectKey, Removal};
use consigne_core::ports::{AbortUpload, ApplyTransition, BeginDelete, GetJob, GetOrder, ListUploads, RemoveVersion};
use consigne_core::{Code, Fault, Timestamp};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::jobs::follow;
use consigne_usecases::uploads::close_uploads;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Path of the secure route up to the key.
const SECURE_PREFIX: &str = "/api/secure/files/delete/";

/// Request to delete a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteRequest {
    /// Key of the file.
    #[schemars(length(min = 1))]
    pub s3_key: String,
}

/// Confirms that the file was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FileDeleted")]
pub struct Deleted {
    /// Always true.
    #[schemars(extend("const" = true))]
    pub success: bool,
    /// Confirmation for people to read.
    pub message: &'static str,
}

/// The deleted file, with the field names of `/api/secure`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecureDeleted {
    /// Key of the file.
    pub s3_key: String,
}

const MESSAGE: &str = "File deleted successfully";

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: BeginDelete + ApplyTransition + GetJob + GetOrder,
        Bucket: RemoveVersion + ListUploads + AbortUpload,
    >
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
    objects: A::Bucket = bucket(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        self.users.count_write(&user, request.now)?;
        let secure = request.route().contains("/secure/");
        let text = if secure { request.path_after(SECURE_PREFIX).to_owned() } else { asked(request)? };
        request.names_file(&text);

        let key = ObjectKey::parse_for(&user.id, &text).ok_or_else(|| Fault::not_found("File"))?;
        let marked = self.files.begin_delete(&key, request.now).await?.ok_or_else(|| Fault::not_found("File"))?;
        // The file counts as deleted from here on. If removing the version fails, `sweep` removes it later.
        if let Err(fault) = self.remove(&marked, request.now).await {
            request.log.field("removal.left_to_sweep", fault.chain());
        }
        request.log.count("FilesDeleted");
        if secure {
            return Ok(Answer::envelope(200, MESSAGE, &SecureDeleted { s3_key: key.to_string() }, request.now));
        }
        Ok(Answer::plain(200, &Deleted { success: true, message: MESSAGE }))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<Deleted>("DELETE /api/files/delete", "Delete a file")
                .takes::<DeleteRequest>()
                .refuses(&[Code::NotFound]),
            Operation::new::<SecureDeleted>("DELETE /api/secure/files/delete/{key+}", "Delete a file")
                .in_envelope()
                .parameter("key", "Key of the file. Its slashes may be percent-encoded", true)
                .refuses(&[Code::NotFound]),
        ]
    }
}

fn asked(request: &Request) -> Result<String, Fault> {
    let body: DeleteRequest = request.json()?;
    if body.s3_key.is_empty() { Err(Fault::field("s3Key", "s3Key must not be empty")) } else { Ok(body.s3_key) }
}

impl<A: Needs> Function<A> {
    /// Removes the file's object version. When nothing was uploaded, or only parts, ends the record at once.
    async fn remove(&self, marked: &File, now: Timestamp) -> Result<(), Fault> {
        if let Some(pinned) = &marked.pinned {
            self.objects.remove_version(marked.key.as_str(), &pinned.version).await
        } else {
            close_uploads(&self.objects, marked).await?;
            // If the record has changed meanwhile, somebody else has ended it.
            let step = follow(&self.files, marked.remove(Removal::Deleted, now), now).await?;
            self.files.apply_transition(&step).await.map(drop)
        }
    }
}
