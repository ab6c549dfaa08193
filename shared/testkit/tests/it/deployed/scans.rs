//! Malware scans. The laptop's scanner finds the EICAR test string, in the files of people whose ids begin with `user_scan`.

use consigne_core::UserId;
use consigne_core::files::{File, ObjectKey, ScanState, Status};
use consigne_core::ports::{GetFile, ListVersions};
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, fresh_user, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{assert_refused, text};

/// The test string of the European Institute for Computer Antivirus Research, in a Markdown file. It is in two parts,
/// because scanners on the developers' own machines look for the whole string.
pub(super) fn eicar() -> Vec<u8> {
    ["# Title\n\nX5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*\n"].concat().into_bytes()
}

/// Returns a new user whose files are scanned.
fn scanned(stack: &Stack) -> Person<'_> {
    stack.person(&fresh_user().replace("user_t", "user_scant"), "pro")
}

/// Delivers a verdict to the deployed function, as its queue does.
pub(super) async fn judge(stack: &Stack, result: &str, key: &str, version: &str) {
    let body = json!({
        "version": "0", "source": "aws.guardduty", "detail-type": "GuardDuty Malware Protection Object Scan Result",
        "detail": {
            "schemaVersion": "1.0", "scanStatus": "COMPLETED", "resourceType": "S3_OBJECT",
            "s3ObjectDetails": {
                "bucketName": stack.name("BUCKET_NAME"), "objectKey": key, "eTag": "e", "versionId": version,
                "s3Throttled": false,
            },
            "scanResultDetails": { "scanResultStatus": result, "threats": null, "statusReasons": null },
        },
    });
    let record = json!({ "messageId": "made-up", "eventSource": "aws:sqs", "body": body.to_string() });
    let response = stack.invoke("on-scan-result", &json!({ "Records": [record] })).await;
    assert_eq!((response.status, response.json()), (200, json!({ "batchItemFailures": [] })));
}

async fn record(stack: &Stack, owner: &str, key: &str) -> File {
    let (owner, key) = (UserId::parse(owner).unwrap(), ObjectKey::parse(key).unwrap());
    stack.table().get_file(&owner, key.file()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_clean_file_is_ready_after_its_verdict_and_says_so() {
    let stack = Stack::find();
    let ann = scanned(&stack);
    let key = ann.upload("a.png", "image/png", pictures::png(640, 480, 1000)).await;
    assert_eq!(ann.metadata(&key).await.json()["scan"], "clean");
    assert_eq!(ann.ticket(&key).await.status, 200);
    ann.wait_for_usage(1, 1000, 0).await;
    // Nothing is said where files are not scanned.
    let bob = stack.newcomer("pro");
    let other = bob.upload("a.png", "image/png", pictures::png(640, 480, 1000)).await;
    assert_eq!(bob.metadata(&other).await.json()["scan"], Value::Null);
}

#[tokio::test]
async fn an_infected_upload_is_removed_and_its_bytes_are_given_back() {
    let stack = Stack::find();
    let ann = scanned(&stack);
    let bytes = eicar();
    let grant = ann.grant("notes.md", "text/markdown", bytes.len()).await.json();
    let key = text(&grant, "s3Key");
    assert_eq!(ann.put(&grant, bytes).await.status, 200);
    let seen = ann.wait_for(&key, "infected").await;
    assert_eq!(seen["rejectedReason"], "contains malware: EICAR-Test-File (not a virus)");
    assert_eq!(seen["scan"], "infected");
    assert_refused(&ann.ticket(&key).await, 403, "FILE_INFECTED");
    ann.wait_for_usage(0, 0, 0).await;
    let bucket = stack.bucket();
    let gone = until(async || bucket.list_versions(&key).await.unwrap().is_empty().then_some(()));
    gone.await.expect("every version must be removed");
    // It is told as infected, and its owner can put it away.
    let listed = ann.call("GET", "/api/files/list?status=infected").await.json();
    assert_eq!(listed["files"][0]["key"], key.as_str(), "{listed}");
    assert_eq!(ann.delete(&key).await.status, 200);
    assert_refused(&ann.metadata(&key).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn malware_that_is_found_later_ends_a_ready_file_and_its_tickets() {
    let stack = Stack::find();
    let ann = scanned(&stack);
    let key = ann.upload("a.png", "image/png", pictures::png(640, 480, 1000)).await;
    let ticket = text(&ann.ticket(&key).await.json(), "url");
    assert_eq!(stack.client.send("GET", &ticket, &[], Vec::new()).await.status, 200);
    let ready = record(&stack, &ann.id, &key).await;
    let version = ready.pinned.clone().unwrap().version;

    judge(&stack, "THREATS_FOUND", &key, "another-version").await;
    let after = record(&stack, &ann.id, &key).await;
    assert_eq!((after.status, &after.scan, &after.pinned), (ready.status, &ready.scan, &ready.pinned));
    join_all((0..5).map(|_| judge(&stack, "THREATS_FOUND", &key, &version))).await;
    assert_eq!(stack.client.send("GET", &ticket, &[], Vec::new()).await.status, 404);
    assert_refused(&ann.ticket(&key).await, 403, "FILE_INFECTED");
    assert_eq!(stack.bucket().list_versions(&key).await.unwrap(), Vec::<String>::new());
    ann.wait_for_usage(0, 0, 0).await;
    let infected = record(&stack, &ann.id, &key).await;
    assert_eq!((infected.status, infected.pinned.as_ref()), (Status::Infected, None));
    // Nothing brings it back.
    judge(&stack, "NO_THREATS_FOUND", &key, &version).await;
    assert_eq!(record(&stack, &ann.id, &key).await, infected);
}

#[tokio::test]
async fn a_tag_that_anybody_has_written_changes_nothing() {
    let stack = Stack::find();
    let ann = scanned(&stack);
    let key = ann.upload("a.png", "image/png", pictures::png(640, 480, 1000)).await;
    let ready = record(&stack, &ann.id, &key).await;
    let config = aws_sdk_s3::config::Builder::from(&stack.aws().sdk_config()).force_path_style(true).build();
    let tag = aws_sdk_s3::types::Tag::builder().key("GuardDutyMalwareScanStatus").value("THREATS_FOUND").build();
    let tags = aws_sdk_s3::types::Tagging::builder().tag_set(tag.unwrap()).build().unwrap();
    let put = aws_sdk_s3::Client::from_conf(config).put_object_tagging().bucket(stack.name("BUCKET_NAME")).key(&key);
    put.tagging(tags).send().await.unwrap();
    // The verdict that the scanner really gave comes again.
    judge(&stack, "NO_THREATS_FOUND", &key, &ready.pinned.clone().unwrap().version).await;
    // Thumbnails may have been recorded in the meantime.
    let after = record(&stack, &ann.id, &key).await;
    assert_eq!((after.status, &after.scan, &after.pinned), (ready.status, &ready.scan, &ready.pinned));
    assert_eq!(ann.ticket(&key).await.status, 200);
}

#[tokio::test]
async fn a_verdict_may_come_before_the_event_about_the_upload() {
    let stack = Stack::find();
    let ann = scanned(&stack);
    let grant = ann.grant("a.png", "image/png", 1000).await.json();
    let key = text(&grant, "s3Key");
    // No object has this version, so the verdict waits, and the file does not become ready by it.
    judge(&stack, "UNSUPPORTED", &key, "made-up").await;
    assert_eq!(record(&stack, &ann.id, &key).await.scan.early.len(), 1);
    assert_refused(&ann.ticket(&key).await, 409, "NOT_READY");
    assert_eq!(ann.put(&grant, pictures::png(640, 480, 1000)).await.status, 200);
    ann.wait_for(&key, "ready").await;
    let ready = record(&stack, &ann.id, &key).await;
    assert_eq!((ready.scan.state, ready.scan.early.len()), (Some(ScanState::Clean), 0));
    ann.wait_for_usage(1, 1000, 0).await;
}
