use crate::handlers::{call, call_as, pending, ready, world_with};

#[tokio::test]
async fn a_ready_file_gets_a_signed_url_for_its_pinned_version() {
    let world = world_with(&[ready(&pending())]);
    insta::assert_json_snapshot!(call(&world, "presign", "plain").await, @r#"
    {
      "status": 200,
      "body": {
        "url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/images/<id>-photo-ete.png?x-id=GetObject&response-cache-control=private%2C%20max-age%3D600&response-content-disposition=inline%3B%20filename%3D%22photo-ete.png%22%3B%20filename%2A%3DUTF-8%27%27photo%2520%25C3%25A9t%25C3%25A9.png&response-content-type=image%2Fpng&versionId=v1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=<signature>",
        "expiresIn": 600,
        "expiresAt": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn the_secure_route_answers_in_the_envelope() {
    let world = world_with(&[ready(&pending())]);
    insta::assert_json_snapshot!(call(&world, "presign", "secure").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Download URL created",
        "data": {
          "download_url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/images/<id>-photo-ete.png?x-id=GetObject&response-cache-control=private%2C%20max-age%3D3600&response-content-disposition=inline%3B%20filename%3D%22photo-ete.png%22%3B%20filename%2A%3DUTF-8%27%27photo%2520%25C3%25A9t%25C3%25A9.png&response-content-type=image%2Fpng&versionId=v1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=<signature>",
          "expires_in": 3600,
          "expires_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn a_file_that_was_not_uploaded_is_not_ready() {
    insta::assert_json_snapshot!(call(&world_with(&[pending()]), "presign", "plain").await, @r#"
    {
      "status": 409,
      "headers": {
        "retry-after": "1"
      },
      "body": {
        "success": false,
        "error": {
          "code": "NOT_READY",
          "message": "file has not arrived or is being checked; try again later",
          "details": {
            "status": "pending"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_rejected_file_is_refused_with_the_reason() {
    let rejected = pending().reject("declared image/png, found text", crate::handlers::GRANTED).file;
    let world = world_with(std::slice::from_ref(&rejected));
    let answer = call(&world, "presign", "plain").await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "FILE_REJECTED",
          "message": "file was rejected: declared image/png, found text",
          "details": {
            "status": "rejected",
            "reason": "declared image/png, found text"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(call(&world, "presign", "secure").await, answer);
    // A stranger does not learn that it exists.
    let theirs = call_as(&world, "presign", "plain", "user_ann12", "pro").await;
    assert_eq!(theirs["body"]["error"]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn other_users_unknown_and_deleted_files_get_the_same_answer() {
    let theirs = call_as(&world_with(&[ready(&pending())]), "presign", "plain", "user_ann12", "pro").await;
    let unknown = call(&world_with(&[]), "presign", "plain").await;
    let deleted = call(&world_with(&[ready(&pending()).deleting(crate::handlers::GRANTED)]), "presign", "plain").await;
    insta::assert_json_snapshot!(unknown, @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "File not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(theirs, unknown);
    assert_eq!(deleted, unknown);
}
