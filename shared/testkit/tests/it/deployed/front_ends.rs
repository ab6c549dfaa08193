//! The requests of front ends that exist, exactly as they send them: a gallery on `useS3Files`, a generator of books and a
//! browser of files on `useSecureAPI`, and the same by axios.

use consigne_core::UserId;
use consigne_testkit::http::Response;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::listing::record;
use super::text;

/// An application that sends every request as axios does with default headers: also a GET has a content type.
struct FrontEnd<'a> {
    stack: &'a Stack,
    bearer: String,
}

impl FrontEnd<'_> {
    /// Sends a request with `data` as its JSON body.
    async fn request(&self, method: &str, endpoint: &str, data: Option<&Value>) -> Response {
        let headers = [
            ("accept", "application/json, text/plain, */*"),
            ("authorization", self.bearer.as_str()),
            ("content-type", "application/json"),
            ("origin", self.stack.name("JWT_AZP")),
        ];
        let body = data.map(Value::to_string).unwrap_or_default();
        self.stack.call(method, endpoint, &headers, body.as_bytes()).await
    }

    /// Returns what `useSecureAPI` returns: `response.data.data`.
    async fn data(&self, method: &str, endpoint: &str, data: Option<&Value>) -> Value {
        let response = self.request(method, endpoint, data).await;
        assert!((200..300).contains(&response.status), "{method} {endpoint}: {}", response.json());
        let body = response.json();
        assert_eq!(body["success"], true, "{method} {endpoint}: {body}");
        body["data"].clone()
    }

    /// Returns what a front end shows when a request failed: `response.data.error.message`.
    async fn refusal(&self, method: &str, endpoint: &str, data: Option<&Value>) -> (u16, String) {
        let response = self.request(method, endpoint, data).await;
        (response.status, text(&response.json()["error"], "message"))
    }

    /// Follows the list of files to its end. Returns all files, and the number of pages.
    async fn all_files(&self, filter: &str) -> (Vec<Value>, usize) {
        let (mut files, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let endpoint = format!("/api/secure/files/list?content_type={filter}{cursor}");
            let body = self.request("GET", &endpoint, None).await.json();
            files.extend(body["data"].as_array().expect("data is an array").iter().cloned());
            pages += 1;
            match body["metadata"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (files, pages),
            }
        }
    }
}

/// Opens the application as a new person on a plan.
fn front_end<'a>(stack: &'a Stack, plan: &str) -> (FrontEnd<'a>, String) {
    let person = stack.newcomer(plan);
    (FrontEnd { stack, bearer: format!("Bearer {}", person.token) }, person.id)
}

/// Returns a key as `encodeURIComponent` writes it into a path: with `%2F` for each slash.
fn encoded(key: &str) -> String {
    key.replace('/', "%2F")
}

#[tokio::test]
async fn a_gallery_uploads_a_picture_and_shows_it() {
    let stack = Stack::find();
    let (gallery, owner) = front_end(&stack, "pro");
    let shown = async || gallery.request("GET", "/api/files/list?contentType=image", None).await.json();
    assert_eq!(shown().await["files"], json!([]));

    let bytes = pictures::png(64, 48, 2_000);
    let ask = json!({ "filename": "photo été.png", "contentType": "image/png", "size": bytes.len() });
    let granted = gallery.request("POST", "/api/files/uploads", Some(&ask)).await;
    assert_eq!(granted.status, 201, "{}", granted.json());
    let grant = granted.json();
    assert_eq!(grant["method"], "PUT");
    let headers: Vec<(&str, &str)> = grant["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let sent = stack.client.send("PUT", &text(&grant, "url"), &headers, bytes.clone()).await;
    assert_eq!(sent.status, 200, "{}", String::from_utf8_lossy(&sent.bytes));

    let files = until(async || {
        let files = shown().await["files"].as_array().cloned().unwrap_or_default();
        (files.len() == 1).then_some(files)
    });
    let files = files.await.expect("the picture is listed once it is ready");
    assert_eq!((&files[0]["key"], &files[0]["filename"]), (&grant["s3Key"], &json!("photo été.png")));
    assert!(text(&files[0], "key").starts_with(&format!("{owner}/images/")));

    let ask = json!({ "s3Key": grant["s3Key"], "expiresIn": 3600 });
    let ticket = gallery.request("POST", "/api/files/presigned-url", Some(&ask)).await.json();
    let picture = stack.client.send("GET", &text(&ticket, "url"), &[], Vec::new()).await;
    assert_eq!((picture.status, picture.bytes == bytes), (200, true));
    let deleted =
        gallery.request("DELETE", "/api/files/delete", Some(&json!({ "s3Key": grant["s3Key"] }))).await.json();
    assert_eq!(deleted, json!({ "success": true, "message": "File deleted successfully" }));
    assert_eq!(shown().await["files"], json!([]));
}

#[tokio::test]
async fn a_book_is_ordered_followed_and_opened() {
    let stack = Stack::find();
    let (books, _) = front_end(&stack, "pro");
    let order = json!({ "topic": "Intelligence artificielle", "goal": "Sans jargon" });
    let job = books.data("POST", "/api/secure/books/generate", Some(&order)).await;
    assert_eq!(job["status"], "pending", "{job}");
    let status = format!("/api/secure/jobs/{}/status", text(&job, "job_id"));
    let done = until(async || {
        let job = books.data("GET", &status, None).await;
        assert!(["pending", "processing", "completed"].contains(&job["status"].as_str().unwrap()), "{job}");
        (job["status"] == "completed").then_some(job)
    });
    let result = done.await.expect("the book is completed")["result"].clone();
    assert!(!text(&result, "book_title").is_empty());
    assert!(
        ["chapter_count", "word_count", "file_size"].iter().all(|name| result[name].as_u64() > Some(0)),
        "{result}"
    );
    let book = stack.client.send("GET", &text(&result, "download_url"), &[], Vec::new()).await;
    assert_eq!((book.status, Some(book.bytes.len() as u64)), (200, result["file_size"].as_u64()));

    let (free, _) = front_end(&stack, "free");
    let (status, message) = free.refusal("POST", "/api/secure/books/generate", Some(&order)).await;
    assert_eq!(status, 403, "{message}");
    let (status, _) = books.refusal("GET", "/api/secure/jobs/unknown/status", None).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_browser_of_files_lists_opens_and_deletes_them() {
    let stack = Stack::find();
    let (browser, owner) = front_end(&stack, "pro");
    let person = stack.person(&owner, "pro");
    let bytes = pictures::png(64, 48, 2_000);
    let ask = json!({
        "filename": "photo été.png", "contentType": "image/png", "size": bytes.len(), "metadata": { "title": "La plage" },
    });
    let grant = person.call_with("POST", "/api/files/uploads", &ask).await.json();
    assert_eq!(person.put(&grant, bytes.clone()).await.status, 200);
    let key = text(&grant, "s3Key");
    person.wait_for(&key, "ready").await;
    let [file] = &browser.all_files("image").await.0[..] else { panic!("one picture is listed") };
    assert_eq!(
        (&file["s3_key"], &file["filename"], &file["size"]),
        (&json!(key), &json!("photo été.png"), &json!(2_000))
    );
    assert_eq!(file["content_type"], "image/png");
    assert_eq!(file["metadata"]["title"], "La plage");
    // `new Date(file.last_modified)` must not throw.
    assert!(text(file, "last_modified").ends_with('Z'), "{file}");
    assert!(browser.all_files("book").await.0.is_empty());

    let link = browser.data("GET", &format!("/api/secure/files/download/{}", encoded(&key)), None).await;
    let opened = stack.client.send("GET", &text(&link, "download_url"), &[], Vec::new()).await;
    assert_eq!((opened.status, opened.bytes == bytes), (200, true));
    browser.data("DELETE", &format!("/api/secure/files/delete/{}", encoded(&key)), None).await;
    assert!(browser.all_files("image").await.0.is_empty());

    for (method, route) in [("GET", "download"), ("DELETE", "delete")] {
        let endpoint = format!("/api/secure/files/{route}/{}", encoded(&key));
        assert_eq!(browser.refusal(method, &endpoint, None).await, (404, "File not found".to_owned()));
    }
    let nobody = FrontEnd { stack: &stack, bearer: "Bearer undefined".to_owned() };
    let (status, message) = nobody.refusal("GET", "/api/secure/files/list?content_type=image", None).await;
    assert_eq!((status, message.is_empty()), (401, false));
}

#[tokio::test]
async fn a_browser_of_files_sees_all_of_them_beyond_a_hundred() {
    let stack = Stack::find();
    let (browser, owner) = front_end(&stack, "pro");
    let (table, owner) = (stack.table(), UserId::parse(&owner).unwrap());
    // One in five is a text, the others are pictures.
    for n in 0..150 {
        record(&table, &owner, n).await;
    }
    let all = until(async || {
        let (files, pages) = browser.all_files("image").await;
        (files.len() == 120).then_some((files, pages))
    });
    let (files, pages) = all.await.expect("every picture is listed");
    assert_eq!(pages, 1);
    let mut keys: Vec<String> = files.iter().map(|file| text(file, "s3_key")).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 120, "no picture is listed twice");
    let first = browser.request("GET", "/api/secure/files/list?content_type=image", None).await.json();
    assert_eq!(first["metadata"]["total"], 120);
}
