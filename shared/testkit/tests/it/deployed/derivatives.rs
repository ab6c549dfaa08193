//! Thumbnails on the deployed stack: made after an upload, read by their owner, gone with their original.

use consigne_core::UserId;
use consigne_core::files::{DerivedKey, MediaType, ObjectKey, Rendition};
use consigne_core::ports::{ListDerived, ListVersions, PutDerived};
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, until};
use serde_json::{Value, json};

use super::text;

/// Uploads a picture, and waits until it is derived or known not to be. Returns its key and metadata.
async fn derived(person: &Person<'_>, name: &str, content_type: &str, bytes: Vec<u8>) -> (String, Value) {
    let key = person.upload(name, content_type, bytes).await;
    let facts = person.wait_until_derived(&key).await;
    (key, facts)
}

async fn left(stack: &Stack, key: &str) -> usize {
    let key = ObjectKey::parse(key).unwrap();
    stack.bucket().list_derived(key.owner(), key.file()).await.unwrap().len()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_photo_has_thumbnails_until_it_is_deleted() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("pro"), stack.newcomer("pro"));
    let bytes = pictures::photo_with_place();
    let (key, facts) = derived(&ann, "photo.jpg", "image/jpeg", bytes.clone()).await;
    assert_eq!(facts["derivative"], "ready", "{facts}");
    assert_eq!((&facts["width"], &facts["height"]), (&json!(40), &json!(64)));
    let names: Vec<&String> = facts["thumbnails"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["1024", "256"]);
    assert_eq!(left(&stack, &key).await, 2);
    ann.wait_for_usage(1, bytes.len() as u64, 0).await;

    let (small, large) = (&facts["thumbnails"]["256"], &facts["thumbnails"]["1024"]);
    let ask = json!({ "s3Keys": [small, large, key] });
    let answer = ann.call_with("POST", "/api/files/presigned-url", &ask).await.json();
    for entry in answer["urls"].as_array().unwrap() {
        let download = stack.client.send("GET", &text(entry, "url"), &[], Vec::new()).await;
        assert_eq!((download.status, download.header("content-type")), (200, "image/jpeg"));
        let is_original = entry["s3Key"] == json!(key);
        assert_eq!(download.bytes == bytes, is_original);
        assert_eq!(has(&download.bytes, pictures::PLACE), is_original);
    }
    let theirs = bob.call_with("POST", "/api/files/presigned-url", &ask).await.json();
    assert!(theirs["urls"].as_array().unwrap().iter().all(|entry| entry["error"]["code"] == "NOT_FOUND"), "{theirs}");
    let listed = ann.call("GET", "/api/files/list").await.json();
    assert_eq!(listed["files"][0]["thumbnails"], facts["thumbnails"]);

    let url = text(&answer["urls"][0], "url");
    assert_eq!(ann.delete(&key).await.status, 200);
    let gone = until(async || (left(&stack, &key).await == 0).then_some(())).await;
    assert!(gone.is_some(), "thumbnails are left");
    assert_eq!(stack.client.send("GET", &url, &[], Vec::new()).await.status, 404);
    let refused = ann.call_with("POST", "/api/files/presigned-url", &json!({ "s3Key": small })).await;
    assert_eq!(refused.status, 404);
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn a_copy_that_an_earlier_try_has_written_is_kept() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let bytes = pictures::photo_with_place();
    let grant = ann.grant("photo.jpg", "image/jpeg", bytes.len()).await.json();
    let key = ObjectKey::parse(&text(&grant, "s3Key")).unwrap();
    let jpeg = MediaType::from_name("image/jpeg").unwrap();
    let small = DerivedKey::mint(key.owner(), key.file(), Rendition::Small, jpeg);
    let version = stack.bucket().put_derived(&small, jpeg, b"earlier".to_vec()).await.unwrap().unwrap();
    assert_eq!(ann.put(&grant, bytes).await.status, 200);
    ann.wait_for(key.as_str(), "ready").await;
    let facts = ann.wait_until_derived(key.as_str()).await;
    assert_eq!((&facts["derivative"], &facts["thumbnails"]["256"]), (&json!("ready"), &json!(small.as_str())));
    let kept = stack.bucket().list_versions(small.as_str()).await.unwrap();
    assert_eq!(kept, [version]);
}

#[tokio::test]
async fn a_heic_has_a_clean_copy_and_a_damaged_picture_nothing() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let (_, facts) = derived(&ann, "photo.heic", "image/heic", pictures::heic()).await;
    assert_eq!(facts["derivative"], "unsupported");
    let clean = text(&facts["thumbnails"], "clean");
    assert!(DerivedKey::parse(&clean).is_some_and(|key| *key.owner() == UserId::parse(&ann.id).unwrap()));
    let url = text(&ann.ticket(&clean).await.json(), "url");
    let download = stack.client.send("GET", &url, &[], Vec::new()).await;
    assert_eq!((download.status, download.header("content-type")), (200, "image/heic"));
    assert!(download.bytes.len() == pictures::heic().len() && !has(&download.bytes, b"MM\0*"));

    for (bytes, state) in
        [(pictures::png(640, 480, 5_000), "failed"), (pictures::png(50_000, 50_000, 500), "too_large")]
    {
        let (key, facts) = derived(&ann, "a.png", "image/png", bytes).await;
        assert_eq!((&facts["derivative"], &facts["thumbnails"]), (&json!(state), &json!({})));
        assert_eq!((&facts["status"], left(&stack, &key).await), (&json!("ready"), 0));
    }
}
