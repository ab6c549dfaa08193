//! stats-storage: counts what all users store, by plan.

use std::time::Duration;

use consigne_core::files::{Kind, KindUsage, Usage};
use consigne_core::periods::Day;
use consigne_core::stats::Stored;
use consigne_core::{Plan, UserId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::nightly::night_of_stats::{start_night, within};

/// Returns the payload's message for another night.
pub fn of_night(day: Day) -> Value {
    let event = payload::event("stats-storage", "night", "").to_string();
    serde_json::from_str(&event.replace("2026-11-21", &day.to_string())).unwrap()
}

/// Creates a world in which seven users on three plans store something, or did.
pub fn stored() -> World {
    let world = World::default();
    for (n, plan) in
        [Plan::Free, Plan::Pro, Plan::Free, Plan::Premium, Plan::Pro, Plan::Pro, Plan::Free].iter().enumerate()
    {
        // The third user stores nothing any more, and the last one has only reserved bytes.
        let files = [1, 2, 0, 3, 4, 5, 0][n];
        let reserved = if n == 6 { 1_000 } else { 0 };
        let owner = UserId::parse(&format!("user_ann{n}")).unwrap();
        let mut usage = Usage { committed: files * 10 + reserved, reserved, ..Usage::default() };
        usage.by_kind[Kind::Image as usize] = KindUsage { files, bytes: files * 10 };
        world.change(|state| {
            state.plans.insert(owner.clone(), *plan);
            state.usage.insert(owner, usage);
        });
    }
    world
}

/// Returns the stored statistics of each day by plan: users, files, bytes and reserved bytes.
pub fn totals(world: &World) -> Vec<Value> {
    let plain = |Stored { users, files, bytes, reserved }: Stored| [users, files, bytes, reserved];
    let days = world.state().storage.into_values();
    days.map(|day| day.totals.plans().map(|(plan, stored)| (plan.name().to_owned(), json!(plain(stored)))).collect())
        .collect()
}

fn expected() -> Vec<Value> {
    vec![json!({ "free": [2, 1, 10, 1_000], "premium": [1, 3, 30, 0], "pro": [3, 11, 110, 0] })]
}

fn today() -> Day {
    Day::of(clock::now())
}

async fn count(world: &World, batch: Value) {
    let answer = functions::deliver_until(world, "stats-storage", batch, within(Duration::from_mins(1))).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn stored_bytes_are_counted_by_the_plan_of_the_last_grant() {
    let world = stored();
    start_night(&world, clock::now()).await;
    functions::deliver_night(&world).await;
    assert_eq!(totals(&world), expected());
    assert_eq!(world.state().storage.into_keys().collect::<Vec<_>>(), [today()]);
}

#[tokio::test]
async fn a_long_count_continues_in_further_messages() {
    let world = stored();
    // Without time left, each message counts one page.
    let short = || within(Duration::from_secs(5));
    let (mut batch, mut messages) = (of_night(today()), 0);
    loop {
        messages += 1;
        for _ in 0..2 {
            // Messages may be delivered twice, which must not change the result.
            let answer = functions::deliver_until(&world, "stats-storage", batch.clone(), short()).await;
            assert_eq!(answer, json!({ "batchItemFailures": [] }));
        }
        let mut waiting = Vec::new();
        world.change(|state| waiting = std::mem::take(&mut state.messages));
        let Some(body) = waiting.first() else { break };
        assert!(waiting.len() == 2 && waiting[0] == waiting[1] || messages == 1, "{waiting:?}");
        assert!(world.state().storage.is_empty(), "no statistics before everything is counted");
        batch["Records"][0]["body"] = body.clone().into();
    }
    assert_eq!(messages, 3);
    assert_eq!(totals(&world), expected());
}

#[tokio::test]
async fn an_older_count_does_not_replace_a_newer_one() {
    let world = stored();
    count(&world, of_night(today())).await;
    let later = clock::now().plus(Duration::from_hours(1));
    world.change(|state| {
        state.storage.get_mut(&today()).unwrap().counted_at = later;
        state.usage.clear();
    });
    count(&world, of_night(today())).await;
    assert_eq!(totals(&world), expected());
}

#[tokio::test]
async fn a_message_for_another_night_is_ignored() {
    let world = stored();
    for day in [today().minus(1), today().plus(1)] {
        count(&world, of_night(day)).await;
    }
    assert_eq!(totals(&world), [] as [Value; 0]);
}

#[tokio::test]
async fn a_malformed_message_is_redelivered() {
    let world = World::default();
    let mut batch = of_night(today());
    batch["Records"][0]["body"] = r#"{"day":"yesterday"}"#.into();
    let answer = functions::deliver_until(&world, "stats-storage", batch, within(Duration::from_mins(1))).await;
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "message-1" }] }));
}

#[tokio::test]
async fn a_day_is_stored_even_if_nobody_stores_anything() {
    let world = World::default();
    count(&world, of_night(today())).await;
    assert_eq!(totals(&world), [json!({})]);
}
