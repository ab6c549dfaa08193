//! Crash points of keys: keys, credits and receipts end the same as without a fault.

use consigne_core::credits::WalletId;
use consigne_core::keys::{ApiKey, KeyMode};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::crash::{counts, survives_to};
use crate::handlers::people::accounts::{
    KEY_ID, acme, code_of, put_key, put_production, sent_by, sent_by_service, with,
};

/// Returns the state that must be the same in the end: everything about keys except ids, texts and times.
pub fn essence(world: &World) -> Value {
    let state = world.state();
    let accounts = &state.accounts;
    let orgs: Vec<Value> = accounts.orgs.values().map(|org| json!([org.name, org.suspended])).collect();
    let members: Vec<Value> =
        accounts.members.values().map(|member| json!([member.user.as_str(), member.role.name()])).collect();
    let keys: Vec<Value> = accounts
        .keys
        .values()
        .map(|key| {
            let calls: u64 = key.used.values().sum();
            json!([
                key.status.name(),
                key.generation,
                key.previous_until.is_some(),
                calls,
                key.revision,
                key.scopes,
                key.minute_quota,
                key.minute.map(|window| window.count),
                key.daily_quota,
                key.monthly_quota,
                key.spender
            ])
        })
        .collect();
    let wallets: Vec<Value> = accounts
        .wallets
        .values()
        .map(|wallet| {
            assert!(wallet.is_balanced(), "{wallet:?}");
            let test = matches!(wallet.id, WalletId::Test(_));
            json!([
                test,
                wallet.open,
                wallet.balance,
                wallet.held,
                wallet.used,
                wallet.purchased,
                wallet.granted,
                wallet.expired,
                wallet.clawed_back
            ])
        })
        .collect();
    let receipts: Vec<Value> = accounts
        .receipts
        .values()
        .map(|receipt| json!([receipt.credits, receipt.outcome.as_ref().map(|outcome| outcome.status_code)]))
        .collect();
    let holds: Vec<Value> = accounts
        .holds
        .values()
        .map(|hold| json!([hold.amount, hold.used(), hold.end.as_ref().map(|end| end.how.status())]))
        .collect();
    let payments: Vec<Value> = accounts
        .payments
        .values()
        .map(|payment| {
            json!([payment.sale.is_some(), payment.refunded_cents, payment.failed_refunds.len(), payment.clawed_back])
        })
        .collect();
    let audit: Vec<&str> = accounts.audit.iter().map(|entry| entry.action.name()).collect();
    let events: Vec<&str> = state.outbox.iter().map(|(_, entry)| entry.kind.as_str()).collect();
    let counted: Vec<_> = state.usage.values().map(|usage| counts(&usage.windows)).collect();
    json!({ "counted": counted, "orgs": orgs, "members": members, "keys": keys, "wallets": wallets, "receipts": receipts, "audit": audit,
        "events": events, "holds": holds, "refunds": accounts.refunds.values().collect::<Vec<_>>(), "payments": payments,
        "pointers": accounts.pointers.len(), "idempotency_records": accounts.idempotency_records.len() })
}

/// Calls a function as Ann, with one of its payloads. Returns the answer.
async fn asked(world: &World, function: &str, case: &str) -> Value {
    functions::call(world, function, sent_by("user_ann1", function, case)).await
}

fn one_key() -> World {
    let world = acme();
    put_production(&world, |_| ());
    world
}

/// Repeats the request. Asserts that the answer is the same and that its key works, so losing one answer does no harm.
async fn the_text_is_still_shown(world: &World, function: &str, case: &str) -> Value {
    let before = world.state();
    let again = asked(world, function, case).await;
    assert_eq!(again["status"], 201, "{again}");
    assert_eq!(code_of(world, again["body"]["data"]["key"].as_str().unwrap()).await, "VALID");
    assert_eq!(world.state(), before);
    essence(world)
}

#[tokio::test]
async fn creating_an_organisation_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "org-create", "with-key").await);
    survives_to(World::default, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn issuing_a_key_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "key-issue", "production").await);
    survives_to(acme, act, async |world| the_text_is_still_shown(world, "key-issue", "production").await).await;
}

#[tokio::test]
async fn updating_a_key_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "key-update", "limits").await);
    survives_to(one_key, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn rotating_a_key_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "key-rotate", "with-grace-and-key").await);
    let end = async |world: &World| the_text_is_still_shown(world, "key-rotate", "with-grace-and-key").await;
    survives_to(one_key, act, end).await;
}

#[tokio::test]
async fn revoking_a_key_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "key-revoke", "leaked").await);
    survives_to(one_key, act, async |world| essence(world)).await;
}

#[tokio::test]
async fn deleting_a_key_survives_every_fault() {
    let act = async |world: &World| drop(asked(world, "key-delete", "one").await);
    survives_to(one_key, act, async |world| essence(world)).await;
}

/// Charges a key and asks for the remaining quota, which is one more effect. Asserts that this survives every fault.
async fn charge_survives(environment: KeyMode) {
    // A call of a key with a quota for each period. The minute's last call is left, so it would be refused twice.
    let quotas = |key: &mut ApiKey| (key.minute_quota, key.daily_quota) = (Some(1), Some(10));
    let text = put_key(&acme(), KEY_ID, environment, quotas);
    let prepare = || {
        let world = acme();
        assert_eq!(put_key(&world, KEY_ID, environment, quotas), text);
        world
    };
    let charge = async |world: &World| {
        let event = with(sent_by_service(&text, "key-verify", "charge"), &json!({ "include": ["remaining"] }));
        functions::call(world, "key-verify", event).await
    };
    let end = async |world: &World| {
        let (before, again) = (world.state(), charge(world).await);
        assert_eq!(world.state(), before);
        json!([essence(world), payload::steady(&again)])
    };
    survives_to(prepare, async |world| drop(charge(world).await), end).await;
}

#[tokio::test]
async fn a_charge_of_an_organisations_wallet_survives_every_fault() {
    charge_survives(KeyMode::Production).await;
}

#[tokio::test]
async fn the_first_charge_of_a_test_wallet_survives_every_fault() {
    charge_survives(KeyMode::Test).await;
}

#[tokio::test]
async fn reporting_an_outcome_survives_every_fault() {
    let text = put_production(&acme(), |_| ());
    let report = async |world: &World| {
        let event = payload::event("receipt-outcome", "served", functions::SERVICE_TOKEN);
        functions::call(world, "receipt-outcome", event).await
    };
    let paid = acme();
    put_production(&paid, |_| ());
    functions::call(&paid, "key-verify", sent_by_service(&text, "key-verify", "charge")).await;
    let prepare = || {
        let world = World::default();
        world.change(|state| *state = paid.state());
        world
    };
    let end = async |world: &World| {
        assert_eq!(report(world).await["status"], 200);
        essence(world)
    };
    survives_to(prepare, async |world| drop(report(world).await), end).await;
}
