use std::time::Duration;

use consigne_core::files::{File, MediaType, Status};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::handlers::{GRANTED, KEY, assert_books_balance, file_in, ledger_of, pending, ready, world_with};

async fn feed(world: &World, case: &str) -> Value {
    functions::deliver(world, "on-object-event", payload::event("on-object-event", case, "")).await
}

fn nothing_failed() -> Value {
    json!({"batchItemFailures": []})
}

/// Creates a world with a file record and an object with the same key.
fn world_and_object(file: File, version: &str, bytes: Vec<u8>) -> World {
    let world = world_with(&[file]);
    world.put_object(KEY, version, bytes);
    world
}

#[tokio::test]
async fn a_png_is_checked_and_measured() {
    let world = world_and_object(pending(), "v1", pictures::png(640, 480, 1000));
    assert_eq!(feed(&world, "created").await, nothing_failed());
    let file = file_in(&world);
    assert_eq!((file.status, file.dimensions.map(|d| (d.width, d.height))), (Status::Ready, Some((640, 480))));
    assert_eq!(file.pinned.unwrap().version, "v1");
    assert_eq!(ledger_of(&world), [1000, 0, 1, 1000]);
    let published: Value = serde_json::from_str(&world.state().outbox[0].1.detail).unwrap();
    insta::assert_json_snapshot!(payload::steady(&published), @r#"
    {
      "event_id": "<id>",
      "occurred_at": "<time>",
      "user_id": "user_ann1",
      "file_id": "<id>",
      "s3_key": "user_ann1/images/<id>-photo-ete.png",
      "filename": "photo été.png",
      "kind": "image",
      "content_type": "image/png",
      "size": 1000,
      "width": 640,
      "height": 480
    }
    "#);
}

#[tokio::test]
async fn a_file_of_the_wrong_type_is_rejected_removed_and_published() {
    for (bytes, found) in [
        (pictures::gif(1000), "image/gif"),
        (pictures::pdf(1000), "application/pdf"),
        (pictures::html(1000), "text/html"),
    ] {
        let world = world_and_object(pending(), "v1", bytes);
        assert_eq!(feed(&world, "created").await, nothing_failed());
        let file = file_in(&world);
        assert_eq!(file.status, Status::Rejected);
        assert_eq!(file.rejected_reason, Some(format!("declared image/png, found {found}")));
        assert!(world.state().objects.is_empty());
        assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
        assert_eq!(world.state().outbox[0].1.kind, "file.rejected");
    }
}

#[tokio::test]
async fn a_repeated_event_makes_one_file_and_one_event() {
    let world = world_and_object(pending(), "v1", pictures::png(640, 480, 1000));
    for _ in 0..5 {
        assert_eq!(feed(&world, "created").await, nothing_failed());
    }
    assert_eq!(world.state().outbox.len(), 1);
    assert_eq!(ledger_of(&world), [1000, 0, 1, 1000]);
    assert_eq!(world.state().objects[KEY].len(), 1);
}

#[tokio::test]
async fn a_deletion_that_overtakes_its_creation_counts() {
    let world = world_with(&[pending()]);
    assert_eq!(feed(&world, "deleted").await, nothing_failed());
    assert_eq!(feed(&world, "created").await, nothing_failed());
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[tokio::test]
async fn an_object_deleted_before_its_check_releases_its_bytes() {
    let world = world_with(&[pending()]);
    assert_eq!(feed(&world, "created").await, nothing_failed());
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[tokio::test]
async fn an_upload_with_the_grant_of_a_deleted_file_is_removed() {
    let gone = ready(&pending()).remove(consigne_core::files::Removal::Deleted, GRANTED).file;
    let world = world_and_object(gone, "v1", pictures::png(640, 480, 1000));
    let before = file_in(&world);
    assert_eq!(feed(&world, "created").await, nothing_failed());
    assert!(world.state().objects.is_empty());
    assert_eq!((file_in(&world), ledger_of(&world)), (before, [0, 0, 0, 0]));
}

#[tokio::test]
async fn other_versions_than_the_pinned_one_are_removed() {
    let world = world_with(&[ready(&pending())]);
    world.put_object(KEY, "v2", pictures::gif(1000));
    let mut event = payload::event("on-object-event", "created", "");
    event["Records"][0]["body"] = event["Records"][0]["body"].as_str().unwrap().replace("\"v1\"", "\"v2\"").into();
    assert_eq!(functions::deliver(&world, "on-object-event", event).await, nothing_failed());
    let versions: Vec<_> = world.state().objects[KEY].iter().map(|version| version.id.clone()).collect();
    assert_eq!((versions, file_in(&world).status), (vec!["v1".to_owned()], Status::Ready));
}

#[tokio::test]
async fn an_event_without_a_version_is_checked_against_the_bucket() {
    let without_version = |case| {
        let mut event = payload::event("on-object-event", case, "");
        let mut body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
        body["detail"]["object"].as_object_mut().unwrap().remove("version-id");
        event["Records"][0]["body"] = body.to_string().into();
        event
    };
    let world = world_and_object(pending(), "v1", pictures::png(640, 480, 1000));
    functions::deliver(&world, "on-object-event", without_version("created")).await;
    functions::deliver(&world, "on-object-event", without_version("created")).await;
    functions::deliver(&world, "on-object-event", without_version("deleted")).await;
    assert_eq!((file_in(&world).status, world.state().objects.len()), (Status::Ready, 1));
    world.change(|state| state.objects.clear());
    functions::deliver(&world, "on-object-event", without_version("deleted")).await;
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
    world.put_object(KEY, "v2", pictures::png(640, 480, 1000));
    functions::deliver(&world, "on-object-event", without_version("created")).await;
    assert!(world.state().objects.is_empty());
}

#[tokio::test]
async fn a_delete_marker_changes_nothing() {
    let world = world_with(&[ready(&pending())]);
    assert_eq!(feed(&world, "delete-marker").await, nothing_failed());
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Ready, [1000, 0, 1, 1000]));
}

#[tokio::test]
async fn a_deletion_in_the_bucket_releases_the_bytes_once() {
    let world = world_with(&[ready(&pending())]);
    for _ in 0..3 {
        assert_eq!(feed(&world, "deleted").await, nothing_failed());
    }
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
    assert_eq!(world.state().outbox.len(), 1);
}

#[tokio::test]
async fn s3s_test_event_and_unknown_keys_are_acknowledged() {
    let world = World::default();
    assert_eq!(feed(&world, "test-event").await, nothing_failed());
    assert_eq!(feed(&world, "created").await, nothing_failed());
    let mut event = payload::event("on-object-event", "created", "");
    event["Records"][0]["body"] = event["Records"][0]["body"].as_str().unwrap().replace(KEY, "backups/2026.tar").into();
    assert_eq!(functions::deliver(&world, "on-object-event", event).await, nothing_failed());
    assert_eq!(world.state(), World::default().state());
}

#[tokio::test]
async fn only_the_failing_record_of_a_batch_is_redelivered() {
    let world = world_and_object(pending(), "v1", pictures::png(640, 480, 1000));
    let outcome = feed(&world, "one-poison-in-ten").await;
    assert_eq!(outcome, json!({"batchItemFailures": [{"itemIdentifier": "message-5"}]}));
    assert_eq!(ledger_of(&world), [1000, 0, 1, 1000]);
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_film_whose_index_comes_last_is_measured_by_a_second_read() {
    let whole = pictures::film();
    let index = whole.windows(4).position(|window| window == b"moov").unwrap() - 4;
    // Free space before the index, more than what is read first.
    let space = [&400_000_u32.to_be_bytes()[..], b"free", &vec![0; 399_992]].concat();
    let bytes = [&whole[..index], &space, &whole[index..]].concat();
    let file = File { media: MediaType::from_name("video/mp4").unwrap(), ..pending() };
    let world = world_and_object(file, "v1", bytes);
    assert_eq!(feed(&world, "created").await, nothing_failed());
    let file = file_in(&world);
    assert_eq!(file.status, Status::Ready);
    assert_eq!(file.dimensions.map(|sides| (sides.width, sides.height)), Some((64, 40)));
    assert_eq!(file.duration, Some(Duration::from_millis(400)));
    assert_eq!(file.derivatives, None);
    let token = functions::issuer().token("user_ann1", "pro");
    let facts = functions::call(&world, "metadata", payload::event("metadata", "one", &token)).await;
    assert_eq!((&facts["body"]["durationSeconds"], &facts["body"]["derivative"]), (&json!(0.4), &Value::Null));
}
