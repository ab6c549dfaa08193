//! Deletes a file: first the record, then the version it stands for, for good.
//!
//! From the first write on the file is gone for its owner. Its bytes are given back when S3 tells that the version is
//! gone, by whoever's hand; if this function dies in between, `sweep` ends what it began.

use consigne_auth::SessionVerifier;
use consigne_core::files::{File, ObjectKey, Removal};
use consigne_core::ports::{ApplyTransition, BeginDelete, GetJob, RemoveVersion};
use consigne_core::{Code, Fault, Timestamp};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::jobs::follow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the key begins in the path of the secure route.
const SECURE_PREFIX: &str = "/api/secure/files/delete/";

/// Names the file to delete.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteRequest {
    /// Key of the file.
    pub s3_key: String,
}

/// Says that the file is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: &'static str,
}

/// Names the file that is gone, in the dialect of `/api/secure`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecureDeleted {
    /// Key of the file.
    pub s3_key: String,
}

const MESSAGE: &str = "File deleted successfully";

needs! {
    /// What the function needs.
    pub trait Needs: Adapters<Table: BeginDelete + ApplyTransition + GetJob, Bucket: RemoveVersion>
}

function! {
    users: SessionVerifier = session_verifier(),
    files: A::Table = table(),
    objects: A::Bucket = bucket(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let secure = request.route().contains("/secure/");
        let text = if secure { request.path_after(SECURE_PREFIX).to_owned() } else { asked(request)? };

        let key = ObjectKey::parse_for(&user.id, &text).ok_or_else(|| Fault::not_found("File"))?;
        let marked = self.files.begin_delete(&key, request.now).await?.ok_or_else(|| Fault::not_found("File"))?;
        // From here on the file is deleted, whatever else goes wrong.
        if let Err(fault) = self.remove(&marked, request.now).await {
            request.log.field("removal.left_to_sweep", fault.chain());
        }
        request.log.field("file.id", key.file());
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
                .parameter("key", "Key of the file; its slashes may be escaped", true)
                .refuses(&[Code::NotFound]),
        ]
    }
}

fn asked(request: &Request) -> Result<String, Fault> {
    let body: DeleteRequest = request.json()?;
    if body.s3_key.is_empty() { Err(Fault::field("s3Key", "s3Key is empty")) } else { Ok(body.s3_key) }
}

impl<A: Needs> Function<A> {
    /// Removes the file's version, or ends its record at once when nothing has arrived.
    async fn remove(&self, marked: &File, now: Timestamp) -> Result<(), Fault> {
        if let Some(pinned) = &marked.pinned {
            self.objects.remove_version(marked.key.as_str(), &pinned.version).await
        } else {
            // When the record has moved meanwhile, someone else has ended it.
            let step = follow(&self.files, marked.remove(Removal::Deleted, now), now).await?;
            self.files.apply_transition(&step).await.map(drop)
        }
    }
}
