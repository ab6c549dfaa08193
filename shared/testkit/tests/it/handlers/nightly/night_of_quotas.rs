//! quota-reset and quota-organisation: delete counters of past periods and expire lots, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::credits::{LotKind, TEST_PERIOD, Wallet, WalletId};
use consigne_core::keys::{KeyMode, KeyStatus};
use consigne_core::periods::{Day, Month};
use consigne_core::{LotId, Timestamp};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::nightly::night_of_stats::within;
use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    KEY_ID, ORG, OTHER_ORG, acme, change_key, found, in_days, key_in, org, outbox, put_key, put_production, user,
};

const TEST_KEY: &str = "key_01M7YREWKH7VM7Z3Z2KWSH2FTX";

/// Returns the payload's message for another night.
pub fn message(at: Timestamp) -> Value {
    let mut event = payload::event("quota-organisation", "organisation", "");
    let mut body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["at_ms"] = at.as_millis().into();
    event["Records"][0]["body"] = body.to_string().into();
    event
}

async fn maintenance(world: &World) {
    let answer =
        functions::deliver_until(world, "quota-organisation", message(clock::now()), within(Duration::from_mins(1)))
            .await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
}

/// Returns counters for the periods so many days and months ago.
fn periods(days: &[i32], months: &[u8]) -> BTreeMap<String, u64> {
    let days = days.iter().map(|days| Day::of(in_days(-days)).to_string());
    let months = months.iter().map(|months| Month::of(clock::now()).back(*months).to_string());
    days.chain(months).map(|period| (period, 5)).collect()
}

/// Creates a world in which Acme had no maintenance: it has old counters, an expired lot, and Dev's test wallet is a
/// period behind.
pub fn acme_without_maintenance() -> World {
    let world = acme();
    put_production(&world, |key| key.used = periods(&[0, 40, 41, 300], &[0, 13, 14, 30]));
    put_key(&world, TEST_KEY, KeyMode::Test, |_| ());
    world.change(|state| {
        let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
        wallet.add(LotId::mint(in_days(-9)), LotKind::Promo, 50, Some(in_days(-2)));
        wallet.debit(20);
        let mut wallet = Wallet::of_tester(user("user_dev1"), in_days(-31));
        wallet.debit(70);
        state.accounts.wallets.insert(wallet.id.clone(), wallet);
    });
    world
}

fn wallet(world: &World, id: &WalletId) -> Wallet {
    let wallet = world.state().accounts.wallets[id].clone();
    assert!(wallet.is_balanced(), "{wallet:?}");
    wallet
}

#[tokio::test]
async fn a_night_sends_one_message_for_each_organisation() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[]);
    let done = functions::tick(&world, "quota-reset", payload::event("quota-reset", "night", "")).await.unwrap();
    assert_eq!(done, json!({ "organisations": 2 }));
    insta::assert_json_snapshot!(world.state().messages, @r#"
    [
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTR\",\"at_ms\":1795305900000}",
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTT\",\"at_ms\":1795305900000}"
    ]
    "#);
}

#[tokio::test]
async fn maintenance_deletes_old_counters_and_expires_lots() {
    let world = acme_without_maintenance();
    let before = world.state();
    maintenance(&world).await;
    assert_eq!(key_in(&world).used, periods(&[0, 40], &[0, 13]));
    let own = wallet(&world, &WalletId::Organisation(org(ORG)));
    assert_eq!((own.balance, own.used, own.expired, own.next_expiry), (1_000, 20, 30, None));
    let test = wallet(&world, &WalletId::Test(user("user_dev1")));
    assert_eq!((test.balance, test.used, test.expired, test.granted), (100, 70, 30, 200));
    assert_eq!(test.next_expiry, Some(test.anchor.plus(TEST_PERIOD * 2)));
    let after = world.state();
    assert_eq!(
        (&after.accounts.audit, &after.outbox),
        (&before.accounts.audit, &before.outbox),
        "maintenance must not appear in the audit log"
    );
    assert_eq!(key_in(&world).revision, 1, "the key's revision must not change");
    maintenance(&world).await;
    assert_eq!(world.state(), after, "a second run must change nothing");
}

#[tokio::test]
async fn maintenance_changes_nothing_that_is_up_to_date() {
    let world = acme();
    put_production(&world, |key| key.used = periods(&[0, 1, 40], &[0, 1, 13]));
    put_key(&world, TEST_KEY, KeyMode::Test, |_| ());
    let before = world.state();
    maintenance(&world).await;
    assert_eq!(world.state(), before, "no test wallet must be created");
}

#[tokio::test]
async fn revoked_and_expired_keys_get_maintenance_too() {
    for status in [KeyStatus::Revoked, KeyStatus::Deleted] {
        let world = acme_without_maintenance();
        change_key(&world, |key| key.status = status);
        maintenance(&world).await;
        assert_eq!(key_in(&world).used, periods(&[0, 40], &[0, 13]));
    }
}

#[tokio::test]
async fn a_suspended_organisations_wallet_stays_closed() {
    let world = acme_without_maintenance();
    let own = WalletId::Organisation(org(ORG));
    world.change(|state| state.accounts.wallets.get_mut(&own).unwrap().open = false);
    maintenance(&world).await;
    assert_eq!((wallet(&world, &own).open, wallet(&world, &own).expired), (false, 30));
}

#[tokio::test]
async fn an_organisation_is_alerted_once_when_a_gift_expires() {
    let world = World::default();
    found(&world, ORG, "Acme", &[]);
    world.change(|state| {
        let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
        wallet.add(LotId::mint(in_days(-9)), LotKind::Promo, 50, Some(in_days(-2)));
    });
    for _ in 0..2 {
        maintenance(&world).await;
    }
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "wallet.low",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "percent": 0,
          "balance": 0,
          "reference": 50
        }
      }
    ]
    "#);
}

#[tokio::test]
async fn an_organisation_with_many_keys_needs_several_messages() {
    let world = acme_without_maintenance();
    let used = key_in(&world).used;
    world.change(|state| {
        for n in 0..250_u64 {
            let mut key = state.accounts.keys[&(org(ORG), accounts::key_id(KEY_ID))].clone();
            key.id = consigne_core::KeyId::mint(Timestamp::from_secs(1_795_000_000 + i64::try_from(n).unwrap()));
            key.used.clone_from(&used);
            state.accounts.keys.insert((key.org, key.id), key);
        }
    });
    let mut batch = message(clock::now());
    let mut messages = 0;
    loop {
        messages += 1;
        functions::deliver_until(&world, "quota-organisation", batch.clone(), within(Duration::from_secs(10))).await;
        let mut waiting = Vec::new();
        world.change(|state| waiting = std::mem::take(&mut state.messages));
        let Some(body) = waiting.pop() else { break };
        batch["Records"][0]["body"] = body.into();
    }
    assert_eq!(messages, 3);
    let keys = world.state().accounts.keys;
    assert_eq!(keys.len(), 252);
    assert!(keys.values().all(|key| key.used.is_empty() || key.used == periods(&[0, 40], &[0, 13])));
}

#[tokio::test]
async fn a_malformed_message_is_redelivered() {
    let mut batch = message(clock::now());
    batch["Records"][0]["body"] = r#"{"org": "org_x", "at_ms": 1}"#.into();
    let answer = functions::deliver_until(&acme(), "quota-organisation", batch, within(Duration::from_mins(1))).await;
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "message-1" }] }));
}
