//! Crash points of nightly jobs: statistics and events end the same as without a fault.

use std::time::Duration;

use consigne_core::credits::WalletId;
use consigne_core::periods::Day;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::nightly::night_of_quotas::{acme_without_maintenance, message as maintenance};
use crate::handlers::nightly::night_of_stats::{message, within};
use crate::handlers::nightly::night_of_storage::{of_night, stored, totals};
use crate::handlers::nightly::stats::{days_ago, outcome, put_receipt};
use crate::handlers::people::accounts::{ORG, OTHER_ORG, acme, found, org};

/// Returns the state that must be the same in the end: statistics and events.
fn essence(world: &World) -> Value {
    let state = world.state();
    let figures: Vec<Value> =
        state.stats.values().map(|stats| json!([stats.day.to_string(), format!("{:?}", stats.figures)])).collect();
    let events: Vec<&str> = state.outbox.iter().map(|(_, entry)| entry.kind.as_str()).collect();
    json!({ "stats": figures, "events": events })
}

fn busy() -> World {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[]);
    for back in 1..3 {
        put_receipt(&world, days_ago(back).starts(), |receipt| receipt.outcome = Some(outcome(200, 20)));
    }
    world
}

#[tokio::test]
async fn starting_the_count_of_a_day_survives_every_fault() {
    let act = async |world: &World| {
        let mut tick = payload::event("stats-aggregate", "night", "");
        tick["time"] = clock::now().to_string().into();
        // Lambda retries a failed tick.
        drop(functions::tick(world, "stats-aggregate", tick).await);
    };
    let end = async |world: &World| {
        functions::deliver_night(world).await;
        essence(world)
    };
    survives_to(busy, act, end).await;
}

#[tokio::test]
async fn counting_a_day_survives_every_fault() {
    let act = async |world: &World| {
        functions::deliver_until(world, "stats-organisation", message(days_ago(1)), within(Duration::from_mins(1)))
            .await;
    };
    survives_to(busy, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn counting_stored_bytes_survives_every_fault() {
    let act = async |world: &World| {
        let batch = of_night(Day::of(clock::now()));
        functions::deliver_until(world, "stats-storage", batch, within(Duration::from_mins(1))).await;
    };
    survives_to(stored, act, async |world| json!(totals(world))).await;
}

#[tokio::test]
async fn the_maintenance_of_an_organisation_survives_every_fault() {
    let act = async |world: &World| {
        functions::deliver_until(
            world,
            "quota-organisation",
            maintenance(clock::now()),
            within(Duration::from_mins(1)),
        )
        .await;
    };
    let end = async |world: &World| {
        let accounts = world.state().accounts;
        let used: Vec<_> = accounts.keys.values().map(|key| key.used.clone()).collect();
        let wallets: Vec<Value> = accounts
            .wallets
            .values()
            .map(|wallet| json!([wallet.balance, wallet.used, wallet.granted, wallet.expired, wallet.attributed]))
            .collect();
        let events: Vec<String> = world.state().outbox.iter().map(|(_, entry)| entry.kind.clone()).collect();
        json!([used, wallets, events])
    };
    let begin = || {
        let world = acme_without_maintenance();
        world.change(|state| {
            let own = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
            // The rest is so small that an alert threshold is crossed.
            own.alert.reference = 1_000_000;
        });
        world
    };
    survives_to(begin, act, end).await;
}

#[tokio::test]
async fn starting_maintenance_survives_every_fault() {
    let act = async |world: &World| {
        let mut tick = payload::event("quota-reset", "night", "");
        tick["time"] = clock::now().to_string().into();
        drop(functions::tick(world, "quota-reset", tick).await);
    };
    let end = async |world: &World| {
        functions::deliver_night(world).await;
        json!(world.state().accounts.keys.values().map(|key| key.used.clone()).collect::<Vec<_>>())
    };
    survives_to(acme_without_maintenance, act, end).await;
}
