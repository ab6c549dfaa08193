use consigne_core::files::Status;
use consigne_testkit::{functions, payload};
use serde_json::json;

use crate::handlers::{GRANTED, assert_books_balance, call, call_as, file_in, ledger_of, pending, ready, world_with};

#[tokio::test]
async fn a_deleted_file_releases_its_bytes_when_s3_reports_the_deletion() {
    let world = world_with(&[ready(&pending())]);
    insta::assert_json_snapshot!(call(&world, "delete", "plain").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "File deleted successfully"
      }
    }
    "#);
    assert!(world.state().objects.is_empty());
    assert_eq!(file_in(&world).status, Status::Deleting);
    assert_eq!(ledger_of(&world), [1000, 0, 1, 1000]);

    let outcome = functions::deliver(&world, "on-object-event", payload::event("on-object-event", "deleted", "")).await;
    assert_eq!(outcome, json!({"batchItemFailures": []}));
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[tokio::test]
async fn the_secure_route_answers_in_the_envelope() {
    insta::assert_json_snapshot!(call(&world_with(&[ready(&pending())]), "delete", "secure").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "File deleted successfully",
        "data": {
          "s3_key": "user_ann1/images/<id>-photo-ete.png"
        },
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn a_second_deletion_is_404() {
    let world = world_with(&[ready(&pending())]);
    assert_eq!(call(&world, "delete", "plain").await["status"], 200);
    assert_eq!(call(&world, "delete", "plain").await["status"], 404);
}

#[tokio::test]
async fn deleting_a_pending_file_releases_its_bytes_at_once() {
    let world = world_with(&[pending()]);
    assert_eq!(call(&world, "delete", "plain").await["status"], 200);
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[tokio::test]
async fn deleting_a_rejected_file_releases_no_bytes_again() {
    let mut rejected = pending().reject("no", GRANTED).file;
    rejected.revision = 2;
    let world = world_with(&[rejected]);
    assert_eq!(call(&world, "delete", "plain").await["status"], 200);
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
    assert_books_balance(&world);
}

#[tokio::test]
async fn another_users_file_is_404_and_stays() {
    let world = world_with(&[ready(&pending())]);
    assert_eq!(call_as(&world, "delete", "plain", "user_ann12", "pro").await["status"], 404);
    assert_eq!(call_as(&world, "delete", "secure", "user_ann12", "pro").await["status"], 404);
    assert_eq!(file_in(&world).status, Status::Ready);
}
