//! The replica loses what the bucket has lost, also if S3's copy comes later than the removal.

use std::time::Duration;

use consigne_testkit::fakes::{State, Version, World};
use consigne_testkit::{functions, payload};
use erase_replica::{BETWEEN_LOOKS, LOOKS};
use serde_json::{Value, json};

use crate::handlers::KEY;

/// Puts a version into the replica, as S3 does.
pub fn replicate(world: &World, key: &str, version: &str) {
    let copy = Version { id: version.to_owned(), bytes: vec![1], zeros: 0 };
    world.change(|state| state.replica.entry(key.to_owned()).or_default().push(copy));
}

pub async fn feed(world: &World, case: &str) -> Value {
    functions::deliver(world, "erase-replica", payload::event("erase-replica", case, "")).await
}

/// Delivers the last message that the function has sent to itself.
pub async fn look_again(world: &World) -> Value {
    let mut batch = payload::event("erase-replica", "deleted", "");
    let (body, wait) = world.state().later.last().cloned().expect("there is a message");
    assert_eq!(wait, BETWEEN_LOOKS);
    batch["Records"][0]["body"] = body.into();
    functions::deliver(world, "erase-replica", batch).await
}

fn nothing_failed() -> Value {
    json!({ "batchItemFailures": [] })
}

fn copies(state: &State) -> Vec<(&str, Vec<&str>)> {
    state.replica.iter().map(|(key, all)| (key.as_str(), all.iter().map(|one| one.id.as_str()).collect())).collect()
}

#[tokio::test]
async fn the_removed_version_goes_and_nothing_else() {
    let world = World::default();
    replicate(&world, KEY, "v1");
    replicate(&world, KEY, "v2");
    replicate(&world, &format!("{KEY}x"), "v1");
    world.put_object(KEY, "v1", vec![1]);
    assert_eq!(feed(&world, "deleted").await, nothing_failed());
    let state = world.state();
    assert_eq!(copies(&state), [(KEY, vec!["v2"]), (&format!("{KEY}x"), vec!["v1"])]);
    // The copy was complete, so no later one can come. The bucket itself is not touched.
    assert_eq!((state.later.len(), state.objects[KEY].len()), (0, 1));
}

#[tokio::test]
async fn a_copy_that_comes_after_the_removal_is_found_later() {
    let world = World::default();
    assert_eq!(feed(&world, "deleted").await, nothing_failed());
    assert_eq!(look_again(&world).await, nothing_failed());
    replicate(&world, KEY, "v1");
    assert_eq!(look_again(&world).await, nothing_failed());
    assert_eq!((world.state().replica.len(), world.state().later.len()), (0, 2));
}

#[tokio::test]
async fn a_version_that_was_never_copied_is_looked_for_two_hours_long() {
    let world = World::default();
    assert_eq!(feed(&world, "deleted").await, nothing_failed());
    let mut looks = 1;
    while world.state().later.len() == looks {
        assert_eq!(look_again(&world).await, nothing_failed());
        looks += 1;
    }
    assert_eq!((looks, BETWEEN_LOOKS * (LOOKS - 1)), (LOOKS as usize, Duration::from_hours(2)));
}

#[tokio::test]
async fn a_delete_marker_removes_no_copy() {
    let world = World::default();
    replicate(&world, KEY, "m1");
    assert_eq!(feed(&world, "delete-marker").await, nothing_failed());
    assert_eq!((world.state().replica.len(), world.state().later.len()), (1, 0));
}

#[tokio::test]
async fn a_replica_that_refuses_the_removal_is_asked_again() {
    let world = World::default();
    replicate(&world, KEY, "v1");
    world.refuse_removals(true);
    assert_ne!(feed(&world, "deleted").await, nothing_failed());
    assert_eq!(world.state().replica.len(), 1);
    world.refuse_removals(false);
    assert_eq!(feed(&world, "deleted").await, nothing_failed());
    assert_eq!(world.state().replica.len(), 0);
}

#[tokio::test]
async fn a_message_that_is_none_fails() {
    let world = World::default();
    for body in ["", "{}", r#"{"detail": {"object": {}}}"#] {
        let mut batch = payload::event("erase-replica", "deleted", "");
        batch["Records"][0]["body"] = body.into();
        assert_ne!(functions::deliver(&world, "erase-replica", batch).await, nothing_failed(), "{body}");
    }
}
