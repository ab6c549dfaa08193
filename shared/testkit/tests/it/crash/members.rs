//! Crash points of members and invitations: members, invitations and the keys that people leave behind end the same as
//! without a fault.

use consigne_core::keys::KeyMode;
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::people::accounts::{KEY_ID, acme, put_key, sent_by, sent_by_service, user};
use crate::handlers::people::closing::try_close_accounts;
use crate::handlers::people::invited::{BOBS, bob_accepts, put_invitation};
use crate::handlers::people::org_delete::{dissolve, make_due};
use crate::handlers::webhooks::endpoints::{ENDPOINT, put_endpoint};

/// Returns the state that must be the same in the end: members, invitations and keys without ids and times.
fn essence(world: &World) -> Value {
    let state = world.state();
    let accounts = &state.accounts;
    let members: Vec<Value> =
        accounts.members.values().map(|member| json!([member.user.as_str(), member.role.name()])).collect();
    let invitations: Vec<Value> = accounts
        .invitations
        .values()
        .map(|invitation| {
            json!([invitation.email.as_str(), invitation.role.name(), format!("{:?}", invitation.status)])
        })
        .collect();
    let keys: Vec<Value> = accounts.keys.values().map(|key| json!([key.spender, key.revision, key.used])).collect();
    let wallets: Vec<Value> = accounts
        .wallets
        .values()
        .map(|wallet| json!([format!("{:?}", wallet.id), wallet.balance, wallet.used]))
        .collect();
    let audit: Vec<&str> = accounts.audit.iter().map(|entry| entry.action.name()).collect();
    let events: Vec<&str> = state.outbox.iter().map(|(_, entry)| entry.kind.as_str()).collect();
    let known: Vec<Option<&str>> =
        state.profiles.values().map(|profile| profile.from_token.as_ref().map(|seen| seen.email.as_str())).collect();
    json!({ "members": members, "invitations": invitations, "keys": keys, "wallets": wallets, "audit": audit,
        "events": events, "known": known, "idempotency_records": accounts.idempotency_records.len(), "receipts": accounts.receipts.len() })
}

/// Calls a function as Ann, with one of its payloads. Returns the answer.
async fn asked(world: &World, function: &str, case: &str) -> Value {
    functions::call(world, function, sent_by("user_ann1", function, case)).await
}

fn invited() -> World {
    let world = acme();
    put_invitation(&world, |_| ());
    world
}

#[tokio::test]
async fn inviting_somebody_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "member-invite", "with-key").await);
    let end = async |world: &World| {
        let (before, again) = (world.state(), asked(world, "member-invite", "with-key").await);
        assert_eq!((&again["status"], &again["body"]["data"]["email"]), (&json!(201), &json!(BOBS)));
        assert_eq!(world.state(), before);
        essence(world)
    };
    survives_to(acme, act, end).await;
}

#[tokio::test]
async fn inviting_somebody_without_an_idempotency_key_survives_every_fault() {
    // The retry finds its own invitation, so there is still only one.
    let act = async |world: &World| drop(asked(world, "member-invite", "developer").await);
    survives_to(acme, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn revoking_an_invitation_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "invitation-revoke", "one").await);
    survives_to(invited, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn accepting_an_invitation_survives_every_fault() {
    let token = put_invitation(&acme(), |_| ());
    let act = async |world: &World| drop(bob_accepts(world, &token).await);
    let end = async |world: &World| {
        let (before, again) = (world.state(), bob_accepts(world, &token).await);
        assert_eq!((&again["status"], &again["body"]["data"]["role"]), (&json!(200), &json!("developer")));
        assert_eq!(world.state(), before);
        essence(world)
    };
    survives_to(invited, act, end).await;
}

#[tokio::test]
async fn changing_a_role_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "member-update", "to-billing").await);
    survives_to(acme, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn removing_a_member_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "member-remove", "dev").await);
    survives_to(acme, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn removing_a_member_and_revoking_their_keys_survives_every_fault() {
    let prepare = || {
        let world = acme();
        put_key(&world, KEY_ID, KeyMode::Production, |_| ());
        world
    };
    let act = async |world: &World| {
        let mut event = sent_by("user_ann1", "member-remove", "dev");
        event["rawQueryString"] = "keys=revoke".into();
        functions::call(world, "member-remove", event).await;
    };
    let end = async |world: &World| {
        assert!(world.state().accounts.keys.values().all(|key| key.revoked.is_some()));
        essence(world)
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn deleting_an_organisation_survives_every_fault() {
    let prepare = || {
        let world = invited();
        put_key(&world, KEY_ID, KeyMode::Production, |_| ());
        put_endpoint(&world, ENDPOINT, "user_ann1", |_| ());
        world
    };
    let act = async |world: &World| drop(asked(world, "org-delete", "acme").await);
    let end = async |world: &World| {
        dissolve(world).await;
        let state = world.state();
        assert!(state.accounts.members.is_empty() && state.hooks.endpoints.is_empty());
        assert!(state.accounts.keys.values().all(|key| key.revoked.is_some()));
        json!([essence(world), state.accounts.founders.len(), state.accounts.deleted.len()])
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn dissolving_a_deleted_organisation_survives_every_fault() {
    let prepared = || {
        let world = invited();
        put_key(&world, KEY_ID, KeyMode::Production, |_| ());
        put_endpoint(&world, ENDPOINT, "user_ann1", |_| ());
        world
    };
    let deleted = prepared();
    // The members are left too: the list of them fails.
    deleted.fail_at(3, Moment::Before);
    assert_eq!(asked(&deleted, "org-delete", "acme").await["status"], 200);
    make_due(&deleted);
    let state = deleted.state();
    let prepare = || {
        let world = World::default();
        world.change(|own| *own = state.clone());
        world
    };
    let act = async |world: &World| drop(try_close_accounts(world, clock::now()).await);
    let end = async |world: &World| {
        dissolve(world).await;
        let mut essence = essence(world);
        // A step that fails does not stop the next ones, so the order differs.
        essence["audit"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        essence
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn renaming_an_organisation_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "org-update", "renamed").await);
    let end = async |world: &World| {
        let names: Vec<String> = world.state().accounts.orgs.into_values().map(|org| org.name).collect();
        json!([essence(world), names])
    };
    survives_to(acme, act, end).await;
}

#[tokio::test]
async fn the_first_charge_after_the_payer_has_left_survives_every_fault() {
    let text = put_key(&acme(), KEY_ID, KeyMode::Test, |_| ());
    let prepare = || {
        let world = acme();
        put_key(&world, KEY_ID, KeyMode::Test, |_| ());
        world.change(|state| state.accounts.members.retain(|(_, member), _| *member != user("user_dev1")));
        world
    };
    let act = async |world: &World| {
        functions::call(world, "key-verify", sent_by_service(&text, "key-verify", "charge")).await;
    };
    survives_to(prepare, act, async |world| essence(world)).await;
}
