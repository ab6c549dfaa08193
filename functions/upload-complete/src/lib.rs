//! Completes an upload in parts: S3 makes the object of its parts, unless the key has one.
//!
//! The file then arrives like any other: S3 reports the object, and `on-object-event` checks it. So this function changes
//! neither the file's status nor the ledger. It notes in the record that completion was asked for, in a transaction that
//! counts the write and requires an open account. A repetition gets the same answer, whatever has happened to the file
//! since.

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::{
    COMPLETION_MAX, File, NamedPart, OpenUpload, PARTS_MAX, PartSession, Status, parts_missing,
};
use consigne_core::ports::{
    ChangeFile, CompleteUpload, Completion, FileChange, FileChangeOutcome, GetFile, ListParts, ReadHead,
};
use consigne_core::{Code, Fault};
use consigne_runtime::uploads::upload_of;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to complete an upload in parts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompletionRequest {
    /// All parts of the file, in any order.
    #[schemars(length(min = 1, max = PARTS_MAX))]
    pub parts: Vec<UploadedPart>,
}

/// A part that was uploaded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UploadedPart {
    /// Number of the part, from 1.
    #[schemars(range(min = 1, max = PARTS_MAX))]
    pub part_number: u32,
    /// The header `ETag` with which S3 answered, with or without its quotes.
    #[schemars(length(min = 1))]
    pub etag: String,
    /// SHA-256 of the part in base64. If the upload has checksums and this one is absent, that of S3 is taken.
    #[schemars(length(equal = 44))]
    pub sha256: Option<String>,
}

/// An upload that was completed. The file becomes ready once it is checked.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompletedUpload {
    /// Opaque id of the file.
    pub file_id: String,
    /// Key of the file. All other file routes take it.
    pub s3_key: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Number of its parts.
    pub part_count: u32,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetFile + ChangeFile,
        Bucket: CompleteUpload + ListParts + ReadHead,
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
        let body: CompletionRequest = request.json()?;
        let file = upload_of(&self.files, &user, request).await?;
        let session = file.part_session()?;
        let named = session.named(body.parts.into_iter().map(NamedPart::from).collect())?;
        let file = self.noted(file, &user, request).await?;
        // A file with a session arrives by a completion only.
        if file.status != Status::Pending {
            return Ok(completed(&file));
        }
        let session = file.open_session(request.now)?;
        let Some(upload) = &session.upload else { return Err(parts_missing(&session.not_arrived(&[]))) };

        match self.complete(&file, upload, named).await? {
            Completion::Completed => {}
            Completion::Refused { code } => return Err(refused(&code)),
            over => self.completed_before(&over, &file, &user, request).await?,
        }
        Ok(completed(&file))
    }

    fn operations() -> Vec<Operation> {
        let route = "POST /api/files/uploads/{fileId}/complete";
        vec![
            Operation::new::<CompletedUpload>(route, "Complete an upload in parts")
                .takes::<CompletionRequest>()
                .parameter("fileId", "Id of the file", true)
                .refuses(&[Code::NotFound, Code::Conflict, Code::RateLimited]),
        ]
    }
}

fn completed(file: &File) -> Answer {
    let completed = CompletedUpload {
        file_id: file.id().to_string(),
        s3_key: file.key.to_string(),
        size: file.size,
        part_count: file.parts.as_ref().map_or(0, |session| session.part_count),
    };
    Answer::plain(200, &completed)
}

fn refused(code: &str) -> Fault {
    Fault::field("parts", format!("parts are refused by S3: {code}"))
}

impl<A: Needs> Function<A> {
    /// Notes that the owner has asked to complete the upload, unless that was noted before or the file has arrived. Returns
    /// the record.
    async fn noted(&self, mut file: File, user: &User, request: &Request) -> Result<File, Fault> {
        let mut retry = ConflictRetry::of("the upload");
        loop {
            if file.status != Status::Pending || file.open_session(request.now)?.completing.is_some() {
                return Ok(file);
            }
            let changed = file.with_session(|session| session.completing = Some(request.now));
            let changed = changed.ok_or_else(|| Fault::internal("an open session has gone"))?;
            let change = FileChange { file: changed, plan: user.plan, now: request.now };
            match self.files.change_file(&change).await? {
                FileChangeOutcome::Applied => return Ok(change.file),
                FileChangeOutcome::OverRate(over) => return Err(over.refusal(user.plan, request.now)),
                FileChangeOutcome::Conflict => retry.wait().await?,
            }
            file = upload_of(&self.files, user, request).await?;
        }
    }

    /// Completes the upload at S3.
    ///
    /// # Errors
    /// `CONFLICT` with the numbers of the parts that S3 lacks.
    async fn complete(&self, file: &File, upload: &OpenUpload, mut named: Vec<NamedPart>) -> Result<Completion, Fault> {
        // S3 wants the checksum of every part again. It knows those that were signed.
        if upload.checked && named.iter().any(|part| part.sha256.is_none()) {
            let Some(stored) = self.objects.list_parts(file, upload).await? else { return Ok(Completion::Over) };
            for part in named.iter_mut().filter(|part| part.sha256.is_none()) {
                let known = stored.iter().find(|known| known.number == part.number);
                part.sha256 = known.and_then(|known| known.sha256.clone());
            }
            let missing = PartSession::not_stored(&named, &stored);
            if !missing.is_empty() {
                return Err(parts_missing(&missing));
            }
        }
        let outcome = self.objects.complete_upload(file, upload, &named).await?;
        if let Completion::Refused { .. } = outcome {
            let Some(stored) = self.objects.list_parts(file, upload).await? else { return Ok(Completion::Over) };
            let missing = PartSession::not_stored(&named, &stored);
            if !missing.is_empty() {
                return Err(parts_missing(&missing));
            }
        }
        Ok(outcome)
    }

    /// Checks that an upload which S3 can no longer complete was completed before.
    ///
    /// # Errors
    /// `CONFLICT` if it was not; `UNAVAILABLE` if S3 is still at work.
    async fn completed_before(
        &self,
        outcome: &Completion,
        file: &File,
        user: &User,
        request: &Request,
    ) -> Result<(), Fault> {
        // Nobody else has a URL that writes to the key, so its object is that of the upload.
        if self.objects.read_head(file.key.as_str(), None, 1).await?.is_some() {
            return Ok(());
        }
        // The file may have been checked and removed in the meantime.
        let latest = upload_of(&self.files, user, request).await?;
        if latest.status != Status::Pending {
            return Ok(());
        }
        // The answer to an earlier request may have been lost while S3 was at work.
        let asked = file.parts.as_ref().and_then(|session| session.completing).unwrap_or(request.now);
        let is_recent = asked < request.now && request.now.since(asked) < COMPLETION_MAX;
        if is_recent || *outcome == Completion::Busy {
            return Err(Fault::unavailable("S3 may still be completing the upload"));
        }
        Err(file.upload_over("is no longer open at S3; ask for a new one"))
    }
}

impl From<UploadedPart> for NamedPart {
    fn from(part: UploadedPart) -> Self {
        Self { number: part.part_number, etag: part.etag, sha256: part.sha256 }
    }
}
