//! Files on the deployed stack, after their upload.

use consigne_core::UserId;
use consigne_core::files::ObjectKey;
use consigne_core::ports::{GetFile, ReadHead};
use consigne_runtime::clock;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::{assert_refused, text};

#[tokio::test]
async fn a_photo_is_uploaded_and_downloaded_unchanged() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let bytes = pictures::png(640, 480, 5000);
    let key = ann.upload("photo été.png", "image/png", bytes.clone()).await;
    let facts = ann.metadata(&key).await.json();
    for (field, want) in [
        ("filename", json!("photo été.png")),
        ("size", json!(5000)),
        ("contentType", json!("image/png")),
        ("kind", json!("image")),
        ("status", json!("ready")),
        ("width", json!(640)),
        ("height", json!(480)),
        ("thumbnails", json!({})),
    ] {
        assert_eq!(facts[field], want, "{field}");
    }
    assert!(!text(&facts, "versionId").is_empty() && !text(&facts, "etag").is_empty());

    let ticket = ann.ticket(&key).await.json();
    assert_eq!(ticket["expiresIn"], 3600);
    let download = stack.client.send("GET", &text(&ticket, "url"), &[], Vec::new()).await;
    assert_eq!((download.status, download.bytes == bytes), (200, true));
    assert_eq!(download.header("content-type"), "image/png");
    let disposition = "inline; filename=\"photo-ete.png\"; filename*=UTF-8''photo%20%C3%A9t%C3%A9.png";
    assert_eq!(download.header("content-disposition"), disposition);

    let secure = ann.call("GET", &format!("/api/secure/files/download/{key}")).await.json();
    let escaped = ann.call("GET", &format!("/api/secure/files/download/{}", key.replace('/', "%2F"))).await.json();
    for answer in [secure, escaped] {
        assert_eq!((&answer["success"], &answer["data"]["expires_in"]), (&json!(true), &json!(3600)), "{answer}");
        let url = text(&answer["data"], "download_url");
        assert_eq!(stack.client.send("GET", &url, &[], Vec::new()).await.bytes, bytes);
    }
    ann.wait_for_usage(1, 5000, 0).await;
    let usage = ann.usage().await;
    assert_eq!(usage["byKind"]["image"], json!({"files": 1, "size": 5000}));
    assert_eq!((&usage["plan"], &usage["userId"]), (&json!("pro"), &json!(ann.id)));
}

#[tokio::test]
async fn a_file_that_could_run_a_script_is_always_an_attachment() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("page.html", "text/html", pictures::html(500)).await;
    let url = text(&ann.ticket(&key).await.json(), "url");
    let download = stack.client.send("GET", &url, &[], Vec::new()).await;
    assert!(download.header("content-disposition").starts_with("attachment;"));
    assert_eq!(download.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn a_signed_url_expires_when_requested() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("a.png", "image/png", pictures::png(1, 1, 100)).await;
    let ask = json!({"s3Key": key, "expiresIn": 1});
    let ticket = ann.call_with("POST", "/api/files/presigned-url", &ask).await.json();
    assert_eq!(ticket["expiresIn"], 1);
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(stack.client.send("GET", &text(&ticket, "url"), &[], Vec::new()).await.status, 403);
}

#[tokio::test]
async fn another_users_file_looks_like_a_file_that_does_not_exist() {
    let stack = Stack::find();
    let (ann, bob) = (stack.person("user_ann1", "pro"), stack.person("user_ann12", "pro"));
    let key = bob.upload("b.png", "image/png", pictures::png(1, 1, 100)).await;
    let unknown = key.replace("user_ann12/", "user_ann1/");
    let steady = |mut body: Value| {
        body["timestamp"] = Value::Null;
        body["requestId"] = Value::Null;
        body
    };
    for (theirs, nobodys) in [
        (ann.ticket(&key).await, ann.ticket(&unknown).await),
        (ann.metadata(&key).await, ann.metadata(&unknown).await),
        (ann.delete(&key).await, ann.delete(&unknown).await),
        (
            ann.call("GET", &format!("/api/secure/files/download/{key}")).await,
            ann.call("GET", &format!("/api/secure/files/download/{unknown}")).await,
        ),
        (
            ann.call("DELETE", &format!("/api/secure/files/delete/{key}")).await,
            ann.call("DELETE", &format!("/api/secure/files/delete/{unknown}")).await,
        ),
    ] {
        assert_refused(&theirs, 404, "NOT_FOUND");
        assert_eq!(steady(theirs.json()), steady(nobodys.json()));
    }
    assert_eq!(bob.metadata(&key).await.json()["status"], "ready");
    let listed = ann.call("GET", "/api/files/list?limit=1000").await.json();
    assert!(!listed["files"].to_string().contains(&key));
    bob.delete(&key).await;
}

#[tokio::test]
async fn a_file_that_was_not_uploaded_is_not_ready() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = text(&ann.grant("a.png", "image/png", 100).await.json(), "s3Key");
    let refused = ann.ticket(&key).await;
    assert_refused(&refused, 409, "NOT_READY");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(ann.metadata(&key).await.json()["status"], "pending");
}

#[tokio::test]
async fn a_deletion_removes_the_file_and_releases_its_bytes_once() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("a.png", "image/png", pictures::png(1, 1, 1000)).await;
    let other = ann.upload("b.png", "image/png", pictures::png(1, 1, 500)).await;
    ann.wait_for_usage(2, 1500, 0).await;
    let url = text(&ann.ticket(&key).await.json(), "url");
    let answers = tokio::join!(ann.delete(&key), ann.delete(&key));
    let mut statuses = [answers.0.status, answers.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert_refused(&ann.metadata(&key).await, 404, "NOT_FOUND");
    assert_refused(&ann.ticket(&key).await, 404, "NOT_FOUND");
    assert_eq!(stack.client.send("GET", &url, &[], Vec::new()).await.status, 404);
    assert_eq!(stack.bucket().read_head(&key, None, 1).await.unwrap(), None);
    ann.wait_for_usage(1, 500, 0).await;
    assert_refused(&ann.delete(&key).await, 404, "NOT_FOUND");
    ann.wait_for_usage(1, 500, 0).await;
    let answer = ann.call("DELETE", &format!("/api/secure/files/delete/{other}")).await.json();
    assert_eq!((&answer["success"], &answer["message"]), (&json!(true), &json!("File deleted successfully")));
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn an_upload_with_the_grant_of_a_deleted_file_is_removed() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let bytes = pictures::png(1, 1, 1000);
    let grant = ann.grant("a.png", "image/png", 1000).await.json();
    let key = text(&grant, "s3Key");
    assert_eq!(ann.put(&grant, bytes.clone()).await.status, 200);
    ann.wait_for(&key, "ready").await;
    assert_eq!(ann.delete(&key).await.status, 200);
    ann.wait_for_usage(0, 0, 0).await;
    let record = async || {
        let key = ObjectKey::parse(&key).unwrap();
        stack.table().get_file(&UserId::parse(&ann.id).unwrap(), key.file()).await.unwrap()
    };
    let before = record().await;
    assert_eq!(ann.put(&grant, bytes).await.status, 200);
    let gone = until(async || stack.bucket().read_head(&key, None, 1).await.unwrap().is_none().then_some(())).await;
    assert!(gone.is_some(), "the second upload still exists");
    assert_refused(&ann.metadata(&key).await, 404, "NOT_FOUND");
    assert_eq!(record().await, before);
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn a_grant_deleted_before_its_use_cannot_be_used() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let grant = ann.grant("a.png", "image/png", 1000).await.json();
    let key = text(&grant, "s3Key");
    assert_eq!(ann.delete(&key).await.status, 200);
    ann.wait_for_usage(0, 0, 0).await;
    assert_eq!(ann.put(&grant, pictures::png(1, 1, 1000)).await.status, 200);
    let gone = until(async || stack.bucket().read_head(&key, None, 1).await.unwrap().is_none().then_some(())).await;
    assert!(gone.is_some(), "the late upload still exists");
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn removing_a_version_releases_its_bytes_and_a_delete_marker_does_not() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("a.png", "image/png", pictures::png(1, 1, 1000)).await;
    let version = text(&ann.metadata(&key).await.json(), "versionId");
    let config = aws_sdk_s3::config::Builder::from(&stack.aws().sdk_config()).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    let bucket = stack.name("BUCKET_NAME");
    s3.delete_object().bucket(bucket).key(&key).send().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    ann.wait_for_usage(1, 1000, 0).await;
    let url = text(&ann.ticket(&key).await.json(), "url");
    assert_eq!(stack.client.send("GET", &url, &[], Vec::new()).await.status, 200);
    s3.delete_object().bucket(bucket).key(&key).version_id(version).send().await.unwrap();
    ann.wait_for_usage(0, 0, 0).await;
    assert_refused(&ann.ticket(&key).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn sweep_releases_the_bytes_of_an_unused_grant_once() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("pro"), stack.newcomer("pro"));
    let key = text(&ann.grant("a.png", "image/png", 1000).await.json(), "s3Key");
    let waiting = text(&bob.grant("b.png", "image/png", 1000).await.json(), "s3Key");
    // A second reservation, from which bytes would be missing if the swept one were released twice.
    let open = text(&ann.grant("c.png", "image/png", 3000).await.json(), "s3Key");
    backdate(&stack, &key).await;
    for _ in 0..2 {
        let response = stack.invoke("sweep", &json!({"time": clock::now().to_string()})).await;
        assert_eq!(response.status, 200, "{}", response.json());
    }
    ann.wait_for_usage(0, 0, 3000).await;
    assert_refused(&ann.metadata(&key).await, 404, "NOT_FOUND");
    assert_eq!(ann.metadata(&open).await.json()["status"], "pending");
    assert_eq!(bob.metadata(&waiting).await.json()["status"], "pending");
}

/// Changes a grant so that it expired an hour ago.
async fn backdate(stack: &Stack, key: &str) {
    use aws_sdk_dynamodb::types::AttributeValue::{N, S};
    let key = ObjectKey::parse(key).unwrap();
    let past = clock::now().minus(std::time::Duration::from_hours(1)).as_millis().to_string();
    aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config())
        .update_item()
        .table_name(stack.name("TABLE_NAME"))
        .key("pk", S(format!("USER#{}", key.owner())))
        .key("sk", S(format!("FILE#{}", key.file())))
        .update_expression("SET due_at = :past, grant_expires_at = :past")
        .expression_attribute_values(":past", N(past))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn events_are_published_for_ready_rejected_and_deleted_files() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let listener = BusListener::on(&stack, "user_id", &ann.id).await;
    let key = ann.upload("a.png", "image/png", pictures::png(640, 480, 1000)).await;
    let ready = listener.wait_for("file.ready").await;
    assert_eq!(ready["source"], "consigne");
    let detail = &ready["detail"];
    assert_eq!((&detail["s3_key"], &detail["size"], &detail["width"]), (&json!(key), &json!(1000), &json!(640)));
    assert_eq!((&detail["user_id"], &detail["filename"]), (&json!(ann.id), &json!("a.png")));
    assert!(text(detail, "event_id").len() == 26 && text(detail, "occurred_at").ends_with('Z'));
    ann.delete(&key).await;
    assert_eq!(listener.wait_for("file.deleted").await["detail"]["cause"], "deleted");
    let grant = ann.grant("b.png", "image/png", 1000).await.json();
    ann.put(&grant, pictures::gif(1000)).await;
    let rejected = listener.wait_for("file.rejected").await;
    assert_eq!(rejected["detail"]["reason"], "declared image/png, found image/gif");
}
