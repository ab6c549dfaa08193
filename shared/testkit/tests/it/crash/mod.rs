//! Crash points: every effect of every handler that writes fails once, before and after it happens. The caller retries,
//! and the final state must be the same as without a fault.

mod credits;
mod deliveries;
mod derivatives;
mod exports;
mod gateway;
mod jobs;
pub mod keys;
mod mail;
mod members;
mod migrations;
mod night;
mod orders;
mod parts;
mod payments;
mod publishing;
mod reconcile;
mod replica;
mod scans;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use consigne_core::files::Removal;
use consigne_core::rates::{Rate, Windows};
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::handlers::{GRANTED, KEY, assert_books_balance, pending, ready, world_with};

/// Returns what was counted at each rate.
fn counts(windows: &Windows) -> [Option<u64>; 4] {
    Rate::ALL.map(|rate| windows.of(rate).map(|window| window.count))
}

/// Returns the state that must be the same in the end: everything except ids and times.
fn essence(world: &World) -> Value {
    let state = world.state();
    let files: Vec<Value> = state
        .files
        .values()
        .map(|file| {
            json!([file.status.name(), file.ledger_state.name(), file.size, file.name.as_str(), file.shown_metadata()])
        })
        .collect();
    let ledgers: BTreeMap<String, Value> = state
        .usage
        .iter()
        .map(|(owner, usage)| {
            let bytes = [usage.committed, usage.reserved, usage.files(None), usage.bytes()];
            (owner.to_string(), json!([bytes, counts(&usage.windows)]))
        })
        .collect();
    let objects: BTreeMap<String, usize> = state
        .objects
        .iter()
        .map(|(key, versions)| (key.replace(|c: char| c.is_ascii_uppercase(), ""), versions.len()))
        .collect();
    let events: BTreeSet<(String, String)> =
        state.published.iter().map(|entry| (entry.kind.clone(), entry.id.to_string())).collect();
    let events: Vec<String> = events.into_iter().map(|(kind, _)| kind).collect();
    json!({ "files": files, "ledgers": ledgers, "objects": objects, "events": events, "outbox": state.outbox.len(), "uploads": state.uploads.len() })
}

/// Runs everything that is asynchronous: redelivered events, the sweep, the outbox.
async fn settle(world: &World) {
    for (case, when) in [("created", true), ("deleted", false)] {
        // S3 sends events about created and deleted objects.
        if world.state().objects.contains_key(KEY) == when {
            functions::deliver(world, "on-object-event", payload::event("on-object-event", case, "")).await;
        }
    }
    for hours in [1, 2] {
        let mut tick = payload::event("sweep", "tick", "");
        let later = consigne_runtime::clock::now().plus(Duration::from_hours(hours));
        tick["time"] = later.to_string().into();
        functions::tick(world, "sweep", tick).await.unwrap();
    }
}

/// Asserts that files, ledgers and events end the same after a fault at each effect of `act`.
async fn survives(prepare: impl Fn() -> World, act: impl AsyncFn(&World)) {
    let end = async |world: &World| {
        settle(world).await;
        assert_books_balance(world);
        essence(world)
    };
    survives_to(prepare, act, end).await;
}

/// Runs `act` on a new world with a fault at each effect in turn, and again as a retry. Asserts that `end` returns the
/// same state each time.
pub async fn survives_to(prepare: impl Fn() -> World, act: impl AsyncFn(&World), end: impl AsyncFn(&World) -> Value) {
    let calm = prepare();
    act(&calm).await;
    let want = end(&calm).await;
    let mut points = 0;
    for moment in [Moment::Before, Moment::After] {
        for skip in 0.. {
            let world = prepare();
            world.fail_at(skip, moment);
            act(&world).await;
            if world.fault_is_left() {
                break;
            }
            points += 1;
            act(&world).await;
            assert_eq!(end(&world).await, want, "state after a fault {moment:?} effect {skip}");
        }
    }
    assert!(points >= 2, "no crash point was reached");
}

async fn http(world: &World, function: &str, case: &str) {
    let token = functions::issuer().token("user_ann1", "pro");
    functions::call(world, function, payload::event(function, case, &token)).await;
}

async fn object_event(world: &World, case: &str) {
    functions::deliver(world, "on-object-event", payload::event("on-object-event", case, "")).await;
}

fn arrived(bytes: Vec<u8>) -> World {
    let world = world_with(&[pending()]);
    world.put_object(KEY, "v1", bytes);
    world
}

#[tokio::test]
async fn a_grant_with_an_idempotency_key_survives_every_fault() {
    survives(World::default, async |world| http(world, "upload-grant", "with-checksum-and-key").await).await;
}

#[tokio::test]
async fn a_good_upload_survives_every_fault() {
    survives(|| arrived(pictures::png(640, 480, 1000)), async |world| object_event(world, "created").await).await;
}

#[tokio::test]
async fn an_upload_of_the_wrong_type_survives_every_fault() {
    survives(|| arrived(pictures::gif(1000)), async |world| object_event(world, "created").await).await;
}

#[tokio::test]
async fn an_upload_with_the_grant_of_a_deleted_file_survives_every_fault() {
    let prepare = || {
        let world = world_with(&[ready(&pending()).remove(Removal::Deleted, GRANTED).file]);
        world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
        world
    };
    survives(prepare, async |world| object_event(world, "created").await).await;
}

#[tokio::test]
async fn the_deletion_of_an_object_survives_every_fault() {
    let prepare = || {
        let world = world_with(&[ready(&pending())]);
        world.change(|state| state.objects.clear());
        world
    };
    survives(prepare, async |world| object_event(world, "deleted").await).await;
}

#[tokio::test]
async fn deleting_a_ready_file_survives_every_fault() {
    survives(|| world_with(&[ready(&pending())]), async |world| http(world, "delete", "plain").await).await;
}

#[tokio::test]
async fn renaming_a_file_survives_every_fault() {
    survives(|| world_with(&[ready(&pending())]), async |world| http(world, "metadata", "rename").await).await;
}

#[tokio::test]
async fn deleting_a_pending_file_survives_every_fault() {
    survives(|| world_with(&[pending()]), async |world| http(world, "delete", "plain").await).await;
}

#[tokio::test]
async fn sweeping_survives_every_fault() {
    let prepare = || {
        let other = |end: &str| format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2F{end}-photo.png");
        let leaving = ready(&crate::handlers::pending_at(&other("TS"))).deleting(GRANTED);
        let expiring = crate::handlers::pending_at(&other("TT"));
        let world = world_with(&[pending(), leaving, expiring]);
        world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
        world
    };
    let sweep = async |world: &World| {
        let mut tick = payload::event("sweep", "tick", "");
        tick["time"] = GRANTED.plus(Duration::from_mins(30)).to_string().into();
        // A failed run is repeated at the next tick.
        drop(functions::tick(world, "sweep", tick).await);
    };
    survives(prepare, sweep).await;
}

#[tokio::test]
async fn publishing_events_survives_every_fault() {
    let publish = async |world: &World| {
        functions::deliver(world, "publish-events", payload::event("publish-events", "two", "")).await;
    };
    survives(World::default, publish).await;
}
