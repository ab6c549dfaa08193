//! dispatch-webhook: which endpoints get which events, and the outcome of each attempt.

use std::time::Duration;

use consigne_auth::{Refreshed, WebhookSecrets};
use consigne_core::deliveries::{Attempt, Delivery, DeliveryMessage, DeliveryStatus, Line, Posted};
use consigne_core::endpoints::{DisabledBecause, EndpointStatus};
use consigne_core::events::EventKind;
use consigne_core::gateway::Failure;
use consigne_core::ports::Clock as _;
use consigne_core::{DeliveryId, Timestamp};
use consigne_runtime::clock;
use consigne_runtime::log::RequestLog;
use consigne_runtime::queue::Message;
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::{functions, hooks, payload};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{ORG, acme, answer, audit_log, headed, org, outbox, refusal, sent_by, user};
use crate::handlers::webhooks::endpoints::{ENDPOINT, endpoint_in, put_endpoint, with_endpoint};
use crate::handlers::webhooks::simulated;

/// Delivers a message to `dispatch-webhook`, with the clock advanced while it waits. Returns whether it succeeded, and
/// its log line.
pub async fn dispatched(world: &World, clock: &SimClock, body: &str) -> (bool, Value) {
    let now = clock.now();
    let message = Message { body: body.to_owned(), id: "m".to_owned(), receives: 1, now, log: RequestLog::default() };
    let handled = std::pin::pin!(functions::dispatch(world, clock, &message));
    let done = simulated::run(clock, handled);
    (done.is_ok(), message.log.take("dispatch-webhook", now).into())
}

/// Delivers all messages when they are due, until the queue is empty.
pub async fn deliver_all(world: &World, clock: &SimClock) {
    loop {
        let mut next = None;
        world.change(|state| {
            next = if state.messages.is_empty() { None } else { Some(state.messages.remove(0)) };
            if next.is_none() && !state.later.is_empty() {
                state.later.sort_by_key(|(_, wait)| *wait);
                let (body, wait) = state.later.remove(0);
                clock.advance(clock.now().plus(wait));
                next = Some(body);
            }
        });
        let Some(body) = next else { return };
        dispatched(world, clock, &body).await;
    }
}

fn clock_now() -> SimClock {
    SimClock::at(clock::now())
}

/// Returns the body of the message in a payload.
pub fn message_of(case: &str) -> String {
    payload::event("dispatch-webhook", case, "")["Records"][0]["body"].as_str().unwrap().to_owned()
}

/// Returns the only delivery.
pub fn the_delivery(world: &World) -> Delivery {
    let deliveries: Vec<Delivery> = world.state().hooks.deliveries.into_values().collect();
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries[0].clone()
}

fn answers(world: &World, statuses: &[u16]) {
    world.change(|state| {
        state.hooks.answers.extend(statuses.iter().map(|status| Posted::answered(*status, None, b"!")));
    });
}

#[tokio::test]
async fn an_event_is_sent_signed_once_to_each_subscribed_endpoint() {
    let world = with_endpoint(|_| ());
    put_endpoint(&world, "ep_01M7YREWKH7VM7Z3Z2KWSH2FTV", "user_ann1", |endpoint| {
        endpoint.events = [EventKind::WalletLow].into();
    });
    let clock = clock_now();
    let (done, log) = dispatched(&world, &clock, &message_of("key-revoked")).await;
    assert!(done && log["deliveries"] == 1, "{log}");
    // Events are delivered at least once.
    dispatched(&world, &clock, &message_of("key-revoked")).await;
    deliver_all(&world, &clock).await;
    let delivery = the_delivery(&world);
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    let posted = world.state().hooks.posted;
    assert_eq!(posted.len(), 1);
    let body: Value = serde_json::from_str(&posted[0].body).unwrap();
    let data = json!({ "org_id": ORG, "key_id": "key_01M7YREWKH7VM7Z3Z2KWSH2FTS", "name": "Production API",
        "actor": "user_ann1" });
    assert_eq!(body, json!({ "type": "key.revoked", "timestamp": "2026-11-21T10:30:00Z", "data": data }));
    assert_eq!(posted[0].url.as_str(), "https://hooks.example.com/consigne?token=t");

    let mut headers = HeaderMap::new();
    for (name, value) in &posted[0].headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    assert_eq!(headers["webhook-id"], delivery.id.to_string());
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("Consigne-Webhooks/"));
    let secret = functions::endpoint_secrets().derive(org(ORG), endpoint_in(&world).id, 1).expose();
    let known = WebhookSecrets::parse(&json!({ "current": secret }).to_string()).unwrap();
    Refreshed::fixed(known).verify(&headers, posted[0].body.as_bytes(), clock.now()).await.unwrap();
}

#[tokio::test]
async fn webhooks_are_signed_with_both_secrets_during_a_rotation() {
    let clock = clock_now();
    let until = clock.now().plus(Duration::from_mins(1));
    let world = with_endpoint(|endpoint| {
        endpoint.generation = 2;
        endpoint.previous_until = Some(until);
    });
    dispatched(&world, &clock, &message_of("key-revoked")).await;
    deliver_all(&world, &clock).await;
    let signatures = |post: &consigne_core::deliveries::Post| {
        let found = post.headers.iter().find(|(name, _)| *name == "webhook-signature");
        found.unwrap().1.split(' ').count()
    };
    assert_eq!(signatures(&world.state().hooks.posted[0]), 2);
}

#[tokio::test]
async fn an_event_about_a_person_is_sent_to_their_own_endpoints_only() {
    let world = with_endpoint(|_| ());
    put_endpoint(&world, "ep_01M7YREWKH7VM7Z3Z2KWSH2FTV", "user_dev1", |_| ());
    let clock = clock_now();
    dispatched(&world, &clock, &message_of("job-completed")).await;
    let delivery = the_delivery(&world);
    assert_eq!((delivery.endpoint.to_string().as_str(), &delivery.person), (ENDPOINT, &Some(user("user_ann1"))));
    // Nobody else sees the delivery in the list.
    let listed = async |person: &str| {
        answer(&world, "delivery-list", sent_by(person, "delivery-list", "all")).await["body"]["data"].clone()
    };
    assert_eq!(listed("user_dev1").await, json!([]));
    assert_eq!(listed("user_ann1").await[0]["type"], "job.completed");
    // If the person leaves before it is sent, it is not sent.
    world.change(|state| drop(state.accounts.members.remove(&(org(ORG), user("user_ann1")))));
    deliver_all(&world, &clock).await;
    assert_eq!(the_delivery(&world).status, DeliveryStatus::Cancelled);
    assert!(world.state().hooks.posted.is_empty());
    // Later events about the person are not recorded either.
    let later = message_of("job-completed")
        .replace("01M7YREWKH7VM7Z3Z2KWSH2FTR\", \"occurred", "01M7YREWKH7VM7Z3Z2KWSH2FTX\", \"occurred");
    let (_, log) = dispatched(&world, &clock, &later).await;
    assert_eq!(log["deliveries"], 0, "{log}");
}

#[tokio::test]
async fn a_failed_webhook_is_retried_until_it_is_accepted() {
    let world = with_endpoint(|_| ());
    answers(&world, &[500, 500, 200]);
    let clock = clock_now();
    dispatched(&world, &clock, &message_of("key-revoked")).await;
    deliver_all(&world, &clock).await;
    let (delivery, posted) = (the_delivery(&world), world.state().hooks.posted);
    let ids: Vec<&String> = posted
        .iter()
        .flat_map(|post| &post.headers)
        .filter(|(name, _)| *name == "webhook-id")
        .map(|(_, id)| id)
        .collect();
    assert_eq!(ids, [&delivery.id.to_string(); 3]);
    assert_eq!(posted[0].body, posted[2].body);
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    let shown: Vec<Value> =
        delivery.attempts.iter().map(|attempt| json!([attempt.number, attempt.status_code, attempt.error])).collect();
    assert_eq!(json!(shown), json!([[1, 500, "status"], [2, 500, "status"], [3, 200, null]]));
    let waits: Vec<u64> = delivery.attempts.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_secs()).collect();
    assert!((5..=6).contains(&waits[0]) && (60..=62).contains(&waits[1]), "{waits:?}");
    assert_eq!(endpoint_in(&world).failing_since, None, "the endpoint works again");
    let listed = answer(&world, "delivery-list", sent_by("user_dev1", "delivery-list", "all")).await;
    insta::assert_json_snapshot!(listed["body"]["data"][0]["attempts"][0], @r#"
    {
      "number": 1,
      "at": "<time>",
      "status_code": 500,
      "duration_ms": 0,
      "error": "status",
      "response": "!"
    }
    "#);
    assert!(!listed.to_string().contains("Production API"), "the list must not show the event's content");
}

#[tokio::test]
async fn an_endpoint_that_answers_410_is_disabled_and_its_owners_get_a_mail() {
    let world = with_endpoint(|_| ());
    answers(&world, &[410]);
    let clock = clock_now();
    let other = hooks::delivery(&endpoint_in(&world), clock.now());
    world.change(|state| drop(state.hooks.deliveries.insert((other.org, other.id), other.clone())));
    dispatched(&world, &clock, &message_of("key-revoked")).await;
    deliver_all(&world, &clock).await;
    assert!(matches!(endpoint_in(&world).status, EndpointStatus::Disabled(DisabledBecause::Gone, _)));
    let expected = json!([{ "kind": "endpoint.disabled", "detail": { "event_id": "<id>", "occurred_at": "<time>", "org_id": "org_<id>",
        "endpoint_id": "ep_<id>", "host": "hooks.example.com", "reason": "gone" } }]);
    assert_eq!(outbox(&world), expected);
    assert_eq!(
        (&audit_log(&world)[0]["action"], &audit_log(&world)[0]["actor"]),
        (&json!("endpoint.disabled"), &json!("service:dispatch-webhook"))
    );
    // Pending deliveries end, and new events are not recorded.
    dispatched(&world, &clock, &DeliveryMessage::attempt(other.org, other.id).unwrap()).await;
    let state = world.state();
    assert_eq!(state.hooks.deliveries[&(other.org, other.id)].status, DeliveryStatus::Cancelled);
    assert_eq!(state.hooks.posted.len(), 1);
    let failed = state.hooks.deliveries.values().find(|delivery| delivery.id != other.id).unwrap();
    assert_eq!((failed.status, failed.attempts.len()), (DeliveryStatus::Failed, 1));
    let again = async |id: DeliveryId| {
        let mut event = sent_by("user_ann1", "delivery-redeliver", "again");
        event["pathParameters"]["delivery"] = id.to_string().into();
        answer(&world, "delivery-redeliver", event).await
    };
    assert_eq!(refusal(&again(failed.id).await), (409, "CONFLICT"));
}

#[tokio::test]
async fn a_week_of_failures_without_a_success_disables_an_endpoint() {
    let clock = clock_now();
    let week_ago = clock.now().minus(Duration::from_hours(24 * 7));
    for (since, tries, status, want_active) in [
        (week_ago, 4, 500, false),
        (week_ago.plus(Duration::from_mins(1)), 4, 500, true),
        (week_ago, 4, 200, true),
        // A week without any call does not count as a week of failures.
        (week_ago, 3, 500, true),
    ] {
        let world = with_endpoint(|endpoint| endpoint.failing_since = Some(since));
        answers(&world, &[status]);
        dispatched(&world, &clock, &message_of("key-revoked")).await;
        world.change(|state| state.hooks.deliveries.values_mut().for_each(|delivery| delivery.tries = tries));
        let message = world.state().messages[0].clone();
        dispatched(&world, &clock, &message).await;
        let endpoint = endpoint_in(&world);
        assert_eq!(endpoint.is_active(), want_active, "{endpoint:?}");
        assert_eq!(endpoint.failing_since.is_none(), status == 200);
        let kinds: Vec<String> = world.state().outbox.iter().map(|(_, entry)| entry.kind.clone()).collect();
        assert_eq!(kinds.is_empty(), want_active, "{kinds:?}");
    }
}

#[tokio::test]
async fn every_outcome_of_an_attempt_is_recorded() {
    for (posted, word) in [
        (Posted::Failed(Failure::Timeout, "10 s".to_owned()), "timeout"),
        (Posted::Failed(Failure::Unreachable, "refused".to_owned()), "unreachable"),
        (Posted::Failed(Failure::Broken, "junk".to_owned()), "malformed"),
        (Posted::NotAllowed, "not_allowed"),
        (Posted::answered(302, None, b""), "redirect"),
        (Posted::answered(404, None, b""), "status"),
    ] {
        let (world, clock) = (with_endpoint(|_| ()), clock_now());
        world.change(|state| state.hooks.answers.push_back(posted));
        dispatched(&world, &clock, &message_of("key-revoked")).await;
        let message = world.state().messages[0].clone();
        dispatched(&world, &clock, &message).await;
        let delivery = the_delivery(&world);
        assert_eq!(delivery.attempts[0].error.as_deref(), Some(word));
        assert_eq!(delivery.status, DeliveryStatus::Pending);
        assert_eq!(world.state().later.len(), 1, "it must be retried");
        assert!(endpoint_in(&world).failing_since.is_some());
    }
}

#[tokio::test]
async fn a_message_for_a_delivery_that_is_not_due_does_nothing() {
    let (world, clock) = (with_endpoint(|_| ()), clock_now());
    answers(&world, &[500]);
    dispatched(&world, &clock, &message_of("key-revoked")).await;
    let message = world.state().messages[0].clone();
    for _ in 0..3 {
        dispatched(&world, &clock, &message).await;
    }
    assert_eq!(world.state().hooks.posted.len(), 1, "the next attempt is in five seconds");
    // An attempt in progress belongs to its worker until it times out. Then it is recorded as interrupted.
    let begun = the_delivery(&world).begin(clock.now()).delivery;
    world.change(|state| drop(state.hooks.deliveries.insert((begun.org, begun.id), begun.clone())));
    clock.advance(clock.now().plus(Duration::from_secs(40)));
    dispatched(&world, &clock, &message).await;
    assert_eq!(world.state().hooks.posted.len(), 1);
    clock.advance(clock.now().plus(Duration::from_secs(5)));
    dispatched(&world, &clock, &message).await;
    let delivery = the_delivery(&world);
    let errors: Vec<Option<String>> = delivery.attempts.iter().map(|Attempt { error, .. }| error.clone()).collect();
    assert_eq!(errors, [Some("status".to_owned()), Some("cut_short".to_owned()), None]);
    let (_, log) = dispatched(&world, &clock, &message).await;
    assert_eq!(log["delivery.outcome"], "not due");
}

#[tokio::test]
async fn malformed_messages_are_parked_and_unsubscribed_events_ignored() {
    let (world, clock) = (acme(), clock_now());
    let (done, log) = dispatched(&world, &clock, &message_of("malformed")).await;
    assert!(done && log["DeliveriesParked"] == 1, "{log}");
    assert_eq!(world.state().messages, [message_of("malformed")]);
    let (done, _) = dispatched(&world, &clock, &message_of("key-revoked")).await;
    assert!(done && world.state().hooks.deliveries.is_empty());
    let unknown = message_of("attempt");
    assert_eq!(dispatched(&world, &clock, &unknown).await.1["delivery.outcome"], "not due");
}

#[tokio::test]
async fn an_ended_delivery_can_be_redelivered_with_the_same_id() {
    let (world, clock) = (with_endpoint(|_| ()), clock_now());
    dispatched(&world, &clock, &message_of("key-revoked")).await;
    deliver_all(&world, &clock).await;
    let id = the_delivery(&world).id;
    let again = async |person: &str, key: Option<&str>| {
        let mut event = headed(sent_by(person, "delivery-redeliver", "again"), "idempotency-key", key);
        event["pathParameters"]["delivery"] = id.to_string().into();
        answer(&world, "delivery-redeliver", event).await
    };
    for (person, key) in [("user_ann1", Some("once")), ("user_ann1", Some("once")), ("user_dev1", None)] {
        let answered = again(person, key).await;
        assert_eq!(answered["status"], 200, "{answered}");
        clock.advance(consigne_runtime::clock::now());
        deliver_all(&world, &clock).await;
    }
    let delivery = the_delivery(&world);
    assert_eq!((delivery.status, delivery.attempts_made, delivery.tries), (DeliveryStatus::Delivered, 3, 1));
    assert_eq!(world.state().hooks.posted.len(), 3, "two redeliveries, because one of the requests was a retry");
    // A delivery that waits for hours becomes due now, and a repeated request changes nothing.
    let far = delivery.postpone(Line::Endpoint, clock.now().plus(Duration::from_hours(5)), clock.now()).delivery;
    let far = Delivery { in_line: None, status: DeliveryStatus::Pending, ..far };
    world.change(|state| drop(state.hooks.deliveries.insert((far.org, far.id), far)));
    assert_eq!(again("user_ann1", None).await["body"]["data"]["status"], "pending");
    let revision = the_delivery(&world).revision;
    assert_eq!(again("user_ann1", None).await["status"], 200);
    assert_eq!(the_delivery(&world).revision, revision);
    // Non-members, and members whom the event does not concern, see nothing.
    world.change(|state| state.hooks.deliveries.values_mut().for_each(|known| known.person = Some(user("user_ann1"))));
    assert_eq!(refusal(&again("user_dev1", None).await), (404, "NOT_FOUND"));
    assert_eq!(refusal(&again("user_eve1", None).await), (404, "NOT_FOUND"));
    assert_eq!(refusal(&again("user_bill1", None).await), (403, "ROLE_REQUIRED"));
}

#[tokio::test]
async fn deliveries_are_listed_in_pages_and_by_status() {
    let world = with_endpoint(|_| ());
    let now = Timestamp::from_secs(1_795_257_000);
    for n in 0..3 {
        let delivery = hooks::delivery(&endpoint_in(&world), now.plus(Duration::from_secs(n)));
        let delivery = Delivery { status: DeliveryStatus::Failed, ..delivery };
        world.change(|state| drop(state.hooks.deliveries.insert((delivery.org, delivery.id), delivery)));
    }
    let page = functions::call(&world, "delivery-list", sent_by("user_ann1", "delivery-list", "failed")).await;
    assert_eq!(page["body"]["data"].as_array().unwrap().len(), 1);
    let cursor = page["body"]["metadata"]["next_cursor"].as_str().unwrap().to_owned();
    let asked = async |query: String| {
        let mut event = sent_by("user_ann1", "delivery-list", "failed");
        event["rawQueryString"] = query.into();
        functions::call(&world, "delivery-list", event).await
    };
    let next = asked(format!("status=failed&limit=5&cursor={cursor}")).await;
    assert_eq!(next["body"]["data"].as_array().unwrap().len(), 2);
    let other = asked(format!("status=pending&cursor={cursor}")).await;
    assert_eq!(refusal(&other), (400, "INVALID_CURSOR"), "a cursor works for its filter only");
    assert_eq!(asked("status=delivered".to_owned()).await["body"]["data"], json!([]));
    assert_eq!(refusal(&asked("status=lost".to_owned()).await), (400, "INVALID_REQUEST"));
}
