//! Contract of a key's minute quota.

use std::time::Duration;

use consigne_core::credits::ChargeOutcome;
use consigne_core::keys::{ApiKey, KeyPatch, Limiter, RefusalCode};
use consigne_core::rates::Window;
use futures_util::future::join_all;

use super::charges::{Charges, fixture, refused};
use super::{now, on_both};

on_both!(
    consigne_testkit::stack::Stack::table,
    a_minute_quota_counts_in_one_window_that_the_next_replaces,
    concurrent_calls_never_exceed_the_minute_quota,
    a_minute_quota_can_be_set_and_removed,
);

async fn a_minute_quota_counts_in_one_window_that_the_next_replaces(store: &impl Charges) {
    let fixture = fixture(store, 100, |key| ApiKey { minute_quota: Some(3), ..key }).await;
    let start = now();
    let at = |seconds| start.plus(Duration::from_secs(seconds));
    for seconds in [0, 1, 59] {
        assert_eq!(fixture.charge(store, 1, None, at(seconds)).await, ChargeOutcome::Charged);
    }
    let refusal = refused(fixture.charge(store, 1, None, at(59)).await);
    assert_eq!(refusal, (RefusalCode::MinuteQuotaExceeded, Some(Limiter::Key), Some(at(60))));
    let key = async || store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    assert_eq!((key().await.minute, key().await.daily_used(start)), (Some(Window { started: start, count: 3 }), 3));
    for seconds in [60, 200, 201] {
        assert_eq!(fixture.charge(store, 1, None, at(seconds)).await, ChargeOutcome::Charged);
    }
    assert_eq!(key().await.minute, Some(Window { started: at(200), count: 2 }));
    // A retry gets its receipt and does not count, even in a full minute.
    assert_eq!(fixture.charge(store, 1, Some("k"), at(202)).await, ChargeOutcome::Charged);
    assert!(matches!(fixture.charge(store, 1, Some("k"), at(203)).await, ChargeOutcome::Replayed(_)));
    assert_eq!(key().await.minute_used(at(203)), 3);
    assert_eq!(fixture.balance(store).await, (93, 7));
}

async fn concurrent_calls_never_exceed_the_minute_quota(store: &impl Charges) {
    let fixture = fixture(store, 100, |key| ApiKey { minute_quota: Some(5), ..key }).await;
    let at = now();
    let outcomes = join_all((0..12).map(|_| fixture.charge(store, 1, None, at))).await;
    let charged = outcomes.iter().filter(|outcome| **outcome == ChargeOutcome::Charged).count();
    let key = store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    assert_eq!((charged, key.minute_used(at), fixture.balance(store).await), (5, 5, (95, 5)), "{outcomes:?}");
}

async fn a_minute_quota_can_be_set_and_removed(store: &impl Charges) {
    let fixture = fixture(store, 100, |key| key).await;
    let at = now();
    let set = async |quota: Option<u64>| {
        let patch = KeyPatch { minute_quota: Some(quota), ..KeyPatch::default() };
        fixture.step(store, |key, by| key.update(&patch, by).unwrap().unwrap()).await;
    };
    let key = async || store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    assert_eq!(fixture.charge(store, 1, None, at).await, ChargeOutcome::Charged);
    assert_eq!(key().await.minute, None, "a key without a quota has no window");
    set(Some(1)).await;
    assert_eq!(fixture.charge(store, 1, None, at).await, ChargeOutcome::Charged);
    assert_eq!(refused(fixture.charge(store, 1, None, at).await).0, RefusalCode::MinuteQuotaExceeded);
    set(None).await;
    assert_eq!(fixture.charge(store, 1, None, at).await, ChargeOutcome::Charged);
    set(Some(2)).await;
    assert_eq!(fixture.charge(store, 1, None, at).await, ChargeOutcome::Charged);
    assert_eq!(refused(fixture.charge(store, 1, None, at).await).0, RefusalCode::MinuteQuotaExceeded);
}
