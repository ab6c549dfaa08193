//! job-upload-grant: upload grants for generators.

use std::time::Duration;

use consigne_core::files::{Kind, Status, Usage};
use consigne_core::jobs::{Job, JobStatus};
use consigne_core::rates::{Window, Windows};
use consigne_core::{Plan, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::jobs::requests::{JOB, granted, job, job_in, output, signed, world_of};
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::people::accounts::{headed, refusal};
use crate::handlers::{GRANTED, assert_books_balance, ledger_of, ready};

/// Requests an upload grant for a picture of the payloads' job, with a message id.
async fn ask(world: &World, id: &str, fields: &Value) -> Value {
    signed(world, "job-upload-grant", "picture", id, fields).await
}

#[tokio::test]
async fn a_generators_grant_has_the_owners_prefix_and_starts_the_job() {
    let world = world_of(&job(Kind::Image), &[]);
    insta::assert_json_snapshot!(ask(&world, "msg_1", &json!({})).await, @r#"
    {
      "status": 201,
      "body": {
        "file_id": "<id>",
        "s3_key": "user_ann1/images/<id>-phare-1.png",
        "method": "PUT",
        "url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/images/<id>-phare-1.png?x-id=PutObject&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=900&X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match&X-Amz-Signature=<signature>",
        "headers": {
          "content-type": "image/png",
          "if-none-match": "*"
        },
        "expires_at": "<time>",
        "fileId": "<id>",
        "s3Key": "user_ann1/images/<id>-phare-1.png",
        "expiresAt": "<time>"
      }
    }
    "#);
    assert_eq!(ledger_of(&world), [1000, 1000, 0, 0]);
    let (state, job) = (world.state(), job_in(&world));
    let file = state.files.values().next().unwrap();
    assert_eq!((job.status, job.progress, job.outputs.len()), (JobStatus::Processing, 10, 1));
    assert_eq!((file.job.as_ref(), &file.key), (Some(&job.id), &job.outputs[0].key));
    assert_eq!(
        json!(file.shown_metadata()),
        json!({ "title": "un phare sous la pluie", "job_id": job.id.to_string() })
    );
    let windows = state.usage[job.owner()].windows;
    assert_eq!([windows.writes, windows.grants].map(|window| window.map(|window| window.count)), [Some(1), None]);
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_retry_gets_the_same_grant_and_another_body_is_refused() {
    let world = world_of(&job(Kind::Image), &[]);
    let event = payload::event("job-upload-grant", "picture", "");
    let event = functions::signed_by_generator(event, "msg_1");
    let first = functions::call(&world, "job-upload-grant", event.clone()).await;
    assert_eq!(first["status"], 201);
    let before = world.state();
    assert_eq!(functions::call(&world, "job-upload-grant", event.clone()).await, first);
    let other = ask(&world, "msg_1", &json!({ "size": 1001 })).await;
    assert_eq!(refusal(&other), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(world.state(), before);
    assert_eq!(ask(&world, "msg_2", &json!({})).await["status"], 201);
    assert_eq!((job_in(&world).outputs.len(), ledger_of(&world)), (2, [2000, 2000, 0, 0]));
    // Even if the job accepts no more files, as long as the grant is valid.
    world.change(|state| state.jobs.jobs.values_mut().next().unwrap().claimed_at = Some(GRANTED));
    assert_eq!(functions::call(&world, "job-upload-grant", event.clone()).await, first);
    assert_eq!(refusal(&ask(&world, "msg_1", &json!({ "size": 1001 })).await), (422, "IDEMPOTENCY_MISMATCH"));
    world.change(|state| {
        for file in state.files.values_mut() {
            file.grant_expires_at = Timestamp::from_secs(1);
        }
    });
    let over = payload::steady(&functions::call(&world, "job-upload-grant", event.clone()).await);
    insta::assert_json_snapshot!(over["body"]["error"], @r#"
    {
      "code": "CONFLICT",
      "message": "upload granted for this message has expired; ask again with a new id"
    }
    "#);
    world.change(|state| {
        for file in state.files.values_mut() {
            file.status = Status::Ready;
        }
    });
    let used = payload::steady(&functions::call(&world, "job-upload-grant", event).await);
    insta::assert_json_snapshot!(used["body"]["error"], @r#"
    {
      "code": "CONFLICT",
      "message": "upload granted for this message has ended; ask again with a new id",
      "details": {
        "status": "ready"
      }
    }
    "#);
}

#[tokio::test]
async fn a_request_without_a_generators_signature_is_refused() {
    let world = world_of(&job(Kind::Image), &[]);
    let before = world.state();
    let plain = payload::event("job-upload-grant", "picture", "");
    let good = functions::signed_by_generator(plain.clone(), "msg_1");
    let at = clock::now().as_secs();
    let spaced = {
        let mut event = good.clone();
        event["body"] = event["body"].as_str().unwrap().replace(": ", ":").into();
        event
    };
    for event in [
        plain,
        headed(good.clone(), "webhook-id", Some("msg_2")),
        headed(good.clone(), "webhook-signature", None),
        headed(good.clone(), "webhook-signature", Some("v1,AAAA")),
        headed(good.clone(), "webhook-timestamp", Some(&(at - 360).to_string())),
        headed(good.clone(), "webhook-timestamp", Some(&(at + 360).to_string())),
        spaced,
    ] {
        let refused = functions::call(&world, "job-upload-grant", event).await;
        assert_eq!(refusal(&refused), (401, "INVALID_SIGNATURE"));
        assert_eq!(refused["headers"]["www-authenticate"], "StandardWebhooks");
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_file_that_does_not_fit_the_job_is_refused_by_field() {
    let world = world_of(&job(Kind::Image), &[]);
    let before = world.state();
    for (fields, status, code, field) in [
        (json!({ "filename": "a.mp4", "content_type": "video/mp4" }), 415, "UNSUPPORTED_FILE_TYPE", "content_type"),
        (json!({ "content_type": "application/x-msdownload" }), 415, "UNSUPPORTED_FILE_TYPE", "content_type"),
        (json!({ "content_type": "", "filename": "phare" }), 415, "UNSUPPORTED_FILE_TYPE", "content_type"),
        (json!({ "filename": "a.gif" }), 415, "UNSUPPORTED_FILE_TYPE", "filename"),
        (json!({ "filename": "../user_ann12/a.png" }), 400, "INVALID_FILENAME", "filename"),
        (json!({ "filename": "a\r\n.png" }), 400, "INVALID_FILENAME", "filename"),
        (json!({ "size": 0 }), 400, "INVALID_REQUEST", "size"),
        (json!({ "size": "1000" }), 400, "INVALID_REQUEST", "size"),
        (json!({ "sha256": "x" }), 400, "INVALID_REQUEST", "sha256"),
        (json!({ "size": 50 * 1024 * 1024 + 1 }), 413, "FILE_TOO_LARGE", "size"),
    ] {
        let refused = ask(&world, "msg_1", &fields).await;
        assert_eq!(refusal(&refused), (status, code), "{fields}");
        assert_eq!(refused["body"]["error"]["details"]["field"], field, "{fields}");
    }
    assert_eq!(world.state(), before);
    // A refused message is not recorded.
    assert_eq!(
        ask(&world, "msg_1", &json!({ "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" })).await["status"],
        201
    );
}

#[tokio::test]
async fn a_generator_may_leave_the_type_to_the_name() {
    for content_type in ["", "application/octet-stream"] {
        let world = world_of(&job(Kind::Image), &[]);
        let answer = ask(&world, "msg_1", &json!({ "filename": "phare.jfif", "content_type": content_type })).await;
        assert_eq!(answer["status"], 201, "{answer}");
        assert_eq!(answer["body"]["headers"]["content-type"], "image/jpeg");
    }
}

#[tokio::test]
async fn the_owners_plan_at_the_jobs_request_sets_the_limits() {
    for (plan, size, status) in
        [(Plan::Basic, 20 << 20, 201), (Plan::Basic, (20 << 20) + 1, 413), (Plan::Premium, 100 << 20, 201)]
    {
        let world = world_of(&Job { plan, ..job(Kind::Image) }, &[]);
        assert_eq!(ask(&world, "msg_1", &json!({ "size": size })).await["status"], status, "{plan:?} {size}");
    }
}

/// Sets the committed bytes and the windows in Ann's ledger.
fn ledger(world: &World, committed: u64, windows: Windows) {
    let usage = Usage { committed, windows, ..Usage::default() };
    world.change(|state| {
        state.usage.insert(UserId::parse("user_ann1").unwrap(), usage);
    });
}

#[tokio::test]
async fn a_generators_upload_counts_as_the_owners() {
    let world = world_of(&job(Kind::Image), &[]);
    let storage = Plan::Pro.allowances().storage;
    ledger(&world, storage - 999, Windows::default());
    let refused = ask(&world, "msg_1", &json!({})).await;
    assert_eq!(refusal(&refused), (403, "STORAGE_QUOTA_EXCEEDED"));
    let full = |count| Some(Window { started: clock::now(), count });
    ledger(&world, 0, Windows { writes: full(600), ..Windows::default() });
    let refused = ask(&world, "msg_1", &json!({})).await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"));
    assert!(refused["headers"]["retry-after"].is_string(), "{refused}");
    assert_eq!((job_in(&world), world.state().files.len()), (job(Kind::Image), 0));
    let past = Some(Window { started: clock::now().minus(Duration::from_mins(2)), count: 600 });
    // Files of jobs are no grants of the owner's day. Otherwise an owner could keep them out, and get the job back.
    ledger(&world, storage - 1000, Windows { writes: past, grants: full(50_000), ..Windows::default() });
    assert_eq!(ask(&world, "msg_1", &json!({})).await["status"], 201);
}

#[tokio::test]
async fn at_most_four_grants_per_file_are_made_not_counting_expired_ones() {
    let deadline = clock::now().plus(Duration::from_hours(1));
    let world = world_of(&Job { deadline, ..job(Kind::Image) }, &[]);
    for n in 0..8 {
        assert_eq!(ask(&world, &format!("msg_{n}"), &json!({})).await["status"], 201);
    }
    let refused = ask(&world, "msg_8", &json!({})).await;
    assert_eq!((refusal(&refused), &refused["body"]["error"]["details"]), ((409, "CONFLICT"), &json!({ "limit": 8 })));
    assert_eq!(sweep_at(&world, clock::now().plus(Duration::from_mins(21))).await["expired"], 8);
    assert_eq!((job_in(&world).outputs.len(), ledger_of(&world)), (0, [0, 0, 0, 0]));
    assert_eq!(ask(&world, "msg_8", &json!({})).await["status"], 201);
}

#[tokio::test]
async fn delivered_ended_and_unknown_jobs_accept_no_files() {
    let file = output(Kind::Image);
    let claimed = Job { claimed_at: Some(GRANTED), ..granted(&job(Kind::Image), std::slice::from_ref(&file)) };
    let failed = job(Kind::Image).failed("SAFETY", "No", GRANTED).unwrap().job;
    for job in [claimed, failed] {
        let world = world_of(&job, &[ready(&file)]);
        let before = world.state();
        let refused = ask(&world, "msg_1", &json!({})).await;
        assert_eq!(
            (refusal(&refused), &refused["body"]["error"]["details"]["status"]),
            ((409, "CONFLICT"), &json!(job.status.name()))
        );
        assert_eq!(world.state(), before);
    }
    let world = World::default();
    let unknown = ask(&world, "msg_1", &json!({})).await;
    assert_eq!(refusal(&unknown), (404, "NOT_FOUND"));
    for id in ["x", "job_01M7YREWKH7VM7Z3Z2KWSH2FTR", "job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1%00"] {
        let text = payload::event("job-upload-grant", "picture", "").to_string().replace(JOB, id);
        let event = functions::signed_by_generator(serde_json::from_str(&text).unwrap(), "msg_1");
        assert_eq!(payload::steady(&functions::call(&world, "job-upload-grant", event).await), unknown, "{id}");
    }
}
