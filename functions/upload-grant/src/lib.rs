//! Grants an upload: reserves the bytes, records the file as pending, and signs the one PUT request that S3 accepts.
//!
//! One transaction writes the reservation, the record, the counts of writes and grants, and the idempotency record. The signature covers
//! length, type, checksum (if given) and `If-None-Match`, so S3 refuses other bytes and a second upload.
//!
//! A file that is too large for one request gets a session instead, in its record. `upload-parts` signs its parts.

use std::collections::BTreeMap;

use consigne_auth::SessionVerifier;
use consigne_core::files::{
    FILE_NAME_MAX, Grant, GrantOutcome, GrantRequest, Kind, Metadata, UPLOAD_GRANT_VALID, Usage, still_usable,
};
use consigne_core::idempotency::key_reused;
use consigne_core::ports::GrantUpload;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_storage::{Presigner, SignedUpload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to upload a file.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UploadRequest {
    /// File name as the user knows it, without a path; at most 255 characters.
    #[schemars(length(min = 1, max = FILE_NAME_MAX))]
    pub filename: String,
    /// Media type. It must match the extension of the file name. If it is empty or `application/octet-stream`, the
    /// extension decides.
    pub content_type: String,
    /// Exact size in bytes, at least 1.
    #[schemars(range(min = 1))]
    pub size: u64,
    /// SHA-256 of the content, in base64. When it is given, S3 refuses any other content.
    #[schemars(length(equal = 44))]
    pub sha256: Option<String>,
    /// Kind of the file; derived from the media type when absent.
    pub kind: Option<Kind>,
    /// What to note with the file, such as `{"title": "..."}`: at most 32 names and 2,048 bytes together.
    // Absent from the fingerprint of a request without it, so that a retry is recognised after an update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// How to upload.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// One PUT request whose body is the file.
    Put,
    /// In parts: see `partsPath`.
    Multipart,
}

/// One request that uploads a file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Put {
    /// Signed URL to upload to.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Headers to send unchanged with the upload; the signature covers them.
    pub headers: BTreeMap<&'static str, String>,
}

/// The parts of a file that is too large for one request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parts {
    /// Bytes of every part but the last.
    pub part_size: u64,
    /// Number of parts, which are numbered from 1.
    pub part_count: u32,
    /// Path to which to send the numbers of parts, to get their signed URLs.
    pub parts_path: String,
}

/// A granted upload: where and how to send the file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Opaque id of the file.
    pub file_id: String,
    /// Key of the file. All other file routes take it.
    pub s3_key: String,
    /// `PUT`, or `MULTIPART` above 104,857,600 bytes.
    pub method: Method,
    /// The request to make, for `PUT`.
    #[serde(flatten)]
    pub put: Option<Put>,
    /// The parts to upload, for `MULTIPART`.
    #[serde(flatten)]
    pub parts: Option<Parts>,
    /// When the grant expires. The upload must have started by then; one in parts must be completed.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

function! {
    users: SessionVerifier = file_users(),
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
        let ask = ask.with_metadata(Metadata::parse(body.metadata.unwrap_or_default())?);
        let file = ask.admit(&user.id, user.plan, valid, request.now)?.divided()?;

        let grant = Grant { file, plan: user.plan, job: None, seen: user.sighting(), idempotency, now: request.now };
        let file = match self.files.grant_upload(&grant).await? {
            GrantOutcome::Granted => {
                request.log.count("UploadsGranted");
                request.log.bytes("BytesGranted", grant.file.size);
                grant.file
            }
            GrantOutcome::Replayed(file) => still_usable(*file, ("Idempotency-Key", "key"), request.now)?,
            GrantOutcome::KeyReused => return Err(key_reused()),
            GrantOutcome::OverQuota { committed } => return Err(Usage::refusal(committed, body.size, user.plan)),
            GrantOutcome::Conflict => return Err(Fault::internal("a grant without a job cannot conflict")),
            GrantOutcome::OverRate(over) => return Err(over.refusal(user.plan, request.now)),
        };
        request.names_file(file.key.as_str());

        // Sign with the time of the grant, so that a replay gets the same signed URL.
        let put = if file.parts.is_none() {
            let valid = file.grant_expires_at.since(file.granted_at);
            let SignedUpload { url, headers } = self.tickets.upload(&file, valid, file.granted_at)?;
            Some(Put { url, headers: headers.into_iter().collect() })
        } else {
            None
        };
        let upload = Upload {
            file_id: file.id().to_string(),
            s3_key: file.key.to_string(),
            method: if put.is_some() { Method::Put } else { Method::Multipart },
            put,
            parts: file.parts.as_ref().map(|session| Parts {
                part_size: session.part_size,
                part_count: session.part_count,
                parts_path: format!("/api/files/uploads/{}/parts", file.id()),
            }),
            expires_at: file.grant_expires_at.to_string(),
        };
        Ok(Answer::plain(201, &upload))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<Upload>("POST /api/files/uploads", "Request an upload")
                .takes::<UploadRequest>()
                .creates()
                .refuses(&[
                    Code::InvalidFilename,
                    Code::UnsupportedFileType,
                    Code::FileTooLarge,
                    Code::StorageQuotaExceeded,
                    Code::IdempotencyMismatch,
                    Code::Conflict,
                ]),
        ]
    }
}
