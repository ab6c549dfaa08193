//! What the routes for people count against the caller's plan: writes exactly, in their own transactions, and reads
//! approximately, in each environment.

use std::time::Duration;

use consigne_core::rates::Window;
use consigne_core::{Fault, Plan, Timestamp};
use consigne_runtime::{Answer, HttpFunction, Request, Wire as _, clock};
use consigne_testkit::fakes::World;
use consigne_testkit::functions::{self, Fakes};
use consigne_testkit::payload;
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::account_callers::acme_with_key_and_invitation;
use crate::handlers::people::accounts::{refusal, sent_by, user};
use crate::handlers::people::invited::{BOBS, accepting, put_invitation};

/// The routes whose transaction counts the write, with a valid request of Ann.
const EXACT: [(&str, &str); 15] = [
    ("endpoint-create", "hooks"),
    ("endpoint-delete", "hooks"),
    ("endpoint-rotate", "day"),
    ("endpoint-update", "enable"),
    ("invitation-revoke", "one"),
    ("key-delete", "one"),
    ("key-issue", "production"),
    ("key-rotate", "with-grace-and-key"),
    ("key-update", "limits"),
    ("member-invite", "developer"),
    ("member-remove", "dev"),
    ("member-update", "to-billing"),
    ("org-create", "acme"),
    ("org-delete", "acme"),
    ("org-update", "renamed"),
];

/// Sets the count of a person's window of writes, which opened just now.
fn written(world: &World, person: &str, count: u64) {
    world.change(|state| state.windows(&user(person)).writes = Some(Window { started: clock::now(), count }));
}

fn writes_of(world: &World, person: &str) -> u64 {
    world.state().usage.get(&user(person)).and_then(|usage| usage.windows.writes).map_or(0, |window| window.count)
}

/// Asserts that a request counts as one write, and that it is refused in a full window and changes nothing.
async fn is_counted(prepare: impl Fn() -> World, function: &str, person: &str, event: &Value) {
    let world = prepare();
    if function == "endpoint-update" {
        // So that there is something to enable.
        world.change(|state| state.hooks.endpoints.values_mut().for_each(disable));
    }
    written(&world, person, 60);
    let before = world.state();
    let refused = functions::call(&world, function, event.clone()).await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"), "{function}: {refused}");
    assert_eq!(refused["headers"]["ratelimit-limit"], "60", "{function}");
    assert!(refused["headers"]["retry-after"].is_string(), "{function}");
    assert_eq!(world.state(), before, "{function} was refused");
    written(&world, person, 59);
    let done = functions::call(&world, function, event.clone()).await;
    assert!(done["status"].as_u64().unwrap() < 300, "{function}: {done}");
    assert_eq!(writes_of(&world, person), 60, "{function}");
    // Whatever a repetition is answered, it changes nothing, so it does not count.
    if event["headers"]["idempotency-key"].is_string() {
        assert_eq!(functions::call(&world, function, event.clone()).await["status"], done["status"], "{function}");
        assert_eq!(writes_of(&world, person), 60, "{function} was replayed");
    }
}

fn disable(endpoint: &mut consigne_core::endpoints::Endpoint) {
    use consigne_core::endpoints::{DisabledBecause, EndpointStatus};
    endpoint.status = EndpointStatus::Disabled(DisabledBecause::Failing, GRANTED);
}

#[tokio::test]
async fn every_write_of_a_member_counts_once_and_is_refused_in_a_full_minute() {
    for (function, case) in EXACT {
        let event = sent_by("user_ann1", function, case);
        is_counted(acme_with_key_and_invitation, function, "user_ann1", &event).await;
    }
    let prepare = || {
        let world = acme_with_key_and_invitation();
        put_invitation(&world, |_| ());
        world
    };
    let token = put_invitation(&World::default(), |_| ());
    let claims = json!({ "email": BOBS, "email_verified": true });
    is_counted(prepare, "invitation-accept", "user_bob1", &accepting("user_bob1", &claims, &token)).await;
}

#[tokio::test]
async fn a_key_can_be_revoked_in_a_full_minute() {
    let world = acme_with_key_and_invitation();
    written(&world, "user_ann1", 60);
    let revoked = functions::call(&world, "key-revoke", sent_by("user_ann1", "key-revoke", "leaked")).await;
    assert_eq!((&revoked["status"], &revoked["body"]["data"]["status"]), (&json!(200), &json!("revoked")));
    assert_eq!(writes_of(&world, "user_ann1"), 60);
}

#[tokio::test]
async fn removing_a_member_with_their_keys_counts_once() {
    let world = acme_with_key_and_invitation();
    written(&world, "user_ann1", 59);
    let mut event = sent_by("user_ann1", "member-remove", "dev");
    event["rawQueryString"] = "keys=revoke".into();
    let removed = functions::call(&world, "member-remove", event).await;
    assert_eq!((&removed["status"], &removed["body"]["data"]["keys_revoked"]), (&json!(200), &json!(1)));
    assert_eq!(writes_of(&world, "user_ann1"), 60);
}

/// Calls one environment's function `times` times with a request, at a time. Returns how many were admitted, and the
/// last refusal.
async fn admitted(function: &impl HttpFunction, event: &Value, times: u32, at: Timestamp) -> (u32, Option<Fault>) {
    let (mut count, mut refused) = (0, None);
    for _ in 0..times {
        let request = Request::from_event(serde_json::from_value(event.clone()).unwrap(), at);
        let answer: Result<Answer, Fault> = function.handle(&request).await;
        match answer {
            Err(fault) if fault.code == consigne_core::Code::RateLimited => refused = Some(fault),
            _ => count += 1,
        }
    }
    (count, refused)
}

/// Reads a payload, sent by Ann.
fn of_ann(function: &str, case: &str, plan: Plan) -> Value {
    payload::event(function, case, &functions::issuer().token("user_ann1", plan.name()))
}

#[tokio::test]
async fn reads_are_limited_in_each_environment() {
    let (world, now) = (World::default(), clock::now());
    let usage = functions::wired(&Fakes::start(&world), usage::Function::wire).await;
    let event = of_ann("usage", "ask", Plan::Free);
    let (count, refused) = admitted(&usage, &event, 130, now).await;
    let refused = refused.unwrap();
    assert_eq!((count, refused.code.status()), (120, 429));
    for (name, value) in
        [("retry-after", "1"), ("ratelimit-limit", "120"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "1")]
    {
        assert!(refused.headers.contains(&(name, value.to_owned())), "{:?}", refused.headers);
    }
    assert_eq!(admitted(&usage, &event, 10, now.plus(Duration::from_secs(2))).await.0, 4, "two a second come back");
    let another = functions::wired(&Fakes::start(&world), usage::Function::wire).await;
    assert_eq!(admitted(&another, &event, 1, now).await.0, 1, "each environment counts for itself");
    assert_eq!(world.state(), consigne_testkit::fakes::State::default(), "a read writes nothing");
}

#[tokio::test]
async fn a_post_that_only_reads_counts_as_a_read_and_a_deletion_as_a_write() {
    let (world, now) = (World::default(), clock::now());
    let presign = functions::wired(&Fakes::start(&world), presign::Function::wire).await;
    assert_eq!(admitted(&presign, &of_ann("presign", "plain", Plan::Free), 130, now).await.0, 120);
    let delete = functions::wired(&Fakes::start(&world), delete::Function::wire).await;
    assert_eq!(admitted(&delete, &of_ann("delete", "plain", Plan::Free), 70, now).await.0, 60);
    let acme = acme_with_key_and_invitation();
    let test = functions::wired(&Fakes::start(&acme), endpoint_test::Function::wire).await;
    let (count, refused) = admitted(&test, &of_ann("endpoint-test", "one", Plan::Free), 61, now).await;
    // Not by the limit of tests in an hour, which is reached at the same time.
    assert_eq!((count, refused.unwrap().message.contains("writes")), (60, true));
}
