//! Completion webhooks that are refused: unsigned, about unknown jobs, or with wrong content.

use consigne_core::files::{File, Kind, ObjectKey};
use consigne_core::jobs::{Job, JobId, JobStatus};
use consigne_core::{FileId, UserId};
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::handlers::jobs::completions::besides_webhooks;
use crate::handlers::jobs::requests::{
    BOOK_KEY, add_job, granted, job, job_events, job_in, output, signed, taken, world_of,
};
use crate::handlers::people::accounts::{answer, audit_log, headed, refusal, saying};
use crate::handlers::{GRANTED, KEY, file_in, pending_at, ready};

/// Creates a world with a job for two pictures, one of which was uploaded.
fn uploaded() -> World {
    let file = output(Kind::Image);
    let world = world_of(&granted(&job(Kind::Image), std::slice::from_ref(&file)), &[file]);
    world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
    world
}

/// Adds another file with its object.
fn beside(world: &World, file: &File) {
    world.change(|state| drop(state.files.insert((file.owner().clone(), file.id()), file.clone())));
    world.put_object(file.key.as_str(), "v1", pictures::png(640, 480, 1000));
}

fn picture(key: &str) -> Value {
    json!({ "s3_key": key, "file_size": 1000, "content_type": "image/png" })
}

/// Reports pictures, with a new message id.
async fn claim(world: &World, images: &Value) -> Value {
    let id = format!("msg_{}", FileId::mint(clock::now()));
    signed(world, "webhook-image-completion", "completed", &id, &json!({ "images": images })).await
}

#[tokio::test]
async fn wrong_content_is_refused_by_field_and_recorded_in_the_audit_log() {
    let world = uploaded();
    let theirs = ready(&pending_at("user_ann12/images/01M7YREWKH7VM7Z3Z2KWSH2FTX-photo.png"));
    beside(&world, &theirs);
    let (state, before) = (world.state(), audit_log(&world));
    assert_eq!(before, json!([]));
    let changed = |name: &str, value: Value| {
        let mut picture = picture(KEY);
        picture[name] = value;
        json!([picture])
    };
    let cases = [
        (json!([picture(theirs.key.as_str())]), "images[0].s3_key"),
        (json!([picture(KEY), picture("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTX-photo.png")]), "images[1].s3_key"),
        (json!([picture(&KEY.replace("photo-ete", "photo"))]), "images[0].s3_key"),
        (json!([picture("../user_ann12/x.png")]), "images[0].s3_key"),
        (json!([picture("")]), "images[0].s3_key"),
        (json!([picture(BOOK_KEY)]), "images[0].s3_key"),
        (json!([picture(KEY), picture(KEY)]), "images[1].s3_key"),
        (json!([picture(KEY), picture(KEY), picture(KEY)]), "images"),
        (json!([]), "images"),
        (changed("file_size", json!(999)), "images[0].file_size"),
        (changed("file_size", json!(0)), "images[0].file_size"),
        (changed("content_type", json!("image/gif")), "images[0].content_type"),
        (changed("content_type", json!("")), "images[0].content_type"),
    ];
    for (images, field) in &cases {
        let refused = claim(&world, images).await;
        assert_eq!(refusal(&refused), (422, "WEBHOOK_CONTENT_MISMATCH"), "{images}");
        assert_eq!(refused["body"]["error"]["details"], json!({ "field": field }), "{images}");
    }
    // Only the audit log has changed.
    let entries = audit_log(&world);
    assert_eq!(entries.as_array().map(Vec::len), Some(cases.len()));
    insta::assert_json_snapshot!(entries[0], @r#"
    {
      "action": "webhook.refused",
      "subject": "job_<id>ann1",
      "actor": "service:generator",
      "ip": "203.0.113.9",
      "details": {
        "field": "images[0].s3_key",
        "message": "s3_key is not a file of the job's owner"
      }
    }
    "#);
    world.change(|state| state.accounts.audit.clear());
    assert_eq!(world.state(), state);
    // A correct report is still accepted.
    assert_eq!(claim(&world, &changed("content_type", json!("image/png; x=y"))).await["body"]["status"], "processing");
}

#[tokio::test]
async fn a_file_without_an_object_cannot_be_delivered() {
    let world = uploaded();
    world.change(|state| state.objects.clear());
    let refused = claim(&world, &json!([picture(KEY)])).await;
    assert_eq!((refusal(&refused), job_in(&world).claimed_at), ((422, "WEBHOOK_CONTENT_MISMATCH"), None));
    assert_eq!(refused["body"]["error"]["message"], "s3_key is not a file of the job's owner");
}

#[tokio::test]
async fn a_file_claimed_by_another_job_cannot_be_delivered() {
    let other = JobId::of(UserId::parse("user_ann1").unwrap(), FileId::parse("01M7YREWKH7VM7Z3Z2KWSH2FTX").unwrap());
    let world = uploaded();
    let waiting = pending_at("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTZ-photo.png");
    let waiting = File { job: Some(other.clone()), ..waiting };
    add_job(&world, &granted(&Job { id: other, ..job(Kind::Image) }, std::slice::from_ref(&waiting)));
    beside(&world, &waiting);
    let refused = claim(&world, &json!([picture(KEY), picture(waiting.key.as_str())])).await;
    assert_eq!(refusal(&refused), (422, "WEBHOOK_CONTENT_MISMATCH"));
    assert_eq!(refused["body"]["error"]["details"]["field"], "images[1].s3_key");
    let key = ObjectKey::parse(waiting.key.as_str()).unwrap();
    assert_eq!(world.state().files[&(key.owner().clone(), key.file())], waiting);
}

#[tokio::test]
async fn a_delivery_that_differs_from_the_accepted_one_is_a_conflict() {
    let world = uploaded();
    let own = ready(&pending_at("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTZ-photo.png"));
    beside(&world, &own);
    assert_eq!(claim(&world, &json!([picture(KEY)])).await["body"]["status"], "processing");
    let before = besides_webhooks(&world);
    let refused = claim(&world, &json!([picture(own.key.as_str())])).await;
    assert_eq!(refusal(&refused), (409, "CONFLICT"));
    assert_eq!(besides_webhooks(&world), before);
    // An incorrect report still gets another answer than a correct one.
    let forged = claim(&world, &json!([picture("user_ann12/images/01M7YREWKH7VM7Z3Z2KWSH2FTZ-photo.png")])).await;
    assert_eq!(
        (refusal(&forged), audit_log(&world)[0]["action"].clone()),
        ((422, "WEBHOOK_CONTENT_MISMATCH"), json!("webhook.refused"))
    );
}

#[tokio::test]
async fn a_report_about_an_unknown_job_or_another_kind_is_404() {
    let world = uploaded();
    let before = world.state();
    let mut answers = Vec::new();
    for id in ["", "x", "job_01M7YREWKH7VM7Z3Z2KWSH2FTXann1", "job_01M7YREWKH7VM7Z3Z2KWSH2FTRann12"] {
        let fields = json!({ "generation_id": id });
        answers.push(signed(&world, "webhook-image-completion", "completed", "msg_1", &fields).await);
        answers.push(signed(&world, "webhook-image-completion", "failed", "msg_1", &fields).await);
    }
    for function in ["webhook-text-completion", "webhook-video-completion"] {
        answers.push(signed(&world, function, "completed", "msg_1", &json!({})).await);
        answers.push(signed(&world, function, "failed", "msg_1", &json!({})).await);
    }
    insta::assert_json_snapshot!(answers[0], @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "Job not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_report_without_a_valid_signature_is_not_read() {
    let world = uploaded();
    let before = world.state();
    let plain = payload::event("webhook-image-completion", "completed", "");
    let good = functions::signed_by_generator(plain.clone(), "msg_1");
    let body = plain["body"].as_str().unwrap();
    let with_body = |text: String| {
        let mut event = good.clone();
        event["body"] = text.into();
        event
    };
    let at = clock::now().as_secs();
    for event in [
        plain.clone(),
        headed(good.clone(), "webhook-id", Some("msg_2")),
        headed(good.clone(), "webhook-id", Some("")),
        headed(good.clone(), "webhook-timestamp", Some(&(at - 360).to_string())),
        headed(good.clone(), "webhook-timestamp", Some(&(at + 360).to_string())),
        headed(good.clone(), "webhook-signature", None),
        with_body(body.replace(": ", ":")),
        with_body(body.replacen('1', "2", 1)),
        with_body(format!("{body} ")),
    ] {
        let refused = functions::call(&world, "webhook-image-completion", event).await;
        assert_eq!(refusal(&refused), (401, "INVALID_SIGNATURE"));
    }
    assert_eq!(world.state(), before);
    // One valid signature of two is enough.
    let signature = good["headers"]["webhook-signature"].as_str().unwrap();
    let two = format!("v1,{} {signature}", "A".repeat(43) + "=");
    let event = headed(good.clone(), "webhook-signature", Some(&two));
    assert_eq!(answer(&world, "webhook-image-completion", event).await["status"], 200);
}

#[tokio::test]
async fn a_report_of_the_wrong_shape_is_refused_by_field() {
    let world = uploaded();
    let before = world.state();
    for (fields, field) in [
        (json!({ "status": "done" }), "status"),
        (json!({ "status": "failed" }), "error"),
        (json!({ "images": null }), "images"),
        (json!({ "images": [{}] }), "images[0].s3_key"),
        (json!({ "images": [{ "s3_key": KEY, "file_size": "1000" }] }), "images[0].file_size"),
        (json!({ "images": [{ "s3_key": KEY, "file_size": -1 }] }), "images[0].file_size"),
        (json!({ "error": { "code": "X" }, "status": "failed" }), "error.message"),
        (json!({ "generation_id": 7 }), "generation_id"),
    ] {
        let refused = signed(&world, "webhook-image-completion", "completed", "msg_1", &fields).await;
        assert_eq!(refusal(&refused), (400, "INVALID_REQUEST"), "{fields}");
        assert_eq!(refused["body"]["error"]["details"]["field"], field, "{fields}");
    }
    let no_id = saying(payload::event("webhook-image-completion", "completed", ""), &json!({ "images": [] }));
    let refused = answer(&world, "webhook-image-completion", functions::signed_by_generator(no_id, "msg_1")).await;
    assert_eq!(refused["body"]["error"]["details"]["field"], "generation_id");
    assert_eq!(world.state(), before);
    // Unknown fields are ignored, and an error without a status counts as a failure.
    let fields = json!({ "status": null, "error": { "code": "X", "message": "x", "trace": 1 }, "took_ms": 5 });
    let failed = signed(&world, "webhook-image-completion", "completed", "msg_1", &fields).await;
    assert_eq!((&failed["body"]["status"], taken(&world)), (&json!("failed"), 0));
}

#[tokio::test]
async fn a_message_id_used_for_another_report_is_refused() {
    let world = uploaded();
    let other = JobId::of(UserId::parse("user_ann1").unwrap(), FileId::parse("01M7YREWKH7VM7Z3Z2KWSH2FTX").unwrap());
    add_job(&world, &Job { id: other.clone(), ..job(Kind::Image) });
    assert_eq!(signed(&world, "webhook-image-completion", "failed", "msg_1", &json!({})).await["status"], 200);
    let before = world.state();
    let of_other = json!({ "generation_id": other });
    let refused = signed(&world, "webhook-image-completion", "failed", "msg_1", &of_other).await;
    assert_eq!((refusal(&refused), world.state()), ((422, "IDEMPOTENCY_MISMATCH"), before));
    assert_eq!(signed(&world, "webhook-image-completion", "failed", "msg_2", &of_other).await["status"], 200);
    assert_eq!((job_events(&world).len(), taken(&world)), (2, 0));
}

#[tokio::test]
async fn a_message_id_stays_bound_to_its_body_after_the_job_has_ended() {
    let world = uploaded();
    let report = async |case: &str, id: &str, fields: Value| {
        let answer = signed(&world, "webhook-image-completion", case, id, &fields).await;
        (answer["status"].clone(), answer["body"]["error"]["code"].clone())
    };
    let (done, mismatch) = ((json!(200), Value::Null), (json!(422), json!("IDEMPOTENCY_MISMATCH")));
    assert_eq!(report("failed", "msg_1", json!({})).await, done);
    assert_eq!(report("failed", "msg_1", json!({})).await, done, "a repetition");
    // The id was used for a report that ended the job, and then for one that came too late.
    for id in ["msg_1", "msg_2"] {
        assert_eq!(report("failed", "msg_2", json!({})).await, done);
        assert_eq!(report("failed", id, json!({ "error": { "code": "X", "message": "x" } })).await, mismatch, "{id}");
        assert_eq!(report("failed", id, json!({ "status": "processing" })).await, mismatch, "{id}");
        assert_eq!(report("completed", id, json!({})).await, mismatch, "{id}");
    }
    assert_eq!(report("completed", "msg_3", json!({})).await, done);
}

#[tokio::test]
async fn a_report_that_fails_changes_nothing_and_its_retry_is_accepted() {
    let world = uploaded();
    let event = || functions::signed_by_generator(payload::event("webhook-image-completion", "completed", ""), "msg_1");
    let before = world.state();
    for skip in 0..3 {
        world.fail_at(skip, Moment::Before);
        let refused = functions::call(&world, "webhook-image-completion", event()).await;
        assert_eq!(refusal(&refused), (503, "UNAVAILABLE"));
        assert_eq!(world.state(), before);
    }
    // The first answer was lost, and the retry finds the report accepted.
    world.fail_at(2, Moment::After);
    assert_eq!(refusal(&functions::call(&world, "webhook-image-completion", event()).await), (503, "UNAVAILABLE"));
    let after = world.state();
    let taken_before = functions::call(&world, "webhook-image-completion", event()).await;
    assert_eq!((&taken_before["status"], job_in(&world).status), (&json!(200), JobStatus::Processing));
    assert_eq!((world.state(), file_in(&world).changed_at), (after, GRANTED));
}
