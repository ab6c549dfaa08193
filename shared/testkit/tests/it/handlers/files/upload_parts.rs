//! Uploads in parts: granted, signed, listed and completed.

use std::time::Duration;

use consigne_core::files::{
    COMPLETION_MAX, File, FileName, MediaType, ONE_PUT_MAX, ObjectKey, OpenUpload, PART_SIZE, Status,
};
use consigne_runtime::clock;
use consigne_testkit::fakes::{PartedUpload, World};
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::handlers::{KEY, assert_books_balance, call, call_as, ledger_of, pending_at, world_with};

/// The key of the film in the payloads of events/.
pub const FILM: &str = "user_ann1/videos/01M7YREWKH7VM7Z3Z2KWSH2FTM-film.mp4";
/// The smallest size that is uploaded in parts: six whole ones and one of 4,194,305 bytes.
pub const SIZE: u64 = ONE_PUT_MAX + 1;
/// The id of its open upload.
pub const OPEN: &str = "film-upload";
const SHA256: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// Creates the film of the payloads, granted a minute ago.
pub fn film() -> File {
    let granted_at = clock::now().minus(Duration::from_mins(1));
    let file = File {
        name: FileName::parse("film.mp4").unwrap(),
        media: MediaType::from_name("video/mp4").unwrap(),
        size: SIZE,
        granted_at,
        changed_at: granted_at,
        ..pending_at(FILM)
    };
    file.divided().unwrap()
}

/// Creates a world in which the film's upload is open at S3, with all parts but those of the given numbers.
pub fn open(checked: bool, without: &[u32]) -> World {
    let id = OPEN.to_owned();
    let upload = OpenUpload { id: id.clone(), checked };
    let file = film().with_session(|session| session.upload = Some(upload)).unwrap();
    let world = world_with(&[file]);
    let (key, media) = (FILM.to_owned(), "video/mp4".to_owned());
    world.change(|state| {
        state.uploads.insert(id, PartedUpload { key, media, checked, ..PartedUpload::default() });
    });
    for number in (1..=7).filter(|number| !without.contains(number)) {
        put(&world, number, checked);
    }
    world
}

fn put(world: &World, number: u32, checked: bool) {
    let bytes = if number == 1 { pictures::mp4(33) } else { Vec::new() };
    let size = if number == 7 { SIZE - 6 * PART_SIZE } else { PART_SIZE };
    world.put_part(FILM, number, (&bytes, size), checked.then_some(SHA256)).unwrap();
}

/// Returns the stored record of the film.
pub fn film_in(world: &World) -> File {
    let key = ObjectKey::parse(FILM).unwrap();
    world.state().files[&(key.owner().clone(), key.file())].clone()
}

/// Delivers S3's event about the created object of the film.
pub async fn report(world: &World) {
    let event = payload::event("on-object-event", "created", "").to_string().replace(KEY, FILM);
    functions::deliver(world, "on-object-event", serde_json::from_str(&event).unwrap()).await;
}

/// Calls a function with a payload and another body, as Ann.
pub async fn send(world: &World, function: &str, case: &str, body: &Value) -> Value {
    let mut event = payload::event(function, case, &functions::issuer().token("user_ann1", "pro"));
    event["body"] = body.to_string().into();
    payload::steady(&functions::call(world, function, event).await)
}

/// Returns status, code and details of a refusal.
pub fn error(answer: &Value) -> (u64, &str, &Value) {
    let error = &answer["body"]["error"];
    (answer["status"].as_u64().unwrap(), error["code"].as_str().unwrap_or_default(), &error["details"])
}

#[tokio::test]
async fn a_large_file_gets_a_session_and_no_url() {
    let world = World::default();
    insta::assert_json_snapshot!(call(&world, "upload-grant", "film").await, @r#"
    {
      "status": 201,
      "body": {
        "fileId": "<id>",
        "s3Key": "user_ann1/videos/<id>-film.mp4",
        "method": "MULTIPART",
        "partSize": 16777216,
        "partCount": 19,
        "partsPath": "/api/files/uploads/<id>/parts",
        "expiresAt": "<time>"
      }
    }
    "#);
    assert_eq!(ledger_of(&world), [314_572_800, 314_572_800, 0, 0]);
    assert!(world.state().uploads.is_empty(), "the upload is opened for the first parts");
}

#[tokio::test]
async fn the_threshold_is_exact_and_the_whole_has_no_checksum() {
    let method = async |size: u64| {
        let body = json!({ "filename": "film.mp4", "contentType": "video/mp4", "size": size });
        send(&World::default(), "upload-grant", "film", &body).await["body"]["method"].clone()
    };
    assert_eq!((method(ONE_PUT_MAX).await, method(SIZE).await), (json!("PUT"), json!("MULTIPART")));
    let body = json!({ "filename": "film.mp4", "contentType": "video/mp4", "size": SIZE, "sha256": SHA256 });
    let world = World::default();
    let refused = send(&world, "upload-grant", "film", &body).await;
    assert_eq!((error(&refused).0, &error(&refused).2["field"]), (400, &json!("sha256")));
    assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_session() {
    let world = World::default();
    let mut event = payload::event("upload-grant", "film", &functions::issuer().token("user_ann1", "pro"));
    event["headers"]["idempotency-key"] = "film 1".into();
    let first = functions::call(&world, "upload-grant", event.clone()).await;
    assert_eq!((first["status"].as_u64(), &first["body"]["partCount"]), (Some(201), &json!(19)));
    assert_eq!(functions::call(&world, "upload-grant", event).await, first);
    assert_eq!(ledger_of(&world), [314_572_800, 314_572_800, 0, 0]);
}

#[tokio::test]
async fn parts_are_signed_with_their_lengths_and_the_upload_is_opened_once() {
    let world = world_with(&[film()]);
    insta::assert_json_snapshot!(call(&world, "upload-parts", "sign").await, @r#"
    {
      "status": 200,
      "body": {
        "parts": [
          {
            "partNumber": 1,
            "url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/videos/<id>-film.mp4?x-id=UploadPart&partNumber=1&uploadId=upload-1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=3600&X-Amz-SignedHeaders=content-length%3Bhost&X-Amz-Signature=<signature>",
            "size": 16777216,
            "headers": {},
            "expiresAt": "<time>"
          },
          {
            "partNumber": 7,
            "url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/videos/<id>-film.mp4?x-id=UploadPart&partNumber=7&uploadId=upload-1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=3600&X-Amz-SignedHeaders=content-length%3Bhost&X-Amz-Signature=<signature>",
            "size": 4194305,
            "headers": {},
            "expiresAt": "<time>"
          }
        ]
      }
    }
    "#);
    let opened = film_in(&world).parts.unwrap().upload.unwrap();
    assert_eq!((opened.id.as_str(), opened.checked), ("upload-1", false));
    assert_eq!(world.state().uploads["upload-1"].media, "video/mp4");
    call(&world, "upload-parts", "sign").await;
    assert_eq!((world.state().uploads.len(), world.uploads_opened()), (1, 1));
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_checksum_is_signed_and_every_part_of_the_upload_needs_one() {
    let world = world_with(&[film()]);
    let body = json!({ "partNumbers": [2], "sha256": { "2": SHA256 } });
    let signed = send(&world, "upload-parts", "sign", &body).await;
    let part = &signed["body"]["parts"][0];
    assert_eq!(part["headers"], json!({ "x-amz-checksum-sha256": SHA256 }));
    assert!(part["url"].as_str().unwrap().contains("content-length%3Bhost%3Bx-amz-checksum-sha256"));
    assert!(world.state().uploads["upload-1"].checked);
    let refused = send(&world, "upload-parts", "sign", &json!({ "partNumbers": [1] })).await;
    assert_eq!(error(&refused), (400, "INVALID_REQUEST", &json!({ "field": "sha256", "missing": [1] })));
}

#[tokio::test]
async fn a_refused_request_opens_no_upload() {
    let world = world_with(&[film()]);
    for (body, field) in [
        (json!({ "partNumbers": [8] }), "partNumbers"),
        (json!({ "partNumbers": [0] }), "partNumbers"),
        (json!({ "partNumbers": [] }), "partNumbers"),
        (json!({ "partNumbers": [1, 1] }), "partNumbers"),
        (json!({ "partNumbers": [1, 2], "sha256": { "1": SHA256 } }), "sha256"),
        (json!({ "partNumbers": [1], "sha256": { "1": "x" } }), "sha256"),
    ] {
        let refused = send(&world, "upload-parts", "sign", &body).await;
        assert_eq!((error(&refused).0, &error(&refused).2["field"]), (400, &json!(field)), "{body}");
    }
    assert_eq!(world.uploads_opened(), 0);
}

#[tokio::test]
async fn what_has_arrived_is_listed_with_what_is_missing() {
    insta::assert_json_snapshot!(call(&open(false, &[3, 4, 5, 6, 7]), "upload-parts", "list").await, @r#"
    {
      "status": 200,
      "body": {
        "fileId": "<id>",
        "size": 104857601,
        "partSize": 16777216,
        "partCount": 7,
        "expiresAt": "<time>",
        "parts": [
          {
            "partNumber": 1,
            "etag": "etag-1-16777216-33",
            "size": 16777216
          },
          {
            "partNumber": 2,
            "etag": "etag-2-16777216-0",
            "size": 16777216
          }
        ],
        "missing": [
          3,
          4,
          5,
          6,
          7
        ]
      }
    }
    "#);
    let none = call(&world_with(&[film()]), "upload-parts", "list").await;
    assert_eq!((&none["body"]["parts"], &none["body"]["missing"]), (&json!([]), &json!([1, 2, 3, 4, 5, 6, 7])));
}

#[tokio::test]
async fn only_the_owner_finds_a_session_while_it_is_open() {
    for (function, case) in
        [("upload-parts", "sign"), ("upload-parts", "list"), ("upload-complete", "all"), ("upload-abort", "abort")]
    {
        let world = open(false, &[]);
        let before = world.state();
        let refused = call_as(&world, function, case, "user_ann12", "pro").await;
        assert_eq!(error(&refused).0, 404, "{function} {case}");
        assert_eq!(world.state(), before, "{function} {case}");

        let late: fn(&mut File) = |file| file.grant_expires_at = clock::now();
        let deleted: fn(&mut File) = |file| *file = file.deleting(clock::now());
        let whole: fn(&mut File) = |file| file.parts = None;
        let cases = [(late, 409), (deleted, 404), (whole, 409)];
        for (change, status) in cases {
            if function == "upload-abort" && status == 409 {
                continue;
            }
            let world = open(false, &[]);
            world.change(|state| state.files.values_mut().for_each(change));
            let before = world.state();
            assert_eq!(error(&call(&world, function, case).await).0, status, "{function} {case}");
            assert_eq!(world.state(), before, "{function} {case}");
        }
    }
}

#[tokio::test]
async fn a_completed_upload_is_one_file_and_a_repetition_has_the_same_answer() {
    let world = open(false, &[]);
    let first = call(&world, "upload-complete", "all").await;
    insta::assert_json_snapshot!(first, @r#"
    {
      "status": 200,
      "body": {
        "fileId": "<id>",
        "s3Key": "user_ann1/videos/<id>-film.mp4",
        "size": 104857601,
        "partCount": 7
      }
    }
    "#);
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Pending, [SIZE, SIZE, 0, 0]));
    assert_eq!(call(&world, "upload-complete", "all").await, first, "before S3 reports it");
    report(&world).await;
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Ready, [SIZE, 0, 1, SIZE]));
    assert_eq!(call(&world, "upload-complete", "all").await, first, "afterwards");
    assert_eq!((world.state().objects[FILM].len(), world.state().uploads.len()), (1, 0));
    let over = call(&world, "upload-parts", "list").await;
    assert_eq!(error(&over), (409, "CONFLICT", &json!({ "status": "ready" })));
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_rejected_file_was_completed_too() {
    let world = open(false, &[]);
    world.put_part(FILM, 1, (&pictures::gif(33), PART_SIZE), None).unwrap();
    let first = call(&world, "upload-complete", "all").await;
    report(&world).await;
    assert_eq!((film_in(&world).status, ledger_of(&world)), (Status::Rejected, [0, 0, 0, 0]));
    assert_eq!(call(&world, "upload-complete", "all").await, first);
}

#[tokio::test]
async fn missing_parts_are_named() {
    let body = json!({ "parts": [{ "partNumber": 2, "etag": "x" }] });
    let refused = send(&open(false, &[]), "upload-complete", "all", &body).await;
    let details = json!({ "field": "parts", "missing": [1, 3, 4, 5, 6, 7] });
    assert_eq!(error(&refused), (400, "INVALID_REQUEST", &details));

    let world = open(false, &[7]);
    let refused = call(&world, "upload-complete", "all").await;
    assert_eq!(error(&refused), (409, "CONFLICT", &json!({ "missing": [7] })));
    put(&world, 7, false);
    assert_eq!(call(&world, "upload-complete", "all").await["status"], 200);

    // Another part than the one that was named.
    let world = open(false, &[]);
    world.put_part(FILM, 3, (b"other", PART_SIZE), None).unwrap();
    let refused = call(&world, "upload-complete", "all").await;
    assert_eq!(error(&refused), (409, "CONFLICT", &json!({ "missing": [3] })));

    // No part was ever asked for.
    let refused = call(&world_with(&[film()]), "upload-complete", "all").await;
    assert_eq!(error(&refused), (409, "CONFLICT", &json!({ "missing": [1, 2, 3, 4, 5, 6, 7] })));
}

#[tokio::test]
async fn checksums_that_s3_knows_need_not_be_sent_again() {
    let world = open(true, &[]);
    assert_eq!(call(&world, "upload-complete", "all").await["status"], 200);
    report(&world).await;
    assert_eq!(film_in(&world).status, Status::Ready);

    let world = open(true, &[5]);
    let refused = call(&world, "upload-complete", "all").await;
    assert_eq!(error(&refused), (409, "CONFLICT", &json!({ "missing": [5] })));
}

#[tokio::test]
async fn an_upload_that_s3_no_longer_has_cannot_be_completed() {
    let world = open(false, &[]);
    world.change(|state| state.uploads.clear());
    for (function, case) in [("upload-complete", "all"), ("upload-parts", "list")] {
        let refused = call(&world, function, case).await;
        assert_eq!(error(&refused), (409, "CONFLICT", &json!({ "status": "pending" })), "{function}");
    }
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_may_still_be_under_way() {
    for (asked, status) in [(Duration::from_secs(30), 503), (COMPLETION_MAX, 409)] {
        let world = open(false, &[]);
        let asked = clock::now().minus(asked);
        world.change(|state| {
            state.uploads.clear();
            let files = state.files.values_mut();
            files.for_each(|file| *file = file.with_session(|session| session.completing = Some(asked)).unwrap());
        });
        assert_eq!(error(&call(&world, "upload-complete", "all").await).0, status);
    }
}
