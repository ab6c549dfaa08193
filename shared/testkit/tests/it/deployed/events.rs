//! Every event that the deployed stack publishes is valid for its schema.

use std::collections::BTreeSet;

use consigne_core::events::EventKind;
use consigne_testkit::generator::{Generator, fresh_id};
use consigne_testkit::hooks::plan;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::pictures;
use consigne_testkit::schemas::faults;
use consigne_testkit::stack::{Stack, fresh_user, until};
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::jobs::{pictures_of, wait_for};
use super::text;

/// Kinds whose cause needs a test of its own. Those tests check the events.
const CAUSED_ELSEWHERE: [&str; 15] = [
    "account.closed",
    "account.export-ready",
    "account.export-requested",
    // Only files of people whose ids begin with `user_scan` are scanned.
    "file.infected",
    "key.anomaly",
    "key.migration-reminder",
    "file.unpublished",
    "key.migration-started",
    "order.submitted",
    "payment.dispute-won",
    "payment.disputed",
    "payment.refunded",
    "quota.exceeded",
    "stats.ready",
    "storage.reconciled",
];

/// Causes an event of every other kind. Returns the ids of the person and the organisation.
async fn cause_events(stack: &Stack) -> [String; 2] {
    let fixture = OrgFixture::open(stack, 100).await;
    let (ann, generator) = (&fixture.owner, Generator::of(stack));
    // An answer of 410 disables the endpoint.
    let name = fresh_user();
    let endpoint = json!({ "url": format!("{}/{name}", stack.name("RECEIVER_URL")), "events": ["key.issued"] });
    let registered = ann.call_with("POST", &fixture.path("/endpoints"), &endpoint).await.json();
    plan(stack, &name, &[&text(&registered["data"], "secret")], &json!([410])).await;
    let test = fixture.path(&format!("/endpoints/{}/test", text(&registered["data"], "id")));
    assert_eq!(ann.call("POST", &test).await.status, 202);
    let key = ann.upload("a.png", "image/png", pictures::png(64, 48, 1000)).await;
    ann.delete(&key).await;
    let grant = ann.grant("b.png", "image/png", 1000).await.json();
    assert_eq!(ann.put(&grant, pictures::gif(1000)).await.status, 200);
    let message = pictures_of(ann, &generator, 1).await;
    let file = generator.upload(&message, "c.png", "image/png", pictures::png(64, 48, 1000)).await;
    assert_eq!(generator.complete(&message, &fresh_id(), &[file]).await.status, 200);
    wait_for(ann, &text(&message, "job_id"), "completed").await;
    let message = pictures_of(ann, &generator, 1).await;
    assert_eq!(generator.fail(&message, &fresh_id()).await.status, 200);
    let held = fixture.issue("production", &json!({})).await;
    for (method, verb, body) in [
        ("POST", "/rotate", json!({ "grace_seconds": 60 })),
        ("POST", "/revoke", json!({ "reason": "leaked" })),
        ("DELETE", "", json!({})),
    ] {
        let changed = fixture.change(method, &held, verb, &body).await;
        assert!([200, 201].contains(&changed.status), "{verb}: {}", changed.json());
    }
    let spender = fixture.issue("production", &json!({})).await;
    let most = fixture.verify(&spender.text, &json!({ "cost": 90 }), None).await;
    assert_eq!(most.json()["data"]["code"], "VALID", "{}", most.json());
    let invitation = json!({ "email": format!("{}@people.example", fresh_user()), "role": "developer" });
    let invited = ann.call_with("POST", &format!("/api/orgs/{}/invitations", fixture.org), &invitation).await;
    assert_eq!(invited.status, 201, "{}", invited.json());
    let orgs = ann.call("GET", "/api/orgs").await.json();
    let org = orgs["data"].as_array().unwrap().iter().find(|org| org["id"] == *fixture.org).unwrap();
    let path = format!("/api/orgs/{}", fixture.org);
    let deleted = ann.call_with("DELETE", &path, &json!({ "confirm": org["slug"] })).await;
    assert_eq!(deleted.status, 200, "{}", deleted.json());
    [ann.id.clone(), fixture.org.clone()]
}

#[tokio::test]
async fn every_published_event_is_valid_for_its_schema() {
    let stack = Stack::find();
    // Events that other tests cause in the meantime are received as well.
    let listener = BusListener::to(&stack, &fresh_user(), &json!({ "source": ["consigne"] })).await;
    let whose = cause_events(&stack).await;
    let wanted: BTreeSet<&str> =
        EventKind::ALL.into_iter().map(EventKind::name).filter(|kind| !CAUSED_ELSEWHERE.contains(kind)).collect();
    let (mut wrong, mut received) = (Vec::new(), BTreeSet::new());
    let all = until(async || {
        loop {
            let events = listener.take(10).await;
            if events.is_empty() {
                break;
            }
            for event in events {
                let kind = text(&event, "detail-type");
                wrong.extend(faults(&kind, &event["detail"]));
                if named(&event["detail"], &whose) {
                    received.insert(kind);
                }
            }
        }
        wanted.iter().all(|kind| received.contains(*kind)).then_some(())
    });
    all.await.unwrap_or_else(|| panic!("of {wanted:?} only {received:?} were received"));
    listener.close(&stack).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns whether an event names one of these ids.
fn named(detail: &Value, whose: &[String]) -> bool {
    [&detail["user_id"], &detail["org_id"]].iter().any(|name| whose.iter().any(|who| **name == *who))
}
