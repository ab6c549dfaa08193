//! Writes books and articles with a language model: first the outline, then the chapters one by one, then the file.
//!
//! Each message causes one call to the model. The answer is stored in the draft before the next message is sent. So a
//! worker that is killed loses only the call in progress: its message is delivered again, and the next worker repeats that
//! call.

mod deliver;

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::jobs::{Failure, Job, StepOutcome};
use consigne_core::ports::{
    ApplyJobStep, AskModel, GetDraft, GetFile, GetJob, GrantUpload, PutObject, ReadChapters, ReadHead, SendLater,
    StoreDraft,
};
use consigne_core::texts::{Draft, Form, Next, Prompt, Sort, TextMessage, Trouble, Turn};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, needs, settings};
use consigne_usecases::ConflictRetry;

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetJob + GetFile + ApplyJobStep + GrantUpload + GetDraft + StoreDraft + ReadChapters,
        Bucket: ReadHead + PutObject,
        Model: AskModel,
        Queue: SendLater,
    >
}

function! {
    /// Jobs, files and drafts.
    table: A::Table = table(),
    objects: A::Bucket = bucket(),
    model: A::Model = language_model().await,
    /// Takes the message for the next step.
    queue: A::Queue = queue(&settings::TEXT_QUEUE_URL),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    /// Processes one message: takes the next step of the job's text.
    ///
    /// # Errors
    /// If the message is malformed, if the table, the bucket or the queue does not answer, or if an earlier delivery of
    /// the same message may still be working. The message is then delivered again. If it keeps failing, it goes to the
    /// dead-letter queue.
    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let task = TextMessage::parse(&message.body)?;
        message.log.field("job.id", &task.job);
        let mut retry = ConflictRetry::of("the job");
        loop {
            let Some((job, form)) = open_job(&self.table, &task, message).await? else { return Ok(()) };
            let kept = self.table.get_draft(&job.id).await?.unwrap_or_else(|| Draft::begun(&job));
            // After the deadline nothing more is written. A finished text is still delivered while the job is open.
            if message.now >= job.deadline && kept.next() != Next::Delivery {
                message.log.field("text.late", true);
                return Ok(());
            }
            if !show_progress(&self.table, &job, &kept, message).await? {
                retry.wait().await?;
                continue;
            }
            let taken = match kept.turn(&message.id, message.now) {
                Turn::Taken(taken) => *taken,
                Turn::Early(wait) => return self.send_next(&task, wait).await,
                Turn::Spent(failure) => return give_up(&self.table, &task, &failure, message).await,
                Turn::Others => {
                    message.log.field("text.in_hand", true);
                    return Ok(());
                }
                Turn::Underway => return Err(Fault::unavailable("an earlier delivery of the message may be at work")),
            };
            if self.table.store_draft(&taken, None).await?.is_committed() {
                message.log.field("text.step", taken.next().to_string());
                return match taken.prompt(&job, form) {
                    Some(prompt) => self.write(&job, form, &taken, &prompt, message).await,
                    None => self.deliver(&task, taken, message).await,
                };
            }
            retry.wait().await?;
        }
    }
}

/// Reads the job and its form. Returns `None` unless it is a text that is still to be written.
async fn open_job(jobs: &impl GetJob, task: &TextMessage, message: &Message) -> Result<Option<(Job, Form)>, Fault> {
    let job = jobs.get_job(&task.job).await?;
    let open = job.filter(|job| !job.status.is_final() && job.claimed_at.is_none());
    let wanted = open.and_then(|job| Form::of(job.kind).map(|form| (job, form)));
    message.log.field("job.wanted", wanted.is_some());
    Ok(wanted)
}

/// Updates the progress that the job's owner sees. Returns `false` when the job changed meanwhile.
async fn show_progress(jobs: &impl ApplyJobStep, job: &Job, text: &Draft, message: &Message) -> Result<bool, Fault> {
    let (written, of) = text.progress();
    let Some(step) = job.written(written, of, message.now) else { return Ok(true) };
    // On a conflict the caller reads the job again and computes a new step from it.
    Ok(jobs.apply_job_step(&step, None).await? == StepOutcome::Applied)
}

impl<A: Needs> Function<A> {
    /// Asks the model for the next part, and stores it in the draft.
    async fn write(
        &self,
        job: &Job,
        form: Form,
        text: &Draft,
        prompt: &Prompt,
        message: &Message,
    ) -> Result<(), Fault> {
        message.log.count("ModelCalls");
        let replied = self.model.ask_model(prompt).await?;
        let tokens = replied.as_ref().map_or_else(|trouble| trouble.tokens, |reply| reply.tokens);
        message.log.add("PromptTokens", tokens.prompt);
        message.log.add("CompletionTokens", tokens.completion);

        let taken = replied.and_then(|reply| text.take(&reply, form, job.ask.requested_title(), message.now));
        let (after, chapter) = match taken {
            Ok(taken) => taken,
            Err(trouble) => return self.retry_later(job, text, &trouble, message).await,
        };
        if !self.table.store_draft(&after, chapter.as_ref()).await?.is_committed()
            && !is_stored(&self.table, &after).await?
        {
            // The lease expired, and another message has taken this step. That message continues the text.
            message.log.field("text.overtaken", true);
            return Ok(());
        }
        message.log.count(if chapter.is_some() { "ChaptersWritten" } else { "TextsPlanned" });
        self.send_next(&TextMessage { job: job.id.clone() }, Duration::ZERO).await
    }
}

/// Returns whether the draft is stored although the write was refused: an earlier, slow try of the same write may have
/// succeeded.
async fn is_stored(table: &impl GetDraft, text: &Draft) -> Result<bool, Fault> {
    Ok(table.get_draft(&text.job).await?.is_some_and(|kept| kept == *text))
}

impl<A: Needs> Function<A> {
    /// Sends the message for another try of the step after a wait, or fails the job.
    async fn retry_later(&self, job: &Job, text: &Draft, trouble: &Trouble, message: &Message) -> Result<(), Fault> {
        message.log.field("model.trouble", trouble.sort.name());
        message.log.field("model.cause", &trouble.cause);
        message.log.field("text.tries", text.tries);
        message.log.count(if trouble.sort == Sort::Misconfigured { "ModelMisconfigured" } else { "ModelTroubles" });
        let task = TextMessage { job: job.id.clone() };
        let (after, wait) = text.troubled(trouble, job.deadline, message.now);
        if !self.table.store_draft(&after, None).await?.is_committed() && !is_stored(&self.table, &after).await? {
            message.log.field("text.overtaken", true);
            return Ok(());
        }
        match wait {
            Ok(wait) => self.send_next(&task, wait).await,
            Err(failure) => give_up(&self.table, &task, &failure, message).await,
        }
    }

    /// Sends the message for the next step. The wait is rounded up to seconds, because a message that arrives early is
    /// only sent again.
    async fn send_next(&self, task: &TextMessage, wait: Duration) -> Result<(), Fault> {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.queue.send_later(&task.message(), Duration::from_secs(whole)).await
    }
}

/// Fails the job and gives its allowance back. Does nothing if the job has ended meanwhile.
async fn give_up<F>(jobs: &F, task: &TextMessage, failure: &Failure, message: &Message) -> Result<(), Fault>
where
    F: GetJob + ApplyJobStep,
{
    message.log.field("text.given_up", &failure.code);
    let mut retry = ConflictRetry::of("the job");
    loop {
        let job = jobs.get_job(&task.job).await?;
        let step = job.and_then(|job| job.given_up(&failure.code, &failure.message, message.now));
        let Some(step) = step else { return Ok(()) };
        if jobs.apply_job_step(&step, None).await? == StepOutcome::Applied {
            message.log.count("TextsGivenUp");
            return Ok(());
        }
        retry.wait().await?;
    }
}
