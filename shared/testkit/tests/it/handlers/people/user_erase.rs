//! user-erase: the caller's account is closed, and `account-close` ends what it owned.

use consigne_core::UserId;
use consigne_core::files::Status;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{answer, refusal};
use crate::handlers::people::closing::close_accounts_at;
use crate::handlers::{GRANTED, pending, ready, world_with};

/// Asks for the erasure of Ann's account, with a body.
async fn erase_with(world: &World, body: &Value) -> Value {
    let token = functions::issuer().token("user_ann1", "free");
    let mut event = payload::event("user-erase", "own", &token);
    event["body"] = body.to_string().into();
    answer(world, "user-erase", event).await
}

#[tokio::test]
async fn an_account_is_erased_once_and_only_with_its_own_id() {
    let world = world_with(&[ready(&pending())]);
    let before = world.state();
    for wrong in [json!({}), json!({ "confirm": "user_bob1" }), json!({ "confirm": "" }), json!({ "confirm": true })] {
        assert_eq!(erase_with(&world, &wrong).await["status"], 400, "{wrong}");
    }
    assert_eq!(world.state(), before);

    let own = json!({ "confirm": "user_ann1" });
    let erased = erase_with(&world, &own).await;
    assert_eq!(
        (&erased["status"], &erased["body"]["data"]),
        (&json!(202), &json!({ "user_id": "user_ann1", "status": "erasing" }))
    );
    let ann = UserId::parse("user_ann1").unwrap();
    let closed_at = world.state().profiles[&ann].closed_at;
    assert!(closed_at.is_some() && world.state().closings.contains_key(&ann));
    let told: Vec<Value> =
        world.state().outbox.iter().map(|(_, entry)| serde_json::from_str(&entry.detail).unwrap()).collect();
    assert_eq!((told.len(), &told[0]["user_id"], &told[0]["cause"]), (1, &json!("user_ann1"), &json!("asked")));

    let again = erase_with(&world, &own).await;
    assert_eq!(refusal(&again), (401, "UNAUTHENTICATED"));
    let token = functions::issuer().token("user_ann1", "free");
    assert_eq!(refusal(&answer(&world, "me", payload::event("me", "ask", &token)).await), (401, "UNAUTHENTICATED"));
    assert_eq!(world.state().profiles[&ann].closed_at, closed_at);
}

#[tokio::test]
async fn support_that_is_signed_in_as_a_person_cannot_erase_their_account() {
    let world = world_with(&[ready(&pending())]);
    let before = world.state();
    let token = functions::issuer().token_with("user_ann1", &json!({ "act": { "sub": "user_support1" } }));
    let mut event = payload::event("user-erase", "own", &token);
    event["body"] = json!({ "confirm": "user_ann1" }).to_string().into();
    assert_eq!(refusal(&answer(&world, "user-erase", event).await), (403, "IMPERSONATION_REFUSED"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn what_an_erased_account_owned_is_deleted() {
    let world = world_with(&[ready(&pending())]);
    erase_with(&world, &json!({ "confirm": "user_ann1" })).await;
    let closing = world.state().closings.values().next().unwrap().clone();
    close_accounts_at(&world, closing.due_at.plus(std::time::Duration::from_secs(1))).await;
    let state = world.state();
    assert!(state.objects.is_empty() && state.files.values().all(|file| file.status == Status::Deleted));
    assert!(closing.closed_at > GRANTED);
}
