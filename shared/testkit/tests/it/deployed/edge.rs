//! A stack behind the stand-in for a CDN: signed URLs that it takes, and published files.

use consigne_core::Plan;
use consigne_core::files::ObjectKey;
use consigne_core::ports::{FileChangeOutcome, GetFile, PublishFile};
use consigne_runtime::clock;
use consigne_testkit::generator::{Generator, fresh_id};
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, until};
use serde_json::json;

use super::further_stack::FurtherStack;
use super::jobs::{pictures_of, wait_for};
use super::{assert_refused, text};

const STACK: FurtherStack = FurtherStack { name: "edge", env_file: "target/local/edge.env" };

/// Sends a GET without credentials. Returns the status.
async fn status_of(stack: &Stack, url: &str) -> u16 {
    stack.client.send("GET", url, &[], Vec::new()).await.status
}

/// Returns a ticket's URL.
async fn url_of(person: &Person<'_>, key: &str) -> String {
    text(&person.ticket(key).await.json(), "url")
}

#[tokio::test]
async fn the_cdn_reads_what_is_signed_and_a_published_file_until_it_is_withdrawn() {
    let stack = STACK.deploy_behind_a_cdn();
    let (ann, cdn) = (stack.newcomer("pro"), stack.name("CDN_URL").to_owned());
    let picture = pictures::png(640, 480, 1000);
    let key = ann.upload("photo.png", "image/png", picture.clone()).await;

    signed_urls(&stack, &ann, &key, &picture).await;

    // So does the owner of a job's result.
    let generator = Generator::of(&stack);
    let message = pictures_of(&ann, &generator, 1).await;
    let file = generator.upload(&message, "a.png", "image/png", picture.clone()).await;
    assert_eq!(generator.complete(&message, &fresh_id(), &[file]).await.status, 200);
    let done = wait_for(&ann, &text(&message, "job_id"), "completed").await;
    let url = text(&done["result"]["images"][0], "download_url");
    assert!(url.starts_with(&cdn), "{url}");
    assert_eq!(status_of(&stack, &url).await, 200);

    // Nobody reads a file without a signature, nor what is not a file.
    for path in [&key, "derived/user_ann1/x/256.webp", "private/watermark.png"] {
        let status = status_of(&stack, &format!("{cdn}/{path}")).await;
        assert!(status == 403 || status == 404, "{path}: {status}");
    }

    // The API through the CDN: with the secret it believes the CDN's headers.
    let through = stack.client.send("GET", &format!("{cdn}/api/health"), &[], Vec::new()).await;
    assert_eq!(through.status, 200);

    // A published file, until it is withdrawn.
    let body = json!({ "s3Key": key });
    let published = ann.call_with("POST", "/api/files/publish", &body).await;
    assert_eq!(published.status, 200, "{}", published.json());
    let address = text(&published.json(), "url");
    assert!(address.starts_with(&format!("{cdn}/public/pub_")), "{address}");
    assert_eq!(text(&ann.metadata(&key).await.json(), "publicUrl"), address);
    let redirect = stack.client.send("GET", &address, &[], Vec::new()).await;
    assert_eq!(redirect.status, 302);
    let read = stack.client.send("GET", redirect.header("location"), &[], Vec::new()).await;
    assert_eq!((read.status, read.bytes), (200, picture.clone()));

    let withdrawn = ann.call_with("DELETE", "/api/files/publish", &body).await;
    assert_eq!((withdrawn.status, &withdrawn.json()["readableFor"]), (200, &json!(960)));
    assert_eq!(status_of(&stack, &address).await, 404);

    // Deletion ends an address too, at once.
    let again = text(&ann.call_with("POST", "/api/files/publish", &body).await.json(), "url");
    assert_ne!(again, address);
    assert_eq!(status_of(&stack, &again).await, 302);
    ann.delete(&key).await;
    assert_eq!(status_of(&stack, &again).await, 404);
    assert_eq!(status_of(&stack, &address).await, 404);

    // The CDN was told to forget both addresses.
    for address in [address, again] {
        let path = address.strip_prefix(&cdn).unwrap().to_owned();
        let told = until(async || invalidations(&stack).await.contains(&path).then_some(())).await;
        assert!(told.is_some(), "no invalidation of {path}");
    }
}

/// Two tickets in five minutes are the same URL, and nothing in it can be altered.
async fn signed_urls(stack: &Stack, ann: &Person<'_>, key: &str, picture: &[u8]) {
    let (mut one, mut other) = (url_of(ann, key).await, url_of(ann, key).await);
    if one != other {
        // The window has ended between them.
        (one, other) = (url_of(ann, key).await, url_of(ann, key).await);
    }
    assert_eq!(one, other);
    assert!(one.starts_with(stack.name("CDN_URL")), "{one}");
    let read = stack.client.send("GET", &one, &[], Vec::new()).await;
    assert_eq!((read.status, read.bytes.as_slice()), (200, picture));
    assert_eq!((read.header("content-type"), read.header("cache-control")), ("image/png", "private, max-age=3300"));
    let part = stack.client.send("GET", &one, &[("range", "bytes=0-9")], Vec::new()).await;
    assert_eq!((part.status, part.bytes.len()), (206, 10));

    let signature = one.split("&Signature=").nth(1).unwrap().split('&').next().unwrap();
    let id = one.split("&Key-Pair-Id=").nth(1).unwrap().split('&').next().unwrap();
    for (what, altered) in [
        ("signature", one.replace(signature, &signature.chars().rev().collect::<String>())),
        ("key", one.replace(id, "KOTHER")),
        ("type", one.replace("image%2Fpng", "text%2Fhtml")),
        ("expiry", one.replace("&Expires=1", "&Expires=2")),
        ("file", one.replace("photo.png?", "other.png?")),
        ("nothing", one.split("&Expires=").next().unwrap().to_owned()),
    ] {
        assert_ne!(altered, one, "{what}");
        assert_eq!(status_of(stack, &altered).await, 403, "{what}");
    }

    let brief = ann.call_with("POST", "/api/files/presigned-url", &json!({ "s3Key": key, "expiresIn": 1 })).await;
    let url = text(&brief.json(), "url");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(status_of(stack, &url).await, 403, "it has expired");
}

/// Returns what the distribution was told to forget, as XML.
async fn invalidations(stack: &Stack) -> String {
    let list = format!("/2020-05-31/distribution/{}/invalidation", stack.name("CDN_DISTRIBUTION"));
    let ids = stack.operate("cloudfront", "GET", &list, &json!({})).await;
    let ids = String::from_utf8_lossy(&ids.bytes).into_owned();
    let mut all = String::new();
    for id in ids.split("<Id>").skip(1).filter_map(|rest| rest.split("</Id>").next()) {
        let one = stack.operate("cloudfront", "GET", &format!("{list}/{id}"), &json!({})).await;
        all.push_str(&String::from_utf8_lossy(&one.bytes));
    }
    all
}

#[tokio::test]
async fn without_a_cdn_publishing_is_refused_and_tickets_are_those_of_the_bucket() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("photo.png", "image/png", pictures::png(640, 480, 1000)).await;
    let refused = ann.call_with("POST", "/api/files/publish", &json!({ "s3Key": key })).await;
    assert_refused(&refused, 409, "CDN_REQUIRED");
    assert!(url_of(&ann, &key).await.contains("X-Amz-Signature="));

    // The address of a file that was published while there was a CDN leads to the bucket.
    let parsed = ObjectKey::parse(&key).unwrap();
    let file = stack.table().get_file(parsed.owner(), parsed.file()).await.unwrap().unwrap();
    let change = file.publish(clock::now()).unwrap().unwrap();
    let outcome = stack.table().publish_file(&change, Plan::Pro, clock::now()).await.unwrap();
    assert_eq!(outcome, FileChangeOutcome::Applied);
    let redirect = stack.call("GET", &format!("/public/{}", change.id), &[], b"").await;
    assert_eq!(redirect.status, 302);
    assert_eq!(status_of(&stack, redirect.header("location")).await, 200);
}
