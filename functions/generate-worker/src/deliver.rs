//! Delivers a text that is written: its file is granted, uploaded and claimed as every other, each step found done when it is
//! taken again.

use std::time::Duration;

use consigne_core::files::{File, Grant, GrantOutcome, GrantRequest, ObjectKey, Status, UPLOAD_GRANT_VALID, Usage};
use consigne_core::jobs::{ClaimedFile, Failure, Job, StepOutcome, TextFacts, job_not_found};
use consigne_core::ports::{ApplyJobStep, GetFile, GetJob, GrantUpload, KeepDraft, PutObject, ReadChapters};
use consigne_core::texts::{Draft, Outline, TextMessage, assembled, file_name};
use consigne_core::{Fault, FileId, IdempotencyKey};
use consigne_runtime::queue::Message;
use consigne_usecases::ConflictRetry;
use consigne_usecases::jobs::accept;

use crate::{Function, Needs, give_up};

/// What the files of texts are.
const MEDIA: &str = "text/markdown";
/// How long a delivery waits whose owner has spent their writes of a minute.
const NEXT_MINUTE: Duration = Duration::from_mins(1);

/// A text, whole.
struct Text<'a> {
    outline: &'a Outline,
    content: String,
}

/// Where a grant stands.
enum Granted {
    /// It is there; its bytes may be missing.
    File(Box<File>),
    /// It cannot be had at the moment.
    NotNow,
    /// It cannot be had.
    Never(Failure),
}

impl<A: Needs> Function<A> {
    /// Registers the file, puts it into the bucket, and claims it for the job. S3's event of it ends the job.
    pub(crate) async fn deliver(&self, task: &TextMessage, mut text: Draft, message: &Message) -> Result<(), Fault> {
        let chapters = self.table.read_chapters(&task.job).await?;
        let outline = text.outline.clone().filter(|outline| outline.chapters.len() == chapters.len());
        let outline = outline.ok_or_else(|| Fault::internal("the draft lacks chapters"))?;
        let whole = Text { outline: &outline, content: assembled(&outline, &chapters) };
        let file = match self.granted(task, &mut text, &whole, message).await? {
            Granted::File(file) => file,
            Granted::NotNow => {
                self.table.store_draft(&text.put_off(NEXT_MINUTE, message.now), None).await?;
                return self.go_on(task, NEXT_MINUTE).await;
            }
            Granted::Never(failure) => return give_up(&self.table, task, &failure, message).await,
        };
        message.log.field("file.id", file.id());
        if file.status == Status::Pending {
            // What is there already was put there by an earlier try, from the same chapters.
            self.objects.put_object(&file, whole.content.as_bytes()).await?;
        }
        self.claim(task, &text, &file, message).await
    }

    /// Finds the file of an earlier try, or has one granted under the id that the draft names.
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
                // It ran out, or was lost, before it was claimed.
                Some(_) => {
                    *text = text.with_another_file(message.now);
                    if !self.table.store_draft(text, None).await? {
                        return Err(Fault::unavailable("somebody else delivers the text"));
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

    /// Has the file granted for the job, against its owner's storage; `None` when the job has moved meanwhile.
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
        let asked = GrantRequest::parse(&name, MEDIA, size, None, Some(job.kind))?;
        let file = match asked.admit(job.owner(), job.plan, UPLOAD_GRANT_VALID, message.now) {
            Ok(file) => file,
            Err(fault) => return never(&fault),
        };
        let key = ObjectKey::mint(job.owner(), job.kind, id, &file.name, file.media);
        let file = File { key, job: Some(job.id.clone()), ..file };
        let step = Some(Box::new(job.granted(&file, message.now)?));
        let idempotency_key = IdempotencyKey { key: format!("text {id}"), fingerprint: String::new() };
        let grant = Grant { file, plan: job.plan, job: step, idempotency: Some(idempotency_key), now: message.now };
        Ok(match self.table.grant_upload(&grant).await? {
            GrantOutcome::Granted => {
                message.log.count("OutputsGranted");
                message.log.bytes("BytesGranted", size);
                Some(Granted::File(Box::new(grant.file)))
            }
            GrantOutcome::Replayed(file) => Some(Granted::File(file)),
            GrantOutcome::OverQuota { committed } => return never(&Usage::refusal(committed, size, job.plan)),
            GrantOutcome::OverRate(_) => Some(Granted::NotNow),
            GrantOutcome::Conflict => None,
            GrantOutcome::KeyReused => return Err(Fault::internal("the file was granted for something else")),
        })
    }

    /// Claims the file, as a generator's completion would.
    async fn claim(&self, task: &TextMessage, text: &Draft, file: &File, message: &Message) -> Result<(), Fault> {
        let s3_key = file.key.to_string();
        let claimed = [ClaimedFile { s3_key, size: None, content_type: None, duration_seconds: None }];
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
