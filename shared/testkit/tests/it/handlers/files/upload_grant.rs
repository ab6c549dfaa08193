use std::time::Duration;

use consigne_core::files::Status;
use consigne_core::periods::Day;
use consigne_core::rates::Window;
use consigne_core::{Plan, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::{assert_books_balance, call, call_as, ledger_of};

#[tokio::test]
async fn a_grant_reserves_bytes_and_signs_one_put() {
    let world = World::default();
    insta::assert_json_snapshot!(call(&world, "upload-grant", "photo").await, @r#"
    {
      "status": 201,
      "body": {
        "fileId": "<id>",
        "s3Key": "user_ann1/images/<id>-photo-ete.png",
        "method": "PUT",
        "url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/images/<id>-photo-ete.png?x-id=PutObject&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=900&X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match&X-Amz-Signature=<signature>",
        "headers": {
          "content-type": "image/png",
          "if-none-match": "*"
        },
        "expiresAt": "<time>"
      }
    }
    "#);
    assert_eq!(ledger_of(&world), [1000, 1000, 0, 0]);
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_retry_gets_the_same_grant_and_reserves_once() {
    let world = World::default();
    let token = functions::issuer().token("user_ann1", "pro");
    let event = payload::event("upload-grant", "with-checksum-and-key", &token);
    let first = functions::call(&world, "upload-grant", event.clone()).await;
    insta::assert_json_snapshot!(payload::steady(&first), @r#"
    {
      "status": 201,
      "body": {
        "fileId": "<id>",
        "s3Key": "user_ann1/books/<id>-notes.md",
        "method": "PUT",
        "url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/books/<id>-notes.md?x-id=PutObject&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=900&X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256&X-Amz-Signature=<signature>",
        "headers": {
          "content-type": "text/markdown",
          "if-none-match": "*",
          "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        },
        "expiresAt": "<time>"
      }
    }
    "#);
    assert_eq!(functions::call(&world, "upload-grant", event).await, first);
    assert_eq!(ledger_of(&world), [64, 64, 0, 0]);
}

#[tokio::test]
async fn an_idempotency_key_used_for_another_body_is_refused() {
    let world = World::default();
    let token = functions::issuer().token("user_ann1", "pro");
    let mut event = payload::event("upload-grant", "with-checksum-and-key", &token);
    functions::call(&world, "upload-grant", event.clone()).await;
    event["body"] = event["body"].as_str().unwrap().replace("64", "65").into();
    let second = functions::call(&world, "upload-grant", event).await;
    insta::assert_json_snapshot!(payload::steady(&second), @r#"
    {
      "status": 422,
      "body": {
        "success": false,
        "error": {
          "code": "IDEMPOTENCY_MISMATCH",
          "message": "Idempotency-Key was already used with a different request"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(ledger_of(&world), [64, 64, 0, 0]);
}

#[tokio::test]
async fn each_user_has_their_own_idempotency_keys() {
    let world = World::default();
    call_as(&world, "upload-grant", "with-checksum-and-key", "user_ann1", "pro").await;
    let other = call_as(&world, "upload-grant", "with-checksum-and-key", "user_ann12", "pro").await;
    assert_eq!(other["status"], 201);
    assert_eq!(world.state().files.len(), 2);
}

#[tokio::test]
async fn an_expired_grant_is_not_replayed() {
    let world = World::default();
    let token = functions::issuer().token("user_ann1", "pro");
    let event = payload::event("upload-grant", "with-checksum-and-key", &token);
    functions::call(&world, "upload-grant", event.clone()).await;
    world.change(|state| {
        for file in state.files.values_mut() {
            file.grant_expires_at = Timestamp::from_secs(1);
        }
    });
    insta::assert_json_snapshot!(payload::steady(&functions::call(&world, "upload-grant", event).await), @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CONFLICT",
          "message": "upload granted for this Idempotency-Key has expired; ask again with a new key"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_used_or_deleted_grant_is_not_replayed() {
    for status in [Status::Ready, Status::Rejected, Status::Deleting, Status::Deleted] {
        let world = World::default();
        let token = functions::issuer().token("user_ann1", "pro");
        let event = payload::event("upload-grant", "with-checksum-and-key", &token);
        functions::call(&world, "upload-grant", event.clone()).await;
        world.change(|state| state.files.values_mut().for_each(|file| file.status = status));
        let answer = functions::call(&world, "upload-grant", event).await;
        assert_eq!((&answer["status"], &answer["body"]["error"]["code"]), (&json!(409), &json!("CONFLICT")));
        assert_eq!(answer["body"]["error"]["details"], json!({"status": status.name()}));
    }
}

#[tokio::test]
async fn a_used_up_window_refuses_writes_until_it_ends() {
    let world = World::default();
    call_as(&world, "upload-grant", "photo", "user_ann1", "free").await;
    let before = world.state();
    world.change(|state| {
        for usage in state.usage.values_mut() {
            usage.windows.writes = Some(Window { started: clock::now(), count: 60 });
        }
    });
    let mut refused = call_as(&world, "upload-grant", "photo", "user_ann1", "free").await;
    // A second may have passed between the two readings of the clock.
    for (object, name) in [("headers", "retry-after"), ("headers", "ratelimit-reset")] {
        refused[object][name] = json!(refused[object][name].as_str().unwrap().replace("59", "60"));
    }
    refused["body"]["error"]["message"] =
        json!(refused["body"]["error"]["message"].as_str().unwrap().replace("59 s", "60 s"));
    insta::assert_json_snapshot!(refused, @r#"
    {
      "status": 429,
      "headers": {
        "retry-after": "60",
        "ratelimit-limit": "60",
        "ratelimit-remaining": "0",
        "ratelimit-reset": "60"
      },
      "body": {
        "success": false,
        "error": {
          "code": "RATE_LIMITED",
          "message": "Your plan allows 60 writes a minute; try again in 60 s",
          "details": {
            "limit": 60,
            "resets_at": "<time>"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state().files, before.files);
    world.change(|state| {
        for usage in state.usage.values_mut() {
            let started = clock::now().minus(Duration::from_mins(1));
            usage.windows.writes = Some(Window { started, count: 60 });
        }
    });
    assert_eq!(call_as(&world, "upload-grant", "photo", "user_ann1", "free").await["status"], 201);
}

#[tokio::test]
async fn the_grant_after_the_last_of_a_day_is_refused_until_midnight_and_changes_nothing() {
    let world = World::default();
    let owner = UserId::parse("user_ann1").unwrap();
    let (today, now) = (Day::of(clock::now()), clock::now());
    world.change(|state| state.windows(&owner).grants = Some(Window { started: now, count: 1_999 }));
    assert_eq!(call_as(&world, "upload-grant", "photo", "user_ann1", "free").await["status"], 201);
    let before = world.state();
    let refused = call_as(&world, "upload-grant", "photo", "user_ann1", "free").await;
    assert_eq!((&refused["status"], &refused["body"]["error"]["code"]), (&json!(429), &json!("RATE_LIMITED")));
    assert_eq!(refused["body"]["error"]["details"], json!({ "limit": 2_000, "resets_at": "<time>" }));
    let headers = &refused["headers"];
    assert_eq!((&headers["ratelimit-limit"], &headers["ratelimit-remaining"]), (&json!("2000"), &json!("0")));
    let wait: u64 = headers["retry-after"].as_str().unwrap().parse().unwrap();
    let left = today.ends().since(now).as_secs() + 1;
    assert!((left.saturating_sub(5)..=left).contains(&wait), "{wait} of {left} seconds until midnight");
    assert_eq!(headers["ratelimit-reset"], headers["retry-after"]);
    assert_eq!(world.state(), before);
    // A larger plan has room at once, and so has the next day.
    assert_eq!(call_as(&world, "upload-grant", "photo", "user_ann1", "basic").await["status"], 201);
    let yesterday = Some(Window { started: today.starts().minus(Duration::from_millis(1)), count: 2_000 });
    world.change(|state| state.windows(&owner).grants = yesterday);
    assert_eq!(call_as(&world, "upload-grant", "photo", "user_ann1", "free").await["status"], 201);
}

#[tokio::test]
async fn a_replayed_grant_counts_once() {
    let world = World::default();
    let event = payload::event("upload-grant", "with-checksum-and-key", &functions::issuer().token("user_ann1", "pro"));
    for _ in 0..3 {
        assert_eq!(functions::call(&world, "upload-grant", event.clone()).await["status"], 201);
    }
    let windows = world.state().usage[&UserId::parse("user_ann1").unwrap()].windows;
    assert_eq!([windows.writes, windows.grants].map(|window| window.unwrap().count), [1, 1]);
}

#[tokio::test]
async fn a_file_that_exceeds_the_plan_is_refused_with_the_bytes_left() {
    let world = World::default();
    call_as(&world, "upload-grant", "photo", "user_ann1", "free").await;
    world.change(|state| state.usage.values_mut().for_each(|usage| usage.committed = (1 << 30) - 999));
    insta::assert_json_snapshot!(call_as(&world, "upload-grant", "photo", "user_ann1", "free").await, @r#"
    {
      "status": 403,
      "body": {
        "success": false,
        "error": {
          "code": "STORAGE_QUOTA_EXCEEDED",
          "message": "size exceeds your storage: the file needs 1000 bytes, and 999 bytes of your plan's 1 GB are left",
          "details": {
            "field": "size",
            "limit": 1073741824,
            "committed": 1073740825,
            "left": 999
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn every_invalid_field_is_named_and_nothing_is_stored() {
    let world = World::default();
    let token = functions::issuer().token("user_ann1", "pro");
    let good = json!({"filename": "a.png", "contentType": "image/png", "size": 10});
    let mut outcomes = Vec::new();
    for (field, value) in [
        ("size", Value::Null),
        ("size", json!(0)),
        ("size", json!(-1)),
        ("size", json!(1.5)),
        ("size", json!("10")),
        ("size", json!(50 * (1 << 20) + 1)),
        ("size", json!(u64::MAX)),
        ("filename", json!("")),
        ("filename", json!("../user_ann12/x.png")),
        ("filename", json!("a\u{0}.png")),
        ("filename", json!("a\r\n.png")),
        ("filename", json!("gnp.\u{202E}exe")),
        ("filename", json!("x".repeat(300))),
        ("filename", json!("a.exe")),
        ("contentType", json!("application/x-msdownload")),
        ("sha256", json!("abc")),
        ("kind", json!("sound")),
        ("kind", json!("video")),
        ("owner", json!("user_ann12")),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let mut event = payload::event("upload-grant", "photo", &token);
        event["body"] = body.to_string().into();
        let answer = functions::call(&world, "upload-grant", event).await;
        let error = &answer["body"]["error"];
        assert_eq!(error["details"]["field"], field, "{value}: {answer}");
        let shown: String = value.to_string().escape_default().take(30).collect();
        outcomes.push(format!("{field} {shown}: {} {}", answer["status"], error["code"].as_str().unwrap()));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "size null: 400 INVALID_REQUEST",
      "size 0: 400 INVALID_REQUEST",
      "size -1: 400 INVALID_REQUEST",
      "size 1.5: 400 INVALID_REQUEST",
      "size \\\"10\\\": 400 INVALID_REQUEST",
      "size 52428801: 413 FILE_TOO_LARGE",
      "size 18446744073709551615: 413 FILE_TOO_LARGE",
      "filename \\\"\\\": 400 INVALID_FILENAME",
      "filename \\\"../user_ann12/x.png\\\": 400 INVALID_FILENAME",
      "filename \\\"a\\\\u0000.png\\\": 400 INVALID_FILENAME",
      "filename \\\"a\\\\r\\\\n.png\\\": 400 INVALID_FILENAME",
      "filename \\\"gnp.\\u{202e}exe\\\": 400 INVALID_FILENAME",
      "filename \\\"xxxxxxxxxxxxxxxxxxxxxxxxxxxx: 400 INVALID_FILENAME",
      "filename \\\"a.exe\\\": 415 UNSUPPORTED_FILE_TYPE",
      "contentType \\\"application/x-msdownload\\\": 415 UNSUPPORTED_FILE_TYPE",
      "sha256 \\\"abc\\\": 400 INVALID_REQUEST",
      "kind \\\"sound\\\": 400 INVALID_REQUEST",
      "kind \\\"video\\\": 415 UNSUPPORTED_FILE_TYPE",
      "owner \\\"user_ann12\\\": 400 INVALID_REQUEST"
    ]
    "#);
    assert_eq!(world.state(), World::default().state());
}

#[tokio::test]
async fn names_and_types_are_taken_as_people_and_browsers_write_them() {
    let token = functions::issuer().token("user_ann1", "pro");
    let england = "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}";
    let (cjk, flag) = ("写".repeat(90), format!("{england}.png"));
    for (filename, declared, name, media) in [
        ("IMG_0001.HEIC", "", "IMG_0001.HEIC", "image/heic"),
        ("IMG_0001.HEIC", "image/heif", "IMG_0001.HEIC", "image/heic"),
        ("DSC0001.HIF", "application/octet-stream", "DSC0001.HIF", "image/heic"),
        ("photo.jfif", "image/jpg", "photo.jfif", "image/jpeg"),
        ("photo.jpe", "image/pjpeg", "photo.jpe", "image/jpeg"),
        ("clip.m4v", "video/x-m4v", "clip.m4v", "video/mp4"),
        ("notes.md", "", "notes.md", "text/markdown"),
        ("photo.png ", "image/png", "photo.png", "image/png"),
        ("\u{200F}photo\u{200E}.png", "image/png", "photo.png", "image/png"),
        ("v1.2 release notes", "text/plain", "v1.2 release notes", "text/plain"),
        ("Meeting 10.30", "text/plain", "Meeting 10.30", "text/plain"),
        (&cjk, "image/png", &cjk, "image/png"),
        (&flag, "image/png", &flag, "image/png"),
    ] {
        let world = World::default();
        let mut event = payload::event("upload-grant", "photo", &token);
        event["body"] = json!({ "filename": filename, "contentType": declared, "size": 1000 }).to_string().into();
        let answer = functions::call(&world, "upload-grant", event).await;
        assert_eq!(answer["status"], 201, "{filename} {declared}: {answer}");
        assert_eq!(answer["body"]["headers"]["content-type"], media, "{filename}");
        let state = world.state();
        let file = state.files.values().next().unwrap();
        assert_eq!((file.name.as_str(), file.media.name), (name, media));
    }
    for (filename, declared) in
        [("photo", ""), ("a.exe", ""), ("photo.jpg.exe", "image/jpeg"), ("a.exe .", "image/png")]
    {
        let mut event = payload::event("upload-grant", "photo", &token);
        event["body"] = json!({ "filename": filename, "contentType": declared, "size": 1000 }).to_string().into();
        let answer = functions::call(&World::default(), "upload-grant", event).await;
        assert_eq!(answer["body"]["error"]["code"], "UNSUPPORTED_FILE_TYPE", "{filename}: {answer}");
    }
}

/// Requests an upload as Ann, who is on the free plan.
async fn ask(world: &World, body: &Value) -> Value {
    let mut event = payload::event("upload-grant", "photo", &functions::issuer().token("user_ann1", "free"));
    event["body"] = body.to_string().into();
    functions::call(world, "upload-grant", event).await
}

#[tokio::test]
async fn the_metadata_of_a_request_is_stored_with_the_file() {
    let world = World::default();
    assert_eq!(call(&world, "upload-grant", "titled").await["status"], 201);
    let state = world.state();
    let file = state.files.values().next().unwrap();
    assert_eq!(json!(file.metadata.texts()), json!({ "title": "L'été" }));
    for (metadata, field) in [
        (json!({ "title": 7 }), "metadata.title"),
        (json!({ "title": "x".repeat(2044) }), "metadata"),
        (json!({ "file_id": "x" }), "metadata.file_id"),
        (json!({ "": "x" }), "metadata"),
        (json!("title"), "metadata"),
    ] {
        let answer =
            ask(&world, &json!({ "filename": "a.png", "contentType": "", "size": 1, "metadata": metadata })).await;
        let told = (&answer["status"], &answer["body"]["error"]["details"]["field"]);
        assert_eq!(told, (&json!(400), &json!(field)), "{metadata}: {answer}");
    }
    assert_eq!(world.state(), state);
}

#[tokio::test]
async fn documents_and_sounds_have_folders_of_their_own_and_the_limit_of_texts() {
    let world = World::default();
    let limit = Plan::Free.allowances().text;
    for (name, folder) in [
        ("table.csv", "documents"),
        ("data.json", "documents"),
        ("letter.docx", "documents"),
        ("table.xlsx", "documents"),
        ("slides.pptx", "documents"),
        ("photos.zip", "documents"),
        ("song.mp3", "audio"),
        ("song.wav", "audio"),
        ("memo.m4a", "audio"),
    ] {
        let fits = ask(&world, &json!({ "filename": name, "contentType": "", "size": limit })).await;
        let key = fits["body"]["s3Key"].as_str().unwrap_or_else(|| panic!("{name}: {fits}"));
        assert!(key.starts_with(&format!("user_ann1/{folder}/")) && key.ends_with(name), "{key}");
        let large = ask(&world, &json!({ "filename": name, "contentType": "", "size": limit + 1 })).await;
        assert_eq!((&large["status"], &large["body"]["error"]["details"]["limit"]), (&json!(413), &json!(limit)));
    }
    let other = ask(&world, &json!({ "filename": "song.mp3", "contentType": "", "size": 1, "kind": "document" })).await;
    assert_eq!((&other["status"], &other["body"]["error"]["details"]["field"]), (&json!(415), &json!("kind")));
}
