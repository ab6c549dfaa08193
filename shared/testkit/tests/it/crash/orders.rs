//! Crash points of orders: wherever a function is killed, the order ends the same, with its photos and one event.

use std::time::Duration;

use consigne_core::orders::SUBMIT_WITHIN;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, pictures};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::order_erasure::try_close_with_retention;
use crate::handlers::order_forms::let_forms_lapse;
use crate::handlers::orders::{announce, keys, order_id, order_in, paid, pay, submit};

/// Returns what must be the same in the end: everything except ids, times, and how often the customer has asked.
async fn end(world: &World) -> Value {
    let state = world.state();
    let Some(order) = state.orders.get(&order_id()) else { return Value::Null };
    let photos: Vec<Value> =
        order.photos().map(|photo| json!([photo.status.name(), photo.size, photo.reason])).collect();
    let mut files: Vec<Value> =
        state.files.values().map(|file| json!([file.status.name(), file.ledger_state.name()])).collect();
    files.sort_by_key(Value::to_string);
    let mut versions: Vec<usize> = state.objects.values().map(Vec::len).collect();
    versions.sort_unstable();
    let mut events: Vec<String> = state.outbox.iter().map(|(_, entry)| entry.kind.clone()).collect();
    events.sort_unstable();
    json!({ "orders": state.orders.len(), "status": order.status.name(), "photos": photos, "files": files,
        "versions": versions, "events": events })
}

/// Creates a world in which the order was submitted, and two versions of each photo have arrived.
fn uploaded() -> World {
    let world = paid();
    submit(&world).now_or_never().expect("fakes never wait");
    for (key, bytes) in keys(&world).iter().zip([pictures::heic(), pictures::photo_with_place()]) {
        world.put_object(key, "v1", bytes);
        world.put_object(key, "v2", pictures::html(900));
    }
    world
}

#[tokio::test]
async fn a_payment_survives_every_fault() {
    survives_to(World::default, async |world| drop(pay(world).await), end).await;
}

#[tokio::test]
async fn a_submission_survives_every_fault() {
    survives_to(paid, async |world| drop(submit(world).await), end).await;
}

#[tokio::test]
async fn forms_that_are_signed_anew_survive_every_fault() {
    let lapsed = || {
        let world = uploaded();
        let_forms_lapse(&world, Duration::from_secs(30));
        world
    };
    let submit_and_check = async |world: &World| {
        submit(world).await;
        for key in keys(world) {
            announce(world, &key, "v1").await;
        }
    };
    survives_to(lapsed, submit_and_check, end).await;
}

#[tokio::test]
async fn the_erasure_of_an_old_order_survives_every_fault() {
    // The events of the second versions are lost.
    let submitted = || {
        let world = uploaded();
        for key in keys(&world) {
            announce(&world, &key, "v1").now_or_never().expect("fakes never wait");
        }
        world
    };
    let erase = async |world: &World| {
        for _ in 0..2 {
            drop(try_close_with_retention(world, "30", 31).await);
        }
    };
    let gone = async |world: &World| {
        drop(try_close_with_retention(world, "30", 32).await);
        // A deletion that was interrupted is finished by `sweep`.
        sweep_at(world, clock::now().plus(Duration::from_hours(24 * 33))).await;
        let state = world.state();
        assert_eq!((state.objects.len(), state.orders.len(), state.closings.len()), (0, 0, 0));
        let names: Vec<&str> = state.files.values().map(|file| file.status.name()).collect();
        json!([names, state.erased_orders.len()])
    };
    survives_to(submitted, erase, gone).await;
}

#[tokio::test]
async fn the_check_of_the_photos_survives_every_fault() {
    let check = async |world: &World| {
        for version in ["v2", "v1", "v2"] {
            for key in keys(world) {
                announce(world, &key, version).await;
            }
        }
    };
    let submitted = async |world: &World| {
        assert_eq!(order_in(world).status.name(), "submitted");
        end(world).await
    };
    survives_to(uploaded, check, submitted).await;
}

#[tokio::test]
async fn the_end_of_an_order_survives_every_fault() {
    let prepare = || {
        let world = uploaded();
        let [face, palm] = keys(&world);
        for version in ["v1", "v2"] {
            announce(&world, &face, version).now_or_never().expect("fakes never wait");
        }
        world.change(|state| drop(state.objects.remove(&palm)));
        world
    };
    let sweep = async |world: &World| {
        for hours in [0, 1, 2] {
            let at = clock::now().plus(SUBMIT_WITHIN).plus(Duration::from_hours(hours) + Duration::from_mins(1));
            drop(functions::tick(world, "sweep", tick_at(at)).await);
        }
    };
    let gone = async |world: &World| {
        let later = clock::now().plus(SUBMIT_WITHIN * 2);
        sweep_at(world, later).await;
        sweep_at(world, later.plus(Duration::from_hours(1))).await;
        assert_eq!((order_in(world).status.name(), world.state().objects.len()), ("expired", 0));
        let state = world.state();
        let files: Vec<&str> = state.files.values().map(|file| file.status.name()).collect();
        json!(files)
    };
    survives_to(prepare, sweep, gone).await;
}

fn tick_at(at: consigne_core::Timestamp) -> Value {
    let mut tick = consigne_testkit::payload::event("sweep", "tick", "");
    tick["time"] = at.to_string().into();
    tick
}
