//! Crash points of selling credits: sessions, wallets and the audit log end the same as without a fault.

use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use consigne_testkit::stripe::signed;
use serde_json::{Value, json};

use crate::crash::keys::essence;
use crate::crash::survives_to;
use crate::handlers::people::accounts::{acme, sent_by};
use crate::handlers::people::webhook_stripe::{event, offered, send};

#[tokio::test]
async fn opening_a_checkout_survives_every_fault() {
    let open =
        async |world: &World| functions::call(world, "checkout", sent_by("user_ann1", "checkout", "with-key")).await;
    let end = async |world: &World| {
        let (before, again) = (world.state(), open(world).await);
        assert_eq!(again["status"], 201, "{again}");
        assert_eq!(world.state(), before);
        let (opened, recorded) = (&before.accounts.opened, &before.accounts.checkouts);
        json!([opened.len(), recorded.len(), again["body"]["data"], essence(world)])
    };
    survives_to(acme, async |world| drop(open(world).await), end).await;
}

#[tokio::test]
async fn a_place_of_a_refused_checkout_is_given_back_once_despite_every_fault() {
    let prepare = || {
        let world = acme();
        world.change(|state| state.accounts.provider_refuses = true);
        world
    };
    let act = async |world: &World| {
        drop(functions::call(world, "checkout", sent_by("user_ann1", "checkout", "with-key")).await);
    };
    let end = async |world: &World| {
        // One more try, because the last one may have ended before it gave the place back.
        act(world).await;
        let accounts = world.state().accounts;
        let taken: u32 = accounts.checkouts_opened.values().chain(accounts.checkouts_of_person.values()).sum();
        json!([taken, accounts.opened.len(), accounts.checkouts.len(), accounts.idempotency_records.len()])
    };
    survives_to(prepare, act, end).await;
}

/// Asserts that an event survives every fault, after the events in `before`. Stripe sends it again until it gets 200.
async fn event_survives(before: &[&str], case: &str) {
    let prepared = offered().await;
    for case in before {
        send(&prepared, signed(event(case))).await;
    }
    let state = prepared.state();
    let prepare = || {
        let world = World::default();
        world.change(|own| *own = state.clone());
        world
    };
    let act = async |world: &World| drop(send(world, signed(event(case))).await);
    let end = async |world: &World| -> Value {
        let (before, again) = (world.state(), send(world, signed(event(case))).await);
        assert_eq!(again["status"], 200, "{again}");
        assert_eq!(world.state(), before);
        essence(world)
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn a_paid_checkout_survives_every_fault() {
    event_survives(&[], "completed").await;
    event_survives(&["refunded", "dispute-created"], "completed").await;
}

#[tokio::test]
async fn a_checkout_that_was_not_opened_here_survives_every_fault() {
    let act = async |world: &World| drop(send(world, signed(event("completed"))).await);
    survives_to(acme, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn a_refund_before_or_after_its_purchase_survives_every_fault() {
    event_survives(&[], "refunded").await;
    event_survives(&["completed"], "refunded").await;
}

#[tokio::test]
async fn a_failed_refund_before_or_after_its_purchase_survives_every_fault() {
    event_survives(&[], "refund-failed").await;
    event_survives(&["completed"], "refund-failed").await;
    event_survives(&["completed", "refunded"], "refund-failed").await;
    event_survives(&["completed", "refund-failed"], "refunded").await;
    event_survives(&["refunded", "refund-failed"], "completed").await;
}

#[tokio::test]
async fn a_dispute_and_its_end_survive_every_fault() {
    event_survives(&[], "dispute-created").await;
    event_survives(&["completed"], "dispute-created").await;
    event_survives(&["completed", "dispute-created"], "dispute-won").await;
    event_survives(&["completed", "dispute-created"], "dispute-lost").await;
}
