//! Founding, bounding and deleting organisations on the deployed stack.

use consigne_core::orgs::OrgRole;
use consigne_testkit::http::Response;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use consigne_testkit::stripe::{Payments, event, paid};
use futures_util::future::join_all;
use serde_json::json;

use super::bus_listener::BusListener;
use super::people::close_accounts;
use super::{assert_refused, text};

/// Deletes the organisation of a fixture as its owner.
async fn delete(fixture: &OrgFixture<'_>) -> Response {
    let own = fixture.org.to_lowercase();
    let confirm = format!("acme-{}", &own[own.len() - 6..]);
    fixture.owner.call_with("DELETE", &fixture.path(""), &json!({ "confirm": confirm })).await
}

#[tokio::test]
async fn a_deleted_organisation_spends_nothing_and_is_found_by_nobody() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 50).await;
    let listener = BusListener::on(&stack, "org_id", &fixture.org).await;
    let (key, test) = (fixture.issue("production", &json!({})).await, fixture.issue("test", &json!({})).await);
    let admin = fixture.add_member(OrgRole::Admin).await;
    let spend = json!({ "scope": "pdf:read", "cost": 1 });
    assert_eq!(fixture.verify(&key.text, &spend, None).await.json()["data"]["code"], "VALID");

    let body = json!({ "key": key.text, "amount": 5, "service": "pdf", "ttl_seconds": 600 });
    let hold = text(&stack.serve("/api/credits/holds", &body, None).await.json()["data"], "hold_id");
    let refused = until(async || {
        let refused = delete(&fixture).await;
        assert_refused(&refused, 409, "CONFLICT");
        // The index of open holds may lag for a moment.
        (refused.json()["error"]["details"]["holds"] == json!([hold])).then_some(())
    });
    assert_eq!(refused.await, Some(()), "the hold is not named");
    let void = json!({ "reason": "provider_error" });
    assert_eq!(stack.serve(&format!("/api/credits/holds/{hold}/void"), &void, None).await.status, 200);

    let deleted = delete(&fixture).await;
    assert_eq!(deleted.status, 200, "{}", deleted.json());
    assert_eq!(deleted.json()["data"], json!({ "id": fixture.org, "credits_lost": 49 }));
    for key in [&key, &test] {
        assert_eq!(fixture.verify(&key.text, &spend, None).await.json()["data"]["code"], "SUSPENDED");
    }
    assert_refused(&delete(&fixture).await, 404, "NOT_FOUND");
    for person in [&fixture.owner, &admin] {
        assert_refused(&person.call("GET", &fixture.path("/wallet")).await, 404, "NOT_FOUND");
    }
    let told = listener.wait_for("organisation.deleted").await["detail"].clone();
    assert_eq!((&told["org_id"], &told["credits_lost"]), (&json!(fixture.org), &json!(49)));

    let revoked = until(async || {
        close_accounts(&stack).await;
        let code = fixture.verify(&key.text, &spend, None).await.json()["data"]["code"].clone();
        (code == "REVOKED").then_some(())
    });
    revoked.await.unwrap();
}

#[tokio::test]
async fn a_checkout_of_a_deleted_organisation_that_is_paid_later_is_answered_and_refused() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let session = payments.open(&fixture, "starter").await;
    assert_eq!(delete(&fixture).await.status, 200);
    let event = event("checkout.session.completed", &paid(&session, &format!("pi_{}late", &fixture.org[4..])));
    for _ in 0..2 {
        assert_eq!(payments.send_event(&event).await.status, 200);
    }
    let lines = until(async || {
        let lines = stack.log_lines("webhook-stripe", &fixture.org).await;
        lines.iter().any(|line| line.contains("the organisation was deleted")).then_some(())
    });
    lines.await.unwrap();
}

#[tokio::test]
async fn a_founder_has_as_many_organisations_as_the_plan_allows_and_can_rename_one() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    let create = async || ann.call_with("POST", "/api/orgs", &json!({ "name": "Acme" })).await;
    let answers = join_all((0..6).map(|_| create())).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    let refused = answers.iter().filter(|answer| answer.status == 403).count();
    assert_eq!((created.len(), refused), (3, 3));
    let org = text(&created[0].json()["data"], "id");
    let renamed = ann.call_with("PATCH", &format!("/api/orgs/{org}"), &json!({ "name": "Acme & Sons" })).await;
    assert_eq!((renamed.status, text(&renamed.json()["data"], "name")), (200, "Acme & Sons".to_owned()));
    let fixture = OrgFixture::of(&stack, ann, org);
    assert_eq!(delete(&fixture).await.status, 200);
    let again = async || fixture.owner.call_with("POST", "/api/orgs", &json!({ "name": "Acme" })).await;
    assert_eq!(again().await.status, 201);
    assert_refused(&again().await, 403, "SUBSCRIPTION_REQUIRED");
}

#[tokio::test]
async fn of_sixty_checkouts_in_an_hour_the_provider_sees_twenty() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let ask = async || {
        fixture.owner.call_with("POST", &fixture.path("/credits/checkout"), &json!({ "pack": "starter" })).await.status
    };
    let mut opened = 0;
    for _ in 0..12 {
        let statuses = join_all((0..5).map(|_| ask())).await;
        opened += statuses.iter().filter(|status| **status == 201).count();
        assert!(statuses.iter().all(|status| [201, 429].contains(status)), "{statuses:?}");
    }
    // An hour may end during the test.
    assert!(opened == 20 || opened == 40, "{opened}");
    assert_eq!(payments.asked(&fixture.org).await, (u64::try_from(opened).unwrap(), opened));
}
