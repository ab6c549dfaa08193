//! How uploads end that are not completed: aborted, deleted, or swept.

use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::files::{SESSION_VALID, SWEEP_MARGIN, Status};
use consigne_core::ports::OpenUploadInParts;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::json;

use super::upload_parts::{FILM, SIZE, error, film, film_in, open, report, send};
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::people::closing::close;
use crate::handlers::{assert_books_balance, call, ledger_of, pending, ready, world_with};

#[tokio::test]
async fn an_aborted_upload_gives_its_bytes_back_once() {
    let world = open(false, &[4]);
    // A function was interrupted when it had opened another.
    world.open_upload(&film(), true).await.unwrap();
    insta::assert_json_snapshot!(call(&world, "upload-abort", "abort").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Upload aborted"
      }
    }
    "#);
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
    assert!(world.state().uploads.is_empty());
    assert_eq!(error(&call(&world, "upload-abort", "abort").await).0, 404);
    assert_eq!(error(&call(&world, "upload-complete", "all").await).0, 404);
    assert_eq!(error(&call(&world, "upload-parts", "sign").await).0, 404);
    assert_books_balance(&world);
}

#[tokio::test]
async fn an_upload_by_one_request_can_be_aborted_and_an_arrived_file_cannot() {
    let abort = async |world: &World| {
        let id = pending().id().to_string();
        let event = payload::event("upload-abort", "abort", &functions::issuer().token("user_ann1", "pro"));
        let event = event.to_string().replace("01M7YREWKH7VM7Z3Z2KWSH2FTM", &id);
        functions::call(world, "upload-abort", serde_json::from_str(&event).unwrap()).await
    };
    let world = world_with(&[pending()]);
    assert_eq!(abort(&world).await["status"], 200);
    assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
    let world = world_with(&[ready(&pending())]);
    assert_eq!(error(&abort(&world).await), (409, "CONFLICT", &json!({ "status": "ready" })));
    assert_eq!(ledger_of(&world), [1000, 0, 1, 1000]);
}

#[tokio::test]
async fn what_is_completed_after_an_abort_is_removed() {
    let world = open(false, &[]);
    call(&world, "upload-complete", "all").await;
    call(&world, "upload-abort", "abort").await;
    assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
    report(&world).await;
    assert!(world.state().objects.is_empty());
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[tokio::test]
async fn deleting_the_file_aborts_its_upload() {
    let world = open(false, &[4]);
    assert_eq!(send(&world, "delete", "plain", &json!({ "s3Key": FILM })).await["status"], 200);
    assert!(world.state().uploads.is_empty());
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

fn over() -> Timestamp {
    clock::now().plus(SESSION_VALID).plus(SWEEP_MARGIN)
}

#[tokio::test]
async fn an_abandoned_session_ends_with_its_upload_and_its_bytes() {
    let world = open(false, &[4]);
    world.open_upload(&film(), true).await.unwrap();
    let early = sweep_at(&world, clock::now().plus(SESSION_VALID)).await;
    assert_eq!((&early["expired"], world.state().uploads.len()), (&json!(0), 2));
    assert_eq!(sweep_at(&world, over()).await["expired"], 1);
    assert!(world.state().uploads.is_empty());
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
    assert_eq!(sweep_at(&world, over()).await["expired"], 0);
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_completed_upload_whose_event_was_lost_is_checked() {
    let world = open(false, &[]);
    call(&world, "upload-complete", "all").await;
    assert_eq!(sweep_at(&world, over()).await["arrived"], 1);
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Ready, [SIZE, 0, 1, SIZE]));
}

#[tokio::test]
async fn closing_the_account_aborts_its_uploads() {
    let world = open(false, &[4]);
    close(&world, "user_ann1");
    let mut tick = payload::event("account-close", "tick", "");
    tick["time"] = clock::now().plus(Duration::from_mins(1)).to_string().into();
    functions::tick(&world, "account-close", tick).await.unwrap();
    assert!(world.state().uploads.is_empty());
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[test]
fn the_bucket_aborts_later_than_the_sweep() {
    let template = consigne_testkit::template::template();
    let rules = &template["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"];
    let days = |rule: &serde_json::Value| rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"].as_u64();
    let days = rules.as_array().unwrap().iter().find_map(days).unwrap();
    // A day for a `sweep` that is late.
    assert!(Duration::from_hours(24 * days) >= SESSION_VALID + SWEEP_MARGIN + Duration::from_hours(24));
}
