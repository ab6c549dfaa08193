//! job-status, job-list and job-cancel: what owners see and do.

use consigne_core::files::Kind;
use consigne_core::jobs::{Job, JobId, JobStatus};
use consigne_core::rates::{Window, Windows};
use consigne_core::{FileId, UserId};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::jobs::requests::{
    JOB, add_job, arrived, granted, job, job_events, job_in, output, signed, taken, world_of,
};
use crate::handlers::people::accounts::refusal;
use crate::handlers::{GRANTED, call, call_as};

/// Creates a world with a completed job of a kind.
pub async fn delivered(kind: Kind) -> World {
    let (job, file) = (job(kind), output(kind));
    let begun = granted(&job, std::slice::from_ref(&file)).arrived(&arrived(kind), GRANTED).unwrap().job;
    let world = world_of(&begun, &[arrived(kind)]);
    let function = match kind {
        Kind::Image => "webhook-image-completion",
        Kind::Video => "webhook-video-completion",
        Kind::Book | Kind::Blog => "webhook-text-completion",
        Kind::Document | Kind::Audio => panic!("no job makes files of this kind"),
    };
    let taken = signed(&world, function, "completed", "msg_1", &json!({})).await;
    assert_eq!(taken["body"], json!({ "success": true, "status": "completed" }));
    world
}

#[tokio::test]
async fn a_pending_job_is_shown() {
    let world = world_of(&job(Kind::Image), &[]);
    insta::assert_json_snapshot!(call(&world, "job-status", "ask").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Job found",
        "data": {
          "job_id": "job_<id>ann1",
          "kind": "image",
          "status": "pending",
          "progress": 0,
          "message": "Waiting for a generator",
          "title": "un phare sous la pluie",
          "created_at": "<time>",
          "updated_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn pictures_are_shown_with_measured_sizes_and_signed_urls() {
    let world = delivered(Kind::Image).await;
    insta::assert_json_snapshot!(call(&world, "job-status", "ask").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Job found",
        "data": {
          "job_id": "job_<id>ann1",
          "kind": "image",
          "status": "completed",
          "progress": 100,
          "message": "Generation is complete",
          "title": "un phare sous la pluie",
          "created_at": "<time>",
          "updated_at": "<time>",
          "result": {
            "images": [
              {
                "s3_key": "user_ann1/images/<id>-photo-ete.png",
                "filename": "phare 1.png",
                "width": 640,
                "height": 480,
                "dimensions": "measured",
                "file_size": 1000,
                "download_url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/images/<id>-photo-ete.png?x-id=GetObject&response-cache-control=private%2C%20max-age%3D3600&response-content-disposition=inline%3B%20filename%3D%22phare-1.png%22%3B%20filename%2A%3DUTF-8%27%27phare%25201.png&response-content-type=image%2Fpng&versionId=v1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=<signature>"
              }
            ]
          }
        },
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn a_text_is_shown_with_its_chapters_and_words() {
    let world = delivered(Kind::Book).await;
    let shown = call(&world, "job-status", "ask").await;
    insta::assert_json_snapshot!(shown["body"]["data"]["result"], @r#"
    {
      "book_title": "L’IA en clair",
      "topic": "Intelligence artificielle",
      "s3_key": "user_ann1/books/<id>-photo-ete.md",
      "download_url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/books/<id>-photo-ete.md?x-id=GetObject&response-cache-control=private%2C%20max-age%3D3600&response-content-disposition=inline%3B%20filename%3D%22ia.md%22&response-content-type=text%2Fmarkdown%3B%20charset%3Dutf-8&versionId=v1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=<signature>",
      "file_size": 1000,
      "chapter_count": 12,
      "word_count": 30000,
      "generated_at": "<time>"
    }
    "#);
}

#[tokio::test]
async fn a_video_that_could_not_be_measured_is_shown_with_its_reported_facts() {
    let world = delivered(Kind::Video).await;
    let shown = call(&world, "job-status", "ask").await;
    insta::assert_json_snapshot!(shown["body"]["data"]["result"], @r#"
    {
      "videos": [
        {
          "s3_key": "user_ann1/videos/<id>-photo-ete.mp4",
          "filename": "phare.mp4",
          "width": 1920,
          "height": 1080,
          "dimensions": "reported",
          "file_size": 1000,
          "duration_seconds": 8,
          "download_url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/videos/<id>-photo-ete.mp4?x-id=GetObject&response-cache-control=private%2C%20max-age%3D3600&response-content-disposition=inline%3B%20filename%3D%22phare.mp4%22&response-content-type=video%2Fmp4&versionId=v1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=<signature>"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_failed_job_shows_the_reason() {
    let world = world_of(&job(Kind::Image).failed("SAFETY", "The prompt was refused", GRANTED).unwrap().job, &[]);
    let shown = call(&world, "job-status", "ask").await;
    insta::assert_json_snapshot!(shown["body"]["data"], @r#"
    {
      "job_id": "job_<id>ann1",
      "kind": "image",
      "status": "failed",
      "progress": 0,
      "message": "The prompt was refused",
      "title": "un phare sous la pluie",
      "created_at": "<time>",
      "updated_at": "<time>",
      "error": {
        "code": "SAFETY",
        "message": "The prompt was refused"
      },
      "allowance_returned": true
    }
    "#);
}

/// Calls a function with another job's id.
async fn ask_for(world: &World, function: &str, id: &str) -> Value {
    let text = payload::event(function, "ask", &functions::issuer().token("user_ann1", "pro")).to_string();
    let event = serde_json::from_str(&text.replace(JOB, id)).unwrap();
    payload::steady(&functions::call(world, function, event).await)
}

#[tokio::test]
async fn another_users_job_looks_like_a_job_that_does_not_exist() {
    let world = world_of(&job(Kind::Image), &[]);
    let theirs =
        Job { id: JobId::of(UserId::parse("user_ann12").unwrap(), job(Kind::Image).id.tail()), ..job(Kind::Image) };
    add_job(&world, &theirs);
    let before = world.state();
    for function in ["job-status", "job-cancel"] {
        let unknown = ask_for(&world, function, "job_01M7YREWKH7VM7Z3Z2KWSH2FTXann1").await;
        assert_eq!(refusal(&unknown), (404, "NOT_FOUND"));
        for id in [theirs.id.to_string().as_str(), "job_x", "x", "job_01m7yrewkh7vm7z3z2kwsh2ftrann1"] {
            assert_eq!(ask_for(&world, function, id).await, unknown, "{function} {id}");
        }
        // A user whose id begins with Ann's cannot see it either.
        assert_eq!(call_as(&world, function, "ask", "user_ann12", "pro").await, unknown);
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_pending_job_is_cancelled_once_and_returns_its_allowance() {
    let world = world_of(&job(Kind::Image), &[]);
    let cancelled = call(&world, "job-cancel", "ask").await;
    insta::assert_json_snapshot!(cancelled, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Job cancelled",
        "data": {
          "job_id": "job_<id>ann1",
          "kind": "image",
          "status": "failed",
          "progress": 0,
          "message": "The job was cancelled",
          "title": "un phare sous la pluie",
          "created_at": "<time>",
          "updated_at": "<time>",
          "error": {
            "code": "CANCELLED",
            "message": "The job was cancelled"
          },
          "allowance_returned": true
        },
        "timestamp": "<time>"
      }
    }
    "#);
    assert_eq!((taken(&world), job_events(&world)), (0, vec!["job.failed".to_owned()]));
    let before = world.state();
    assert_eq!(call(&world, "job-cancel", "ask").await, cancelled);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn the_cancellation_after_the_last_that_gives_back_ends_the_job_and_says_so() {
    let world = world_of(&job(Kind::Image), &[]);
    let owner = job(Kind::Image).owner().clone();
    let full = Window { started: consigne_runtime::clock::now(), count: 200 };
    world.change(|state| state.windows(&owner).refunds = Some(full));
    let cancelled = call(&world, "job-cancel", "ask").await;
    let data = &cancelled["body"]["data"];
    assert_eq!((&cancelled["status"], &data["status"]), (&json!(200), &json!("failed")));
    assert_eq!(data["allowance_returned"], false);
    assert_eq!(cancelled["body"]["message"], "Job cancelled. Its allowance is not given back");
    let why = "The job was cancelled. Its allowance is not given back, because today's cancellations that give it back \
               are used up";
    assert_eq!(data["error"], json!({ "code": "CANCELLED", "message": why }));
    assert_eq!((taken(&world), job_events(&world)), (1, vec!["job.failed".to_owned()]));
    assert_eq!(world.state().usage[&owner].windows.refunds, Some(full));
    // The answer to a retry is the same, and so is what the job's status says, whatever the day.
    let before = world.state();
    assert_eq!(call(&world, "job-cancel", "ask").await, cancelled);
    assert_eq!(world.state(), before);
    assert_eq!(call(&world, "job-status", "ask").await["body"]["data"]["allowance_returned"], false);
}

#[tokio::test]
async fn cancellations_count_as_writes_and_those_that_give_back_by_the_day() {
    let world = world_of(&job(Kind::Image), &[]);
    let owner = job(Kind::Image).owner().clone();
    let now = consigne_runtime::clock::now();
    world.change(|state| state.windows(&owner).writes = Some(Window { started: now, count: 600 }));
    let before = world.state();
    let refused = call(&world, "job-cancel", "ask").await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"));
    assert!(refused["headers"]["retry-after"].is_string(), "{refused}");
    assert_eq!(world.state(), before);
    let yesterday = now.minus(std::time::Duration::from_hours(24));
    world.change(|state| {
        *state.windows(&owner) =
            Windows { refunds: Some(Window { started: yesterday, count: 200 }), ..Windows::default() };
    });
    assert_eq!(call(&world, "job-cancel", "ask").await["body"]["data"]["allowance_returned"], true);
    let windows = world.state().usage[&owner].windows;
    assert_eq!([windows.writes, windows.refunds].map(|window| window.unwrap().count), [1, 1]);
}

#[tokio::test]
async fn a_processing_or_ended_job_cannot_be_cancelled() {
    let begun = granted(&job(Kind::Image), &[output(Kind::Image)]);
    let failed = job(Kind::Image).failed("SAFETY", "No", GRANTED).unwrap().job;
    for job in [begun, failed] {
        let world = world_of(&job, &[output(Kind::Image)]);
        let before = world.state();
        let refused = call(&world, "job-cancel", "ask").await;
        assert_eq!(refusal(&refused), (409, "CONFLICT"));
        assert_eq!(refused["body"]["error"]["details"], json!({ "status": job.status.name() }));
        assert_eq!(world.state(), before);
    }
    let world = delivered(Kind::Image).await;
    assert_eq!(refusal(&call(&world, "job-cancel", "ask").await), (409, "CONFLICT"));
}

/// Creates a world with five jobs of Ann, of which every second has failed, and the same for Bob.
fn five() -> World {
    let world = World::default();
    for n in 0..5_u64 {
        let at = GRANTED.plus(std::time::Duration::from_secs(n));
        let tail = FileId::parse(&format!("01M7YREWKH7VM7Z3Z2KWSH2FT{n}")).unwrap();
        let of = |user: &str| JobId::of(UserId::parse(user).unwrap(), tail);
        let job = Job { id: of("user_ann1"), created_at: at, ..job(Kind::Image) };
        let job = if n % 2 == 1 { job.failed("SAFETY", "No", at).unwrap().job } else { job };
        add_job(&world, &job);
        add_job(&world, &Job { id: of("user_bob1"), ..job });
    }
    world
}

/// Lists jobs. Returns the last characters of their ids, and the next cursor.
async fn listed(world: &World, query: &str) -> (String, Option<String>) {
    let mut event = payload::event("job-list", "all", &functions::issuer().token("user_ann1", "pro"));
    event["rawQueryString"] = query.into();
    let answer = functions::call(world, "job-list", event).await;
    assert_eq!(answer["status"], 200, "{answer}");
    let ids = answer["body"]["data"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned());
    let ends = ids.map(|id| id.strip_suffix("ann1").unwrap().chars().last().unwrap()).collect();
    (ends, answer["body"]["metadata"]["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn jobs_are_listed_newest_first_in_pages_and_by_status() {
    let world = five();
    assert_eq!(listed(&world, "").await, ("43210".to_owned(), None));
    assert_eq!(listed(&world, "status=failed").await, ("31".to_owned(), None));
    assert_eq!(listed(&world, "status=pending").await, ("420".to_owned(), None));
    assert_eq!(listed(&world, "status=completed").await, (String::new(), None));
    let (first, cursor) = listed(&world, "limit=3").await;
    let cursor = cursor.unwrap();
    assert_eq!(
        (first.as_str(), listed(&world, &format!("limit=3&cursor={cursor}")).await),
        ("432", ("10".to_owned(), None))
    );
    let world = delivered(Kind::Image).await;
    let page = call(&world, "job-list", "completed").await;
    insta::assert_json_snapshot!(page["body"], @r#"
    {
      "success": true,
      "message": "Jobs listed",
      "data": [
        {
          "job_id": "job_<id>ann1",
          "kind": "image",
          "status": "completed",
          "progress": 100,
          "message": "Generation is complete",
          "title": "un phare sous la pluie",
          "created_at": "<time>",
          "updated_at": "<time>"
        }
      ],
      "timestamp": "<time>",
      "metadata": {
        "next_cursor": null,
        "total": 1
      }
    }
    "#);
}

#[tokio::test]
async fn a_cursor_of_another_list_and_an_unknown_status_are_refused() {
    let world = five();
    let cursor = listed(&world, "limit=1&status=failed").await.1.unwrap();
    for (query, code, field) in [
        (format!("limit=1&cursor={cursor}"), "INVALID_CURSOR", None),
        (format!("status=pending&cursor={cursor}"), "INVALID_CURSOR", None),
        ("status=done".to_owned(), "INVALID_REQUEST", Some("status")),
        ("status=failed&status=failed".to_owned(), "INVALID_REQUEST", Some("status")),
        ("limit=0".to_owned(), "INVALID_REQUEST", Some("limit")),
    ] {
        let mut event = payload::event("job-list", "all", &functions::issuer().token("user_ann1", "pro"));
        event["rawQueryString"] = query.as_str().into();
        let refused = functions::call(&world, "job-list", event).await;
        assert_eq!(refusal(&refused), (400, code), "{query}");
        if let Some(field) = field {
            assert_eq!(refused["body"]["error"]["details"]["field"], field, "{query}");
        }
    }
    let mut event = payload::event("job-list", "all", &functions::issuer().token("user_bob1", "pro"));
    event["rawQueryString"] = format!("limit=1&status=failed&cursor={cursor}").into();
    assert_eq!(refusal(&functions::call(&world, "job-list", event).await), (400, "INVALID_CURSOR"));
}

#[tokio::test]
async fn answers_do_not_contain_what_only_generators_need() {
    let world = world_of(&granted(&job(Kind::Image), &[output(Kind::Image)]), &[output(Kind::Image)]);
    let shown = call(&world, "job-status", "ask").await;
    let text = shown.to_string();
    for secret in ["uploads_url", "callback_url", "phare 1.png", "revision", "X-Amz"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(shown["body"]["data"]["progress"], 10);
    assert_eq!(job_in(&world).status, JobStatus::Processing);
}
