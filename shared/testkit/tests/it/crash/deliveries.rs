//! Crash points of endpoints and deliveries. One thing may differ from a run without faults: a webhook that was sent
//! but not recorded is sent again, with the same id.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::deliveries::Posted;
use consigne_core::ports::Clock as _;
use consigne_runtime::clock;
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::people::accounts::{acme, audit_log, outbox, sent_by};
use crate::handlers::webhooks::deliveries::{deliver_all, dispatched, message_of};
use crate::handlers::webhooks::endpoints::{endpoint_in, with_endpoint};

/// Runs everything that is asynchronous, for an hour.
async fn settle(world: &World, clock: &SimClock) {
    for _ in 0..12 {
        deliver_all(world, clock).await;
        clock.advance(clock.now().plus(Duration::from_mins(5)));
        let mut tick = payload::event("sweep", "tick", "");
        tick["time"] = clock.now().to_string().into();
        functions::tick(world, "sweep", tick).await.unwrap();
    }
    deliver_all(world, clock).await;
}

/// Returns the state that must be the same in the end: deliveries, endpoints, events, and the webhooks that were sent.
fn essence(world: &World) -> Value {
    let hooks = world.state().hooks;
    let deliveries: Vec<Value> =
        hooks.deliveries.values().map(|known| json!([known.id.to_string(), known.status.name()])).collect();
    let endpoints: Vec<Value> = hooks
        .endpoints
        .values()
        .map(|known| json!([known.is_active(), known.generation, known.failing_since.is_some(), known.url.as_str()]))
        .collect();
    let ids: BTreeSet<String> = hooks
        .posted
        .iter()
        .flat_map(|post| post.headers.iter().filter(|(name, _)| *name == "webhook-id").map(|(_, id)| id.clone()))
        .collect();
    json!({ "deliveries": deliveries, "endpoints": endpoints, "ids": ids, "pointers": hooks.pointers.len(),
        "audit": audit_log(world), "events": outbox(world) })
}

/// Delivers an event to a receiver with these answers. Each call of `act` receives all messages on the queue.
async fn survives(statuses: &'static [u16]) {
    let prepare = || {
        let world = with_endpoint(|_| ());
        let answers = statuses.iter().map(|status| Posted::answered(*status, None, b""));
        world.change(|state| {
            state.hooks.answers.extend(answers);
            // All later answers are like the last.
            let last = *statuses.last().unwrap();
            state.hooks.answers.extend((0..5).map(|_| Posted::answered(last, None, b"")));
        });
        world
    };
    let clock = SimClock::at(clock::now());
    let act = async |world: &World| {
        dispatched(world, &clock, &message_of("key-revoked")).await;
        let mut tasks = Vec::new();
        world.change(|state| tasks = std::mem::take(&mut state.messages));
        for task in tasks {
            let (done, _) = dispatched(world, &clock, &task).await;
            if !done {
                // The message comes back after its visibility timeout.
                world.change(|state| state.later.push((task.clone(), Duration::from_mins(3))));
            }
        }
    };
    let end = async |world: &World| {
        settle(world, &clock).await;
        essence(world)
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn a_webhook_that_is_accepted_survives_every_fault() {
    survives(&[200]).await;
}

#[tokio::test]
async fn a_webhook_that_is_accepted_at_the_second_attempt_survives_every_fault() {
    survives(&[500, 200]).await;
}

#[tokio::test]
async fn a_webhook_to_a_receiver_that_is_gone_survives_every_fault() {
    survives(&[410]).await;
}

#[tokio::test]
async fn a_redelivery_survives_every_fault() {
    let prepare = || {
        let world = with_endpoint(|_| ());
        let delivery = consigne_testkit::hooks::delivery(&endpoint_in(&world), clock::now());
        let ended = delivery.cancel().delivery;
        world.change(|state| drop(state.hooks.deliveries.insert((ended.org, ended.id), ended)));
        world
    };
    let act = async |world: &World| {
        let id = *world.state().hooks.deliveries.keys().next().unwrap();
        let mut event = sent_by("user_ann1", "delivery-redeliver", "again");
        event["pathParameters"]["delivery"] = id.1.to_string().into();
        functions::call(world, "delivery-redeliver", event).await;
    };
    let end = async |world: &World| {
        settle(world, &SimClock::at(clock::now())).await;
        let statuses: Vec<&str> = world.state().hooks.deliveries.values().map(|known| known.status.name()).collect();
        json!([statuses, world.state().hooks.posted.len()])
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn changes_of_an_endpoint_survive_every_fault() {
    for (function, case) in [
        ("endpoint-create", "hooks"),
        ("endpoint-rotate", "day"),
        ("endpoint-test", "with-key"),
        ("endpoint-update", "enable"),
        ("endpoint-delete", "hooks"),
    ] {
        let prepare = || if function == "endpoint-create" { acme() } else { with_endpoint(|_| ()) };
        let act =
            async |world: &World| drop(functions::call(world, function, sent_by("user_ann1", function, case)).await);
        survives_to(prepare, act, async |world: &World| essence(world)).await;
    }
}
