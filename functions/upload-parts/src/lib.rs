//! Signs the parts of a large upload, and lists those that have arrived.
//!
//! The session is in the file's record. The first request opens the upload at S3 and notes its id there. If two requests
//! open one each, the record keeps the first, and the other is aborted. If this function is killed in between, `sweep` or
//! whoever aborts the upload finds the other at S3.

use std::collections::BTreeMap;

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::{File, OpenUpload, PART_URL_VALID, PARTS_MAX, StoredPart, TICKET_MIN};
use consigne_core::ports::{
    AbortUpload, ChangeFile, FileChange, FileChangeOutcome, GetFile, ListParts, OpenUploadInParts,
};
use consigne_core::{Code, Fault};
use consigne_runtime::uploads::upload_of;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_storage::{PartToSign, Presigner, SignedUpload};
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to upload parts of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartsRequest {
    /// Numbers of the parts, from 1.
    #[schemars(length(min = 1, max = PARTS_MAX), inner(range(min = 1, max = PARTS_MAX)))]
    pub part_numbers: Vec<u32>,
    /// SHA-256 of each part in base64, by number: of all parts of the file, or of none.
    #[serde(default)]
    pub sha256: BTreeMap<String, String>,
}

/// Parts to upload.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SignedParts {
    /// The asked parts, in the order of their numbers.
    pub parts: Vec<SignedPart>,
}

/// A part to upload.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedPart {
    /// Number of the part.
    pub part_number: u32,
    /// Signed URL to `PUT` the part to.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Exact size of the part in bytes.
    pub size: u64,
    /// Headers to send unchanged with the part; the signature covers them.
    pub headers: BTreeMap<&'static str, String>,
    /// When the URL expires. The upload of the part must have started by then.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

/// The parts of an upload that have arrived.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArrivedParts {
    /// Opaque id of the file.
    pub file_id: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Bytes of every part but the last.
    pub part_size: u64,
    /// Number of parts, which are numbered from 1.
    pub part_count: u32,
    /// When the upload must be completed.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    /// The parts that have arrived, in the order of their numbers.
    pub parts: Vec<ArrivedPart>,
    /// Numbers of the parts that have not arrived.
    pub missing: Vec<u32>,
}

/// A part that has arrived.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArrivedPart {
    /// Number of the part.
    pub part_number: u32,
    /// Its entity tag, to complete the upload with.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in base64; absent if the upload has no checksums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetFile + ChangeFile,
        Bucket: OpenUploadInParts + ListParts + AbortUpload,
    >
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
    objects: A::Bucket = bucket(),
    tickets: Presigner = presigner(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        if request.route().starts_with("GET ") {
            return self.list(&user, request).await;
        }
        self.users.count_write(&user, request.now)?;
        let body: PartsRequest = request.json()?;
        let valid = self.tickets.validity(PART_URL_VALID, request.now)?;
        let (file, parts) = self.opened(&user, &body, request).await?;
        let session = file.open_session(request.now)?;
        let upload = session.upload.as_ref().ok_or_else(|| Fault::internal("an opened session has no upload"))?;

        let valid = valid.min(file.grant_expires_at.since(request.now)).max(TICKET_MIN);
        let mut signed = Vec::new();
        for (number, sha256) in &parts {
            let (number, length) = (*number, file.part_length(session, *number));
            let part = PartToSign { upload: &upload.id, number, length, sha256: sha256.as_deref() };
            let SignedUpload { url, headers } = self.tickets.upload_part(&file, &part, valid, request.now)?;
            signed.push(SignedPart {
                part_number: number,
                url,
                size: length,
                headers: headers.into_iter().collect(),
                expires_at: request.now.plus(valid).to_string(),
            });
        }
        Ok(Answer::plain(200, &SignedParts { parts: signed }))
    }

    fn operations() -> Vec<Operation> {
        let of_upload = |operation: Operation| {
            operation.parameter("fileId", "Id of the file", true).refuses(&[Code::NotFound, Code::Conflict])
        };
        vec![
            of_upload(
                Operation::new::<SignedParts>("POST /api/files/uploads/{fileId}/parts", "Request the upload of parts")
                    .takes::<PartsRequest>()
                    .refuses(&[Code::RateLimited]),
            ),
            of_upload(Operation::new::<ArrivedParts>(
                "GET /api/files/uploads/{fileId}/parts",
                "List the parts that have arrived",
            )),
        ]
    }
}

/// The checksum of each part to sign, by number.
type AskedParts = BTreeMap<u32, Option<String>>;

impl<A: Needs> Function<A> {
    /// Returns the file with an upload at S3, and the checked parts of the request. Opens the upload if there is none.
    async fn opened(&self, user: &User, body: &PartsRequest, request: &Request) -> Result<(File, AskedParts), Fault> {
        let mut retry = ConflictRetry::of("the upload");
        loop {
            let file = upload_of(&self.files, user, request).await?;
            let session = file.open_session(request.now)?;
            let parts = session.asked(&body.part_numbers, &body.sha256)?;
            if session.upload.is_some() {
                return Ok((file, parts));
            }
            let checked = parts.values().any(Option::is_some);
            let id = self.objects.open_upload(&file, checked).await?;
            let upload = OpenUpload { id: id.clone(), checked };
            let changed = file.with_session(|session| session.upload = Some(upload));
            let changed = changed.ok_or_else(|| Fault::internal("an open session has gone"))?;
            let change = FileChange { file: changed, plan: user.plan, now: request.now };
            let refusal = match self.files.change_file(&change).await {
                Ok(FileChangeOutcome::Applied) => return Ok((change.file, parts)),
                Ok(FileChangeOutcome::Conflict) => None,
                Ok(FileChangeOutcome::OverRate(over)) => Some(over.refusal(user.plan, request.now)),
                // The account is closed, so nothing was written.
                Err(fault) if fault.code == Code::Unauthenticated => Some(fault),
                // The record may name the upload. If it does not, whoever ends the session finds it at S3.
                Err(fault) => return Err(fault),
            };
            self.objects.abort_upload(file.key.as_str(), &id).await?;
            match refusal {
                Some(refusal) => return Err(refusal),
                None => retry.wait().await?,
            }
        }
    }

    async fn list(&self, user: &User, request: &Request) -> Result<Answer, Fault> {
        let file = upload_of(&self.files, user, request).await?;
        let session = file.open_session(request.now)?;
        let stored = match &session.upload {
            Some(upload) => self.objects.list_parts(&file, upload).await?,
            None => Some(Vec::new()),
        };
        let stored = stored.ok_or_else(|| file.upload_over("is no longer open at S3"))?;
        let missing = session.not_arrived(&stored);
        let parts = ArrivedParts {
            file_id: file.id().to_string(),
            size: file.size,
            part_size: session.part_size,
            part_count: session.part_count,
            expires_at: file.grant_expires_at.to_string(),
            parts: stored.into_iter().map(ArrivedPart::from).collect(),
            missing,
        };
        Ok(Answer::plain(200, &parts))
    }
}

impl From<StoredPart> for ArrivedPart {
    fn from(part: StoredPart) -> Self {
        let StoredPart { number, etag, size, sha256 } = part;
        Self { part_number: number, etag, size, sha256 }
    }
}
