//! Generators' webhooks on the deployed stack: repeated, altered, late, and with wrong content.

use std::time::Duration;

use consigne_runtime::clock;
use consigne_testkit::generator::{Generator, fresh_id};
use consigne_testkit::http::Response;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::jobs::{asked, pictures_left, pictures_of, status, user_for_pictures, wait_for};
use super::mail::{address, founder, mail_to, mails_to};
use super::{assert_field_refused, assert_refused, text};

/// Uploads the picture of a job. Returns the job's message, and the picture's entry for the completion.
async fn uploaded(person: &Person<'_>, generator: &Generator<'_>) -> (Value, Value) {
    let message = pictures_of(person, generator, 1).await;
    let file = generator.upload(&message, "a.png", "image/png", pictures::png(64, 48, 1000)).await;
    (message, file)
}

#[tokio::test]
async fn repeated_completions_count_once() {
    let stack = Stack::find();
    let ((ann, _), generator) = (founder(&stack, "en").await, Generator::of(&stack));
    let (message, file) = uploaded(&ann, &generator).await;
    let (job, id) = (text(&message, "job_id"), fresh_id());
    let files = [file.clone()];
    let at_once = join_all((0..5).map(|_| generator.complete(&message, &id, &files))).await;
    assert!(
        at_once.iter().all(|answer| answer.status == 200),
        "{:?}",
        at_once.iter().map(Response::json).collect::<Vec<_>>()
    );
    let done = wait_for(&ann, &job, "completed").await;
    for id in [id, fresh_id()] {
        let again = generator.complete(&message, &id, &files).await;
        assert_eq!((again.status, again.json()), (200, json!({ "success": true, "status": "completed" })));
    }
    // A late failure report does not change it.
    assert_eq!(generator.fail(&message, &fresh_id()).await.json()["status"], "completed");
    let after = status(&ann, &job).await;
    assert_eq!(after["updated_at"], done["updated_at"]);
    assert_eq!(after["result"]["images"].as_array().map(Vec::len), Some(1));
    ann.wait_for_usage(1, 1000, 0).await;
    // Its owner gets one mail.
    let first = mail_to(&stack, &address(&ann)).await;
    assert!(first.to_string().contains(&job), "{first}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(mails_to(&stack, &address(&ann)).await.len(), 1);
}

#[tokio::test]
async fn a_failed_job_returns_its_allowance_once() {
    let stack = Stack::find();
    let (ann, generator) = (user_for_pictures(&stack), Generator::of(&stack));
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(asked(&ann, "images", &json!({ "prompt": "un phare" })).await);
    }
    let message = generator.take(&jobs[2]).await;
    let id = fresh_id();
    for id in [&id, &id, &fresh_id()] {
        assert_eq!(generator.fail(&message, id).await.json(), json!({ "success": true, "status": "failed" }));
    }
    let failed = status(&ann, &jobs[2]).await;
    assert_eq!(failed["error"], json!({ "code": "SAFETY", "message": "The prompt was refused" }));
    assert_eq!(pictures_left(&ann).await, 1);
}

#[tokio::test]
async fn altered_unsigned_and_stale_webhooks_are_refused() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("pro"), Generator::of(&stack));
    let (message, file) = uploaded(&ann, &generator).await;
    let callback = text(&message, "callback_url");
    let body = json!({ "generation_id": message["job_id"], "status": "completed", "images": [file] });
    let (spaced, tight) = (serde_json::to_vec_pretty(&body).unwrap(), body.to_string().into_bytes());
    let signed = generator.sign(&fresh_id(), clock::now(), &tight);
    let mut flipped = tight.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let named = |name: &'static str, value: String| {
        let mut headers = signed.clone();
        headers.iter_mut().find(|header| header.0 == name).unwrap().1 = value;
        headers
    };
    let (at, six_minutes) = (clock::now().as_secs(), 360);
    for (headers, body) in [
        (signed.clone(), spaced),
        (signed.clone(), flipped),
        (named("webhook-id", fresh_id()), tight.clone()),
        (named("webhook-timestamp", (at - six_minutes).to_string()), tight.clone()),
        (named("webhook-timestamp", (at + six_minutes).to_string()), tight.clone()),
        (named("webhook-signature", "v1,".to_owned()), tight.clone()),
    ] {
        assert_refused(&generator.send(&callback, &headers, body).await, 401, "INVALID_SIGNATURE");
    }
    assert_refused(&generator.send(&callback, &[], tight.clone()).await, 401, "INVALID_SIGNATURE");
    let uploads = generator.send(&text(&message, "uploads_url"), &[], tight.clone()).await;
    assert_refused(&uploads, 401, "INVALID_SIGNATURE");
    // The signature is six minutes old.
    let late = generator.sign(&fresh_id(), clock::now().minus(Duration::from_mins(6)), &tight);
    assert_refused(&generator.send(&callback, &late, tight.clone()).await, 401, "INVALID_SIGNATURE");
    assert_eq!(status(&ann, &text(&message, "job_id")).await["status"], "processing");
    // One valid signature of two is enough.
    let two = format!("v1,{}= {}", "A".repeat(43), signed[2].1);
    let taken = generator.send(&callback, &named("webhook-signature", two), tight).await;
    assert_eq!(taken.status, 200, "{}", taken.json());
    wait_for(&ann, &text(&message, "job_id"), "completed").await;
}

/// Returns the refused reports of a job in the installation's audit log.
async fn refusals(stack: &Stack, job: &str) -> Vec<Value> {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let found = aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config())
        .query()
        .table_name(stack.name("TABLE_NAME"))
        .key_condition_expression("pk = :system AND begins_with(sk, :audit)")
        .filter_expression("subject = :job AND #action = :refused")
        .expression_attribute_names("#action", "action")
        .expression_attribute_values(":system", S("SYSTEM".to_owned()))
        .expression_attribute_values(":audit", S("AUDIT#".to_owned()))
        .expression_attribute_values(":job", S(job.to_owned()))
        .expression_attribute_values(":refused", S("webhook.refused".to_owned()))
        .send()
        .await
        .unwrap();
    let entry = |item: &std::collections::HashMap<String, _>| match &item["details"] {
        S(details) => serde_json::from_str(details).unwrap(),
        other => panic!("{other:?}"),
    };
    found.items().iter().map(entry).collect()
}

#[tokio::test]
async fn a_report_with_wrong_content_changes_only_the_audit_log() {
    let stack = Stack::find();
    let (ann, bob, generator) = (stack.newcomer("pro"), stack.newcomer("pro"), Generator::of(&stack));
    let theirs = bob.upload("b.png", "image/png", pictures::png(64, 48, 1000)).await;
    let (message, file) = uploaded(&ann, &generator).await;
    let job = text(&message, "job_id");
    let key = text(&file, "s3_key");
    let changed = |name: &str, value: Value| {
        let mut file = file.clone();
        file[name] = value;
        vec![file]
    };
    let granted = generator.ask(&message, "never.png", "image/png", 1000).await.json();
    let before = status(&ann, &job).await;
    let cases = [
        (changed("s3_key", json!(theirs)), "images[0].s3_key"),
        (changed("s3_key", json!(key.replace("-a.png", "-b.png"))), "images[0].s3_key"),
        (changed("s3_key", granted["s3_key"].clone()), "images[0].s3_key"),
        (changed("file_size", json!(1001)), "images[0].file_size"),
        (changed("content_type", json!("image/gif")), "images[0].content_type"),
        (vec![file.clone(), file.clone()], "images"),
    ];
    for (files, field) in &cases {
        let refused = generator.complete(&message, &fresh_id(), files).await;
        assert_field_refused(&refused, 422, "WEBHOOK_CONTENT_MISMATCH", field);
    }
    let after = status(&ann, &job).await;
    assert_eq!((&after["status"], &after["created_at"]), (&before["status"], &before["created_at"]));
    let entries = refusals(&stack, &job).await;
    assert_eq!(
        entries.iter().map(|entry| text(entry, "field")).collect::<Vec<_>>(),
        cases.map(|(_, field)| field.to_owned())
    );
    // Bob's picture has not changed, and the job can still be completed.
    assert_eq!(bob.metadata(&theirs).await.json()["status"], "ready");
    assert_eq!(generator.complete(&message, &fresh_id(), &[file]).await.status, 200);
    wait_for(&ann, &job, "completed").await;
}

#[tokio::test]
async fn a_report_about_an_unknown_job_is_404() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("pro"), Generator::of(&stack));
    let (message, file) = uploaded(&ann, &generator).await;
    let mut unknown = message.clone();
    unknown["job_id"] = format!("job_01M7YREWKH7VM7Z3Z2KWSH2FTR{}", ann.id.strip_prefix("user_").unwrap()).into();
    assert_refused(&generator.complete(&unknown, &fresh_id(), std::slice::from_ref(&file)).await, 404, "NOT_FOUND");
    assert_refused(&generator.fail(&unknown, &fresh_id()).await, 404, "NOT_FOUND");
    let url = text(&message, "uploads_url").replace(&text(&message, "job_id"), &text(&unknown, "job_id"));
    unknown["uploads_url"] = url.into();
    assert_refused(&generator.ask(&unknown, "a.png", "image/png", 100).await, 404, "NOT_FOUND");
    // An image job is not found at the route for videos.
    let mut other = message.clone();
    other["callback_url"] = text(&message, "callback_url").replace("image", "video").into();
    other["kind"] = json!("video");
    assert_refused(&generator.complete(&other, &fresh_id(), &[file]).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn a_delivered_file_of_the_wrong_type_fails_its_job() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("basic"), Generator::of(&stack));
    // The wrong type may be detected before the file is claimed, or after.
    let message = pictures_of(&ann, &generator, 2).await;
    let impostor = generator.upload(&message, "a.png", "image/png", pictures::gif(1000)).await;
    let claimed = generator.complete(&message, &fresh_id(), &[impostor]).await;
    if claimed.status == 200 {
        let failed = wait_for(&ann, &text(&message, "job_id"), "failed").await;
        assert_eq!(failed["error"]["code"], "OUTPUT_LOST");
    } else {
        assert_field_refused(&claimed, 422, "WEBHOOK_CONTENT_MISMATCH", "images[0].s3_key");
        let good = generator.upload(&message, "b.png", "image/png", pictures::png(8, 8, 1000)).await;
        assert_eq!(generator.complete(&message, &fresh_id(), &[good]).await.status, 200);
        wait_for(&ann, &text(&message, "job_id"), "completed").await;
    }
    ann.wait_for_usage(u64::from(claimed.status != 200), if claimed.status == 200 { 0 } else { 1000 }, 0).await;
}

#[tokio::test]
async fn s3_enforces_a_generators_grant_and_a_retry_gets_the_same_grant() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("pro"), Generator::of(&stack));
    let message = pictures_of(&ann, &generator, 1).await;
    let (url, id) = (text(&message, "uploads_url"), fresh_id());
    let body = json!({ "filename": "a.png", "content_type": "image/png", "size": 1000 });
    let answers = join_all((0..4).map(|_| generator.send_signed(&url, &id, &body))).await;
    let grants: Vec<Value> = answers.iter().map(Response::json).collect();
    assert!(answers.iter().all(|answer| answer.status == 201), "{grants:?}");
    assert!(grants.iter().all(|grant| grant["s3_key"] == grants[0]["s3_key"]), "{grants:?}");
    assert!(text(&grants[0], "s3_key").starts_with(&format!("{}/images/", ann.id)));
    ann.wait_for_usage(0, 0, 1000).await;
    let bytes = pictures::png(8, 8, 1000);
    assert_eq!(generator.put(&grants[0], [&bytes[..], b"x"].concat()).await.status, 403);
    assert_eq!(generator.put(&grants[1], bytes.clone()).await.status, 200);
    assert_eq!(generator.put(&grants[2], bytes).await.status, 412);
    let mut other = body.clone();
    other["size"] = json!(1001);
    assert_refused(&generator.send_signed(&url, &id, &other).await, 422, "IDEMPOTENCY_MISMATCH");
    other["content_type"] = json!("video/mp4");
    other["filename"] = json!("a.mp4");
    assert_field_refused(
        &generator.send_signed(&url, &fresh_id(), &other).await,
        415,
        "UNSUPPORTED_FILE_TYPE",
        "content_type",
    );
    other = json!({ "filename": "a.png", "content_type": "image/png", "size": 50 * 1024 * 1024 + 1 });
    assert_field_refused(&generator.send_signed(&url, &fresh_id(), &other).await, 413, "FILE_TOO_LARGE", "size");
}
