//! Crash points of the replica: wherever `erase-replica` is killed, the copy of a removed version is gone in the end.

use consigne_testkit::fakes::World;
use serde_json::{Value, json};

use super::survives_to;
use crate::handlers::KEY;
use crate::handlers::files::erase_replica::{feed, look_again, replicate};

async fn deleted(world: &World) {
    feed(world, "deleted").await;
}

#[tokio::test]
async fn removing_a_copy_survives_every_fault() {
    let copied = || {
        let world = World::default();
        replicate(&world, KEY, "v1");
        replicate(&world, KEY, "v2");
        world
    };
    let end = async |world: &World| -> Value {
        let left = world.state().replica;
        json!(left.values().flatten().map(|version| version.id.clone()).collect::<Vec<_>>())
    };
    survives_to(copied, deleted, end).await;
}

#[tokio::test]
async fn a_late_copy_is_removed_after_every_fault() {
    // S3's copy arrives only after the first look, or after the fault in it.
    let end = async |world: &World| -> Value {
        replicate(world, KEY, "v1");
        look_again(world).await;
        json!(world.state().replica.len())
    };
    survives_to(World::default, deleted, end).await;
}
