//! Contract of the ports for nightly maintenance: keys are listed, old counters deleted, lots expired.

use std::time::Duration;

use consigne_core::credits::{ChargeOutcome, CreditGrantOutcome, LotKind, TEST_PERIOD, WalletId};
use consigne_core::keys::{ApiKey, KeyStatus};
use consigne_core::periods::{Day, Month};
use consigne_core::ports::{
    ChargeKey, CreateOrg, ExpireLots, ForgetPeriods, GetKey, GetWallet, GrantCredits, IssueKey, PageAsk, WalkKeys,
};
use consigne_core::{KeyId, OrgId, UserId};
use consigne_testkit::accounts;
use futures_util::future::join_all;

use super::{now, on_both};

/// The ports under test.
pub trait Maintenance:
    WalkKeys + ForgetPeriods + ExpireLots + CreateOrg + IssueKey + GetKey + GrantCredits + ChargeKey + GetWallet + Sync
{
}
impl<T> Maintenance for T where
    T: WalkKeys
        + ForgetPeriods
        + ExpireLots
        + CreateOrg
        + IssueKey
        + GetKey
        + GrantCredits
        + ChargeKey
        + GetWallet
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    keys_of_every_status_are_listed,
    old_counters_are_deleted_and_all_others_stay,
    deleting_counters_of_an_unknown_key_changes_nothing,
    old_counters_are_deleted_during_charges,
    an_expired_lot_is_removed_once,
    an_alert_is_published_when_a_gift_expires,
    a_test_wallet_is_renewed_once_after_its_period,
    concurrent_expiries_of_a_wallet_are_applied_once,
);

/// Creates an organisation with credits and a key without quotas.
async fn fixture(store: &impl Maintenance) -> (OrgId, UserId, ApiKey) {
    let (org, owner) = accounts::found(store, now()).await;
    let grant = accounts::credits(org, LotKind::Paid, 1_000, None, now());
    assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    let key = accounts::key(org, &owner, false, now());
    accounts::issue(store, &key).await;
    (org, owner, key)
}

async fn keys_of_every_status_are_listed(store: &impl Maintenance) {
    let (org, owner, first) = fixture(store).await;
    let mut keys = vec![first];
    for status in [KeyStatus::Revoked, KeyStatus::Deleted, KeyStatus::Active] {
        // Ids of one moment have no order.
        let later = now().plus(Duration::from_secs(keys.len() as u64));
        let key = ApiKey { status, id: KeyId::mint(later), ..accounts::key(org, &owner, true, now()) };
        accounts::issue(store, &key).await;
        keys.push(key);
    }
    fixture(store).await;
    let (mut met, mut ask) = (Vec::new(), PageAsk { limit: 3, after: None });
    loop {
        let page = store.walk_keys(org, &ask).await.unwrap();
        assert!(page.items.len() <= 3 && page.total.is_none());
        met.extend(page.items);
        ask.after = page.next;
        if ask.after.is_none() {
            break;
        }
    }
    assert_eq!(met, keys);
}

/// Charges a key once on each of these days, given as days ago.
async fn charge(store: &impl Maintenance, key: &ApiKey, days_ago: &[u64]) {
    for days in days_ago {
        let at = now().minus(Duration::from_hours(24 * days));
        let charged = store.charge_key(&accounts::charge(&key.facts(), 1, None, at)).await.unwrap();
        assert_eq!(charged, ChargeOutcome::Charged);
    }
}

async fn old_counters_are_deleted_and_all_others_stay(store: &impl Maintenance) {
    let (org, _, key) = fixture(store).await;
    let days: Vec<u64> = (0..130).collect();
    charge(store, &key, &days).await;
    let before = store.get_key(org, key.id).await.unwrap().unwrap();
    let (today, month) = (Day::of(now()).to_string(), Month::of(now()).to_string());
    let past: Vec<String> =
        before.used.keys().filter(|period| **period != today && **period != month).cloned().collect();
    assert!(past.len() > 130, "more counters than one update can delete");
    for _ in 0..2 {
        store.forget_periods(org, key.id, &past).await.unwrap();
        let after = store.get_key(org, key.id).await.unwrap().unwrap();
        assert_eq!(after.used.keys().collect::<Vec<_>>(), [&month, &today]);
        assert_eq!(ApiKey { used: before.used.clone(), ..after }, before);
    }
}

async fn deleting_counters_of_an_unknown_key_changes_nothing(store: &impl Maintenance) {
    let (org, _, _) = fixture(store).await;
    let nobody = KeyId::mint(now());
    store.forget_periods(org, nobody, &["2020-01-01".to_owned()]).await.unwrap();
    assert_eq!(store.get_key(org, nobody).await.unwrap(), None);
}

async fn old_counters_are_deleted_during_charges(store: &impl Maintenance) {
    let (org, _, key) = fixture(store).await;
    charge(store, &key, &[60]).await;
    let past = vec![Day::of(now().minus(Duration::from_hours(24 * 60))).to_string()];
    let charges = join_all((0..20).map(|_| charge(store, &key, &[0])));
    let (_, forgotten) = tokio::join!(charges, store.forget_periods(org, key.id, &past));
    forgotten.unwrap();
    let after = store.get_key(org, key.id).await.unwrap().unwrap();
    assert_eq!((after.daily_used(now()), after.used.contains_key(&past[0])), (20, false));
}

async fn an_expired_lot_is_removed_once(store: &impl Maintenance) {
    let (org, _, key) = fixture(store).await;
    let (start, id) = (now(), WalletId::Organisation(org));
    let end = start.plus(Duration::from_hours(1));
    let grant = accounts::credits(org, LotKind::Promo, 50, Some(end), start);
    assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    charge(store, &key, &[0]).await;
    assert!(!store.expire_lots(&id, end.minus(Duration::from_millis(1))).await.unwrap());
    let wallet = async || store.get_wallet(&id, start).await.unwrap().unwrap();
    assert_eq!(wallet().await.expired, 0);
    assert!(store.expire_lots(&id, end).await.unwrap());
    // The stored wallet, read with a clock at which nothing has expired.
    let settled = wallet().await;
    assert!(settled.is_balanced());
    assert_eq!((settled.balance, settled.used, settled.expired, settled.next_expiry), (1_000, 1, 49, None));
    assert!(!store.expire_lots(&id, end).await.unwrap());
    assert_eq!(wallet().await, settled);
    assert!(!store.expire_lots(&WalletId::Organisation(OrgId::mint(start)), end).await.unwrap());
}

async fn an_alert_is_published_when_a_gift_expires(store: &impl Maintenance) {
    let (org, start) = (accounts::found(store, now()).await.0, now());
    let end = start.plus(Duration::from_hours(1));
    let grant = accounts::credits(org, LotKind::Promo, 50, Some(end), start);
    assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    let id = WalletId::Organisation(org);
    let next = async || store.get_wallet(&id, start).await.unwrap().unwrap().alert.next;
    assert_eq!(next().await, Some(20));
    assert!(store.expire_lots(&id, end).await.unwrap());
    assert_eq!(next().await, None, "there is no threshold below zero");
}

async fn a_test_wallet_is_renewed_once_after_its_period(store: &impl Maintenance) {
    let (org, owner, _) = fixture(store).await;
    let (start, id) = (now(), WalletId::Test(owner.clone()));
    assert!(!store.expire_lots(&id, start).await.unwrap(), "an unused test wallet");
    let key = accounts::key(org, &owner, true, now());
    accounts::issue(store, &key).await;
    let first = accounts::charge(&key.facts(), 70, None, start);
    assert_eq!(store.charge_key(&first).await.unwrap(), ChargeOutcome::Charged);
    let end = start.plus(TEST_PERIOD);
    assert!(!store.expire_lots(&id, end.minus(Duration::from_millis(1))).await.unwrap());
    let late = end.plus(Duration::from_hours(25));
    assert!(store.expire_lots(&id, late).await.unwrap());
    assert!(!store.expire_lots(&id, late).await.unwrap());
    let wallet = store.get_wallet(&id, start).await.unwrap().unwrap();
    assert!(wallet.is_balanced());
    assert_eq!((wallet.balance, wallet.used, wallet.expired, wallet.granted), (100, 70, 30, 200));
    assert_eq!(wallet.next_expiry, Some(end.plus(TEST_PERIOD)), "the next period begins where the last one ended");
}

async fn concurrent_expiries_of_a_wallet_are_applied_once(store: &impl Maintenance) {
    let (org, owner, _) = fixture(store).await;
    let key = accounts::key(org, &owner, true, now());
    accounts::issue(store, &key).await;
    charge(store, &key, &[31]).await;
    let id = WalletId::Test(owner);
    let (settling, charging) =
        (join_all((0..6).map(|_| store.expire_lots(&id, now()))), join_all((0..6).map(|_| charge(store, &key, &[0]))));
    let (settled, _) = tokio::join!(settling, charging);
    assert!(settled.iter().all(Result::is_ok), "{settled:?}");
    let wallet = store.get_wallet(&id, now()).await.unwrap().unwrap();
    assert!(wallet.is_balanced());
    assert_eq!((wallet.balance, wallet.used, wallet.granted), (94, 7, 200));
}
