//! Upload grants on the deployed stack, and what S3 refuses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_testkit::pictures;
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{assert_field_refused, assert_refused, text};

#[tokio::test]
async fn a_grant_has_every_field_of_the_contract() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let response = ann.grant("photo été.png", "image/png", 512_000).await;
    assert_eq!(response.status, 201);
    let grant = response.json();
    let key = text(&grant, "s3Key");
    assert!(key.starts_with(&format!("{}/images/", ann.id)) && key.ends_with("-photo-ete.png"), "{key}");
    assert!(key.contains(&text(&grant, "fileId")));
    assert_eq!(grant["method"], "PUT");
    assert_eq!(grant["headers"]["content-type"], "image/png");
    assert!(text(&grant, "url").starts_with("http") && text(&grant, "expiresAt").ends_with('Z'));
}

#[tokio::test]
async fn sizes_must_be_positive_integers_within_the_plan() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    for size in [Value::Null, json!(0), json!(-5), json!(1.5), json!("10"), json!(true), json!([1])] {
        let body = json!({"filename": "a.png", "contentType": "image/png", "size": size});
        let refused = ann.call_with("POST", "/api/files/uploads", &body).await;
        assert_field_refused(&refused, 400, "INVALID_REQUEST", "size");
    }
    let body = json!({"filename": "a.png", "contentType": "image/png"});
    assert_field_refused(&ann.call_with("POST", "/api/files/uploads", &body).await, 400, "INVALID_REQUEST", "size");
    for (name, content_type, limit) in
        [("a.png", "image/png", 10 << 20), ("a.mp4", "video/mp4", 100 << 20), ("a.md", "text/markdown", 20 << 20)]
    {
        assert_eq!(ann.grant(name, content_type, limit).await.status, 201, "{name}");
        let refused = ann.grant(name, content_type, limit + 1).await;
        assert_field_refused(&refused, 413, "FILE_TOO_LARGE", "size");
        assert_eq!(refused.json()["error"]["details"]["limit"], limit);
    }
}

#[tokio::test]
async fn names_become_safe_keys_with_the_callers_prefix_or_are_refused() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    for name in
        ["file..name.png", "%2e%2e%2fx.png", "写真.png", "a b?c#d&e.png", "Ünïcödé.PNG", "👩\u{200D}🚀.png", "noext"]
    {
        let grant = ann.grant(name, "image/png", 100).await;
        assert_eq!(grant.status, 201, "{name}: {}", grant.json());
        let key = text(&grant.json(), "s3Key");
        let rest = key.strip_prefix(&format!("{}/images/", ann.id)).unwrap_or_else(|| panic!("{key}"));
        assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{key}");
        assert!(rest.rsplit_once('.').is_some_and(|(_, extension)| extension == "png"), "{key}");
    }
    for name in [
        "../user_ann12/x.png",
        "..\\x.png",
        "",
        ".",
        "..",
        "a\u{0}.png",
        "a\r.png",
        "a\n.png",
        "gnp.\u{202E}exe.png",
        &format!("{}.png", "x".repeat(300)),
    ] {
        assert_field_refused(&ann.grant(name, "image/png", 100).await, 400, "INVALID_FILENAME", "filename");
    }
}

#[tokio::test]
async fn types_must_be_known_and_match_the_name() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    for (name, content_type, field) in [
        ("a.exe", "application/x-msdownload", "contentType"),
        ("a.png", "image/bmp", "contentType"),
        ("a", "", "contentType"),
        ("a.gif", "image/png", "filename"),
        ("a.html", "text/plain", "filename"),
    ] {
        let refused = ann.grant(name, content_type, 100).await;
        assert_field_refused(&refused, 415, "UNSUPPORTED_FILE_TYPE", field);
    }
}

#[tokio::test]
async fn s3_accepts_exactly_the_granted_bytes_once() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let bytes = pictures::png(10, 20, 1000);
    let grant = ann.grant("a.png", "image/png", 1000).await.json();
    assert_eq!(ann.put(&grant, bytes[..999].to_vec()).await.status, 403);
    assert_eq!(ann.put(&grant, [&bytes[..], b"x"].concat()).await.status, 403);
    let mut wrong_type = grant.clone();
    wrong_type["headers"]["content-type"] = json!("text/html");
    assert_eq!(ann.put(&wrong_type, bytes.clone()).await.status, 403);
    let mut without_condition = grant.clone();
    without_condition["headers"].as_object_mut().unwrap().remove("if-none-match");
    assert_eq!(ann.put(&without_condition, bytes.clone()).await.status, 403);
    assert_eq!(ann.put(&grant, bytes.clone()).await.status, 200);
    assert_eq!(ann.put(&grant, pictures::png(1, 1, 1000)).await.status, 412);
    let key = text(&grant, "s3Key");
    ann.wait_for(&key, "ready").await;
    let url = text(&ann.ticket(&key).await.json(), "url");
    assert_eq!(stack.client.send("GET", &url, &[], Vec::new()).await.bytes, bytes);
}

#[tokio::test]
async fn s3_enforces_a_checksum() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let bytes = pictures::png(10, 20, 1000);
    let body = json!({
        "filename": "a.png", "contentType": "image/png", "size": 1000, "sha256": STANDARD.encode(Sha256::digest(&bytes)),
    });
    let grant = ann.call_with("POST", "/api/files/uploads", &body).await.json();
    let other = pictures::png(11, 20, 1000);
    assert_eq!(ann.put(&grant, other).await.status, 400);
    assert_eq!(ann.put(&grant, bytes).await.status, 200);
    let facts = ann.wait_for(&text(&grant, "s3Key"), "ready").await;
    assert_eq!(facts["sha256"], body["sha256"]);
}

#[tokio::test]
async fn s3_refuses_an_altered_signed_url() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("pro"), stack.newcomer("pro"));
    let key = ann.upload("a.png", "image/png", pictures::png(10, 20, 1000)).await;
    let theirs = bob.upload("b.png", "image/png", pictures::png(10, 20, 1000)).await;
    let url = text(&ann.ticket(&key).await.json(), "url");
    assert_eq!(stack.client.send("GET", &url, &[], Vec::new()).await.status, 200);
    for altered in [
        url.replace(&key, &theirs),
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"),
        url.replace("inline", "attachment"),
        url.split("&X-Amz-Signature").next().unwrap().to_owned(),
        url.split('?').next().unwrap().to_owned(),
    ] {
        let status = stack.client.send("GET", &altered, &[], Vec::new()).await.status;
        assert!([400, 403].contains(&status), "{status}: {altered}");
    }
    assert_eq!(stack.client.send("PUT", &url, &[], b"x".to_vec()).await.status, 403);
    assert_eq!(stack.client.send("DELETE", &url, &[], Vec::new()).await.status, 403);
}

#[tokio::test]
async fn an_idempotency_key_reserves_once_and_refuses_another_body() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let body = json!({"filename": "a.png", "contentType": "image/png", "size": 1000});
    let ask = async |body: &Value| {
        ann.call_with_headers("POST", "/api/files/uploads", body, &[("idempotency-key", "order-17")]).await
    };
    let first = ask(&body).await;
    let again = ask(&body).await;
    assert_eq!((first.status, again.status), (201, 201));
    let (first, again) = (first.json(), again.json());
    for field in ["fileId", "s3Key", "method", "headers", "expiresAt"] {
        assert_eq!(first[field], again[field], "{field}");
    }
    assert_eq!(ann.usage().await["reservedSize"], 1000);
    assert_eq!(ann.put(&again, pictures::png(1, 2, 1000)).await.status, 200);
    let mut other = body.clone();
    other["size"] = json!(1001);
    assert_refused(&ask(&other).await, 422, "IDEMPOTENCY_MISMATCH");
    for key in ["", &"k".repeat(256)] {
        let response = ann.call_with_headers("POST", "/api/files/uploads", &body, &[("idempotency-key", key)]).await;
        assert_field_refused(&response, 400, "INVALID_REQUEST", "Idempotency-Key");
    }
}

#[tokio::test]
async fn concurrent_requests_with_one_idempotency_key_make_one_grant() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let body = json!({"filename": "a.png", "contentType": "image/png", "size": 1000});
    let one = |_| ann.call_with_headers("POST", "/api/files/uploads", &body, &[("idempotency-key", "k")]);
    let grants: Vec<String> = join_all((0..6).map(one))
        .await
        .into_iter()
        .map(|response| {
            assert_eq!(response.status, 201, "{}", response.json());
            text(&response.json(), "s3Key")
        })
        .collect();
    assert!(grants.iter().all(|key| *key == grants[0]), "{grants:?}");
    assert_eq!(ann.usage().await["reservedSize"], 1000);
}

#[tokio::test]
async fn a_file_of_the_wrong_type_is_rejected_and_releases_its_bytes() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    for (bytes, found) in [
        (pictures::gif(1000), "image/gif"),
        (pictures::pdf(1000), "application/pdf"),
        (pictures::html(1000), "text/html"),
        (vec![0; 1000], "unknown bytes"),
    ] {
        let grant = ann.grant("a.png", "image/png", bytes.len()).await.json();
        assert_eq!(ann.put(&grant, bytes).await.status, 200);
        let key = text(&grant, "s3Key");
        let facts = ann.wait_for(&key, "rejected").await;
        assert_eq!(facts["rejectedReason"], format!("declared image/png, found {found}"));
        let refused = ann.ticket(&key).await;
        assert_refused(&refused, 409, "FILE_REJECTED");
        assert_eq!(refused.json()["error"]["details"]["reason"], facts["rejectedReason"]);
        ann.wait_for_usage(0, 0, 0).await;
    }
    let listed = ann.call("GET", "/api/files/list?status=rejected").await.json();
    assert_eq!((&listed["total"], listed["files"].as_array().map(Vec::len)), (&json!(4), Some(4)));
    assert_eq!(ann.call("GET", "/api/files/list").await.json()["total"], 0);
}
