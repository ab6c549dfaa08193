//! Grants a generator the upload of one output file of a job. The file belongs to the job's owner and counts against
//! their storage.
//!
//! The request is signed like a completion. Its `webhook-id` is the idempotency key, so a retry gets the same grant.

use std::collections::BTreeMap;

use consigne_auth::{Refreshed, WebhookSecrets};
use consigne_core::files::{
    FILE_NAME_MAX, File, Grant, GrantOutcome, GrantRequest, Metadata, OF_JOB, ObjectKey, UPLOAD_GRANT_VALID, Usage,
    still_usable,
};
use consigne_core::idempotency::{IdempotentRequest, KeyOwner, WriteOutcome};
use consigne_core::jobs::{Job, JobId, job_not_found};
use consigne_core::ports::{GetFile, GetIdempotencyRecord, GetJob, GrantUpload};
use consigne_core::webhooks::{Source, content_mismatch};
use consigne_core::{Code, Fault, IdempotencyKey};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs, settings};
use consigne_storage::{Presigner, SignedUpload};
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names in error messages: what a retry repeats, and what a request for another grant must renew.
const REPEATED: (&str, &str) = ("message", "id");

/// Request to upload an output file of a job.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub struct OutputRequest {
    /// File name without a path; at most 255 characters.
    #[schemars(length(min = 1, max = FILE_NAME_MAX))]
    pub filename: String,
    /// Media type. It must match the extension of the file name and the job's kind. If it is empty or
    /// `application/octet-stream`, the extension decides.
    pub content_type: String,
    /// Exact size in bytes, at least 1.
    #[schemars(range(min = 1))]
    pub size: u64,
    /// SHA-256 of the content, in base64. When it is given, S3 refuses any other content.
    #[schemars(length(equal = 44))]
    pub sha256: Option<String>,
}

/// A granted upload: where and how to send the file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OutputUpload {
    /// Opaque id of the file.
    pub file_id: String,
    /// Key of the file. The completion names the file by it.
    pub s3_key: String,
    /// HTTP method to upload with: `PUT`, one request whose body is the file.
    #[schemars(extend("enum" = ["PUT"]))]
    pub method: &'static str,
    /// Signed URL to upload to.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Headers to send unchanged with the upload; the signature covers them.
    pub headers: BTreeMap<&'static str, String>,
    /// When the grant expires. The upload must have started by then.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    /// Same as `file_id`, spelt as in the answer to `POST /api/files/uploads`, so that one client can read both.
    #[serde(rename = "fileId")]
    pub plain_file_id: String,
    /// Same as `s3_key`, spelt as in the answer to `POST /api/files/uploads`.
    #[serde(rename = "s3Key")]
    pub plain_s3_key: String,
    /// Same as `expires_at`, spelt as in the answer to `POST /api/files/uploads`.
    #[serde(rename = "expiresAt")]
    #[schemars(extend("format" = "date-time"))]
    pub plain_expires_at: String,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetJob + GrantUpload + GetIdempotencyRecord + GetFile>
}

function! {
    generators: Refreshed<WebhookSecrets> = webhook_secrets(&settings::GENERATOR_SECRETS_ARN).await,
    /// Jobs, files, ledgers and idempotency records.
    jobs: A::Table = table(),
    tickets: Presigner = presigner(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let message = request.signed(&self.generators).await?;
        let id = JobId::parse(request.parameter("id")).ok_or_else(job_not_found)?;
        request.log.field("job.id", &id);
        let body: OutputRequest = request.json()?;
        let idempotency_key = request.bind_key(message.as_str(), &body)?;

        let file = self.grant(&id, &body, idempotency_key, request).await?;
        request.log.field("file.id", file.id());
        // Sign with the time of the grant, so that a replay gets the same signed URL.
        let valid = file.grant_expires_at.since(file.granted_at);
        let SignedUpload { url, headers } = self.tickets.upload(&file, valid, file.granted_at)?;
        let upload = OutputUpload {
            file_id: file.id().to_string(),
            s3_key: file.key.to_string(),
            method: "PUT",
            url,
            headers: headers.into_iter().collect(),
            expires_at: file.grant_expires_at.to_string(),
            plain_file_id: file.id().to_string(),
            plain_s3_key: file.key.to_string(),
            plain_expires_at: file.grant_expires_at.to_string(),
        };
        Ok(Answer::plain(201, &upload))
    }

    fn operations() -> Vec<Operation> {
        let route = "POST /api/webhooks/jobs/{id}/uploads";
        let operation =
            Operation::new::<OutputUpload>(route, "Request the upload of an output file of a job").for_senders();
        let refusals = [
            Code::NotFound,
            Code::Conflict,
            Code::InvalidFilename,
            Code::UnsupportedFileType,
            Code::FileTooLarge,
            Code::StorageQuotaExceeded,
            Code::RateLimited,
            Code::IdempotencyMismatch,
        ];
        let operation = Operation { status: 201, ..operation.takes::<OutputRequest>() };
        vec![operation.parameter("id", "Id of the job", true).refuses(&refusals)]
    }
}

impl<A: Needs> Function<A> {
    async fn grant(
        &self,
        id: &JobId,
        body: &OutputRequest,
        idempotency_key: IdempotencyKey,
        request: &Request,
    ) -> Result<File, Fault> {
        let valid = self.tickets.validity(UPLOAD_GRANT_VALID, request.now)?;
        let mut retry = ConflictRetry::of("the job");
        loop {
            let job = self.jobs.get_job(id).await?.ok_or_else(job_not_found)?;
            let asked = ask(&job, body)?.with_metadata(Metadata::titled(&job.ask.title()));
            let file = File { job: Some(id.clone()), ..asked.admit(job.owner(), job.plan, valid, request.now)? };
            let step = match job.granted(&file, request.now) {
                Ok(step) => Some(Box::new(step)),
                Err(refusal) => {
                    return granted_before(&self.jobs, &job, &idempotency_key, request).await?.ok_or(refusal);
                }
            };
            let grant = Grant {
                file,
                plan: job.plan,
                job: step,
                seen: None,
                idempotency: Some(idempotency_key.clone()),
                now: request.now,
            };
            match self.jobs.grant_upload(&grant).await? {
                GrantOutcome::Granted => {
                    request.log.count("OutputsGranted");
                    request.log.bytes("BytesGranted", grant.file.size);
                    return Ok(grant.file);
                }
                GrantOutcome::Replayed(file) => return still_usable(*file, REPEATED, request.now),
                GrantOutcome::KeyReused => return Err(content_mismatch()),
                GrantOutcome::OverQuota { committed } => return Err(Usage::refusal(committed, body.size, job.plan)),
                GrantOutcome::OverRate(over) => return Err(over.refusal(job.plan, request.now)),
                GrantOutcome::Conflict => retry.wait().await?,
            }
        }
    }
}

/// Finds the file that an earlier try of the same request was granted, when the job accepts no further file.
async fn granted_before<F: GetIdempotencyRecord + GetFile>(
    jobs: &F,
    job: &Job,
    idempotency_key: &IdempotencyKey,
    request: &Request,
) -> Result<Option<File>, Fault> {
    let (key, caller) = (idempotency_key.clone(), KeyOwner::Sender(Source::Generator));
    let idempotent = IdempotentRequest { key, owner: caller, operation: OF_JOB, result: String::new() };
    let key = match jobs.get_idempotency_record(&idempotent, request.now).await? {
        Some(WriteOutcome::Replayed(key)) => ObjectKey::parse_for(job.owner(), &key),
        Some(WriteOutcome::KeyReused) => return Err(content_mismatch()),
        _ => None,
    };
    let Some(key) = key else { return Ok(None) };
    jobs.get_file(job.owner(), key.file()).await?.map(|file| still_usable(file, REPEATED, request.now)).transpose()
}

fn ask(job: &Job, body: &OutputRequest) -> Result<GrantRequest, Fault> {
    let OutputRequest { filename, content_type, size, sha256 } = body;
    let asked = GrantRequest::parse(filename, content_type, *size, sha256.as_deref(), Some(job.kind));
    asked.map_err(|fault| match fault.details.get("field").and_then(|field| field.as_str()) {
        // This route spells the field `content_type`. The kind is the job's own, so only the type can be wrong.
        Some("contentType" | "kind") => fault.detail("field", "content_type"),
        _ => fault,
    })
}
