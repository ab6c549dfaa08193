use serde_json::json;

use crate::handlers::{GRANTED, call, call_as, pending, ready, world_with};

#[tokio::test]
async fn a_ready_file_has_all_metadata() {
    insta::assert_json_snapshot!(call(&world_with(&[ready(&pending())]), "metadata", "one").await, @r#"
    {
      "status": 200,
      "body": {
        "fileId": "<id>",
        "key": "user_ann1/images/<id>-photo-ete.png",
        "filename": "photo été.png",
        "size": 1000,
        "contentType": "image/png",
        "kind": "image",
        "status": "ready",
        "width": 640,
        "height": 480,
        "dimensions": "measured",
        "lastModified": "<time>",
        "thumbnails": {},
        "etag": "e1",
        "versionId": "v1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_rejected_file_has_a_reason() {
    let rejected = pending().reject("declared image/png, found image/gif", GRANTED).file;
    let answer = call(&world_with(&[rejected]), "metadata", "one").await;
    assert_eq!(answer["body"]["status"], "rejected");
    assert_eq!(answer["body"]["rejectedReason"], "declared image/png, found image/gif");
}

#[tokio::test]
async fn other_users_files_and_deleted_files_are_404() {
    let unknown = call(&world_with(&[]), "metadata", "one").await;
    assert_eq!((&unknown["status"], &unknown["body"]["error"]["code"]), (&json!(404), &json!("NOT_FOUND")));
    let theirs = call_as(&world_with(&[ready(&pending())]), "metadata", "one", "user_ann12", "pro").await;
    let leaving = call(&world_with(&[ready(&pending()).deleting(GRANTED)]), "metadata", "one").await;
    assert_eq!((theirs, leaving), (unknown.clone(), unknown));
}
