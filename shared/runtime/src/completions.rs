//! Completion webhooks: one function for each kind of job. They differ only in the fields that describe a file.

use std::marker::PhantomData;

use consigne_auth::{Refreshed, WebhookSecrets};
use consigne_core::audit::Actor;
use consigne_core::files::Kind;
use consigne_core::jobs::{ClaimedFile, Report, TextFacts};
use consigne_core::ports::{ApplyJobStep, GetFile, GetJob, ReadHead, RecordWebhook, WriteAudit};
use consigne_core::webhooks::Source;
use consigne_core::{Code, Fault};
use consigne_usecases::jobs::{Sender, apply_report};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::adapters::Adapters;
use crate::http::{Answer, HttpFunction, Operation, Request};
use crate::settings;
use crate::start::Start;
use crate::wire::{Named, Wire, Wiring};

/// The status of a job, as its generator reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportedStatus {
    /// A generator has begun. The job can no longer be cancelled.
    Processing,
    /// The job is done.
    Completed,
    /// The job cannot be done.
    Failed,
}

/// Why a job failed, as its generator reports it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ReportedError {
    /// Code that programs branch on.
    pub code: String,
    /// Sentence for the job's owner.
    pub message: String,
}

/// A completion webhook, as its function has parsed it.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Id of the job.
    pub generation_id: String,
    /// The reported status. If it is missing, the job has failed if there is an error and is completed otherwise.
    pub status: Option<ReportedStatus>,
    /// The delivered files; required for a completed job.
    pub files: Option<Vec<ClaimedFile>>,
    /// Facts about the text, for books and articles.
    pub text: Option<TextFacts>,
    /// Why the job failed.
    pub error: Option<ReportedError>,
}

/// The answer to a completion.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Completed {
    /// Always true: errors have another shape.
    pub success: bool,
    /// The job's status: `processing` until its last file is checked, then `completed` or `failed`.
    pub status: &'static str,
}

impl Completion {
    /// Converts the completion to a report, with the job's id. `list` is the name of the field with the files.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming a missing field.
    fn report(self, list: &'static str) -> Result<(String, Report), Fault> {
        let default_status = if self.error.is_some() { ReportedStatus::Failed } else { ReportedStatus::Completed };
        let report = match self.status.unwrap_or(default_status) {
            ReportedStatus::Processing => Report::Begun,
            ReportedStatus::Failed => {
                let error = self.error.ok_or_else(|| Fault::field("error", "missing field error"))?;
                Report::Failed { code: error.code, message: error.message }
            }
            ReportedStatus::Completed => {
                let files = self.files.ok_or_else(|| Fault::field(list, format!("missing field {list}")))?;
                Report::Completed { list, files, text: self.text }
            }
        };
        Ok((self.generation_id, report))
    }
}

/// The body of a completion. Only this differs from one kind of job to another.
pub trait Reports: DeserializeOwned + JsonSchema + Into<Completion> + 'static {
    /// Name of the function that receives it.
    const FUNCTION: &'static str;
    /// The route that it is sent to.
    const ROUTE: &'static str;
    /// One line about that route.
    const SUMMARY: &'static str;
    /// Kinds of jobs it may be about.
    const KINDS: &'static [Kind];
    /// The field that names the files.
    const LIST: &'static str;
}

/// The function that receives completions with a body `B`, and its dependencies.
pub struct Function<A: Adapters, B> {
    generators: Refreshed<WebhookSecrets>,
    jobs: A::Table,
    objects: A::Bucket,
    body: PhantomData<fn() -> B>,
}

impl<A: Adapters, B: Reports> Wire<A> for Function<A, B> {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        let (jobs, objects, body) = (start.table()?, start.bucket()?, PhantomData);
        let generators = start.webhook_secrets(&settings::GENERATOR_SECRETS_ARN)?;
        Ok(generators.map(move |generators| Self { generators, jobs, objects, body }))
    }
}

impl<A: Adapters, B: Reports> Named for Function<A, B> {
    const NAME: &'static str = B::FUNCTION;
}

impl<A, B> HttpFunction for Function<A, B>
where
    A: Adapters<Table: GetJob + GetFile + ApplyJobStep + RecordWebhook + WriteAudit, Bucket: ReadHead>,
    B: Reports,
{
    /// Checks the completion's signature, reads its body, and applies the report to the job.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let message = request.signed(&self.generators).await?;
        let (id, report) = request.json::<B>()?.into().report(B::LIST)?;
        request.log.field("job.id", &id);
        let received = request.received(Source::Generator, message, id.as_str())?;
        let origin = request.origin_of(Actor::Service(Source::Generator.name().to_owned()));
        let sender = Sender { received: &received, origin, now: request.now };
        let applied = apply_report(&self.jobs, &self.objects, B::KINDS, &id, &report, &sender).await;
        if applied.as_ref().is_err_and(|fault| fault.code == Code::WebhookContentMismatch) {
            request.log.count("ReportsRefused");
        }
        let status = applied?;
        request.log.field("job.status", status.name());
        Ok(Answer::plain(200, &Completed { success: true, status: status.name() }))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Completed>(B::ROUTE, B::SUMMARY).for_senders().takes::<B>();
        let refusals = [Code::NotFound, Code::WebhookContentMismatch, Code::IdempotencyMismatch, Code::Conflict];
        vec![operation.refuses(&refusals)]
    }
}
