//! generate: requests for jobs, accepted and refused. Also fixtures for other tests of jobs.

use consigne_core::files::{File, FileName, Kind, MediaType};
use consigne_core::jobs::{Ask, Job, JobId, JobStatus};
use consigne_core::periods::Month;
use consigne_core::profiles::Profile;
use consigne_core::rates::Window;
use consigne_core::{Plan, UserId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{answer, headed, outbox, refusal, saying, with};
use crate::handlers::{GRANTED, KEY, call, call_as, pending_at, ready, world_with};

/// The image job in the payloads of events/.
pub const JOB: &str = "job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1";
/// The text job in these payloads.
pub const BOOK_KEY: &str = "user_ann1/books/01M7YREWKH7VM7Z3Z2KWSH2FTR-photo-ete.md";
/// The video job in these payloads.
pub const VIDEO_KEY: &str = "user_ann1/videos/01M7YREWKH7VM7Z3Z2KWSH2FTR-photo-ete.mp4";

/// Creates the payloads' job of a kind as it was accepted, for Ann on the pro plan.
pub fn job(kind: Kind) -> Job {
    let ask = match kind {
        Kind::Book | Kind::Blog => Ask::text("Intelligence artificielle", None, Some("L’IA en clair")),
        Kind::Image => Ask::images("un phare sous la pluie", Some(2), None),
        Kind::Video => Ask::video("a lighthouse in the rain", Some(8), None),
        Kind::Document | Kind::Audio => panic!("no job makes files of this kind"),
    };
    let job = Job::accept(&UserId::parse("user_ann1").unwrap(), Plan::Pro, kind, ask.unwrap(), GRANTED);
    Job { id: JobId::parse(JOB).unwrap(), ..job }
}

/// Creates the pending file that is granted for a job of a kind.
pub fn output(kind: Kind) -> File {
    let (key, name, media) = match kind {
        Kind::Book => (BOOK_KEY, "ia.md", "text/markdown"),
        Kind::Blog | Kind::Document | Kind::Audio => panic!("the payloads have no job of this kind"),
        Kind::Image => (KEY, "phare 1.png", "image/png"),
        Kind::Video => (VIDEO_KEY, "phare.mp4", "video/mp4"),
    };
    let (name, media) = (FileName::parse(name).unwrap(), MediaType::from_name(media).unwrap());
    File { name, media, job: Some(JobId::parse(JOB).unwrap()), ..pending_at(key) }
}

/// Creates the same file after its check. Only pictures have a width and height.
pub fn arrived(kind: Kind) -> File {
    let file = ready(&output(kind));
    File { dimensions: file.dimensions.filter(|_| kind == Kind::Image), ..file }
}

/// Returns the job after its generator was granted files.
pub fn granted(job: &Job, files: &[File]) -> Job {
    files.iter().fold(job.clone(), |job, file| job.granted(file, GRANTED).unwrap().job)
}

/// Creates a world with a job and its files. The job has used a unit of its month's allowance.
pub fn world_of(job: &Job, files: &[File]) -> World {
    let world = world_with(files);
    add_job(&world, job);
    world
}

/// Adds a job, which uses a unit of its month's allowance.
pub fn add_job(world: &World, job: &Job) {
    let class = match job.kind {
        Kind::Image => "image",
        Kind::Video => "video",
        Kind::Book | Kind::Blog => "text",
        Kind::Document | Kind::Audio => panic!("no job makes files of this kind"),
    };
    world.change(|state| {
        state.jobs.jobs.insert(job.id.clone(), job.clone());
        *state.jobs.generations.entry((job.owner().clone(), job.month().to_string(), class)).or_default() += 1;
    });
}

/// Returns the stored job of the payloads.
pub fn job_in(world: &World) -> Job {
    world.state().jobs.jobs[&JobId::parse(JOB).unwrap()].clone()
}

/// Returns the number of used units of all months and classes.
pub fn taken(world: &World) -> u32 {
    world.state().jobs.generations.values().sum()
}

/// Returns the kinds of the events about jobs, published or in the outbox.
pub fn job_events(world: &World) -> Vec<String> {
    let state = world.state();
    let waiting = state.outbox.into_iter().map(|(_, entry)| entry);
    let kinds = state.published.into_iter().chain(waiting).map(|entry| entry.kind);
    kinds.filter(|kind| kind.starts_with("job.")).collect()
}

/// Calls a function with a payload as a generator, with a message id and some fields replaced.
pub async fn signed(world: &World, function: &str, case: &str, id: &str, fields: &Value) -> Value {
    answer(world, function, functions::signed_by_generator(with(payload::event(function, case, ""), fields), id)).await
}

/// Sets how many units of a class Ann has used this month.
fn spend(world: &World, class: &'static str, units: u32) {
    let month = Month::of(clock::now()).to_string();
    let ann = UserId::parse("user_ann1").unwrap();
    world.change(|state| {
        state.jobs.generations.insert((ann, month, class), units);
    });
}

#[tokio::test]
async fn a_request_creates_a_job_and_an_event() {
    let world = World::default();
    insta::assert_json_snapshot!(call(&world, "generate", "images").await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Generation requested",
        "data": {
          "job_id": "job_<id>ann1",
          "status": "pending",
          "message": "Waiting for a generator"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "job.requested",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "job_id": "job_<id>ann1",
          "user_id": "user_ann1",
          "kind": "image",
          "prompt": "un phare sous la pluie",
          "count": 2,
          "size": "1024x768",
          "uploads_url": "https://api.example.com/api/webhooks/jobs/job_<id>ann1/uploads",
          "callback_url": "https://api.example.com/api/webhooks/image-completion",
          "deadline": "<time>"
        }
      }
    ]
    "#);
    let job = world.state().jobs.jobs.into_values().next().unwrap();
    assert_eq!((job.status, job.plan, job.progress, taken(&world)), (JobStatus::Pending, Plan::Pro, 0, 1));
}

#[tokio::test]
async fn the_event_has_the_details_and_callback_of_each_kind() {
    let event_of = async |case: &str| {
        let world = World::default();
        call(&world, "generate", case).await;
        let mut detail = outbox(&world)[0]["detail"].clone();
        for same in ["event_id", "occurred_at", "job_id", "user_id", "uploads_url", "deadline"] {
            assert!(detail.as_object_mut().unwrap().shift_remove(same).is_some(), "{case}: {same}");
        }
        detail
    };
    insta::assert_json_snapshot!(json!([event_of("book").await, event_of("article").await, event_of("video").await]), @r#"
    [
      {
        "kind": "book",
        "topic": "Intelligence artificielle",
        "goal": "Expliquer sans jargon",
        "title": "L’IA en clair",
        "callback_url": "https://api.example.com/api/webhooks/text-completion"
      },
      {
        "kind": "blog",
        "topic": "Une journée à la plage",
        "callback_url": "https://api.example.com/api/webhooks/text-completion"
      },
      {
        "kind": "video",
        "prompt": "a lighthouse in the rain",
        "duration_seconds": 8,
        "aspect_ratio": "16:9",
        "callback_url": "https://api.example.com/api/webhooks/video-completion"
      }
    ]
    "#);
}

#[tokio::test]
async fn a_job_that_the_plan_does_not_include_is_refused() {
    for (plan, case, status, code) in [
        ("free", "book", 403, "SUBSCRIPTION_REQUIRED"),
        ("basic", "book", 403, "SUBSCRIPTION_REQUIRED"),
        ("free", "images", 403, "FEATURE_REQUIRED"),
        ("free", "video", 403, "FEATURE_REQUIRED"),
        ("basic", "video", 403, "FEATURE_REQUIRED"),
        ("free", "article", 201, ""),
        ("basic", "images", 201, ""),
        ("pro", "book", 201, ""),
        ("pro", "video", 201, ""),
        ("enterprise", "book", 201, ""),
    ] {
        let world = World::default();
        let answer = call_as(&world, "generate", case, "user_ann1", plan).await;
        assert_eq!(refusal(&answer), (status, code), "{plan} {case}");
        let accepted = usize::from(status == 201);
        let state = world.state();
        assert_eq!((state.jobs.jobs.len(), state.outbox.len(), taken(&world) as usize), (accepted, accepted, accepted));
    }
}

#[tokio::test]
async fn the_request_after_the_last_of_a_minute_is_refused_and_changes_nothing() {
    let world = World::default();
    let owner = UserId::parse("user_ann1").unwrap();
    let full = |count| Some(Window { started: clock::now(), count });
    world.change(|state| state.windows(&owner).jobs = full(59));
    assert_eq!(call(&world, "generate", "images").await["status"], 201);
    let before = world.state();
    let refused = call(&world, "generate", "images").await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"));
    assert_eq!(refused["headers"]["ratelimit-limit"], "60");
    let message = refused["body"]["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Your plan allows 60 job requests a minute; try again in "), "{message}");
    assert_eq!(world.state(), before);
    let windows = before.usage[&owner].windows;
    assert_eq!([windows.jobs, windows.writes].map(|window| window.unwrap().count), [60, 1]);
    // A request is a write as well.
    world.change(|state| {
        state.windows(&owner).jobs = None;
        state.windows(&owner).writes = full(600);
    });
    let refused = call(&world, "generate", "images").await;
    assert_eq!((refusal(&refused), &refused["headers"]["ratelimit-limit"]), ((429, "RATE_LIMITED"), &json!("600")));
}

#[tokio::test]
async fn a_refusal_for_a_used_up_allowance_says_when_it_renews() {
    let world = World::default();
    spend(&world, "image", 1_000);
    let token = functions::issuer().token("user_ann1", "pro");
    let refused = functions::call(&world, "generate", payload::event("generate", "images", &token)).await;
    let resets_at = Month::of(clock::now()).ends();
    let error = &refused["body"]["error"];
    assert_eq!((&refused["status"], &error["code"]), (&json!(429), &json!("GENERATION_QUOTA_EXCEEDED")));
    let message = format!("Your plan allows 1000 image generations a month; try again at {resets_at}");
    assert_eq!(error["message"], message);
    assert_eq!(error["details"], json!({ "limit": 1000, "resets_at": resets_at }));
    let header = |name: &str| refused["headers"][name].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!((header("ratelimit-limit"), header("ratelimit-remaining")), (1000, 0));
    // The same wait in both places; a second may have passed in between.
    let wait = resets_at.since(clock::now()).as_secs();
    for name in ["retry-after", "ratelimit-reset"] {
        assert!((wait..=wait + 2).contains(&header(name)), "{name}: {}", header(name));
    }
    assert_eq!((world.state().jobs.jobs.len(), world.state().outbox.len(), taken(&world)), (0, 0, 1_000));
    // Other classes and a larger plan are not affected.
    assert_eq!(call(&world, "generate", "book").await["status"], 201);
    assert_eq!(call_as(&world, "generate", "images", "user_ann1", "premium").await["status"], 201);
}

#[tokio::test]
async fn a_retry_gets_the_same_job_with_its_current_status() {
    let world = World::default();
    let token = functions::issuer().token("user_ann1", "pro");
    let event = headed(payload::event("generate", "images", &token), "idempotency-key", Some("order-17"));
    let first = functions::call(&world, "generate", event.clone()).await;
    assert_eq!(first["status"], 201);
    let again = functions::call(&world, "generate", event.clone()).await;
    assert_eq!(again["body"]["data"], first["body"]["data"]);
    // Even if the allowance was used up since. The answer has the job's current status.
    spend(&world, "image", 1_000);
    world.change(|state| {
        let job = state.jobs.jobs.values_mut().next().unwrap();
        *job = job.failed("SAFETY", "No", clock::now()).unwrap().job;
    });
    let again = functions::call(&world, "generate", event.clone()).await;
    assert_eq!(again["body"]["data"]["job_id"], first["body"]["data"]["job_id"]);
    assert_eq!((&again["status"], &again["body"]["data"]["status"]), (&json!(201), &json!("failed")));
    assert_eq!((world.state().jobs.jobs.len(), world.state().outbox.len()), (1, 1));
    for other in [
        with(event.clone(), &json!({ "count": 3 })),
        headed(payload::event("generate", "video", &token), "idempotency-key", Some("order-17")),
    ] {
        let refused = answer(&world, "generate", other).await;
        assert_eq!(refusal(&refused), (422, "IDEMPOTENCY_MISMATCH"));
    }
    // Another person's idempotency key with the same text is independent.
    let theirs = functions::issuer().token("user_ann12", "pro");
    let event = headed(payload::event("generate", "images", &theirs), "idempotency-key", Some("order-17"));
    assert_eq!(answer(&world, "generate", event).await["status"], 201);
    assert_eq!(world.state().jobs.jobs.len(), 2);
}

#[tokio::test]
async fn an_invalid_value_is_refused_by_field() {
    let world = World::default();
    let token = functions::issuer().token("user_ann1", "pro");
    let long = |length: usize| "x".repeat(length);
    for (case, field, values) in [
        ("book", "topic", vec![json!(""), json!(" "), json!("a\u{0}"), json!(long(501)), json!(7), json!(null)]),
        ("book", "goal", vec![json!(""), json!(long(2_001)), json!(["a"])]),
        ("book", "title", vec![json!(""), json!("two\nlines"), json!("gnp.\u{202E}exe"), json!(long(201))]),
        ("article", "topic", vec![json!(""), json!(long(501))]),
        ("article", "prompt", vec![json!("a cat")]),
        ("images", "prompt", vec![json!(""), json!("a\u{7}"), json!(long(4_001)), json!({})]),
        ("images", "count", vec![json!(0), json!(5), json!(-1), json!(1.5), json!("2"), json!(1e99)]),
        ("images", "size", vec![json!("x"), json!("63x64"), json!("64x4097"), json!("1024 x 1024"), json!(1024)]),
        ("video", "prompt", vec![json!(""), json!(long(4_001))]),
        ("video", "duration_seconds", vec![json!(0), json!(61), json!(-8), json!(8.5), json!("8")]),
        ("video", "aspect_ratio", vec![json!("2:1"), json!(""), json!(1.5)]),
        ("video", "user_id", vec![json!("user_ann12")]),
    ] {
        for value in values {
            let event = with(payload::event("generate", case, &token), &json!({ field: value }));
            let refused = answer(&world, "generate", event).await;
            assert_eq!(refusal(&refused), (400, "INVALID_REQUEST"), "{case} {field} {value}");
            assert_eq!(refused["body"]["error"]["details"]["field"], field, "{case} {value}");
        }
    }
    for (case, field) in [("book", "topic"), ("images", "prompt"), ("video", "prompt")] {
        let refused = answer(&world, "generate", saying(payload::event("generate", case, &token), &json!({}))).await;
        assert_eq!(
            (refusal(&refused), &refused["body"]["error"]["details"]["field"]),
            ((400, "INVALID_REQUEST"), &json!(field))
        );
    }
    assert_eq!((world.state().jobs.jobs.len(), taken(&world)), (0, 0));
}

#[tokio::test]
async fn closed_accounts_and_unknown_callers_get_no_job() {
    let world = World::default();
    let ann = UserId::parse("user_ann1").unwrap();
    let token = functions::issuer()
        .token_with("user_ann1", &json!({ "email": "ann@example.com", "public_metadata": { "subscription": "pro" } }));
    let event = payload::event("generate", "images", &token);
    assert_eq!(answer(&world, "generate", event.clone()).await["status"], 201);
    assert_eq!(world.state().profiles[&ann].from_token.as_ref().unwrap().email, "ann@example.com");
    world.change(|state| {
        let closed = Profile { closed_at: Some(GRANTED), ..Profile::unknown(ann.clone()) };
        state.profiles.insert(ann.clone(), closed);
    });
    assert_eq!(refusal(&answer(&world, "generate", event).await), (401, "UNAUTHENTICATED"));
    let nobody = headed(payload::event("generate", "images", ""), "authorization", None);
    assert_eq!(refusal(&answer(&world, "generate", nobody).await), (401, "UNAUTHENTICATED"));
    assert_eq!((world.state().jobs.jobs.len(), taken(&world)), (1, 1));
}
