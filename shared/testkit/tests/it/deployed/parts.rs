//! Uploads in parts on the deployed stack: their signed URLs, what S3 refuses, and how they end.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::files::ObjectKey;
use consigne_core::ports::{AbortUpload, ChangeFile, FileChange, FileChangeOutcome, GetFile, ListUploads};
use consigne_core::{Plan, UserId};
use consigne_runtime::clock;
use consigne_testkit::http::Response;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, until};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{assert_field_refused, assert_refused, text};

/// Bytes of a part.
const PART: usize = 16 << 20;
/// A film of 19 parts, of which the last has 12,582,912 bytes.
const FILM: usize = 300 << 20;
/// The smallest file that is uploaded in parts: seven.
const SMALL: usize = 104_857_601;

/// An upload in parts of a person.
struct Upload<'a> {
    stack: &'a Stack,
    person: &'a Person<'a>,
    grant: Value,
    path: String,
}

impl<'a> Upload<'a> {
    async fn of(stack: &'a Stack, person: &'a Person<'a>, size: usize) -> Self {
        let response = person.grant("film.mp4", "video/mp4", size).await;
        let grant = response.json();
        assert_eq!((response.status, &grant["method"]), (201, &json!("MULTIPART")), "{grant}");
        let path = format!("/api/files/uploads/{}", text(&grant, "fileId"));
        Self { stack, person, grant, path }
    }

    fn key(&self) -> String {
        text(&self.grant, "s3Key")
    }

    async fn ask(&self, body: &Value) -> Response {
        self.person.call_with("POST", &format!("{}/parts", self.path), body).await
    }

    async fn signed(&self, body: &Value) -> Vec<Value> {
        let response = self.ask(body).await;
        assert_eq!(response.status, 200, "{}", response.json());
        response.json()["parts"].as_array().unwrap().clone()
    }

    /// Uploads a signed part.
    async fn put(&self, part: &Value, bytes: &[u8]) -> Response {
        self.person.put(part, bytes.to_vec()).await
    }

    /// Uploads parts of a file. Returns each with the entity tag with which S3 answered.
    async fn put_all(&self, parts: &[Value], file: &[u8]) -> Vec<Value> {
        let mut sent = Vec::new();
        for part in parts {
            let number = part["partNumber"].as_u64().unwrap();
            let start = (usize::try_from(number).unwrap() - 1) * PART;
            let bytes = &file[start..file.len().min(start + PART)];
            assert_eq!(part["size"], bytes.len());
            let stored = self.put(part, bytes).await;
            assert_eq!(stored.status, 200, "{}", String::from_utf8_lossy(&stored.bytes));
            sent.push(json!({ "partNumber": number, "etag": stored.header("etag") }));
        }
        sent
    }

    async fn listed(&self) -> Value {
        self.person.call("GET", &format!("{}/parts", self.path)).await.json()
    }

    async fn complete(&self, parts: &[Value]) -> Response {
        self.person.call_with("POST", &format!("{}/complete", self.path), &json!({ "parts": parts })).await
    }

    async fn abort(&self) -> Response {
        self.person.call("DELETE", &self.path).await
    }

    async fn is_closed(&self) -> bool {
        self.stack.bucket().list_uploads(&self.key()).await.unwrap().is_empty()
    }
}

#[tokio::test]
async fn a_large_film_survives_a_lost_part_a_reload_and_two_completions() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let film = pictures::mp4(FILM);
    let upload = Upload::of(&stack, &ann, FILM).await;
    assert_eq!((&upload.grant["partSize"], &upload.grant["partCount"]), (&json!(PART), &json!(19)));
    assert_eq!(upload.grant["partsPath"], format!("{}/parts", upload.path));
    let whole = u64::try_from(FILM).unwrap();
    ann.wait_for_usage(0, 0, whole).await;

    let all: Vec<usize> = (1..=19).collect();
    let mut parts = upload.signed(&json!({ "partNumbers": all })).await;
    let seventh = parts.remove(6);
    upload.put_all(&parts, &film).await;
    // S3 itself refuses a part of another length.
    assert_eq!(upload.put(&seventh, &film[6 * PART..7 * PART - 1]).await.status, 403);
    ann.wait_for_usage(0, 0, whole).await;

    // The page is loaded again, and knows the id of the file only.
    let listed = upload.listed().await;
    assert_eq!((&listed["missing"], &listed["partCount"]), (&json!([7]), &json!(19)), "{listed}");
    let arrived = |listed: &Value| -> Vec<Value> {
        let parts = listed["parts"].as_array().unwrap().iter();
        parts.map(|part| json!({ "partNumber": part["partNumber"], "etag": part["etag"] })).collect()
    };
    let refused = upload.complete(&arrived(&listed)).await;
    assert_field_refused(&refused, 400, "INVALID_REQUEST", "parts");
    assert_eq!(refused.json()["error"]["details"]["missing"], json!([7]));
    let again = upload.signed(&json!({ "partNumbers": [7] })).await;
    upload.put_all(&again, &film).await;
    let parts = arrived(&upload.listed().await);
    let first = upload.complete(&parts).await;
    assert_eq!(first.status, 200, "{}", first.json());
    assert_eq!(upload.complete(&parts).await.json(), first.json());

    let facts = ann.wait_for(&upload.key(), "ready").await;
    assert_eq!(facts["size"], FILM);
    ann.wait_for_usage(1, whole, 0).await;
    assert_eq!(upload.complete(&parts).await.json(), first.json());
    let url = text(&ann.ticket(&upload.key()).await.json(), "url");
    let stored = stack.client.send("GET", &url, &[], Vec::new()).await.bytes;
    assert!(Sha256::digest(&stored) == Sha256::digest(&film), "the stored film has other bytes");
    assert!(upload.is_closed().await);
    assert_eq!(ann.delete(&upload.key()).await.status, 200);
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn s3_enforces_the_checksums_of_parts() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let film = pictures::mp4(SMALL);
    let upload = Upload::of(&stack, &ann, SMALL).await;
    let digest =
        |number: usize| STANDARD.encode(Sha256::digest(&film[(number - 1) * PART..film.len().min(number * PART)]));
    let sha256: serde_json::Map<String, Value> =
        (1..=7).map(|number| (number.to_string(), digest(number).into())).collect();
    let parts = upload.signed(&json!({ "partNumbers": [1, 2, 3, 4, 5, 6, 7], "sha256": sha256 })).await;
    let mut wrong = film[..PART].to_vec();
    wrong[PART - 1] ^= 1;
    assert_eq!(upload.put(&parts[0], &wrong).await.status, 400);
    let sent = upload.put_all(&parts, &film).await;
    assert_eq!(upload.listed().await["parts"][6]["sha256"], digest(7));
    assert_field_refused(&upload.ask(&json!({ "partNumbers": [1] })).await, 400, "INVALID_REQUEST", "sha256");
    // S3 knows the checksums, so they need not be sent again.
    let completed = upload.complete(&sent).await;
    assert_eq!(completed.status, 200, "{}", completed.json());
    ann.wait_for(&upload.key(), "ready").await;
    assert_eq!(ann.delete(&upload.key()).await.status, 200);
}

#[tokio::test]
async fn a_session_belongs_to_its_owner_and_has_so_many_parts() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("pro"), stack.newcomer("pro"));
    let upload = Upload::of(&stack, &ann, SMALL).await;
    for numbers in [json!([8]), json!([0]), json!([1, 1]), json!([])] {
        let refused = upload.ask(&json!({ "partNumbers": numbers })).await;
        assert_field_refused(&refused, 400, "INVALID_REQUEST", "partNumbers");
    }
    let parts = format!("{}/parts", upload.path);
    let named = json!({ "parts": [{ "partNumber": 1, "etag": "x" }] });
    assert_refused(&bob.call_with("POST", &parts, &json!({ "partNumbers": [1] })).await, 404, "NOT_FOUND");
    assert_refused(&bob.call("GET", &parts).await, 404, "NOT_FOUND");
    assert_refused(&bob.call_with("POST", &format!("{}/complete", upload.path), &named).await, 404, "NOT_FOUND");
    assert_refused(&bob.call("DELETE", &upload.path).await, 404, "NOT_FOUND");
    assert_refused(&ann.call("DELETE", "/api/files/uploads/unknown").await, 404, "NOT_FOUND");
    assert_eq!(upload.abort().await.status, 200);
}

#[tokio::test]
async fn concurrent_first_requests_open_one_upload() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let upload = Upload::of(&stack, &ann, SMALL).await;
    let body = json!({ "partNumbers": [1] });
    let urls: Vec<String> =
        join_all((0..6).map(|_| upload.signed(&body))).await.iter().map(|parts| text(&parts[0], "url")).collect();
    let ids: BTreeSet<&str> =
        urls.iter().map(|url| url.split("uploadId=").nth(1).unwrap().split('&').next().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(stack.bucket().list_uploads(&upload.key()).await.unwrap().len(), 1);
    assert_eq!(upload.abort().await.status, 200);
}

#[tokio::test]
async fn an_aborted_or_deleted_upload_is_closed_at_s3_and_gives_its_bytes_back_once() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let part = vec![0; PART];
    for by_key in [false, true] {
        let upload = Upload::of(&stack, &ann, SMALL).await;
        let parts = upload.signed(&json!({ "partNumbers": [1] })).await;
        assert_eq!(upload.put(&parts[0], &part).await.status, 200);
        ann.wait_for_usage(0, 0, u64::try_from(SMALL).unwrap()).await;
        let ended = if by_key { ann.delete(&upload.key()).await } else { upload.abort().await };
        assert_eq!(ended.status, 200, "{}", ended.json());
        assert!(upload.is_closed().await);
        ann.wait_for_usage(0, 0, 0).await;
        assert_eq!(upload.abort().await.status, 404);
        assert_eq!(upload.put(&parts[0], &part).await.status, 404);
        ann.wait_for_usage(0, 0, 0).await;
    }
    // An upload by one request is aborted by the same route.
    let grant = ann.grant("a.png", "image/png", 1000).await.json();
    let path = format!("/api/files/uploads/{}", text(&grant, "fileId"));
    assert_eq!(ann.call("DELETE", &path).await.status, 200);
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn an_upload_that_s3_has_ended_by_itself_cannot_be_completed() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let upload = Upload::of(&stack, &ann, SMALL).await;
    upload.signed(&json!({ "partNumbers": [1] })).await;
    // As the bucket's lifecycle does.
    let bucket = stack.bucket();
    for open in bucket.list_uploads(&upload.key()).await.unwrap() {
        bucket.abort_upload(&upload.key(), &open).await.unwrap();
    }
    let parts: Vec<Value> = (1..=7).map(|number| json!({ "partNumber": number, "etag": "\"0\"" })).collect();
    assert_refused(&upload.complete(&parts).await, 409, "CONFLICT");
    assert_eq!(upload.abort().await.status, 200);
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn an_abandoned_session_is_swept_with_its_upload() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let upload = Upload::of(&stack, &ann, SMALL).await;
    upload.signed(&json!({ "partNumbers": [1] })).await;
    // The session was granted two days ago.
    let (table, key) = (stack.table(), ObjectKey::parse(&upload.key()).unwrap());
    let owner = UserId::parse(&ann.id).unwrap();
    let mut file = table.get_file(&owner, key.file()).await.unwrap().unwrap();
    file.grant_expires_at = clock::now().minus(Duration::from_hours(24));
    file.revision += 1;
    let change = FileChange { file, plan: Plan::Pro, now: clock::now() };
    assert_eq!(table.change_file(&change).await.unwrap(), FileChangeOutcome::Applied);
    let swept = until(async || {
        stack.invoke("sweep", &json!({ "time": clock::now().to_string() })).await;
        upload.is_closed().await.then_some(())
    });
    swept.await.expect("sweep aborts the upload");
    ann.wait_for_usage(0, 0, 0).await;
}
