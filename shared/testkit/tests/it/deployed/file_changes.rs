//! Tickets for several files, and changes of what owners say about their files, on the deployed stack.

use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, until};
use serde_json::json;

use super::{assert_refused, text};

#[tokio::test]
async fn several_files_are_read_with_one_request() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("pro"), stack.newcomer("pro"));
    let first = ann.upload("a.png", "image/png", pictures::png(3, 4, 100)).await;
    let second = ann.upload("notes.csv", "text/csv", b"a,b\n1,2\n".to_vec()).await;
    let theirs = bob.upload("b.png", "image/png", pictures::png(3, 4, 100)).await;
    let ask = json!({ "s3Keys": [second, theirs, first, second], "disposition": "attachment", "expiresIn": 900 });
    let answer = ann.call_with("POST", "/api/files/presigned-url", &ask).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let urls = answer["urls"].as_array().unwrap();
    let keys: Vec<String> = urls.iter().map(|one| text(one, "s3Key")).collect();
    assert_eq!(keys, [&second, &theirs, &first, &second].map(Clone::clone));
    assert_eq!(urls[1]["error"]["code"], "NOT_FOUND");
    let download = stack.client.send("GET", &text(&urls[0], "url"), &[], Vec::new()).await;
    assert_eq!((download.status, download.bytes.as_slice()), (200, &b"a,b\n1,2\n"[..]));
    assert_eq!(download.header("content-disposition"), "attachment; filename=\"notes.csv\"");
    assert_eq!(download.header("cache-control"), "private, max-age=900");
    assert_eq!(download.header("content-type"), "text/csv; charset=utf-8");
}

#[tokio::test]
async fn a_ticket_saves_the_file_under_the_name_that_was_asked_for() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("a.png", "image/png", pictures::png(3, 4, 100)).await;
    let ask = json!({ "s3Key": key, "filename": "写真.png", "disposition": "attachment" });
    let ticket = ann.call_with("POST", "/api/files/presigned-url", &ask).await.json();
    let download = stack.client.send("GET", &text(&ticket, "url"), &[], Vec::new()).await;
    assert_eq!(
        download.header("content-disposition"),
        "attachment; filename=\"file.png\"; filename*=UTF-8''%E5%86%99%E7%9C%9F.png"
    );
}

#[tokio::test]
async fn an_owner_changes_name_and_title_of_the_revision_they_have_seen() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let bytes = pictures::png(3, 4, 100);
    let ask = json!({ "filename": "a.png", "contentType": "image/png", "size": 100, "metadata": { "title": "L'été" } });
    let grant = ann.call_with("POST", "/api/files/uploads", &ask).await.json();
    assert_eq!(ann.put(&grant, bytes.clone()).await.status, 200);
    let key = text(&grant, "s3Key");
    ann.wait_for(&key, "ready").await;
    ann.wait_until_derived(&key).await;
    let seen = ann.metadata(&key).await;
    assert_eq!(seen.json()["metadata"], json!({ "title": "L'été" }));

    let etag = seen.header("etag").to_owned();
    let change = json!({ "s3Key": key, "filename": "plage.png", "metadata": { "title": "La plage" } });
    let headers = [("if-match", etag.as_str())];
    let changed = ann.call_with_headers("PATCH", "/api/files/metadata", &change, &headers).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_ne!(changed.header("etag"), etag);
    assert_eq!((&changed.json()["filename"], &changed.json()["key"]), (&json!("plage.png"), &json!(key)));
    // The same request again: its first answer may have been lost.
    let again = ann.call_with_headers("PATCH", "/api/files/metadata", &change, &headers).await;
    assert_eq!((again.status, again.header("etag")), (200, changed.header("etag")));
    let other = json!({ "s3Key": key, "metadata": { "title": "Une autre" } });
    let late = ann.call_with_headers("PATCH", "/api/files/metadata", &other, &headers).await;
    assert_refused(&late, 412, "PRECONDITION_FAILED");

    let listed = until(async || {
        let list = ann.call("GET", "/api/secure/files/list").await.json();
        (list["data"][0]["metadata"]["title"] == "La plage").then_some(())
    });
    listed.await.expect("the list must show the new title");
    let url = text(&ann.ticket(&key).await.json(), "url");
    let download = stack.client.send("GET", &url, &[], Vec::new()).await;
    assert_eq!(
        (download.header("content-disposition"), download.bytes == bytes),
        ("inline; filename=\"plage.png\"", true)
    );
    ann.delete(&key).await;
    assert_refused(&ann.call_with("PATCH", "/api/files/metadata", &other).await, 404, "NOT_FOUND");
}
