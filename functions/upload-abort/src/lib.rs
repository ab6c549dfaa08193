//! Aborts an upload that has not arrived, in parts or by one request, and gives its bytes back.
//!
//! The parts at S3 are aborted first, and the record ends last, on condition that it has not changed. If this function is
//! killed in between, the upload stays due, and a repetition or `sweep` finishes it. What arrives afterwards is removed by
//! `on-object-event`.

use consigne_auth::SessionVerifier;
use consigne_core::files::{Removal, Status};
use consigne_core::ports::{AbortUpload, ApplyTransition, GetFile, GetJob, GetOrder, ListUploads};
use consigne_core::{Code, Fault};
use consigne_runtime::uploads::upload_of;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::ConflictRetry;
use consigne_usecases::jobs::follow;
use consigne_usecases::uploads::close_uploads;
use schemars::JsonSchema;
use serde::Serialize;

/// Confirms that an upload was aborted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UploadAborted {
    /// Always true.
    #[schemars(extend("const" = true))]
    pub success: bool,
    /// Confirmation for people to read.
    pub message: &'static str,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetFile + ApplyTransition + GetJob + GetOrder, Bucket: ListUploads + AbortUpload>
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
        let mut retry = ConflictRetry::of("the upload");
        loop {
            let file = upload_of(&self.files, &user, request).await?;
            if file.status != Status::Pending {
                return Err(file.upload_over("has ended; delete the file instead"));
            }
            close_uploads(&self.objects, &file).await?;
            let step = follow(&self.files, file.remove(Removal::Deleted, request.now), request.now).await?;
            if self.files.apply_transition(&step).await?.is_committed() {
                return Ok(Answer::plain(200, &UploadAborted { success: true, message: "Upload aborted" }));
            }
            retry.wait().await?;
        }
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<UploadAborted>("DELETE /api/files/uploads/{fileId}", "Abort an upload")
                .parameter("fileId", "Id of the file", true)
                .refuses(&[Code::NotFound, Code::Conflict, Code::RateLimited]),
        ]
    }
}
