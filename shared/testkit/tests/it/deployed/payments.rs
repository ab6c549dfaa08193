//! Selling credits on the deployed stack: Stripe's stand-in opens sessions. Its events come signed, forged, repeated,
//! late and in any order.

use std::time::{Duration, Instant};

use consigne_runtime::clock;
use consigne_testkit::http::Response;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use consigne_testkit::stripe::{Payments, disputed, event, paid, refunded};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::mail::{address, founder, mail_to};
use super::{assert_field_refused, assert_refused, text};

const COMPLETED: &str = "checkout.session.completed";
const SUCCEEDED: &str = "checkout.session.async_payment_succeeded";

/// Opens a checkout for a pack, with an idempotency key if given.
async fn ask(fixture: &OrgFixture<'_>, pack: &str, idempotent: Option<&str>) -> Response {
    let headers: Vec<_> = idempotent.map(|key| ("idempotency-key", key)).into_iter().collect();
    fixture
        .owner
        .call_with_headers("POST", &fixture.path("/credits/checkout"), &json!({ "pack": pack }), &headers)
        .await
}

/// Returns the balance, and the credits purchased and clawed back.
async fn numbers(fixture: &OrgFixture<'_>) -> Value {
    let wallet = fixture.wallet().await;
    json!([wallet["balance"], wallet["total_purchased"], wallet["total_clawed_back"]])
}

/// Returns the subjects of an action in the audit log.
async fn audit_log(fixture: &OrgFixture<'_>, action: &str) -> Vec<String> {
    let audit_log = fixture.owner.call("GET", &fixture.path("/audit?limit=100")).await.json();
    let entries = audit_log["data"].as_array().unwrap().iter();
    entries.filter(|entry| entry["action"] == action).map(|entry| text(entry, "subject")).collect()
}

/// Returns a payment id for an organisation that no other test uses.
fn payment(fixture: &OrgFixture<'_>, name: &str) -> String {
    format!("pi_{}{name}", &fixture.org[4..])
}

/// Sends an event three times. Asserts that each is accepted.
async fn send_three_times(payments: &Payments<'_>, event: &Value) {
    for _ in 0..3 {
        let answer = payments.send_event(event).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "success": true })), "{event}");
    }
}

#[tokio::test]
async fn a_checkout_has_the_metadata_that_its_payment_is_checked_against() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    for (pack, credits, cents) in [("starter", 1_000, 1_000), ("growth", 10_000, 8_000), ("scale", 100_000, 60_000)] {
        let session = payments.open(&fixture, pack).await;
        assert_eq!((&session["amount_total"], &session["currency"]), (&json!(cents), &json!("eur")), "{session}");
        assert_eq!((&session["mode"], &session["client_reference_id"]), (&json!("payment"), &json!(fixture.org)));
        let metadata = json!({ "org_id": fixture.org, "pack": pack, "credits": credits.to_string() });
        assert_eq!(session["metadata"], metadata);
        let back = format!("http://localhost:3000/orgs/{}/wallet?checkout=", fixture.org);
        assert_eq!(session["success_url"], format!("{back}paid"));
        assert_eq!(session["cancel_url"], format!("{back}cancelled"));
    }
    assert_field_refused(&ask(&fixture, "free", None).await, 400, "INVALID_REQUEST", "pack");
    assert_eq!(payments.asked(&fixture.org).await, (3, 3), "Stripe must not be called for an unknown pack");
    assert_eq!(numbers(&fixture).await, json!([0, 0, 0]));
}

#[tokio::test]
async fn retries_of_a_checkout_open_one_session() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let all = join_all((0..5).map(|_| ask(&fixture, "growth", Some("buy 17")))).await;
    let first = all[0].json()["data"].clone();
    for answer in &all {
        assert_eq!((answer.status, &answer.json()["data"]), (201, &first), "{}", answer.json());
    }
    assert_eq!(payments.asked(&fixture.org).await.1, 1);
    let requests = payments.asked(&fixture.org).await.0;
    assert_eq!(ask(&fixture, "growth", Some("buy 17")).await.json()["data"], first);
    assert_eq!(payments.asked(&fixture.org).await, (requests, 1), "Stripe must not be called again");
    assert_refused(&ask(&fixture, "starter", Some("buy 17")).await, 422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(payments.asked(&fixture.org).await, (requests, 1));
    assert_ne!(ask(&fixture, "growth", None).await.json()["data"], first);
}

#[tokio::test]
async fn a_failing_provider_is_retried_once_without_losing_or_repeating_a_session() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let mut sessions = 0;
    for fault in [json!(500), json!(429), json!(409), json!("lost")] {
        payments.plan_faults(&fixture.org, &json!([fault])).await;
        let answer = ask(&fixture, "starter", None).await;
        assert_eq!(answer.status, 201, "{fault}: {}", answer.json());
        sessions += 1;
        assert_eq!(payments.asked(&fixture.org).await, (2 * sessions, usize::try_from(sessions).unwrap()), "{fault}");
    }
    for faults in [json!([500, 502]), json!(["lost", "lost"]), json!(["kept"])] {
        payments.plan_faults(&fixture.org, &faults).await;
        let idempotent = format!("buy {faults}");
        let refused = ask(&fixture, "starter", Some(&idempotent)).await;
        assert_refused(&refused, 503, "UNAVAILABLE");
        assert!(["1", "2", "3", "4"].contains(&refused.header("retry-after")));
        let before = payments.asked(&fixture.org).await.1;
        let again = ask(&fixture, "starter", Some(&idempotent)).await;
        assert_eq!(again.status, 201, "{}", again.json());
        let lost = faults[0] == "lost";
        assert_eq!(payments.asked(&fixture.org).await.1, if lost { before } else { before + 1 }, "{faults}");
        payments.session(&text(&again.json()["data"], "session_id")).await;
    }
    // An error that a retry cannot fix is not retried, and the answer does not reveal it.
    let (requests, _) = payments.asked(&fixture.org).await;
    payments.plan_faults(&fixture.org, &json!([402])).await;
    let broken = ask(&fixture, "starter", Some("buy broken")).await;
    assert_refused(&broken, 500, "INTERNAL");
    assert_eq!(payments.asked(&fixture.org).await.0, requests + 1);
    // It has given its place back, so the same request takes a new one.
    assert_eq!(ask(&fixture, "starter", Some("buy broken")).await.status, 201);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_retried_within_twelve_seconds() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    payments.plan_faults(&fixture.org, &json!(["hang"])).await;
    let began = Instant::now();
    assert_eq!(ask(&fixture, "starter", None).await.status, 201);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(payments.asked(&fixture.org).await, (2, 1));
}

#[tokio::test]
async fn a_session_with_repeated_events_out_of_order_is_credited_once() {
    let stack = Stack::find();
    let payments = Payments::of(&stack);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let fixture = OrgFixture::open(&stack, 0).await;
        let payment = payment(&fixture, "");
        let session = paid(&payments.open(&fixture, "starter").await, &payment);
        let facts = [
            event(COMPLETED, &session),
            event(SUCCEEDED, &session),
            event("charge.refunded", &refunded(&payment, 1_000, 250)),
        ];
        for at in order {
            send_three_times(&payments, &facts[at]).await;
        }
        assert_eq!(numbers(&fixture).await, json!([750, 1_000, 250]), "{order:?}");
        assert_eq!(audit_log(&fixture, "credits.purchased").await, [text(&session, "id")], "{order:?}");
        assert_eq!(audit_log(&fixture, "credits.clawed_back").await, [payment], "{order:?}");
    }
}

#[tokio::test]
async fn a_session_with_many_concurrent_events_is_credited_once() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let session = paid(&payments.open(&fixture, "scale").await, &payment(&fixture, ""));
    let events: Vec<Value> =
        [COMPLETED, SUCCEEDED].into_iter().cycle().take(8).map(|kind| event(kind, &session)).collect();
    let answers = join_all(events.iter().map(|event| payments.send_event(event))).await;
    // Events that were not accepted in time are sent again, as Stripe does.
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)), "{answers:?}");
    send_three_times(&payments, &events[0]).await;
    assert_eq!(numbers(&fixture).await, json!([100_000, 100_000, 0]));
    assert_eq!(audit_log(&fixture, "credits.purchased").await.len(), 1);
}

#[tokio::test]
async fn forged_altered_and_stale_events_are_refused() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let session = paid(&payments.open(&fixture, "starter").await, &payment(&fixture, ""));
    let body = event(COMPLETED, &session).to_string();
    let now = clock::now();
    let good = payments.sign(now, &body);
    let six_minutes = Duration::from_mins(6);
    for (signature, body) in [
        (String::new(), body.clone()),
        (good.clone(), body.replace("\"starter\"", "\"scale\"")),
        (good.clone(), format!("{body} ")),
        (good.replace("v1=", "v0="), body.clone()),
        (good.replace("t=", "t=1"), body.clone()),
        (payments.sign(now.minus(six_minutes), &body), body.clone()),
        (payments.sign(now.plus(six_minutes), &body), body.clone()),
    ] {
        assert_refused(&payments.send(&signature, body).await, 401, "INVALID_SIGNATURE");
    }
    assert_eq!(numbers(&fixture).await, json!([0, 0, 0]));
    assert_refused(&payments.send(&payments.sign(now, "{"), "{".to_owned()).await, 400, "INVALID_REQUEST");
    let large = event("invoice.created", &json!({ "description": "x".repeat(80_000) })).to_string();
    let answer = payments.send(&payments.sign(now, &large), large).await;
    assert_eq!(answer.status, 200, "Stripe disables endpoints that refuse large events");
    assert_eq!(payments.send(&format!("{good},v1=00"), body).await.status, 200, "one valid signature is enough");
    assert_eq!(numbers(&fixture).await, json!([1_000, 1_000, 0]));
}

#[tokio::test]
async fn a_session_with_other_metadata_or_another_price_buys_nothing() {
    let stack = Stack::find();
    let (fixture, other, payments) =
        (OrgFixture::open(&stack, 0).await, OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let session = paid(&payments.open(&fixture, "starter").await, &payment(&fixture, ""));
    let changed = |field: &str, value: Value| {
        let mut changed = session.clone();
        changed[field] = value;
        event(COMPLETED, &changed)
    };
    for bad in [
        changed("id", json!("cs_test_foreign")),
        changed("client_reference_id", json!(other.org)),
        changed("amount_total", json!(1)),
        changed("currency", json!("jpy")),
        changed("metadata", json!({ "org_id": fixture.org, "pack": "scale", "credits": "100000" })),
        changed("client_reference_id", json!(null)),
        changed("payment_status", json!("unpaid")),
    ] {
        send_three_times(&payments, &bad).await;
    }
    for fixture in [&fixture, &other] {
        assert_eq!(numbers(fixture).await, json!([0, 0, 0]));
        assert_eq!(audit_log(fixture, "credits.purchased").await, Vec::<String>::new());
    }
    let refused = vec![text(&session, "id"); 3];
    assert_eq!(
        audit_log(&fixture, "webhook.refused").await,
        refused,
        "one entry each for amount, currency and metadata"
    );
    send_three_times(&payments, &event(COMPLETED, &session)).await;
    assert_eq!(numbers(&fixture).await, json!([1_000, 1_000, 0]));
}

#[tokio::test]
async fn the_owner_gets_a_mail_about_a_refund_of_spent_credits() {
    let stack = Stack::find();
    let payments = Payments::of(&stack);
    let (ann, org) = founder(&stack, "en").await;
    let to = address(&ann);
    let fixture = OrgFixture::of(&stack, ann, org);
    let payment = payment(&fixture, "");
    let session = paid(&payments.open(&fixture, "starter").await, &payment);
    send_three_times(&payments, &event(COMPLETED, &session)).await;
    let key = fixture.issue("production", &json!({})).await;
    let spent = fixture.verify(&key.text, &json!({ "cost": 300 }), None).await;
    assert_eq!(spent.json()["data"]["valid"], true, "{}", spent.json());
    send_three_times(&payments, &event("charge.refunded", &refunded(&payment, 1_000, 1_000))).await;
    assert_eq!(numbers(&fixture).await, json!([-300, 1_000, 1_000]));
    let waiting = until(async || {
        let mails = super::mail::mails_to(&stack, &to).await;
        mails.into_iter().find(|mail| text(mail, "Subject").contains("a payment was refunded"))
    });
    let mail = waiting.await.expect("the owner gets a mail about the refund");
    assert!(text(&mail, "BodyText").contains("300 credits below zero: its keys are refused"), "{mail}");
}

#[tokio::test]
async fn a_dispute_of_spent_credits_refuses_keys_and_causes_a_mail() {
    let stack = Stack::find();
    let payments = Payments::of(&stack);
    let (ann, org) = founder(&stack, "en").await;
    let to = address(&ann);
    let fixture = OrgFixture::of(&stack, ann, org);
    let payment = payment(&fixture, "");
    let session = paid(&payments.open(&fixture, "starter").await, &payment);
    send_three_times(&payments, &event(COMPLETED, &session)).await;
    let key = fixture.issue("production", &json!({})).await;
    let spent = fixture.verify(&key.text, &json!({ "cost": 300 }), None).await;
    assert_eq!(spent.json()["data"]["valid"], true, "{}", spent.json());

    send_three_times(&payments, &event("charge.dispute.created", &disputed(&payment, "du_1", 1_000, "needs_response")))
        .await;
    assert_eq!(numbers(&fixture).await, json!([-300, 1_000, 1_000]));
    assert_eq!(fixture.charge(&key, None).await["code"], "INSUFFICIENT_CREDITS");
    let waiting = until(async || {
        let mails = super::mail::mails_to(&stack, &to).await;
        mails.into_iter().find(|mail| text(mail, "Subject").contains("a payment was disputed"))
    });
    let mail = waiting.await.expect("the owner gets a mail about the dispute");
    assert!(text(&mail, "BodyText").contains("1,000 credits were taken back because of it."), "{mail}");
    assert!(!text(&mail_to(&stack, &to).await, "BodyText").is_empty());

    send_three_times(&payments, &event("charge.dispute.closed", &disputed(&payment, "du_1", 1_000, "won"))).await;
    // A late event changes nothing.
    send_three_times(&payments, &event("charge.dispute.created", &disputed(&payment, "du_1", 1_000, "needs_response")))
        .await;
    assert_eq!(numbers(&fixture).await, json!([700, 1_000, 0]));
    assert_eq!(fixture.charge(&key, None).await["valid"], true);
    let mails = super::mail::mails_to(&stack, &to).await;
    let of_disputes = mails.iter().filter(|mail| text(mail, "Subject").contains("disputed"));
    assert_eq!(of_disputes.count(), 1, "once");
}
