//! checkout: opens a session once, and records what is for sale in it.

use std::time::Duration;

use consigne_core::OrgId;
use consigne_core::credits::{CHECKOUTS_AN_HOUR, SessionId, checkout_hour};
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    ORG, OTHER_ORG, PEOPLE, acme, answer, found, headed, org, refusal, saying, sent_by,
};

fn asked(case: &str) -> Value {
    sent_by("user_bill1", "checkout", case)
}

/// Returns the number of sessions at the provider, and the number of recorded ones.
fn sessions(world: &World) -> (usize, usize) {
    let accounts = world.state().accounts;
    (accounts.opened.len(), accounts.checkouts.len())
}

#[tokio::test]
async fn a_checkout_returns_a_link_and_records_the_offer() {
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
    assert!(world.state().accounts.audit.is_empty() && world.state().outbox.is_empty(), "nothing must be bought yet");
}

#[tokio::test]
async fn a_retry_gets_the_same_session_without_calling_the_provider() {
    let world = acme();
    let first = answer(&world, "checkout", asked("with-key")).await;
    assert_eq!(first["status"], 201, "{first}");
    let idempotent = world.state();
    for _ in 0..3 {
        assert_eq!(answer(&world, "checkout", asked("with-key")).await, first);
    }
    assert_eq!(world.state(), idempotent);
    // Even if the provider no longer has the session.
    world.change(|state| state.accounts.opened.clear());
    assert_eq!(answer(&world, "checkout", asked("with-key")).await, first);
    assert_eq!(sessions(&world), (0, 1));
}

#[tokio::test]
async fn an_idempotency_key_is_for_one_request_of_one_person() {
    let world = acme();
    let first = answer(&world, "checkout", asked("with-key")).await;
    let other = saying(asked("with-key"), &json!({ "pack": "starter" }));
    assert_eq!(refusal(&answer(&world, "checkout", other).await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(sessions(&world), (1, 1), "no session must be opened");
    let anns = answer(&world, "checkout", sent_by("user_ann1", "checkout", "with-key")).await;
    assert_eq!(anns["status"], 201);
    assert_ne!(anns["body"]["data"], first["body"]["data"]);
    assert_eq!(sessions(&world), (2, 2));
}

#[tokio::test]
async fn without_an_idempotency_key_each_request_opens_a_session() {
    let world = acme();
    for opened in 1..=3 {
        assert_eq!(answer(&world, "checkout", asked("starter")).await["status"], 201);
        assert_eq!(sessions(&world), (opened, opened));
    }
}

#[tokio::test]
async fn a_suspended_organisation_cannot_buy() {
    let world = acme();
    world.change(|state| state.accounts.orgs.get_mut(&org(ORG)).unwrap().suspended = true);
    for case in ["starter", "with-key"] {
        assert_eq!(refusal(&answer(&world, "checkout", asked(case)).await), (409, "CONFLICT"), "{case}");
    }
    assert_eq!(sessions(&world), (0, 0));
}

/// Fills the hour of an organisation, or leaves some places. Also the next hour, in case it begins during the test.
fn fill_hour(world: &World, taken: u32) {
    let hour = checkout_hour(clock::now());
    let hours = [hour, hour.plus(Duration::from_hours(1))];
    world.change(|state| state.accounts.checkouts_opened.extend(hours.map(|hour| ((org(ORG), hour), taken))));
}

#[tokio::test]
async fn requests_above_the_hourly_limit_are_refused_before_the_provider_is_called() {
    let world = acme();
    fill_hour(&world, CHECKOUTS_AN_HOUR);
    let refused = answer(&world, "checkout", asked("starter")).await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"), "{refused}");
    let details = &refused["body"]["error"]["details"];
    assert_eq!(details["limit"], CHECKOUTS_AN_HOUR);
    assert!(details["resets_at"].is_string(), "{details}");
    assert_eq!(sessions(&world), (0, 0), "the provider must not be called");
    world.change(|state| state.accounts.checkouts_opened.clear());
    assert_eq!(answer(&world, "checkout", asked("starter")).await["status"], 201);
}

#[tokio::test]
async fn of_sixty_requests_in_an_hour_the_provider_sees_twenty() {
    let world = acme();
    let answers = join_all((0..60).map(|_| answer(&world, "checkout", asked("starter")))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer["status"] == status).count();
    assert_eq!((count(201), count(429)), (20, 40));
    assert_eq!(sessions(&world), (20, 20));
}

#[tokio::test]
async fn a_person_with_fifteen_organisations_opens_forty_sessions_a_day() {
    let world = acme();
    let orgs: Vec<OrgId> = (0..15).map(|at| OrgId::derive(&["bought by one person", &at.to_string()])).collect();
    for org in &orgs {
        found(&world, &org.to_string(), "One of many", &PEOPLE[..1]);
    }
    let mut statuses = Vec::new();
    for _ in 0..20 {
        for org in &orgs {
            let mut event = sent_by("user_ann1", "checkout", "starter");
            event["pathParameters"]["org"] = org.to_string().into();
            statuses.push(answer(&world, "checkout", event).await["status"].clone());
        }
    }
    let count = |status: u16| statuses.iter().filter(|own| **own == status).count();
    assert_eq!((count(201), count(429)), (40, 260));
    assert_eq!(sessions(&world), (40, 40));
}

#[tokio::test]
async fn a_retry_finds_its_session_when_no_place_is_left() {
    let calm = acme();
    let want = answer(&calm, "checkout", asked("with-key")).await;
    for moment in [Moment::Before, Moment::After] {
        let world = acme();
        fill_hour(&world, CHECKOUTS_AN_HOUR - 1);
        // Member, organisation, idempotency record, reservation; then the provider.
        world.fail_at(4, moment);
        assert_eq!(answer(&world, "checkout", asked("with-key")).await["status"], 503);
        assert_eq!(refusal(&answer(&world, "checkout", asked("starter")).await), (429, "RATE_LIMITED"));
        assert_eq!(answer(&world, "checkout", asked("with-key")).await, want, "{moment:?}");
        assert_eq!(sessions(&world), (1, 1));
    }
}

#[tokio::test]
async fn a_refusal_of_the_provider_gives_the_place_back() {
    for case in ["starter", "with-key"] {
        let world = acme();
        fill_hour(&world, CHECKOUTS_AN_HOUR - 1);
        world.change(|state| state.accounts.provider_refuses = true);
        for _ in 0..3 {
            assert_eq!(refusal(&answer(&world, "checkout", asked(case)).await), (500, "INTERNAL"), "{case}");
        }
        world.change(|state| state.accounts.provider_refuses = false);
        assert_eq!(answer(&world, "checkout", asked(case)).await["status"], 201, "{case}");
        assert_eq!(refusal(&answer(&world, "checkout", asked("starter")).await), (429, "RATE_LIMITED"), "{case}");
    }
}

#[tokio::test]
async fn only_owners_and_billing_members_may_buy() {
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
async fn unknown_packs_and_fields_are_refused_by_name() {
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
