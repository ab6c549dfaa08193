//! Accepts a job: takes one unit of the monthly allowance, records the job, and requests it from the generators.
//!
//! One transaction writes the allowance, the job, the event, the count of requests and the idempotency record. The event reaches the
//! generators' queue from the outbox.

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::Kind;
use consigne_core::idempotency::{IdempotentRequest, key_reused};
use consigne_core::jobs::{
    ASPECT_RATIOS, Admission, Ask, COUNT_MAX, DURATION_MAX, GOAL_MAX, Job, JobId, JobStatus, NewJob, PROMPT_MAX,
    TITLE_MAX, TOPIC_MAX, allowance_spent,
};
use consigne_core::ports::{GetJob, RequestJob};
use consigne_core::{Code, Fault, IdempotencyKey, Plan, plans};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function, settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request for a book or an article.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextRequest {
    /// What the text is about, 1 to 500 characters.
    #[schemars(length(min = 1, max = TOPIC_MAX))]
    pub topic: String,
    /// What the text should achieve, at most 2,000 characters.
    #[schemars(length(min = 1, max = GOAL_MAX))]
    pub goal: Option<String>,
    /// Requested title, at most 200 characters; the generator chooses one when absent.
    #[schemars(length(min = 1, max = TITLE_MAX))]
    pub title: Option<String>,
}

/// Request for images.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageRequest {
    /// What the images show, 1 to 4,000 characters.
    #[schemars(length(min = 1, max = PROMPT_MAX))]
    pub prompt: String,
    /// Number of images, 1 to 4; 1 when absent.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub count: Option<u32>,
    /// Width x height in pixels, each 64 to 4096; `1024x1024` when absent.
    #[schemars(regex(pattern = "^[0-9]+x[0-9]+$"))]
    pub size: Option<String>,
}

/// Request for a video.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoRequest {
    /// What the video shows, 1 to 4,000 characters.
    #[schemars(length(min = 1, max = PROMPT_MAX))]
    pub prompt: String,
    /// Length in seconds, 1 to 60; 8 when absent.
    #[schemars(range(min = 1, max = DURATION_MAX))]
    pub duration_seconds: Option<u32>,
    /// Aspect ratio: `16:9`, `9:16`, `1:1`, `4:3` or `3:4`; `16:9` when absent.
    #[schemars(extend("enum" = ASPECT_RATIOS))]
    pub aspect_ratio: Option<String>,
}

/// A job that was accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AcceptedJob {
    /// Opaque id of the job.
    pub job_id: String,
    /// `pending`; on a retry, the job's present status.
    #[schemars(extend("enum" = JobStatus::ALL.map(JobStatus::name)))]
    pub status: &'static str,
    /// The status as a sentence.
    pub message: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    jobs: A::Table = table(),
    /// URL of the API for callbacks; the domain of the request when absent.
    public_url: Option<String> = optional(&settings::PUBLIC_URL),
}

impl<A: Adapters<Table: RequestJob + GetJob>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let kind = kind_of(request.route())?;
        require(&user, kind)?;
        let (ask, idempotency_key) = parse_request(kind, request)?;

        let job = Job::accept(&user.id, user.plan, kind, ask, request.now);
        let idempotent = idempotency_key.map(|key| IdempotentRequest {
            key,
            owner: user.id.clone().into(),
            operation: Self::NAME,
            result: job.id.to_string(),
        });
        let event = job.requested(&self.base(request));
        let new = NewJob { seen: user.sighting(), job, event, idempotent };
        let job = match self.jobs.request_job(&new).await? {
            Admission::Accepted => {
                request.log.count("JobsRequested");
                new.job
            }
            Admission::Replayed(id) => accepted_before(&self.jobs, &id).await?,
            Admission::KeyReused => return Err(key_reused()),
            Admission::Spent => return Err(allowance_spent(user.plan, kind, request.now)),
            Admission::OverRate(over) => return Err(over.refusal(user.plan, request.now)),
        };
        request.log.field("job.id", &job.id);
        request.log.field("job.kind", kind.name());
        let accepted = AcceptedJob { job_id: job.id.to_string(), status: job.status.name(), message: job.message() };
        Ok(Answer::envelope(201, "Generation requested", &accepted, request.now))
    }

    fn operations() -> Vec<Operation> {
        let refusals = [Code::SubscriptionRequired, Code::FeatureRequired, Code::GenerationQuotaExceeded];
        let route = |route, summary| {
            Operation::new::<AcceptedJob>(route, summary).in_envelope().creates().idempotent().refuses(&refusals)
        };
        vec![
            route("POST /api/secure/books/generate", "Request a book").takes::<TextRequest>(),
            route("POST /api/secure/blog/generate", "Request an article").takes::<TextRequest>(),
            route("POST /api/secure/images/generate", "Request images").takes::<ImageRequest>(),
            route("POST /api/secure/videos/generate", "Request a video").takes::<VideoRequest>(),
        ]
    }
}

impl<A: Adapters> Function<A> {
    fn base(&self, request: &Request) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("https://{}", request.domain()))
    }
}

/// Returns the kind of job that a route requests.
fn kind_of(route: &str) -> Result<Kind, Fault> {
    let folder = route.strip_prefix("POST /api/secure/").and_then(|rest| rest.strip_suffix("/generate"));
    let kind = match folder {
        Some("blog") => Some(Kind::Blog),
        other => other.and_then(Kind::from_folder).filter(|kind| Kind::GENERATED.contains(kind)),
    };
    kind.ok_or_else(|| Fault::internal("the route does not belong to this function"))
}

fn not_generated() -> Fault {
    Fault::internal("no job makes files of this kind")
}

/// Requires that the caller's plan includes the kind.
fn require(user: &User, kind: Kind) -> Result<(), Fault> {
    match kind {
        Kind::Book => user.require_subscription(Plan::Pro),
        Kind::Blog => user.require_feature(plans::BLOG),
        Kind::Image => user.require_feature(plans::IMAGE),
        Kind::Video => user.require_feature(plans::VIDEO),
        Kind::Document | Kind::Audio => Err(not_generated()),
    }
}

fn parse_request(kind: Kind, request: &Request) -> Result<(Ask, Option<IdempotencyKey>), Fault> {
    Ok(match kind {
        Kind::Book | Kind::Blog => {
            let body: TextRequest = request.json()?;
            let ask = Ask::text(&body.topic, body.goal.as_deref(), body.title.as_deref())?;
            (ask, request.idempotency_key(&body)?)
        }
        Kind::Image => {
            let body: ImageRequest = request.json()?;
            (Ask::images(&body.prompt, body.count, body.size.as_deref())?, request.idempotency_key(&body)?)
        }
        Kind::Video => {
            let body: VideoRequest = request.json()?;
            let ask = Ask::video(&body.prompt, body.duration_seconds, body.aspect_ratio.as_deref())?;
            (ask, request.idempotency_key(&body)?)
        }
        Kind::Document | Kind::Audio => return Err(not_generated()),
    })
}

/// Finds the job that an earlier try of the same request created.
async fn accepted_before(jobs: &impl GetJob, id: &str) -> Result<Job, Fault> {
    let id = JobId::parse(id).ok_or_else(|| Fault::internal("an idempotency record does not name a job"))?;
    jobs.get_job(&id).await?.ok_or_else(|| Fault::internal("an idempotency record names a job that is gone"))
}
