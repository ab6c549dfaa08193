//! Contract of the ports for charges, receipts and wallets.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::credits::{ChargeOutcome, CreditGrantOutcome, LotKind, Outcome, OutcomeKept, WalletId};
use consigne_core::keys::{ApiKey, ChangeContext, KeyFacts, Limiter, RefusalCode};
use consigne_core::periods::{Day, Month};
use consigne_core::ports::{
    ChangeKey, ChargeKey, CreateOrg, GetKey, GetWallet, GrantCredits, IssueKey, KeepOutcome, ListReceipts, PageAsk,
    ReadKeySnapshot, ReceiptFilter, SuspendOrg,
};
use consigne_core::{KeyId, OrgId, Timestamp, UserId};
use consigne_testkit::accounts;
use futures_util::future::join_all;

use super::{now, on_both};

/// The ports under test.
pub trait Charges:
    CreateOrg
    + IssueKey
    + GetKey
    + ChangeKey
    + ChargeKey
    + ReadKeySnapshot
    + GetWallet
    + GrantCredits
    + KeepOutcome
    + ListReceipts
    + SuspendOrg
    + Sync
{
}
impl<T> Charges for T where
    T: CreateOrg
        + IssueKey
        + GetKey
        + ChangeKey
        + ChargeKey
        + ReadKeySnapshot
        + GetWallet
        + GrantCredits
        + KeepOutcome
        + ListReceipts
        + SuspendOrg
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_charge_writes_key_wallet_and_receipt_together,
    a_charge_without_an_address_keeps_the_last_one,
    three_hundred_concurrent_calls_spend_exactly_a_hundred_credits,
    of_a_thousand_concurrent_calls_one_gets_the_last_credit,
    a_request_is_charged_once_however_late_its_retry,
    every_refusal_names_its_limiter_and_changes_nothing,
    a_retry_gets_its_receipt_despite_later_refusals,
    quotas_count_in_the_period_of_admission,
    a_daily_quota_of_twelve_admits_twelve_of_sixty_two_calls,
    a_test_key_spends_its_payers_test_wallet_only,
    a_charge_for_a_payer_who_left_reports_the_change,
    a_suspended_organisation_cannot_spend_until_it_is_resumed,
    grants_during_concurrent_debits_lose_nothing,
    an_outcome_is_stored_once_for_the_service_that_charged,
    receipts_are_listed_by_organisation_key_and_day,
);

/// An organisation with a key and credits.
pub(super) struct Fixture {
    pub(super) org: OrgId,
    pub(super) owner: UserId,
    pub(super) key: ApiKey,
    pub(super) facts: KeyFacts,
}

pub(super) async fn fixture(store: &impl Charges, credits: u64, change: impl Fn(ApiKey) -> ApiKey) -> Fixture {
    let (org, owner) = accounts::found(store, now()).await;
    if credits > 0 {
        let grant = accounts::credits(org, LotKind::Promo, credits, None, now());
        assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    }
    let key = change(accounts::key(org, &owner, false, now()));
    let facts = accounts::issue(store, &key).await;
    Fixture { org, owner, key, facts }
}

impl Fixture {
    pub(super) async fn charge(
        &self,
        store: &impl Charges,
        cost: u64,
        idempotent: Option<&str>,
        at: Timestamp,
    ) -> ChargeOutcome {
        store.charge_key(&accounts::charge(&self.facts, cost, idempotent, at)).await.unwrap()
    }

    pub(super) async fn balance(&self, store: &impl Charges) -> (i64, u64) {
        let wallet = store.get_wallet(&WalletId::Organisation(self.org), now()).await.unwrap().unwrap();
        assert!(wallet.is_balanced(), "{wallet:?}");
        (wallet.balance, wallet.used)
    }

    pub(super) async fn step(
        &self,
        store: &impl Charges,
        step: impl Fn(&ApiKey, &ChangeContext<'_>) -> consigne_core::keys::KeyStep,
    ) {
        let origin = accounts::origin(&self.owner);
        let key = store.get_key(self.org, self.key.id).await.unwrap().unwrap();
        store.change_key(&step(&key, &ChangeContext { origin: &origin, now: now() })).await.unwrap();
    }
}

pub(super) fn refused(outcome: ChargeOutcome) -> (RefusalCode, Option<Limiter>, Option<Timestamp>) {
    match outcome {
        ChargeOutcome::Refused(refusal) => (refusal.code, refusal.limiter, refusal.resets_at),
        other => panic!("not refused: {other:?}"),
    }
}

async fn a_charge_writes_key_wallet_and_receipt_together(store: &impl Charges) {
    let fixture = fixture(store, 10, |key| key).await;
    let at = now();
    assert_eq!(fixture.charge(store, 3, None, at).await, ChargeOutcome::Charged);
    assert_eq!(fixture.balance(store).await, (7, 3));
    let snapshot = store.read_key_snapshot(&fixture.facts, at).await.unwrap().unwrap();
    assert_eq!((snapshot.key.daily_used(at), snapshot.key.monthly_used(at)), (1, 1));
    assert_eq!((snapshot.wallet.balance, snapshot.suspended), (7, false));
    assert_eq!(snapshot.key.last_used, Some((at, None)));
}

async fn a_charge_without_an_address_keeps_the_last_one(store: &impl Charges) {
    let fixture = fixture(store, 10, |key| key).await;
    for (ip, want) in [(Some("198.51.100.7"), "198.51.100.7"), (None, "198.51.100.7"), (Some("::1"), "::1")] {
        let at = now();
        let mut charge = accounts::charge(&fixture.facts, 1, None, at);
        charge.receipt.call.ip = ip.map(str::to_owned);
        assert_eq!(store.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
        let key = store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
        assert_eq!(key.last_used, Some((at, Some(want.to_owned()))), "{ip:?}");
    }
}

async fn three_hundred_concurrent_calls_spend_exactly_a_hundred_credits(store: &impl Charges) {
    let fixture = fixture(store, 100, |key| key).await;
    let outcomes = join_all((0..300).map(|_| fixture.charge(store, 1, None, now()))).await;
    let charged = outcomes.iter().filter(|outcome| **outcome == ChargeOutcome::Charged).count();
    assert_eq!((charged, fixture.balance(store).await), (100, (0, 100)));
}

async fn of_a_thousand_concurrent_calls_one_gets_the_last_credit(store: &impl Charges) {
    let fixture = fixture(store, 1, |key| key).await;
    let barrier = tokio::sync::Barrier::new(1_000);
    let call = async |n: u32| {
        let charge = accounts::charge(&fixture.facts, 1, Some(&format!("call {n}")), now());
        barrier.wait().await;
        loop {
            // A call that waits too long for the wallet fails, and is retried.
            if let Ok(outcome) = store.charge_key(&charge).await {
                return outcome;
            }
        }
    };
    let outcomes = join_all((0..1_000).map(call)).await;
    let paid = |outcome: &&ChargeOutcome| matches!(outcome, ChargeOutcome::Charged | ChargeOutcome::Replayed(_));
    assert_eq!((outcomes.iter().filter(paid).count(), fixture.balance(store).await), (1, (0, 1)));
    let all = ReceiptFilter { day: None, key: None };
    let list = async || store.list_receipts(fixture.org, all, &PageAsk { limit: 10, after: None }).await.unwrap();
    assert_eq!(super::eventually(list, |page| page.items.len() == 1).await.items.len(), 1);
}

async fn a_request_is_charged_once_however_late_its_retry(store: &impl Charges) {
    let fixture = fixture(store, 10, |key| key).await;
    let start = now();
    assert_eq!(fixture.charge(store, 1, Some("k"), start).await, ChargeOutcome::Charged);
    for later in
        [Duration::from_secs(1), Duration::from_mins(11), Duration::from_hours(23), Duration::from_hours(9_000)]
    {
        match fixture.charge(store, 1, Some("k"), start.plus(later)).await {
            ChargeOutcome::Replayed(receipt) => assert_eq!((receipt.credits, receipt.at), (1, start)),
            other => panic!("after {later:?}: {other:?}"),
        }
    }
    assert_eq!(fixture.charge(store, 3, Some("k"), start).await, ChargeOutcome::KeyReused);
    let second = accounts::issue(store, &accounts::key(fixture.org, &fixture.owner, false, now())).await;
    let other_key = store.charge_key(&accounts::charge(&second, 1, Some("k"), start)).await.unwrap();
    assert_eq!(other_key, ChargeOutcome::KeyReused, "another key of the organisation");
    assert_eq!(fixture.balance(store).await, (9, 1));
}

async fn every_refusal_names_its_limiter_and_changes_nothing(store: &impl Charges) {
    use {Limiter::Key, RefusalCode as C};
    let at = now();
    let (tomorrow, next_month) = (Day::of(at).ends(), Month::of(at).ends());
    let refusal_of = async |credits: u64, change: fn(ApiKey) -> ApiKey, scope: &str| {
        let fixture = fixture(store, credits, change).await;
        if [fixture.key.minute_quota, fixture.key.daily_quota, fixture.key.monthly_quota].iter().any(Option::is_some) {
            assert_eq!(fixture.charge(store, 1, None, at).await, ChargeOutcome::Charged);
        }
        let before = fixture.balance(store).await;
        let mut charge = accounts::charge(&fixture.facts, 1, None, at);
        charge.ask.scope = Some(scope.to_owned());
        let refusal = refused(store.charge_key(&charge).await.unwrap());
        assert_eq!(fixture.balance(store).await, before);
        refusal
    };
    let minute = |key| ApiKey { minute_quota: Some(1), ..key };
    let daily = |key| ApiKey { daily_quota: Some(1), ..key };
    let monthly = |key| ApiKey { monthly_quota: Some(1), ..key };
    let expired = |key: ApiKey| ApiKey { expires_at: Some(key.created_at.minus(Duration::from_hours(1))), ..key };
    let replaced = |key| ApiKey { generation: 2, ..key };
    assert_eq!(refusal_of(0, |key| key, "pdf:read").await, (C::InsufficientCredits, Some(Limiter::Wallet), None));
    assert_eq!(refusal_of(9, |key| key, "ai:read").await, (C::InsufficientScope, Some(Key), None));
    let next_minute = at.plus(Duration::from_mins(1));
    assert_eq!(refusal_of(9, minute, "pdf:read").await, (C::MinuteQuotaExceeded, Some(Key), Some(next_minute)));
    assert_eq!(refusal_of(9, daily, "pdf:read").await, (C::DailyQuotaExceeded, Some(Key), Some(tomorrow)));
    assert_eq!(refusal_of(9, monthly, "pdf:read").await, (C::MonthlyQuotaExceeded, Some(Key), Some(next_month)));
    assert_eq!(refusal_of(9, expired, "pdf:read").await, (C::Expired, Some(Key), None));

    let fixture = fixture(store, 9, replaced).await;
    let old = KeyFacts { generation: 1, ..fixture.facts.clone() };
    assert_eq!(
        refused(store.charge_key(&accounts::charge(&old, 1, None, at)).await.unwrap()),
        (C::Expired, Some(Key), None)
    );
    let none = KeyFacts { id: KeyId::mint(at), ..fixture.facts.clone() };
    assert_eq!(
        refused(store.charge_key(&accounts::charge(&none, 1, None, at)).await.unwrap()),
        (C::NotFound, None, None)
    );
    fixture.step(store, |key, by| key.revoke("leaked", by).unwrap().unwrap()).await;
    assert_eq!(refused(fixture.charge(store, 1, None, at).await), (C::Revoked, Some(Key), None));
    fixture.step(store, |key, by| key.delete(by).unwrap()).await;
    assert_eq!(
        refused(fixture.charge(store, 1, None, at).await),
        (C::NotFound, None, None),
        "nothing may have changed"
    );
}

async fn a_retry_gets_its_receipt_despite_later_refusals(store: &impl Charges) {
    let fixture = fixture(store, 1, |key| ApiKey { daily_quota: Some(1), ..key }).await;
    assert_eq!(fixture.charge(store, 1, Some("k"), now()).await, ChargeOutcome::Charged);
    // Now the quota is used up and the wallet is empty. Then the key is revoked as well.
    fixture.step(store, |key, by| key.revoke("leaked", by).unwrap().unwrap()).await;
    assert!(matches!(fixture.charge(store, 1, Some("k"), now()).await, ChargeOutcome::Replayed(_)));
    assert_eq!(refused(fixture.charge(store, 1, Some("new"), now()).await).0, RefusalCode::Revoked);
}

async fn quotas_count_in_the_period_of_admission(store: &impl Charges) {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    for (last, next) in [
        ("2027-02-28T23:59:59.999Z", "2027-03-01T00:00:00.000Z"),
        ("2028-02-29T23:59:59.999Z", "2028-03-01T00:00:00.000Z"),
        ("2027-04-30T23:59:59.999Z", "2027-05-01T00:00:00.000Z"),
        ("2027-12-31T23:59:59.999Z", "2028-01-01T00:00:00.000Z"),
    ] {
        let fixture = fixture(store, 10, |key| ApiKey { monthly_quota: Some(1), ..key }).await;
        assert_eq!(fixture.charge(store, 1, None, at(last)).await, ChargeOutcome::Charged);
        let refusal = refused(fixture.charge(store, 1, None, at(last)).await);
        assert_eq!(refusal, (RefusalCode::MonthlyQuotaExceeded, Some(Limiter::Key), Some(at(next))));
        assert_eq!(fixture.charge(store, 1, None, at(next)).await, ChargeOutcome::Charged, "{next}");
        // A call that was admitted before midnight counts for that day, even if it is written later.
        assert_eq!(refused(fixture.charge(store, 1, None, at(last)).await).0, RefusalCode::MonthlyQuotaExceeded);
    }
}

async fn a_daily_quota_of_twelve_admits_twelve_of_sixty_two_calls(store: &impl Charges) {
    let fixture = fixture(store, 100, |key| ApiKey { daily_quota: Some(12), monthly_quota: Some(200), ..key }).await;
    let at = now();
    let mut valid = 0;
    for _ in 0..62 {
        valid += usize::from(fixture.charge(store, 1, None, at).await == ChargeOutcome::Charged);
    }
    let key = store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    assert_eq!((valid, 200 - key.monthly_used(at), key.daily_used(at)), (12, 188, 12));
    assert_eq!(fixture.balance(store).await, (88, 12));
}

async fn a_test_key_spends_its_payers_test_wallet_only(store: &impl Charges) {
    let fixture = fixture(store, 1_000, |key| key).await;
    let start = now();
    let test = accounts::issue(store, &accounts::key(fixture.org, &fixture.owner, true, now())).await;
    let charge = async |cost, at| store.charge_key(&accounts::charge(&test, cost, None, at)).await.unwrap();
    assert_eq!(charge(99, start).await, ChargeOutcome::Charged);
    let resets = start.plus(Duration::from_hours(24 * 30));
    let refusal = refused(charge(2, start).await);
    assert_eq!(refusal, (RefusalCode::InsufficientCredits, Some(Limiter::TestWallet), Some(resets)));
    assert_eq!(fixture.balance(store).await, (1_000, 0), "the production wallet must not change");
    assert_eq!(charge(100, resets).await, ChargeOutcome::Charged, "a new period");
    let later = start.plus(Duration::from_hours(24 * 75));
    assert_eq!(charge(100, later).await, ChargeOutcome::Charged, "unused periods leave no credits");
    let third = start.plus(Duration::from_hours(24 * 90));
    assert_eq!(refused(charge(1, later).await).2, Some(third), "periods are counted from the first use");
    let wallet = store.get_wallet(&WalletId::Test(fixture.owner.clone()), later).await.unwrap().unwrap();
    assert!(wallet.is_balanced());
    assert_eq!((wallet.used, wallet.granted, wallet.expired), (299, 300, 1));
}

async fn a_charge_for_a_payer_who_left_reports_the_change(store: &impl Charges) {
    let fixture = fixture(store, 0, |key| key).await;
    let test = accounts::issue(store, &accounts::key(fixture.org, &fixture.owner, true, now())).await;
    let remembered = KeyFacts { spender: Some(accounts::person()), ..test };
    assert_eq!(
        store.charge_key(&accounts::charge(&remembered, 1, None, now())).await.unwrap(),
        ChargeOutcome::PayerChanged
    );
}

async fn a_suspended_organisation_cannot_spend_until_it_is_resumed(store: &impl Charges) {
    let fixture = fixture(store, 10, |key| key).await;
    let test = accounts::issue(store, &accounts::key(fixture.org, &fixture.owner, true, now())).await;
    let set = async |suspended| {
        let entry = accounts::entry(fixture.org, AuditAction::OrgSuspended, &fixture.owner, now());
        assert!(store.suspend_org(fixture.org, suspended, &entry).await.unwrap());
    };
    set(true).await;
    let want = (RefusalCode::Suspended, Some(Limiter::Organisation), None);
    assert_eq!(refused(fixture.charge(store, 1, None, now()).await), want);
    assert_eq!(refused(store.charge_key(&accounts::charge(&test, 1, None, now())).await.unwrap()), want);
    assert!(store.read_key_snapshot(&test, now()).await.unwrap().unwrap().suspended);
    set(false).await;
    assert_eq!(fixture.charge(store, 1, None, now()).await, ChargeOutcome::Charged);
    assert_eq!(store.charge_key(&accounts::charge(&test, 1, None, now())).await.unwrap(), ChargeOutcome::Charged);
    let (nowhere, entry) =
        (OrgId::mint(now()), accounts::entry(fixture.org, AuditAction::OrgSuspended, &fixture.owner, now()));
    assert!(!store.suspend_org(nowhere, true, &entry).await.unwrap());
}

async fn grants_during_concurrent_debits_lose_nothing(store: &impl Charges) {
    let fixture = fixture(store, 50, |key| key).await;
    let soon = |n: u32| Some(now().plus(Duration::from_hours(1) * (5 - n)));
    let grants = (0..4).map(|n| accounts::credits(fixture.org, LotKind::Promo, 25, soon(n), now()));
    let grants: Vec<_> = grants.collect();
    let granting = join_all(grants.iter().map(|grant| store.grant_credits(grant)));
    let charging = join_all((0..60).map(|_| fixture.charge(store, 1, None, now())));
    let (granted, charged) = tokio::join!(granting, charging);
    assert!(granted.iter().all(|outcome| matches!(outcome, Ok(CreditGrantOutcome::Granted))), "{granted:?}");
    let charged = charged.iter().filter(|outcome| **outcome == ChargeOutcome::Charged).count() as u64;
    assert_eq!(fixture.balance(store).await, (150 - i64::try_from(charged).unwrap(), charged));
    let wallet = store.get_wallet(&WalletId::Organisation(fixture.org), now()).await.unwrap().unwrap();
    assert!(grants.iter().any(|grant| grant.expires_at == wallet.next_expiry), "the oldest lot that is not used up");
    let nowhere = accounts::credits(OrgId::mint(now()), LotKind::Promo, 1, None, now());
    assert_eq!(store.grant_credits(&nowhere).await.unwrap(), CreditGrantOutcome::NoSuchOrganisation);
}

async fn an_outcome_is_stored_once_for_the_service_that_charged(store: &impl Charges) {
    let fixture = fixture(store, 10, |key| key).await;
    let charge = accounts::charge(&fixture.facts, 1, None, now());
    let outcome = Outcome { status_code: 200, response_ms: 12, details: serde_json::json!({ "pages": 3 }) };
    let report = async |caller: &str, outcome: &Outcome| {
        store.keep_outcome(charge.receipt.id, caller, outcome, now()).await.unwrap()
    };
    assert_eq!(report("pdf-api", &outcome).await, OutcomeKept::Unknown);
    store.charge_key(&charge).await.unwrap();
    assert_eq!(report("ai-api", &outcome).await, OutcomeKept::Unknown);
    assert_eq!(report("pdf-api", &outcome).await, OutcomeKept::Kept);
    assert_eq!(report("pdf-api", &outcome).await, OutcomeKept::Kept);
    assert_eq!(report("pdf-api", &Outcome { status_code: 500, ..outcome.clone() }).await, OutcomeKept::Other);
    let all = ReceiptFilter { day: None, key: None };
    let listed = super::eventually(
        async || store.list_receipts(fixture.org, all, &PageAsk { limit: 10, after: None }).await.unwrap(),
        |page| page.items.first().is_some_and(|receipt| receipt.outcome.is_some()),
    );
    assert_eq!(listed.await.items[0].outcome, Some(outcome));
}

async fn receipts_are_listed_by_organisation_key_and_day(store: &impl Charges) {
    let fixture = fixture(store, 100, |key| key).await;
    let second = accounts::issue(store, &accounts::key(fixture.org, &fixture.owner, false, now())).await;
    let midnight = Timestamp::parse("2027-03-01T00:00:00Z").unwrap();
    let mut ids = Vec::new();
    for (facts, at) in [
        (&fixture.facts, midnight.minus(Duration::from_millis(1))),
        (&fixture.facts, midnight),
        (&second, midnight.plus(Duration::from_secs(1))),
        (&fixture.facts, midnight.plus(Duration::from_hours(24))),
    ] {
        let charge = accounts::charge(facts, 1, None, at);
        assert_eq!(store.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
        ids.push(charge.receipt.id);
    }
    let list = async |day: Option<&str>, key: Option<KeyId>| {
        let filter = ReceiptFilter { day: day.map(|day| Day::parse(day).unwrap()), key };
        let mut ids = Vec::new();
        let mut ask = PageAsk { limit: 1, after: None };
        loop {
            let page = store.list_receipts(fixture.org, filter, &ask).await.unwrap();
            ids.extend(page.items.iter().map(|receipt| receipt.id));
            if page.next.is_none() {
                return ids;
            }
            ask.after = page.next;
        }
    };
    super::eventually(async || list(None, None).await.len(), |count| *count == 4).await;
    assert_eq!(list(None, None).await, [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(Some("2027-03-01"), None).await, [ids[2], ids[1]]);
    assert_eq!(list(Some("2027-02-28"), None).await, [ids[0]]);
    assert_eq!(list(None, Some(second.id)).await, [ids[2]]);
    assert_eq!(list(Some("2027-03-01"), Some(fixture.key.id)).await, [ids[1]]);
}
