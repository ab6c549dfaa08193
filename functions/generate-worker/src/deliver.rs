//! Delivers a finished text: its file is granted, uploaded and claimed, as for a generator. Every step can be repeated,
//! because it first looks for the result of an earlier try.

use std::time::Duration;

use consigne_core::files::{
    File, Grant, GrantOutcome, GrantRequest, Metadata, ObjectKey, Status, UPLOAD_GRANT_VALID, Usage,
};
use consigne_core::jobs::{ClaimedFile, Failure, Job, StepOutcome, TextFacts, job_not_found};
use consigne_core::ports::{ApplyJobStep, GetFile, GetJob, GrantUpload, PutObject, ReadChapters, StoreDraft};
use consigne_core::texts::{Draft, Outline, TextMessage, assembled, file_name};
use consigne_core::{Fault, FileId, IdempotencyKey};
use consigne_runtime::queue::Message;
use consigne_usecases::ConflictRetry;
use consigne_usecases::jobs::accept;

use crate::{Function, Needs, give_up};

/// Media type of the files of texts.
const MEDIA: &str = "text/markdown";
/// How long a delivery waits at most before it asks for the grant again. A message can be delayed no longer.
const WAIT_MAX: Duration = Duration::from_mins(15);

/// A finished text.
struct Text<'a> {
    outline: &'a Outline,
    content: String,
}

/// The outcome of asking for a grant.
enum Granted {
    /// The file is granted. It may not be uploaded yet.
    File(Box<File>),
    /// Not now: the owner has reached a limit. This is how long to wait.
    NotNow(Duration),
    /// Never, for this reason: the job fails.
    Never(Failure),
}

impl<A: Needs> Function<A> {
    /// Requests the grant of the file, uploads it, and claims it for the job. S3's event about the file completes the job.
    pub(crate) async fn deliver(&self, task: &TextMessage, mut text: Draft, message: &Message) -> Result<(), Fault> {
        let chapters = self.table.read_chapters(&task.job).await?;
        let outline = text.outline.clone().filter(|outline| outline.chapters.len() == chapters.len());
        let outline = outline.ok_or_else(|| Fault::internal("the draft lacks chapters"))?;
        let whole = Text { outline: &outline, content: assembled(&outline, &chapters) };
        let file = match self.granted(task, &mut text, &whole, message).await? {
            Granted::File(file) => file,
            Granted::NotNow(wait) => {
                self.table.store_draft(&text.put_off(wait, message.now), None).await?.is_committed();
                return self.send_next(task, wait).await;
            }
            Granted::Never(failure) => return give_up(&self.table, task, &failure, message).await,
        };
        message.log.field("file.id", file.id());
        if file.status == Status::Pending {
            // If the object exists already, an earlier try uploaded it from the same chapters.
            self.objects.put_object(&file, whole.content.as_bytes()).await?;
        }
        self.claim(task, &text, &file, message).await
    }

    /// Finds the file of an earlier try, or requests a grant under the id in the draft.
    async fn granted(
        &self,
        task: &TextMessage,
        text: &mut Draft,
        whole: &Text<'_>,
        message: &Message,
    ) -> Result<Granted, Fault> {
        let mut retry = ConflictRetry::of("the job");
        loop {
            let id = text.file.ok_or_else(|| Fault::internal("the draft names no file"))?;
            match self.table.get_file(task.job.owner(), id).await? {
                Some(file) if matches!(file.status, Status::Pending | Status::Processing | Status::Ready) => {
                    return Ok(Granted::File(Box::new(file)));
                }
                // The grant expired, or the file was rejected or deleted, before it was claimed.
                Some(_) => {
                    *text = text.with_another_file(message.now);
                    if !self.table.store_draft(text, None).await?.is_committed() {
                        return Err(Fault::unavailable("another message is delivering the text"));
                    }
                }
                None => {
                    let job = self.table.get_job(&task.job).await?.ok_or_else(job_not_found)?;
                    if let Some(granted) = self.grant(&job, id, whole, message).await? {
                        return Ok(granted);
                    }
                    retry.wait().await?;
                }
            }
        }
    }

    /// Requests the grant of the file for the job, within its owner's storage quota. Returns `None` if the job changed
    /// meanwhile.
    async fn grant(
        &self,
        job: &Job,
        id: FileId,
        whole: &Text<'_>,
        message: &Message,
    ) -> Result<Option<Granted>, Fault> {
        let never = |fault: &Fault| {
            let failure = Failure { code: fault.code.as_str().to_owned(), message: fault.message.to_string() };
            Ok(Some(Granted::Never(failure)))
        };
        let (name, size) = (file_name(&whole.outline.title), whole.content.len() as u64);
        let asked = GrantRequest::parse(&name, MEDIA, size, None, Some(job.kind))?
            .with_metadata(Metadata::titled(&whole.outline.title));
        let file = match asked.admit(job.owner(), job.plan, UPLOAD_GRANT_VALID, message.now) {
            Ok(file) => file,
            Err(fault) => return never(&fault),
        };
        let key = ObjectKey::mint(job.owner(), job.kind, id, &file.name, file.media);
        let file = File { key, job: Some(job.id.clone()), ..file };
        let step = Some(Box::new(job.granted(&file, message.now)?));
        let idempotency_key = IdempotencyKey { key: format!("text {id}"), fingerprint: String::new() };
        let grant =
            Grant { file, plan: job.plan, job: step, seen: None, idempotency: Some(idempotency_key), now: message.now };
        Ok(match self.table.grant_upload(&grant).await? {
            GrantOutcome::Granted => {
                message.log.count("OutputsGranted");
                message.log.bytes("BytesGranted", size);
                Some(Granted::File(Box::new(grant.file)))
            }
            GrantOutcome::Replayed(file) => Some(Granted::File(file)),
            GrantOutcome::OverQuota { committed } => return never(&Usage::refusal(committed, size, job.plan)),
            GrantOutcome::OverRate(over) => Some(Granted::NotNow(over.wait(message.now).min(WAIT_MAX))),
            GrantOutcome::Conflict => None,
            GrantOutcome::KeyReused => return Err(Fault::internal("the file was granted for something else")),
        })
    }

    /// Claims the file for the job, as a generator's completion would.
    async fn claim(&self, task: &TextMessage, text: &Draft, file: &File, message: &Message) -> Result<(), Fault> {
        let s3_key = file.key.to_string();
        let claimed =
            [ClaimedFile { s3_key, size: None, content_type: None, dimensions: None, duration_seconds: None }];
        let facts = TextFacts {
            title: text.outline.as_ref().map(|outline| outline.title.clone()),
            chapters: u32::try_from(text.written).ok(),
            words: Some(text.words),
            tokens: Some(text.tokens),
        };
        let mut retry = ConflictRetry::of("the job");
        loop {
            let job = self.table.get_job(&task.job).await?.ok_or_else(job_not_found)?;
            let files = ("texts", &claimed[..]);
            let step = accept(&self.table, &self.objects, &job, files, Some(facts.clone()), message.now).await?;
            let Some(step) = step else { return Ok(()) };
            if self.table.apply_job_step(&step, None).await? == StepOutcome::Applied {
                message.log.count("TextsDelivered");
                return Ok(());
            }
            retry.wait().await?;
        }
    }
}
