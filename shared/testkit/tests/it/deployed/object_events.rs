//! S3's events, repeated, late or out of order. The tests create them and invoke the deployed function.

use consigne_core::UserId;
use consigne_core::files::{File, ObjectKey, Status};
use consigne_core::ports::{GetFile, ReadHead};
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{assert_refused, text};

/// Invokes the function with an event about an object, as its queue does.
async fn invoke(stack: &Stack, what: &str, key: &str, version: &str, sequencer: &str) {
    announce(stack, what, json!({ "key": key, "version-id": version, "sequencer": sequencer })).await;
}

/// Invokes the function with an event about an object as S3 describes it.
pub(super) async fn announce(stack: &Stack, what: &str, object: Value) {
    let body = json!({
        "version": "0", "source": "aws.s3", "detail-type": what,
        "detail": {
            "bucket": { "name": stack.name("BUCKET_NAME") },
            "object": object,
        },
    });
    let record = json!({ "messageId": "made-up", "eventSource": "aws:sqs", "body": body.to_string() });
    let response = stack.invoke("on-object-event", &json!({ "Records": [record] })).await;
    assert_eq!((response.status, response.json()), (200, json!({ "batchItemFailures": [] })));
}

async fn record(stack: &Stack, ann: &Person<'_>, key: &str) -> File {
    let (owner, key) = (UserId::parse(&ann.id).unwrap(), ObjectKey::parse(key).unwrap());
    stack.table().get_file(&owner, key.file()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_created_event_delivered_five_times_makes_one_file() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let grant = ann.grant("a.png", "image/png", 1000).await.json();
    let key = text(&grant, "s3Key");
    assert_eq!(ann.put(&grant, pictures::png(640, 480, 1000)).await.status, 200);
    let version = stack.bucket().read_head(&key, None, 1).await.unwrap().unwrap().version;
    // Five concurrent events, together with S3's own, and five more at the end.
    join_all((0..5).map(|_| invoke(&stack, "Object Created", &key, &version, "0055AED6DCD90281E5"))).await;
    ann.wait_for(&key, "ready").await;
    ann.wait_until_derived(&key).await;
    let idempotent = record(&stack, &ann, &key).await;
    // Granted, accepted, and tried to be derived.
    assert_eq!((idempotent.status, idempotent.revision), (Status::Ready, 3));
    for _ in 0..5 {
        invoke(&stack, "Object Created", &key, &version, "0055AED6DCD90281E5").await;
    }
    // One that does not name its version is about the object as it is now.
    announce(&stack, "Object Created", json!({ "key": key, "sequencer": "0055AED6DCD90281E5" })).await;
    assert_eq!(record(&stack, &ann, &key).await, idempotent);
    assert_eq!(stack.bucket().read_head(&key, None, 1).await.unwrap().unwrap().version, version);
    ann.wait_for_usage(1, 1000, 0).await;
}

#[tokio::test]
async fn a_deletion_counts_only_if_it_is_newer_than_the_creation() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("a.png", "image/png", pictures::png(640, 480, 1000)).await;
    ann.wait_until_derived(&key).await;
    let ready = record(&stack, &ann, &key).await;
    let pinned = ready.pinned.clone().unwrap();
    assert!(!pinned.sequencer.is_empty(), "the record has the sequencer of its event");
    invoke(&stack, "Object Deleted", &key, &pinned.version, "00").await;
    assert_eq!(record(&stack, &ann, &key).await, ready);
    ann.wait_for_usage(1, 1000, 0).await;
    invoke(&stack, "Object Deleted", &key, &pinned.version, &format!("{}F", pinned.sequencer)).await;
    assert_eq!(record(&stack, &ann, &key).await.status, Status::Deleted);
    ann.wait_for_usage(0, 0, 0).await;
    // The deletion was invented, so the object still exists. A repeated creation event then removes it.
    invoke(&stack, "Object Created", &key, &pinned.version, &pinned.sequencer).await;
    assert_eq!(stack.bucket().read_head(&key, None, 1).await.unwrap(), None);
    ann.wait_for_usage(0, 0, 0).await;
}

#[tokio::test]
async fn a_deletion_that_overtakes_its_creation_counts() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = text(&ann.grant("a.png", "image/png", 1000).await.json(), "s3Key");
    invoke(&stack, "Object Deleted", &key, "v1", "0055AED6DCD90281E6").await;
    invoke(&stack, "Object Created", &key, "v1", "0055AED6DCD90281E5").await;
    let ended = record(&stack, &ann, &key).await;
    assert_eq!((ended.status, ended.revision), (Status::Deleted, 2));
    ann.wait_for_usage(0, 0, 0).await;
    assert_refused(&ann.metadata(&key).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn an_object_deleted_before_its_check_releases_its_bytes() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = text(&ann.grant("a.png", "image/png", 1000).await.json(), "s3Key");
    ann.wait_for_usage(0, 0, 1000).await;
    invoke(&stack, "Object Created", &key, "v1", "0055AED6DCD90281E5").await;
    ann.wait_for_usage(0, 0, 0).await;
    assert_refused(&ann.metadata(&key).await, 404, "NOT_FOUND");
}
