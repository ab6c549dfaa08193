//! Crash points of malware scans.

use std::time::Duration;

use consigne_core::files::{Arrival, Measured, ScanPolicy, Unscanned, VERDICT_WITHIN};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use super::{essence, survives_to};
use crate::handlers::files::on_scan_result::{SCANNED, file_in, scanned, uploaded};
use crate::handlers::{GRANTED, assert_books_balance, ready, world_with};

async fn created(world: &World) {
    let mut event = payload::event("on-object-event", "created", "");
    event["Records"][0]["body"] =
        event["Records"][0]["body"].as_str().unwrap().replace("user_ann1", "user_scan1").into();
    functions::deliver(world, "on-object-event", event).await;
}

async fn verdict(world: &World, case: &str) {
    functions::deliver(world, "on-scan-result", payload::event("on-scan-result", case, "")).await;
}

async fn threats(world: &World) {
    verdict(world, "threats").await;
}

/// Returns a world in which the upload was checked and waits for its verdict since the grant.
fn waiting() -> World {
    let step = scanned().arrive(
        Arrival { pinned: ready(&scanned()).pinned.unwrap(), size: 1000, measured: Measured::default() },
        ScanPolicy::Hold,
        GRANTED,
    );
    world_with(&[step.file])
}

async fn sweep(world: &World, after: Duration) {
    let mut tick = payload::event("sweep", "tick", "");
    tick["time"] = after_now(after).into();
    // A failed run is repeated at the next tick.
    drop(functions::tick(world, "sweep", tick).await);
}

fn after_now(after: Duration) -> String {
    consigne_runtime::clock::now().plus(after).to_string()
}

/// Runs what comes by itself: two sweeps. Returns the state that must be the same.
async fn end(world: &World) -> Value {
    for minutes in [6, 12] {
        sweep(world, Duration::from_mins(minutes)).await;
    }
    assert_books_balance(world);
    let file = file_in(world);
    json!([
        essence(world),
        file.scan.state.map(|state| (state.name(), state.why().map(Unscanned::name))),
        file.rejected_reason,
        file.pinned.is_some()
    ])
}

#[tokio::test]
async fn a_clean_verdict_before_and_after_the_check_survives_every_fault() {
    survives_to(waiting, async |world| verdict(world, "clean").await, end).await;
    let early = async |world: &World| {
        verdict(world, "clean").await;
        created(world).await;
    };
    survives_to(uploaded, early, end).await;
    let late = async |world: &World| {
        created(world).await;
        verdict(world, "clean").await;
    };
    survives_to(uploaded, late, end).await;
}

#[tokio::test]
async fn a_verdict_about_malware_survives_every_fault() {
    survives_to(waiting, threats, end).await;
    let ready_with_two_versions = || {
        let world = world_with(&[ready(&scanned())]);
        world.put_object(SCANNED, "v2", pictures::gif(20));
        world
    };
    survives_to(ready_with_two_versions, threats, end).await;
    let early = async |world: &World| {
        threats(world).await;
        created(world).await;
    };
    survives_to(uploaded, early, end).await;
}

#[tokio::test]
async fn a_verdict_that_is_no_result_survives_every_fault() {
    survives_to(waiting, async |world| verdict(world, "unsupported").await, end).await;
}

#[tokio::test]
async fn sweeping_a_file_without_a_verdict_survives_every_fault() {
    let act = async |world: &World| {
        let mut tick = payload::event("sweep", "tick", "");
        tick["time"] = GRANTED.plus(VERDICT_WITHIN).to_string().into();
        drop(functions::tick(world, "sweep", tick).await);
    };
    survives_to(waiting, act, end).await;
}

#[tokio::test]
async fn sweeping_what_is_left_of_malware_survives_every_fault() {
    let interrupted = || {
        let world = waiting();
        world.change(|state| {
            for file in state.files.values_mut() {
                let verdict = consigne_core::files::Verdict::new(consigne_core::files::ScanResult::Threats, None);
                let step = file.judged("v1", &verdict, ScanPolicy::Hold, GRANTED).unwrap();
                step.ledger.apply(state.usage.get_mut(file.owner()).unwrap(), file.kind());
                *file = step.file;
            }
        });
        world
    };
    survives_to(interrupted, async |world| sweep(world, Duration::ZERO).await, end).await;
}
