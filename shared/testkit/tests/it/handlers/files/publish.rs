//! Published files, and tickets of an installation with a CDN.

use consigne_core::files::{File, MediaType, Removal};
use consigne_core::{PublicId, Timestamp};
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::functions::{self, CDN, Fakes};
use consigne_testkit::payload;
use serde_json::{Value, json};

use crate::handlers::{GRANTED, KEY, call, file_in, pending, ready, world_with};

/// The id in the payloads of `public-file`.
pub const ID: &str = "pub_01M7YREWKH7VM7Z3Z2KWSH2FTP";

/// Calls a function of an installation with a CDN, as Ann.
pub async fn call_with_cdn(world: &World, function: &str, case: &str) -> Value {
    let event = payload::event(function, case, &functions::issuer().token("user_ann1", "pro"));
    let start = Fakes::start_with(world, &SimClock::at(GRANTED), CDN);
    functions::call_started(&start, function, event).await
}

/// Creates a world with a published file, whose address is that of the payloads.
pub fn published() -> World {
    let id = PublicId::parse(ID).unwrap();
    let file = File { published: Some(id), ..ready(&pending()) };
    let world = world_with(std::slice::from_ref(&file));
    world.change(|state| drop(state.addresses.insert(id, (file.owner().clone(), file.id()))));
    world
}

fn code(answer: &Value) -> &str {
    answer["body"]["error"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_ticket_of_the_cdn_is_the_same_at_each_call_and_says_how_long_it_is_valid() {
    let world = world_with(&[ready(&pending())]);
    // The window may end between two calls, once.
    for tries in 0.. {
        let tickets = [(); 2].map(|()| call_with_cdn(&world, "presign", "secure"));
        let [one, other] = futures_util::future::join_all(tickets).await.try_into().unwrap();
        let [one, other] = [&one, &other].map(|answer: &Value| answer["body"]["data"].clone());
        let url = one["download_url"].as_str().unwrap();
        assert!(url.starts_with(&format!(
            "https://cdn.example.com/{KEY}?response-cache-control=private%2C%20max-age%3D3300&"
        )));
        assert!(url.ends_with("&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256"), "{url}");
        let expires = url.split("&Expires=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
        assert_eq!(one["expires_at"], Timestamp::from_secs(expires).to_string());
        let left = one["expires_in"].as_u64().unwrap();
        assert!((3_300..=3_600).contains(&left), "{left}");
        if one["download_url"] == other["download_url"] {
            break;
        }
        assert!(tries < 3, "two calls in the same window get different URLs");
    }
}

#[tokio::test]
async fn every_place_that_signs_downloads_signs_for_the_cdn() {
    let world = world_with(&[ready(&pending())]);
    for (function, case, at) in [
        ("presign", "plain", "/body/url"),
        ("presign", "several", "/body/urls/0/url"),
        ("presign", "secure", "/body/data/download_url"),
    ] {
        let answer = call_with_cdn(&world, function, case).await;
        let url = answer.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("{function} {case}: {answer}"));
        assert!(url.starts_with("https://cdn.example.com/user_ann1/"), "{function} {case}: {url}");
    }
}

#[tokio::test]
async fn a_file_is_published_at_one_address_and_shown_with_it() {
    let world = world_with(&[ready(&pending())]);
    let first = call_with_cdn(&world, "publish", "ask").await;
    let url = first["body"]["url"].as_str().unwrap().to_owned();
    let id = file_in(&world).published.unwrap();
    assert_eq!(url, format!("https://cdn.example.com/public/{id}"));
    assert_eq!(call_with_cdn(&world, "publish", "ask").await["body"]["url"], url, "it keeps its address");
    assert_eq!(call_with_cdn(&world, "metadata", "one").await["body"]["publicUrl"], url);
    // Without the CDN nobody could follow the address, so it is not shown.
    assert_eq!(call(&world, "metadata", "one").await["body"]["publicUrl"], Value::Null);
}

#[tokio::test]
async fn without_a_cdn_nothing_can_be_published_but_an_address_withdrawn() {
    let world = world_with(&[ready(&pending())]);
    insta::assert_json_snapshot!(call(&world, "publish", "ask").await, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CDN_REQUIRED",
          "message": "files can be published only where the installation has a CDN"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(file_in(&world).published, None, "nothing was written");
    let world = published();
    assert_eq!(call(&world, "publish", "withdraw").await["status"], 200);
    assert_eq!(file_in(&world).published, None);
}

#[tokio::test]
async fn a_withdrawn_address_is_gone_and_the_answer_says_for_how_long_it_may_still_be_read() {
    let world = published();
    insta::assert_json_snapshot!(call_with_cdn(&world, "publish", "withdraw").await["body"], @r#"
    {
      "success": true,
      "message": "File is not public",
      "readableFor": 960
    }
    "#);
    assert_eq!(call_with_cdn(&world, "public-file", "follow").await["status"], 404);
    let events: Vec<String> = world.state().outbox.iter().map(|(_, entry)| entry.kind.clone()).collect();
    assert_eq!(events, ["file.unpublished"]);
    let again = call_with_cdn(&world, "publish", "withdraw").await;
    assert_eq!((&again["status"], &again["body"]["readableFor"]), (&json!(200), &json!(0)));
    assert_eq!(world.state().outbox.len(), 1, "it was withdrawn once");
}

#[tokio::test]
async fn an_address_leads_to_a_signed_url_that_the_cdn_keeps_for_a_minute() {
    let world = published();
    let answer = call_with_cdn(&world, "public-file", "follow").await;
    assert_eq!(answer["status"], 302);
    assert_eq!(answer["headers"]["cache-control"], "public, max-age=0, s-maxage=60");
    let url = answer["headers"]["location"].as_str().unwrap();
    assert!(url.starts_with(&format!("https://cdn.example.com/{KEY}?")) && url.contains("versionId=v1"), "{url}");
    assert_eq!(answer["body"]["url"], url);
    assert_eq!(call_with_cdn(&world, "public-file", "head").await["status"], 302);
}

#[tokio::test]
async fn an_address_ends_with_its_file_whatever_ends_it() {
    let ends: [fn(&File) -> File; 3] = [
        |file| file.deleting(GRANTED),
        |file| file.remove(Removal::Deleted, GRANTED).file,
        |file| File { status: consigne_core::files::Status::Infected, ..file.clone() },
    ];
    for end in ends {
        let world = published();
        let file = end(&file_in(&world));
        world.change(|state| drop(state.files.insert((file.owner().clone(), file.id()), file.clone())));
        let answer = call_with_cdn(&world, "public-file", "follow").await;
        assert_eq!((&answer["status"], code(&answer)), (&json!(404), "NOT_FOUND"), "{:?}", file.status);
    }
    // An address that never was gets the same answer.
    assert_eq!(call_with_cdn(&world_with(&[]), "public-file", "follow").await["status"], 404);
}

#[tokio::test]
async fn only_clean_files_of_harmless_types_of_the_caller_are_published() {
    let svg = File { media: MediaType::from_name("image/svg+xml").unwrap(), ..ready(&pending()) };
    for (file, want) in [(svg, "UNSUPPORTED_FILE_TYPE"), (pending(), "NOT_READY")] {
        let world = world_with(std::slice::from_ref(&file));
        let answer = call_with_cdn(&world, "publish", "ask").await;
        assert_eq!((code(&answer), file_in(&world).published), (want, None));
    }
    let theirs = crate::handlers::call_as(&published(), "publish", "withdraw", "user_bob1", "pro").await;
    assert_eq!((code(&theirs), &theirs["status"]), ("NOT_FOUND", &json!(404)));
}

#[tokio::test]
async fn the_cdn_forgets_what_must_not_be_read_any_more() {
    let private = format!("/{KEY}*");
    let derived = "/derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTR/*".to_owned();
    let address = format!("/public/{ID}");
    for (case, want) in [
        ("unpublished", Some(vec![address.clone()])),
        ("infected", Some(vec![private.clone(), derived.clone()])),
        ("deleted", Some(vec![address, private, derived])),
        ("private", None),
    ] {
        let world = World::default();
        for _ in 0..2 {
            let answer = functions::deliver(&world, "cdn-invalidate", payload::event("cdn-invalidate", case, "")).await;
            assert_eq!(answer["batchItemFailures"], json!([]), "{case}");
        }
        let invalidated: Vec<Vec<String>> = world.state().invalidated.into_values().collect();
        assert_eq!(invalidated, want.into_iter().collect::<Vec<_>>(), "{case}");
    }
}
