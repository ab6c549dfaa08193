//! Tickets for several files, and tickets under another name or disposition.

use consigne_core::files::{File, FileName, MediaType};
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::functions::{self, Fakes, MAIL_FROM};
use consigne_testkit::payload;
use serde_json::{Value, json};

use crate::handlers::{GRANTED, KEY, call, pending, pending_at, ready, world_with};

/// Asks for tickets as Ann.
async fn ask(world: &World, body: &Value) -> Value {
    functions::call(world, "presign", event(body)).await
}

fn event(body: &Value) -> Value {
    let mut event = payload::event("presign", "plain", &functions::issuer().token("user_ann1", "pro"));
    event["body"] = body.to_string().into();
    event
}

/// Creates Ann's ready file with a number in its id.
fn numbered(n: usize) -> File {
    ready(&pending_at(&format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH{n:04}-photo.png")))
}

/// Returns the parameters of a signed URL that are part of the answer's headers, decoded.
fn overrides(url: &Value) -> Vec<(String, String)> {
    let (_, query) = url.as_str().unwrap().split_once('?').unwrap();
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs.filter(|(name, _)| name.starts_with("response-")).collect()
}

/// Returns `Content-Disposition` of the download with a signed URL.
fn disposition(url: &Value) -> String {
    overrides(url).into_iter().find(|(name, _)| name == "response-content-disposition").unwrap().1
}

#[tokio::test]
async fn each_key_has_a_ticket_or_the_reason_why_not() {
    let world = world_with(&[ready(&pending())]);
    insta::assert_json_snapshot!(call(&world, "presign", "several").await, @r#"
    {
      "status": 200,
      "body": {
        "urls": [
          {
            "s3Key": "user_ann1/images/<id>-photo-ete.png",
            "url": "https://photos.s3.eu-west-3.amazonaws.com/user_ann1/images/<id>-photo-ete.png?x-id=GetObject&response-cache-control=private%2C%20max-age%3D900&response-content-disposition=attachment%3B%20filename%3D%22photo-ete.png%22%3B%20filename%2A%3DUTF-8%27%27photo%2520%25C3%25A9t%25C3%25A9.png&response-content-type=image%2Fpng&versionId=v1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F<day>%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=<time>&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=<signature>",
            "expiresAt": "<time>"
          },
          {
            "s3Key": "user_bob1/images/<id>-photo-ete.png",
            "error": {
              "code": "NOT_FOUND",
              "message": "File not found"
            }
          }
        ]
      }
    }
    "#);
}

#[tokio::test]
async fn entries_are_in_the_order_of_the_keys_and_a_key_may_come_twice() {
    let (first, second, waiting) = (numbered(1), numbered(2), pending());
    let rejected =
        pending_at("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH0003-photo.png").reject("found text", GRANTED).file;
    let gone = numbered(4).deleting(GRANTED);
    let world = world_with(&[first.clone(), second.clone(), waiting.clone(), rejected.clone(), gone.clone()]);
    let other_name = first.key.as_str().replace("photo.png", "other.png");
    let keys = [
        second.key.as_str(),
        first.key.as_str(),
        second.key.as_str(),
        waiting.key.as_str(),
        rejected.key.as_str(),
        gone.key.as_str(),
        &other_name,
        "no key",
    ];
    let answer = ask(&world, &json!({ "s3Keys": keys })).await;
    let urls = answer["body"]["urls"].as_array().unwrap();
    let told: Vec<_> = urls.iter().map(|one| one["s3Key"].as_str().unwrap()).collect();
    assert_eq!(told, keys);
    let codes: Vec<_> = urls.iter().map(|one| one["error"]["code"].as_str().unwrap_or("-")).collect();
    assert_eq!(codes, ["-", "-", "-", "NOT_READY", "FILE_REJECTED", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"]);
    assert_eq!(urls[0], urls[2]);
    assert!(urls[1]["url"].as_str().unwrap().contains(first.key.as_str()));
    assert_eq!(urls[4]["error"]["details"]["reason"], "found text");
}

#[tokio::test]
async fn a_hundred_keys_are_one_call_and_more_are_refused() {
    let files: Vec<File> = (0..101).map(numbered).collect();
    let world = world_with(&files);
    let keys: Vec<&str> = files.iter().map(|file| file.key.as_str()).collect();
    // The second call would fail.
    world.fail_at(1, consigne_testkit::fakes::Moment::Before);
    let answer = ask(&world, &json!({ "s3Keys": &keys[..100] })).await;
    assert!(world.fault_is_left(), "more than one call");
    let signed = answer["body"]["urls"].as_array().unwrap().iter().filter(|one| one["url"].is_string()).count();
    assert_eq!(signed, 100);
    let refused = ask(&world, &json!({ "s3Keys": keys })).await;
    assert_eq!(refused["body"]["error"]["details"], json!({ "field": "s3Keys", "limit": 100 }));
}

#[tokio::test]
async fn one_key_is_one_call() {
    let world = world_with(&[ready(&pending())]);
    world.fail_at(1, consigne_testkit::fakes::Moment::Before);
    assert_eq!(ask(&world, &json!({ "s3Key": KEY })).await["status"], 200);
    assert!(world.fault_is_left(), "more than one call");
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_refused_by_name() {
    let world = world_with(&[ready(&pending())]);
    for (body, field) in [
        (json!({}), "s3Key"),
        (json!({ "s3Key": "" }), "s3Key"),
        (json!({ "s3Key": null }), "s3Key"),
        (json!({ "s3Key": KEY, "s3Keys": [KEY] }), "s3Keys"),
        (json!({ "s3Keys": [] }), "s3Keys"),
        (json!({ "s3Keys": KEY }), "s3Keys"),
        (json!({ "s3Keys": [KEY, ""] }), "s3Keys[1]"),
        (json!({ "s3Keys": [KEY, 7] }), "s3Keys[1]"),
        (json!({ "s3Key": KEY, "expiresIn": 0 }), "expiresIn"),
        (json!({ "s3Keys": [KEY], "expiresIn": 3601 }), "expiresIn"),
        (json!({ "s3Key": KEY, "disposition": "form-data" }), "disposition"),
        (json!({ "s3Key": KEY, "filename": "a/b.png" }), "filename"),
    ] {
        let answer = ask(&world, &body).await;
        let told = (&answer["status"], &answer["body"]["error"]["details"]["field"]);
        assert_eq!(told, (&json!(400), &json!(field)), "{body}: {answer}");
    }
}

#[tokio::test]
async fn a_ticket_may_have_another_name_and_disposition() {
    let world = world_with(&[ready(&pending())]);
    let answer =
        ask(&world, &json!({ "s3Key": KEY, "disposition": "attachment", "filename": "Ferien 日本 \"1\".png" })).await;
    assert_eq!(
        disposition(&answer["body"]["url"]),
        "attachment; filename=\"ferien-1.png\"; filename*=UTF-8''Ferien%20%E6%97%A5%E6%9C%AC%20%221%22.png"
    );
    // A name of another type would disguise the file.
    let disguised = json!({ "s3Keys": [KEY], "filename": "photo.exe" });
    let answer = ask(&world, &disguised).await;
    assert_eq!(answer["body"]["urls"][0]["error"]["code"], "UNSUPPORTED_FILE_TYPE", "{answer}");
    let answer = ask(&world, &json!({ "s3Key": KEY, "filename": "photo.exe" })).await;
    assert_eq!((&answer["status"], &answer["body"]["error"]["details"]["field"]), (&json!(415), &json!("filename")));
}

#[tokio::test]
async fn a_type_that_could_run_a_script_is_an_attachment_whatever_is_asked() {
    let mut page = pending_at("user_ann1/blogs/01M7YREWKH7VM7Z3Z2KWSH2FTR-page.html");
    (page.media, page.name) = (MediaType::from_name("text/html").unwrap(), FileName::parse("page.html").unwrap());
    let world = world_with(&[ready(&page)]);
    for asked in [json!({}), json!({ "disposition": "inline" }), json!({ "disposition": "attachment" })] {
        let mut body = asked.clone();
        body["s3Key"] = page.key.as_str().into();
        let answer = ask(&world, &body).await;
        assert_eq!(disposition(&answer["body"]["url"]), "attachment; filename=\"page.html\"", "{asked}");
    }
}

#[tokio::test]
async fn a_ticket_lives_for_the_installations_lifetime_unless_the_request_says_otherwise() {
    let world = world_with(&[ready(&pending())]);
    let lifetime = async |setting: &'static str, body: Value| {
        let settings = [MAIL_FROM, ("TICKET_SECONDS", setting)];
        let start = Fakes::start_with(&world, &SimClock::at(consigne_runtime::clock::now()), settings);
        let answer = functions::call_started(&start, "presign", event(&body)).await;
        let url = &answer["body"]["url"];
        assert!(overrides(url).contains(&(
            "response-cache-control".to_owned(),
            format!("private, max-age={}", answer["body"]["expiresIn"])
        )));
        answer["body"]["expiresIn"].as_u64().unwrap()
    };
    assert_eq!(lifetime("600", json!({ "s3Key": KEY })).await, 600);
    assert_eq!(lifetime("600", json!({ "s3Key": KEY, "expiresIn": 3600 })).await, 3600);
    assert_eq!(lifetime("3600", json!({ "s3Key": KEY })).await, 3600);
}
