//! Lists and cursors over many files.

use std::collections::BTreeMap;

use consigne_core::files::{Arrival, File, Grant, GrantRequest, Measured, Pinned, UPLOAD_GRANT_VALID};
use consigne_core::ports::{ApplyTransition, BeginDelete, GrantUpload};
use consigne_core::{Plan, UserId};
use consigne_runtime::clock;
use consigne_storage::Table;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::{assert_refused, text};

/// Stores the record of a ready file, as a grant and an upload do, without sending bytes.
pub async fn record(table: &Table, owner: &UserId, n: usize) -> File {
    let (name, content_type) = if n.is_multiple_of(5) { ("t.md", "text/markdown") } else { ("p.png", "image/png") };
    let now = clock::now();
    let request = GrantRequest::parse(name, content_type, 10, None, None).unwrap();
    let file = request.admit(owner, Plan::Enterprise, UPLOAD_GRANT_VALID, now).unwrap();
    let grant = Grant { file, plan: Plan::Enterprise, job: None, seen: None, idempotency: None, now };
    table.grant_upload(&grant).await.unwrap();
    let pinned = Pinned { version: format!("v{n}"), etag: "e".to_owned(), sequencer: String::new() };
    let step = grant.file.accept(Arrival { pinned, size: 10, measured: Measured::default() }, now);
    assert!(table.apply_transition(&step).await.unwrap().is_committed());
    step.file
}

#[tokio::test]
async fn a_list_shows_every_file_once_while_others_are_added_and_deleted() {
    let stack = Stack::find();
    let (table, ann) = (stack.table(), stack.newcomer("enterprise"));
    let owner = UserId::parse(&ann.id).unwrap();
    let mut remaining = Vec::new();
    let mut to_delete = Vec::new();
    for n in 0..250 {
        let file = record(&table, &owner, n).await;
        if n % 10 == 3 { to_delete.push(file) } else { remaining.push(file.key.to_string()) }
    }
    let full = until(async || {
        let total = ann.call("GET", "/api/files/list?limit=1000").await.json();
        (total["files"].as_array()?.len() == 250).then_some(())
    });
    full.await.expect("the index must have every file");
    // The list of an application that knows no pages.
    let secure = ann.call("GET", "/api/secure/files/list").await.json();
    assert_eq!((secure["data"].as_array().map(Vec::len), &secure["metadata"]["total"]), (Some(250), &json!(250)));
    let (mut seen, mut cursor, mut pages) = (BTreeMap::<String, usize>::new(), String::new(), 0);
    loop {
        let page = ann.call("GET", &format!("/api/files/list?limit=100&cursor={cursor}")).await.json();
        let files = page["files"].as_array().unwrap();
        let times: Vec<String> = files.iter().map(|file| text(file, "lastModified")).collect();
        assert!(times.is_sorted_by(|newer, older| newer >= older), "newest first");
        for file in files {
            *seen.entry(text(file, "key")).or_default() += 1;
        }
        pages += 1;
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
        // Between two pages some files are deleted and some are added.
        for file in to_delete.drain(..to_delete.len().min(10)) {
            table.begin_delete(&file.key, clock::now()).await.unwrap();
        }
        for n in 0..5 {
            record(&table, &owner, n).await;
        }
    }
    assert_eq!(pages, 3);
    for key in &remaining {
        assert_eq!(seen.get(key), Some(&1), "{key}");
    }
    assert!(seen.values().all(|times| *times == 1), "a file was shown twice");
}

#[tokio::test]
async fn a_filter_shows_and_counts_its_kind_only() {
    let stack = Stack::find();
    let (table, ann) = (stack.table(), stack.newcomer("pro"));
    let owner = UserId::parse(&ann.id).unwrap();
    for n in 0..10 {
        record(&table, &owner, n).await;
    }
    for (kind, count) in [("image", 8), ("blog", 2), ("video", 0), ("book", 0)] {
        let shown = until(async || {
            let page = ann.call("GET", &format!("/api/files/list?contentType={kind}")).await.json();
            (page["files"].as_array()?.len() == count).then_some(page)
        });
        let page = shown.await.unwrap_or_else(|| panic!("{kind}"));
        assert_eq!(
            (&page["total"], &page["userId"], &page["nextCursor"]),
            (&json!(count), &json!(ann.id), &Value::Null)
        );
        assert!(page["files"].as_array().unwrap().iter().all(|file| file["kind"] == kind));
        let secure = ann.call("GET", &format!("/api/secure/files/list?content_type={kind}&limit=1")).await.json();
        assert_eq!(secure["metadata"]["total"], count);
        assert_eq!(secure["metadata"]["next_cursor"].is_string(), count > 1);
        assert_eq!(secure["data"].as_array().map(Vec::len), Some(count.min(1)));
    }
}

#[tokio::test]
async fn altered_cursors_and_those_of_another_user_or_filter_are_refused() {
    let stack = Stack::find();
    let (table, ann, bob) = (stack.table(), stack.newcomer("pro"), stack.newcomer("pro"));
    for n in 1..4 {
        record(&table, &UserId::parse(&ann.id).unwrap(), n).await;
    }
    let first = until(async || {
        let page = ann.call("GET", "/api/files/list?contentType=image&limit=1").await.json();
        page["nextCursor"].as_str().map(str::to_owned)
    });
    let cursor = first.await.unwrap();
    let list = async |path: &str| ann.call("GET", path).await;
    assert_eq!(list(&format!("/api/files/list?contentType=image&limit=1&cursor={cursor}")).await.status, 200);
    let flipped = if cursor.starts_with('A') { "B" } else { "A" };
    let altered = format!("{flipped}{}", &cursor[1..]);
    for path in [
        format!("/api/files/list?contentType=image&cursor={altered}"),
        format!("/api/files/list?contentType=video&cursor={cursor}"),
        format!("/api/files/list?cursor={cursor}"),
        format!("/api/files/list?contentType=image&status=pending&cursor={cursor}"),
        format!("/api/secure/files/list?cursor={cursor}"),
    ] {
        assert_refused(&list(&path).await, 400, "INVALID_CURSOR");
    }
    let theirs = bob.call("GET", &format!("/api/files/list?contentType=image&cursor={cursor}")).await;
    assert_refused(&theirs, 400, "INVALID_CURSOR");
}

#[tokio::test]
async fn a_total_counts_what_is_listed_right_after_a_deletion() {
    let stack = Stack::find();
    let (table, ann) = (stack.table(), stack.newcomer("enterprise"));
    let owner = UserId::parse(&ann.id).unwrap();
    let mut files = Vec::new();
    for n in 1..5 {
        files.push(record(&table, &owner, n).await);
    }
    let counted = async |query: &str, wanted: u64| {
        let total = until(async || {
            let page = ann.call("GET", &format!("/api/files/list?{query}")).await.json();
            (page["total"] == wanted).then_some(())
        });
        total.await.unwrap_or_else(|| panic!("{query} must count {wanted} files"));
    };
    counted("limit=2", 4).await;
    // Nobody removes the bytes here, so the ledger counts these two files from now on.
    for file in &files[..2] {
        table.begin_delete(&file.key, clock::now()).await.unwrap();
    }
    counted("limit=1", 2).await;
    counted("", 2).await;
    counted("limit=1&contentType=image", 2).await;
}
