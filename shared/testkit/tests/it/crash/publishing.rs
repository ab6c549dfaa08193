//! Crash points of published files. In the end a file has one address or none, and whoever was told of an address finds it.

use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use super::{essence, survives_to};
use crate::handlers::files::publish::{call_with_cdn, published};
use crate::handlers::{assert_books_balance, file_in, pending, ready, world_with};

/// Returns the state that must be the same in the end: addresses without their ids. Writes are counted once each.
fn end(world: &World) -> Value {
    assert_books_balance(world);
    let state = world.state();
    let file = file_in(world);
    if let Some(id) = file.published {
        assert_eq!(state.addresses[&id], (file.owner().clone(), file.id()), "the address leads elsewhere");
    }
    json!({ "all": essence(world), "public": file.published.is_some(), "addresses": state.addresses.len() })
}

#[tokio::test]
async fn publishing_a_file_survives_every_fault() {
    let publish = async |world: &World| drop(call_with_cdn(world, "publish", "ask").await);
    survives_to(|| world_with(&[ready(&pending())]), publish, async |world| end(world)).await;
}

#[tokio::test]
async fn withdrawing_an_address_survives_every_fault() {
    let withdraw = async |world: &World| drop(call_with_cdn(world, "publish", "withdraw").await);
    survives_to(published, withdraw, async |world| end(world)).await;
}

#[tokio::test]
async fn making_the_cdn_forget_survives_every_fault() {
    let deliver = async |world: &World| {
        functions::deliver(world, "cdn-invalidate", payload::event("cdn-invalidate", "deleted", "")).await;
    };
    survives_to(World::default, deliver, async |world| json!(world.state().invalidated)).await;
}
