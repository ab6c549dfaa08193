//! Grants an upload: reserves its bytes, records the file as pending, and signs the one PUT that S3 will take.
//!
//! Reservation, record, rate window and idempotency key are one transaction. What S3 must refuse (another length, another
//! type, other bytes, a second upload) is part of the signature.

use std::collections::BTreeMap;

use consigne_auth::SessionVerifier;
use consigne_core::files::{Grant, GrantOutcome, GrantRequest, Kind, UPLOAD_GRANT_VALID, Usage, still_usable};
use consigne_core::idempotency::key_reused;
use consigne_core::ports::GrantUpload;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_storage::{Presigner, SignedUpload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Asks to upload a file.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UploadRequest {
    /// Name as the person writes it, at most 255 bytes, without path.
    pub filename: String,
    /// Media type; must agree with the name's extension.
    pub content_type: String,
    /// Exact size in bytes, at least 1.
    pub size: u64,
    /// SHA-256 of the content in base64; S3 then refuses other bytes.
    pub sha256: Option<String>,
    /// What the file is for; from the type when absent.
    pub kind: Option<Kind>,
}

/// How the bytes are sent.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// One request with the bytes as its body.
    Put,
}

/// A granted upload.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Id of the file, opaque.
    pub file_id: String,
    /// Key of the file, the name every other route takes.
    pub s3_key: String,
    /// How to send the bytes.
    pub method: Method,
    /// Where to send them.
    pub url: String,
    /// Headers to send exactly so.
    pub headers: BTreeMap<&'static str, String>,
    /// Until when the upload must have begun.
    pub expires_at: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    files: A::Table = table(),
    tickets: Presigner = presigner(),
}

impl<A: Adapters<Table: GrantUpload>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let body: UploadRequest = request.json()?;
        let idempotency = request.idempotency_key(&body)?;
        let valid = self.tickets.validity(UPLOAD_GRANT_VALID, request.now)?;
        let ask =
            GrantRequest::parse(&body.filename, &body.content_type, body.size, body.sha256.as_deref(), body.kind)?;
        let file = ask.admit(&user.id, user.plan, valid, request.now)?;

        let grant = Grant { file, plan: user.plan, job: None, idempotency, now: request.now };
        let file = match self.files.grant_upload(&grant).await? {
            GrantOutcome::Granted => {
                request.log.count("UploadsGranted");
                request.log.bytes("BytesGranted", grant.file.size);
                grant.file
            }
            GrantOutcome::Replayed(file) => still_usable(*file, ("Idempotency-Key", "key"), request.now)?,
            GrantOutcome::KeyReused => return Err(key_reused()),
            GrantOutcome::OverQuota { committed } => return Err(Usage::refusal(committed, body.size, user.plan)),
            GrantOutcome::Conflict => return Err(Fault::internal("a grant of one's own concerns no job")),
            GrantOutcome::OverRate(window) => {
                return Err(window.refusal(user.plan.allowances().writes_per_minute, request.now));
            }
        };
        request.log.field("file.id", file.id());

        // Signed as of the grant, so that a replay gets the same ticket.
        let valid = file.grant_expires_at.since(file.granted_at);
        let SignedUpload { url, headers } = self.tickets.upload(&file, valid, file.granted_at)?;
        let upload = Upload {
            file_id: file.id().to_string(),
            s3_key: file.key.to_string(),
            method: Method::Put,
            url,
            headers: headers.into_iter().collect(),
            expires_at: file.grant_expires_at.to_string(),
        };
        Ok(Answer::plain(201, &upload))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<Upload>("POST /api/files/uploads", "Ask to upload a file")
                .takes::<UploadRequest>()
                .creates()
                .refuses(&[
                    Code::InvalidFilename,
                    Code::UnsupportedFileType,
                    Code::FileTooLarge,
                    Code::StorageQuotaExceeded,
                    Code::RateLimited,
                    Code::IdempotencyMismatch,
                    Code::Conflict,
                ]),
        ]
    }
}
