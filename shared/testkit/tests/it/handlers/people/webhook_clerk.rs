//! webhook-clerk: Clerk's events, also late, repeated and out of order.

use std::time::Duration;

use consigne_core::profiles::{Language, Profile};
use consigne_core::{Timestamp, UserId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::webhooks::{self, signed, signed_at};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::crash::survives_to;

pub fn event(case: &str) -> Value {
    payload::event("webhook-clerk", case, "")
}

/// Sends an event. Returns the answer.
pub async fn send(world: &World, event: Value) -> Value {
    payload::steady(&functions::call(world, "webhook-clerk", event).await)
}

/// Sends a payload with a message id of its own.
async fn tell(world: &World, case: &str) -> Value {
    send(world, signed(event(case), &format!("msg_{case}"))).await
}

pub fn taken() -> Value {
    json!({ "status": 200, "body": { "success": true } })
}

pub fn ann(world: &World) -> Profile {
    let id = UserId::parse("user_ann1").unwrap();
    world.state().profiles.get(&id).cloned().unwrap_or_else(|| Profile::unknown(id))
}

/// Changes the body of an event.
pub fn with(mut event: Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    change(&mut body);
    event["body"] = body.to_string().into();
    event
}

#[tokio::test]
async fn clerks_record_of_a_person_is_stored() {
    let world = World::default();
    insta::assert_json_snapshot!(tell(&world, "created").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true
      }
    }
    "#);
    let told = ann(&world).from_webhook.unwrap();
    assert_eq!((told.email.as_str(), told.verified, told.name.as_deref()), ("ann@example.com", true, Some("Ann Été")));
    assert_eq!((told.language, told.at), (Language::English, Timestamp::from_millis(1_795_256_000_000)));
    assert_eq!(tell(&world, "updated").await, taken());
    let told = ann(&world).from_webhook.unwrap();
    assert_eq!((told.email.as_str(), told.language), ("ann.ete@example.com", Language::French));
}

#[tokio::test]
async fn the_newest_event_counts_in_any_order_and_a_deletion_is_final() {
    for order in [["created", "updated"], ["updated", "created"]] {
        let world = World::default();
        for case in order {
            assert_eq!(tell(&world, case).await, taken());
        }
        assert_eq!(ann(&world).from_webhook.unwrap().email, "ann.ete@example.com", "{order:?}");
    }
    for order in [
        ["created", "updated", "deleted"],
        ["created", "deleted", "updated"],
        ["updated", "created", "deleted"],
        ["updated", "deleted", "created"],
        ["deleted", "created", "updated"],
        ["deleted", "updated", "created"],
    ] {
        let world = World::default();
        for case in order {
            assert_eq!(tell(&world, case).await, taken());
        }
        let ann = ann(&world);
        assert_eq!(ann, Profile { closed_at: ann.closed_at, ..Profile::unknown(ann.user.clone()) }, "{order:?}");
        assert!(ann.closed_at.is_some() && world.state().closings.len() == 1, "{order:?}");
    }
}

#[tokio::test]
async fn a_repeated_event_gets_the_same_answer_and_changes_nothing() {
    let world = World::default();
    for case in ["created", "updated", "deleted", "other-type"] {
        assert_eq!(tell(&world, case).await, taken());
        let idempotent = world.state();
        for _ in 0..3 {
            assert_eq!(tell(&world, case).await, taken(), "{case}");
        }
        assert_eq!(world.state(), idempotent, "{case}");
    }
}

#[tokio::test]
async fn an_id_used_for_another_event_is_refused() {
    let world = World::default();
    send(&world, signed(event("created"), "msg_1")).await;
    let idempotent = world.state();
    insta::assert_json_snapshot!(send(&world, signed(event("updated"), "msg_1")).await, @r#"
    {
      "status": 422,
      "body": {
        "success": false,
        "error": {
          "code": "IDEMPOTENCY_MISMATCH",
          "message": "webhook id was already used with a different body"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state(), idempotent);
}

#[tokio::test]
async fn events_without_a_valid_signature_get_the_same_refusal_and_are_not_read() {
    let world = World::default();
    insta::assert_json_snapshot!(send(&world, event("created")).await, @r#"
    {
      "status": 401,
      "headers": {
        "www-authenticate": "StandardWebhooks"
      },
      "body": {
        "success": false,
        "error": {
          "code": "INVALID_SIGNATURE",
          "message": "The webhook's signature is not valid"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    let refused = send(&world, event("created")).await;
    let now = clock::now();
    let good = signed(event("deleted"), "msg_1");
    let mut respaced = good.clone();
    respaced["body"] = respaced["body"].as_str().unwrap().replace(':', ": ").into();
    let mut unnamed = good.clone();
    unnamed["headers"].as_object_mut().unwrap().remove("webhook-id");
    let mut forged = good.clone();
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgQ8KS9rc=";
    for (name, value) in webhooks::headers(other, "msg_1", now, good["body"].as_str().unwrap()) {
        forged["headers"][name] = value.into();
    }
    let mut broken = event("deleted");
    broken["body"] = "{".into();
    for bad in [
        respaced,
        unnamed,
        forged,
        broken,
        signed_at(event("deleted"), "msg_1", now.minus(Duration::from_mins(6))),
        signed_at(event("deleted"), "msg_1", now.plus(Duration::from_mins(6))),
    ] {
        assert_eq!(send(&world, bad).await, refused);
    }
    assert_eq!(world.state(), World::default().state());
}

#[tokio::test]
async fn headers_with_the_older_names_are_accepted() {
    let mut event = signed(event("created"), "msg_1");
    let headers = event["headers"].as_object_mut().unwrap();
    for name in ["id", "timestamp", "signature"] {
        let value = headers.remove(&format!("webhook-{name}")).unwrap();
        headers.insert(format!("svix-{name}"), value);
    }
    let world = World::default();
    assert_eq!(send(&world, event).await, taken());
    assert!(ann(&world).from_webhook.is_some());
}

#[tokio::test]
async fn a_person_without_an_address_is_stored_as_such() {
    let world = World::default();
    tell(&world, "created").await;
    let bare = with(event("updated"), |body| body["data"]["primary_email_address_id"] = Value::Null);
    assert_eq!(send(&world, signed(bare, "msg_2")).await, taken());
    assert_eq!(
        (ann(&world).from_webhook, ann(&world).webhook_at),
        (None, Some(Timestamp::from_millis(1_795_257_000_000)))
    );
    // A late event does not restore the address.
    assert_eq!(send(&world, signed(event("created"), "msg_3")).await, taken());
    assert_eq!(ann(&world).contact(), None);
}

#[tokio::test]
async fn an_event_survives_every_fault() {
    for case in ["created", "updated", "deleted"] {
        let prepare = || {
            let world = World::default();
            world.change(|state| {
                let old = Profile { webhook_at: Some(Timestamp::from_secs(1)), ..ann(&World::default()) };
                state.profiles.insert(old.user.clone(), old);
            });
            world
        };
        let act = async |world: &World| drop(tell(world, case).await);
        let end = async |world: &World| {
            let state = world.state();
            let ann = ann(world);
            json!([
                ann.from_webhook.map(|told| told.email),
                ann.closed_at.is_some(),
                state.closings.len(),
                state.webhooks.len()
            ])
        };
        survives_to(prepare, act, end).await;
    }
}
