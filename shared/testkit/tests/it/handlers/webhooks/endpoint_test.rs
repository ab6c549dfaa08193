//! endpoint-test: a webhook that a member asks for.

use consigne_core::deliveries::DeliveryStatus;
use consigne_core::endpoints::{DisabledBecause, EndpointStatus, TESTS_AN_HOUR};
use consigne_core::ports::Clock as _;
use consigne_runtime::clock;
use consigne_testkit::fakes::{SimClock, World};
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{ORG, answer, headed, outbox, refusal, sent_by, with};
use crate::handlers::webhooks::deliveries::{deliver_all, dispatched, the_delivery};
use crate::handlers::webhooks::endpoints::{ENDPOINT, put_endpoint, with_endpoint};

async fn tested(world: &World, person: &str, case: &str) -> Value {
    answer(world, "endpoint-test", sent_by(person, "endpoint-test", case)).await
}

/// Passes the newest event in the outbox to `dispatch-webhook`, and delivers everything that follows.
async fn publish(world: &World, clock: &SimClock) {
    let (_, entry) = world.state().outbox.last().unwrap().clone();
    let detail: Value = serde_json::from_str(&entry.detail).unwrap();
    let message = json!({ "detail-type": entry.kind, "source": "consigne", "detail": detail }).to_string();
    for _ in 0..2 {
        assert!(dispatched(world, clock, &message).await.0);
    }
    deliver_all(world, clock).await;
}

#[tokio::test]
async fn a_test_is_delivered_signed_to_the_endpoint_that_does_not_subscribe_to_it_and_to_no_other() {
    let (world, clock) = (with_endpoint(|_| ()), SimClock::at(clock::now()));
    put_endpoint(&world, "ep_01M7YREWKH7VM7Z3Z2KWSH2FTV", "user_ann1", |_| ());
    let answered = tested(&world, "user_dev1", "one").await;
    insta::assert_json_snapshot!(answered, @r#"
    {
      "status": 202,
      "body": {
        "success": true,
        "message": "Test requested",
        "data": {
          "delivery_id": "dlv_<id>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "endpoint.test",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "endpoint_id": "ep_<id>",
          "requested_by": "user_dev1"
        }
      }
    ]
    "#);
    publish(&world, &clock).await;
    let delivery = the_delivery(&world);
    assert_eq!((delivery.status, delivery.endpoint.to_string().as_str()), (DeliveryStatus::Delivered, ENDPOINT));
    let posted = world.state().hooks.posted;
    assert_eq!(posted.len(), 1);
    let body: Value = serde_json::from_str(&posted[0].body).unwrap();
    assert_eq!(body["type"], "endpoint.test");
    assert_eq!(body["data"], json!({ "org_id": ORG, "endpoint_id": ENDPOINT, "requested_by": "user_dev1" }));
    assert!(posted[0].headers.iter().any(|(name, _)| *name == "webhook-signature"));
    let listed = answer(&world, "delivery-list", sent_by("user_adam1", "delivery-list", "all")).await;
    assert_eq!(
        (&listed["body"]["data"][0]["type"], &listed["body"]["data"][0]["status"]),
        (&json!("endpoint.test"), &json!("delivered"))
    );
}

#[tokio::test]
async fn the_answer_names_the_delivery() {
    let (world, clock) = (with_endpoint(|_| ()), SimClock::at(clock::now()));
    let event = sent_by("user_dev1", "endpoint-test", "one");
    let answered = consigne_testkit::functions::call(&world, "endpoint-test", event).await;
    publish(&world, &clock).await;
    assert_eq!(answered["body"]["data"]["delivery_id"], the_delivery(&world).id.to_string());
}

#[tokio::test]
async fn a_retry_with_the_same_key_is_one_test() {
    let world = with_endpoint(|_| ());
    let ask = async |person: &str| {
        let event = sent_by(person, "endpoint-test", "with-key");
        consigne_testkit::functions::call(&world, "endpoint-test", event).await["body"]["data"].clone()
    };
    let first = ask("user_ann1").await;
    assert_eq!(ask("user_ann1").await, first);
    assert_eq!(world.state().outbox.len(), 1);
    assert_ne!(ask("user_dev1").await, first, "somebody else's key");
    let mut elsewhere = sent_by("user_ann1", "endpoint-test", "with-key");
    put_endpoint(&world, "ep_01M7YREWKH7VM7Z3Z2KWSH2FTV", "user_ann1", |_| ());
    let text = elsewhere.to_string().replace(ENDPOINT, "ep_01M7YREWKH7VM7Z3Z2KWSH2FTV");
    elsewhere = serde_json::from_str(&text).unwrap();
    assert_eq!(refusal(&answer(&world, "endpoint-test", elsewhere).await), (422, "IDEMPOTENCY_MISMATCH"));
}

#[tokio::test]
async fn only_an_endpoint_that_exists_and_is_active_can_be_tested() {
    let world = with_endpoint(|endpoint| endpoint.status = EndpointStatus::Disabled(DisabledBecause::Gone, GRANTED));
    assert_eq!(refusal(&tested(&world, "user_ann1", "one").await), (409, "CONFLICT"));
    for unknown in ["ep_01M7YREWKH7VM7Z3Z2KWSH2FTV", "ep_x", ""] {
        let mut event = sent_by("user_ann1", "endpoint-test", "one");
        event["pathParameters"]["endpoint"] = unknown.into();
        assert_eq!(refusal(&answer(&world, "endpoint-test", event).await), (404, "NOT_FOUND"), "{unknown}");
    }
    assert_eq!(outbox(&world), json!([]));
}

#[tokio::test]
async fn an_endpoint_that_is_disabled_before_the_event_arrives_gets_nothing() {
    let (world, clock) = (with_endpoint(|_| ()), SimClock::at(clock::now()));
    assert_eq!(tested(&world, "user_ann1", "one").await["status"], 202);
    put_endpoint(&world, ENDPOINT, "user_ann1", |endpoint| {
        endpoint.status = EndpointStatus::Disabled(DisabledBecause::Failing, clock.now());
    });
    publish(&world, &clock).await;
    assert!(world.state().hooks.deliveries.is_empty());
}

#[tokio::test]
async fn tests_are_limited_by_the_hour() {
    let world = with_endpoint(|_| ());
    let hour = consigne_core::endpoints::test_hour(clock::now());
    let org = crate::handlers::people::accounts::org(ORG);
    world.change(|state| {
        for at in [hour, hour.plus(std::time::Duration::from_hours(1))] {
            state.hooks.tests.insert((org, at), TESTS_AN_HOUR);
        }
    });
    let refused = tested(&world, "user_ann1", "one").await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"));
    assert_eq!(refused["body"]["error"]["details"]["limit"], TESTS_AN_HOUR);
    assert!(refused["headers"]["retry-after"].is_string(), "{refused}");
    assert_eq!(outbox(&world), json!([]));
}

#[tokio::test]
async fn endpoints_cannot_subscribe_to_tests() {
    let world = with_endpoint(|_| ());
    let event = headed(sent_by("user_ann1", "endpoint-create", "hooks"), "idempotency-key", None);
    let event = with(event, &json!({ "url": "https://b.example.com", "events": ["endpoint.test"] }));
    assert_eq!(refusal(&answer(&world, "endpoint-create", event).await), (400, "INVALID_REQUEST"));
}
