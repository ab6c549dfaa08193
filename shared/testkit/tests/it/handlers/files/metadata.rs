use consigne_core::files::{File, Metadata};
use consigne_core::rates::Window;
use consigne_core::{JobId, Plan, UserId};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::{GRANTED, KEY, call, call_as, file_in, pending, pending_at, ready, world_with};

#[tokio::test]
async fn a_ready_file_has_all_metadata() {
    insta::assert_json_snapshot!(call(&world_with(&[ready(&pending())]), "metadata", "one").await, @r#"
    {
      "status": 200,
      "headers": {
        "etag": "\"2\""
      },
      "body": {
        "fileId": "<id>",
        "key": "user_ann1/images/<id>-photo-ete.png",
        "filename": "photo été.png",
        "size": 1000,
        "contentType": "image/png",
        "kind": "image",
        "status": "ready",
        "width": 640,
        "height": 480,
        "dimensions": "measured",
        "lastModified": "<time>",
        "metadata": {},
        "durationSeconds": null,
        "derivative": "pending",
        "thumbnails": {},
        "etag": "e1",
        "versionId": "v1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_rejected_file_has_a_reason() {
    let rejected = pending().reject("declared image/png, found image/gif", GRANTED).file;
    let answer = call(&world_with(&[rejected]), "metadata", "one").await;
    assert_eq!(answer["body"]["status"], "rejected");
    assert_eq!(answer["body"]["rejectedReason"], "declared image/png, found image/gif");
}

#[tokio::test]
async fn other_users_files_and_deleted_files_are_404() {
    let unknown = call(&world_with(&[]), "metadata", "one").await;
    assert_eq!((&unknown["status"], &unknown["body"]["error"]["code"]), (&json!(404), &json!("NOT_FOUND")));
    let theirs = call_as(&world_with(&[ready(&pending())]), "metadata", "one", "user_ann12", "pro").await;
    let leaving = call(&world_with(&[ready(&pending()).deleting(GRANTED)]), "metadata", "one").await;
    assert_eq!((theirs, leaving), (unknown.clone(), unknown));
}

/// Changes Ann's file, with `If-Match` if it is not empty.
async fn change(world: &World, if_match: &str, body: &Value) -> Value {
    let mut event = payload::event("metadata", "rename", &functions::issuer().token("user_ann1", "pro"));
    event["body"] = body.to_string().into();
    if !if_match.is_empty() {
        event["headers"]["if-match"] = if_match.into();
    }
    functions::call(world, "metadata", event).await
}

/// Returns the writes of Ann's window.
fn writes(world: &World) -> u64 {
    let usage = world.state().usage[&UserId::parse("user_ann1").unwrap()].clone();
    usage.windows.writes.map_or(0, |window| window.count)
}

#[tokio::test]
async fn a_change_shows_the_file_with_its_new_revision_and_its_old_key() {
    let world = world_with(&[ready(&pending())]);
    insta::assert_json_snapshot!(call(&world, "metadata", "rename").await, @r#"
    {
      "status": 200,
      "headers": {
        "etag": "\"3\""
      },
      "body": {
        "fileId": "<id>",
        "key": "user_ann1/images/<id>-photo-ete.png",
        "filename": "Plage à midi.png",
        "size": 1000,
        "contentType": "image/png",
        "kind": "image",
        "status": "ready",
        "width": 640,
        "height": 480,
        "dimensions": "measured",
        "lastModified": "<time>",
        "metadata": {
          "title": "La plage"
        },
        "durationSeconds": null,
        "derivative": "pending",
        "thumbnails": {},
        "etag": "e1",
        "versionId": "v1"
      }
    }
    "#);
    assert_eq!(writes(&world), 1);
    // Again, it changes nothing and counts nothing.
    let before = world.state();
    assert_eq!(call(&world, "metadata", "rename").await["headers"]["etag"], "\"3\"");
    assert_eq!(world.state(), before);
    let list = call(&world, "list", "secure").await;
    assert_eq!(list["body"]["data"][0]["metadata"]["title"], "La plage");
    assert_eq!(list["body"]["data"][0]["filename"], "Plage à midi.png");
}

#[tokio::test]
async fn texts_that_are_not_named_stay_and_null_removes_one() {
    let world = world_with(&[ready(&pending())]);
    change(&world, "", &json!({ "s3Key": KEY, "metadata": { "title": "a", "album": "b" } })).await;
    let answer = change(&world, "", &json!({ "s3Key": KEY, "metadata": { "title": null, "place": "c" } })).await;
    assert_eq!(answer["body"]["metadata"], json!({ "album": "b", "place": "c" }));
    assert_eq!(answer["body"]["filename"], "photo été.png");
}

#[tokio::test]
async fn a_change_of_another_revision_is_refused() {
    let world = world_with(&[ready(&pending())]);
    let title = |title: &str| json!({ "s3Key": KEY, "metadata": { "title": title } });
    assert_eq!(change(&world, "\"2\"", &title("a")).await["headers"]["etag"], "\"3\"");
    // The answer to this was lost: the same request is repeated.
    assert_eq!(change(&world, "\"2\"", &title("a")).await["headers"]["etag"], "\"3\"");
    let late = change(&world, "\"2\"", &title("b")).await;
    assert_eq!((&late["status"], &late["body"]["error"]["code"]), (&json!(412), &json!("PRECONDITION_FAILED")));
    assert_eq!(file_in(&world).metadata.texts()["title"], "a");
    for matching in ["*", "\"7\", \"3\""] {
        let title = title(matching);
        assert_eq!(change(&world, matching, &title).await["status"], 200, "{matching}");
        world.change(|state| state.files.values_mut().for_each(|file| file.revision = 3));
    }
    // The entity tag of S3 is not that of the record.
    let theirs = change(&world, "\"e1\"", &title("c")).await;
    assert_eq!(theirs["status"], 412);
    for malformed in ["3", "\"é\""] {
        let refused = change(&world, malformed, &title("c")).await;
        let field = &refused["body"]["error"]["details"]["field"];
        assert_eq!((&refused["status"], field), (&json!(400), &json!("If-Match")), "{malformed}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_refused_by_name() {
    let world = world_with(&[ready(&pending())]);
    let before = world.state();
    for (body, status, field) in [
        (json!({ "s3Key": "", "filename": "a.png" }), 400, "s3Key"),
        (json!({ "s3Key": KEY }), 400, "metadata"),
        (json!({ "s3Key": KEY, "filename": "" }), 400, "filename"),
        (json!({ "s3Key": KEY, "filename": "a.gif" }), 415, "filename"),
        (json!({ "s3Key": KEY, "metadata": { "title": 7 } }), 400, "metadata.title"),
        (json!({ "s3Key": KEY, "metadata": { "title": "\u{0}" } }), 400, "metadata.title"),
        (json!({ "s3Key": KEY, "metadata": { "status": "ready" } }), 400, "metadata.status"),
        (json!({ "s3Key": KEY, "metadata": { "a b": "x" } }), 400, "metadata"),
        (json!({ "s3Key": KEY, "metadata": { "title": "x".repeat(2044) } }), 400, "metadata"),
        (json!({ "s3Key": KEY, "size": 1 }), 400, "size"),
    ] {
        let answer = change(&world, "", &body).await;
        let told = (&answer["status"], &answer["body"]["error"]["details"]["field"]);
        assert_eq!(told, (&json!(status), &json!(field)), "{body}: {answer}");
    }
    assert_eq!(world.state(), before);
    let most = json!({ "s3Key": KEY, "metadata": { "title": "x".repeat(2043) } });
    assert_eq!(change(&world, "", &most).await["status"], 200);
}

#[tokio::test]
async fn files_of_others_and_files_that_are_being_deleted_cannot_be_changed() {
    let unknown = call(&world_with(&[]), "metadata", "rename").await;
    assert_eq!((&unknown["status"], &unknown["body"]["error"]["code"]), (&json!(404), &json!("NOT_FOUND")));
    for (file, user) in [(ready(&pending()), "user_ann12"), (ready(&pending()).deleting(GRANTED), "user_ann1")] {
        let world = world_with(&[file]);
        let before = world.state();
        assert_eq!(call_as(&world, "metadata", "rename", user, "pro").await, unknown);
        assert_eq!(world.state(), before);
    }
}

#[tokio::test]
async fn a_change_counts_as_a_write() {
    let world = world_with(&[ready(&pending())]);
    let limit = u64::from(Plan::Pro.allowances().writes_per_minute);
    let started = consigne_runtime::clock::now();
    world.change(|state| {
        state.usage.values_mut().for_each(|usage| usage.windows.writes = Some(Window { started, count: limit }));
    });
    let answer = call(&world, "metadata", "rename").await;
    assert_eq!((&answer["status"], &answer["body"]["error"]["code"]), (&json!(429), &json!("RATE_LIMITED")));
    assert!(answer["headers"]["retry-after"].is_string(), "{answer}");
    assert_eq!(file_in(&world).revision, 2);
}

#[tokio::test]
async fn the_file_of_a_job_shows_its_title_and_the_job() {
    let job = JobId::parse("job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1");
    let file = File {
        metadata: Metadata::titled("A lighthouse"),
        job: Some(job.expect("is a job's id")),
        ..ready(&pending_at(KEY))
    };
    let world = world_with(&[file]);
    let shown = call(&world, "metadata", "one").await["body"]["metadata"].clone();
    assert_eq!(shown["title"], "A lighthouse");
    assert!(shown["job_id"].as_str().is_some_and(|id| id.starts_with("job_")), "{shown}");
}
