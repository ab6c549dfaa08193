//! me and catalogue: what front ends ask before anything else.

use consigne_core::Timestamp;
use consigne_core::files::Kind;
use consigne_core::periods::Month;
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, SimClock, World};
use consigne_testkit::functions::{self, Fakes};
use consigne_testkit::payload;
use serde_json::{Value, json};

use crate::handlers::call_as;
use crate::handlers::people::accounts::user;

/// Creates a world in which Ann has requested two image jobs and an article this month.
fn busy() -> World {
    let world = World::default();
    count(&world, clock::now(), &[("image", 2), ("text", 1)]);
    world
}

/// Counts jobs of Ann in the month of a time.
fn count(world: &World, at: Timestamp, counts: &[(&'static str, u32)]) {
    let month = Month::of(at).to_string();
    world.change(|state| {
        for (class, used) in counts {
            state.jobs.generations.insert((user("user_ann1"), month.clone(), class), *used);
        }
    });
}

#[tokio::test]
async fn me_shows_the_token_the_plan_and_what_is_used_of_it() {
    let claims = json!({
        "email": "ann@example.com", "email_verified": true, "first_name": "Ann", "last_name": "Lee",
        "full_name": "Ann Lee", "username": "ann", "image_url": "https://img.example.com/ann",
        "phone_number": "+33100000000", "phone_verified": true, "locale": "fr",
        "public_metadata": { "subscription": "basic", "role": "expert", "features": ["beta"] },
    });
    let token = functions::issuer().token_with("user_ann1", &claims);
    let answer = functions::call(&busy(), "me", payload::event("me", "ask", &token)).await;
    insta::assert_json_snapshot!(payload::steady(&answer), @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "You are signed in",
        "data": {
          "user_id": "user_ann1",
          "email": "ann@example.com",
          "email_verified": true,
          "first_name": "Ann",
          "last_name": "Lee",
          "full_name": "Ann Lee",
          "username": "ann",
          "image_url": "https://img.example.com/ann",
          "phone_number": "+33100000000",
          "phone_verified": true,
          "locale": "fr",
          "subscription": "basic",
          "role": "expert",
          "features": [
            "beta",
            "blog-generation",
            "image-generation"
          ],
          "limits": {
            "storage_bytes": 10737418240,
            "file_bytes": {
              "audio": 52428800,
              "blog": 52428800,
              "book": 52428800,
              "document": 52428800,
              "image": 20971520,
              "video": 524288000
            },
            "generations": {
              "blog": {
                "limit": 30,
                "used": 1,
                "resets_at": "<time>"
              },
              "book": {
                "limit": 30,
                "used": 1,
                "resets_at": "<time>"
              },
              "image": {
                "limit": 100,
                "used": 2,
                "resets_at": "<time>"
              },
              "video": {
                "limit": 5,
                "used": 0,
                "resets_at": "<time>"
              }
            },
            "reads_per_minute": 300,
            "writes_per_minute": 120
          }
        },
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn a_bare_token_is_a_free_user_of_whom_little_is_known() {
    let token = functions::issuer().token_with("user_new1", &json!({}));
    let answer = functions::call(&World::default(), "me", payload::event("me", "ask", &token)).await;
    let me = &answer["body"]["data"];
    for name in ["email", "first_name", "last_name", "full_name", "username", "image_url", "phone_number", "locale"] {
        assert_eq!(me[name], Value::Null, "{name}");
    }
    assert_eq!(
        [&me["subscription"], &me["role"], &me["email_verified"], &me["features"]],
        [&json!("free"), &json!("user"), &json!(false), &json!(["blog-generation"])]
    );
}

#[tokio::test]
async fn the_counts_of_another_month_and_person_do_not_show() {
    let world = World::default();
    let month = std::time::Duration::from_hours(24 * 32);
    count(&world, clock::now().plus(month), &[("image", 7), ("video", 7), ("text", 7)]);
    let used = |answer: &Value| answer["body"]["data"]["limits"]["generations"]["image"]["used"].clone();
    assert_eq!(used(&call_as(&world, "me", "ask", "user_ann1", "pro").await), 0);
    assert_eq!(used(&call_as(&busy(), "me", "ask", "user_bob1", "pro").await), 0);
    assert_eq!(used(&call_as(&busy(), "me", "ask", "user_ann1", "pro").await), 2);
}

#[tokio::test]
async fn me_makes_two_calls_at_once_and_the_catalogue_none() {
    for (function, calls) in [("me", 2), ("catalogue", 0)] {
        let world = World::default();
        world.fail_at(calls, Moment::Before);
        assert_eq!(call_as(&world, function, "ask", "user_ann1", "pro").await["status"], 200, "{function}");
        assert!(world.fault_is_left(), "{function} makes more than {calls} calls");
    }
    assert_eq!(functions::function("catalogue").clients(), 0);
}

#[tokio::test]
async fn everybody_can_read_the_catalogue_and_caches_keep_it_for_a_minute() {
    let start = Fakes::start_with(
        &World::default(),
        &SimClock::at(clock::now()),
        [("LEGACY_KEYS_UNTIL", "2027-01-31T00:00:00Z")],
    );
    let answer = functions::call_started(&start, "catalogue", payload::event("catalogue", "ask", "")).await;
    assert_eq!(answer["headers"]["cache-control"], "public, max-age=60");
    assert_eq!(answer["headers"]["vary"], "origin");
    let data = &answer["body"]["data"];
    let names = |list: &str, name: &str| -> Vec<Value> {
        data[list].as_array().unwrap().iter().map(|entry| entry[name].clone()).collect()
    };
    assert_eq!(names("plans", "name"), ["free", "basic", "pro", "premium", "enterprise"]);
    assert_eq!(names("services", "icon"), ["file-text", "sparkles", "car"]);
    assert_eq!(names("file_kinds", "kind"), Kind::ALL.map(Kind::name));
    assert_eq!(data["migration"], json!({ "legacy_keys_until": "2027-01-31T00:00:00Z" }));
    assert_eq!(data["profiles"], json!([]));
    assert!(data["event_types"].as_array().unwrap().contains(&json!("job.completed")));
    assert!(!data["event_types"].as_array().unwrap().contains(&json!("job.requested")));
    assert_eq!(data["scopes"], json!(["pdf:read", "pdf:write", "ai:read", "ai:write", "mileage:calculate"]));
    insta::assert_json_snapshot!(json!([data["plans"][0], data["packs"], data["file_kinds"][1]]), @r#"
    [
      {
        "name": "free",
        "storage_bytes": 1073741824,
        "file_bytes": {
          "audio": 20971520,
          "blog": 20971520,
          "book": 20971520,
          "document": 20971520,
          "image": 10485760,
          "video": 104857600
        },
        "generations": {
          "blog": 5,
          "book": 5,
          "image": 10,
          "video": 0
        },
        "reads_per_minute": 120,
        "writes_per_minute": 60,
        "grants_per_day": 2000,
        "jobs_per_minute": 10,
        "organisations": 3,
        "features": [
          "blog-generation"
        ]
      },
      [
        {
          "name": "starter",
          "credits": 1000,
          "amount": 1000,
          "currency": "EUR"
        },
        {
          "name": "growth",
          "credits": 10000,
          "amount": 8000,
          "currency": "EUR"
        },
        {
          "name": "scale",
          "credits": 100000,
          "amount": 60000,
          "currency": "EUR"
        }
      ],
      {
        "kind": "video",
        "content_types": [
          "video/mp4",
          "video/webm",
          "video/quicktime"
        ],
        "extensions": [
          "mp4",
          "m4v",
          "3gp",
          "3g2",
          "webm",
          "mov",
          "qt"
        ]
      }
    ]
    "#);
}
