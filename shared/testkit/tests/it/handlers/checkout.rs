//! checkout: opening a session, once, and writing down what is offered in it.

use std::time::Duration;

use consigne_core::credits::{CHECKOUTS_AN_HOUR, SessionId, checkout_hour};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use serde_json::{Value, json};

use super::accounts::{ORG, OTHER_ORG, PEOPLE, acme, answer, found, headed, org, refusal, saying, sent_by};

fn asked(case: &str) -> Value {
    sent_by("user_bill1", "checkout", case)
}

/// Gives how many sessions are open at the provider, and how many are written down.
fn sessions(world: &World) -> (usize, usize) {
    let accounts = world.state().accounts;
    (accounts.opened.len(), accounts.checkouts.len())
}

#[tokio::test]
async fn a_checkout_says_where_to_pay_and_what_was_offered_is_written_down() {
    let world = acme();
    insta::assert_json_snapshot!(answer(&world, "checkout", asked("starter")).await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Checkout opened",
        "data": {
          "session_id": "cs_test_1",
          "url": "https://checkout.stripe.com/c/pay/cs_test_1"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    let id = SessionId::parse("cs_test_1").unwrap();
    let offered = world.state().accounts.checkouts[&(org(ORG), id)].clone();
    assert_eq!((offered.pack.as_str(), offered.credits, offered.amount_cents), ("starter", 1_000, 1_000));
    assert_eq!((offered.currency.as_str(), offered.user.as_str()), ("EUR", "user_bill1"));
    assert!(world.state().accounts.audit.is_empty() && world.state().outbox.is_empty(), "nothing was bought yet");
}

#[tokio::test]
async fn the_same_request_is_one_session_and_needs_the_provider_once() {
    let world = acme();
    let first = answer(&world, "checkout", asked("with-key")).await;
    assert_eq!(first["status"], 201, "{first}");
    let idempotent = world.state();
    for _ in 0..3 {
        assert_eq!(answer(&world, "checkout", asked("with-key")).await, first);
    }
    assert_eq!(world.state(), idempotent);
    // Also when the provider has forgotten it.
    world.change(|state| state.accounts.opened.clear());
    assert_eq!(answer(&world, "checkout", asked("with-key")).await, first);
    assert_eq!(sessions(&world), (0, 1));
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_person() {
    let world = acme();
    let first = answer(&world, "checkout", asked("with-key")).await;
    let other = saying(asked("with-key"), &json!({ "pack": "starter" }));
    assert_eq!(refusal(&answer(&world, "checkout", other).await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(sessions(&world), (1, 1), "nothing was opened for it");
    let anns = answer(&world, "checkout", sent_by("user_ann1", "checkout", "with-key")).await;
    assert_eq!(anns["status"], 201);
    assert_ne!(anns["body"]["data"], first["body"]["data"]);
    assert_eq!(sessions(&world), (2, 2));
}

#[tokio::test]
async fn without_a_key_each_request_is_another() {
    let world = acme();
    for opened in 1..=3 {
        assert_eq!(answer(&world, "checkout", asked("starter")).await["status"], 201);
        assert_eq!(sessions(&world), (opened, opened));
    }
}

#[tokio::test]
async fn an_organisation_that_is_suspended_buys_nothing() {
    let world = acme();
    world.change(|state| state.accounts.orgs.get_mut(&org(ORG)).unwrap().suspended = true);
    for case in ["starter", "with-key"] {
        assert_eq!(refusal(&answer(&world, "checkout", asked(case)).await), (409, "CONFLICT"), "{case}");
    }
    assert_eq!(sessions(&world), (0, 0));
}

#[tokio::test]
async fn more_than_so_many_an_hour_are_refused_and_say_until_when() {
    let world = acme();
    let hour = checkout_hour(clock::now());
    // In the next one, too, should it begin meanwhile.
    let hours = [hour, hour.plus(Duration::from_hours(1))];
    let full = hours.map(|hour| ((org(ORG), hour), CHECKOUTS_AN_HOUR));
    world.change(|state| state.accounts.checkouts_opened.extend(full));
    let refused = answer(&world, "checkout", asked("starter")).await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"), "{refused}");
    let details = &refused["body"]["error"]["details"];
    assert_eq!(details["limit"], CHECKOUTS_AN_HOUR);
    assert!(details["resets_at"].is_string(), "{details}");
    assert_eq!(sessions(&world), (1, 0), "nobody is told where the one would be paid");
    world.change(|state| state.accounts.checkouts_opened.clear());
    assert_eq!(answer(&world, "checkout", asked("starter")).await["status"], 201);
}

#[tokio::test]
async fn whoever_does_not_see_to_the_bills_may_not_buy() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &PEOPLE[..1]);
    for (person, want) in [
        ("user_ann1", (201, "")),
        ("user_bill1", (201, "")),
        ("user_adam1", (403, "ROLE_REQUIRED")),
        ("user_dev1", (403, "ROLE_REQUIRED")),
        ("user_eve1", (404, "NOT_FOUND")),
    ] {
        let refused = answer(&world, "checkout", sent_by(person, "checkout", "starter")).await;
        assert_eq!(refusal(&refused), want, "{person}");
    }
    let anonymous = headed(asked("starter"), "authorization", None);
    assert_eq!(refusal(&answer(&world, "checkout", anonymous).await), (401, "UNAUTHENTICATED"));
    assert_eq!(sessions(&world), (2, 2));
}

#[tokio::test]
async fn what_is_not_for_sale_is_refused_by_name() {
    let world = acme();
    insta::assert_json_snapshot!(answer(&world, "checkout", saying(asked("starter"), &json!({ "pack": "free" }))).await, @r#"
    {
      "status": 400,
      "body": {
        "success": false,
        "error": {
          "code": "INVALID_REQUEST",
          "message": "pack must be one of starter, growth, scale",
          "details": {
            "field": "pack",
            "allowed": [
              "starter",
              "growth",
              "scale"
            ]
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    for body in [
        json!({}),
        json!({ "pack": "" }),
        json!({ "pack": "Starter" }),
        json!({ "pack": 1 }),
        json!({ "pack": "starter", "credits": 1_000_000 }),
        json!({ "pack": "starter", "amount": 1 }),
    ] {
        let refused = answer(&world, "checkout", saying(asked("starter"), &body)).await;
        assert_eq!(refusal(&refused), (400, "INVALID_REQUEST"), "{body}");
    }
    assert_eq!(sessions(&world), (0, 0));
}
