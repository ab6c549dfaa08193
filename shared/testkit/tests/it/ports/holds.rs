//! Contract of the ports for holds: opened like a charge, ended once, released when they expire.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::credits::{
    ChargeOutcome, CreditGrantOutcome, Hold, HoldEnd, HoldId, LotKind, OpeningOutcome, REFUNDS_A_DAY,
    ResolutionOutcome, VoidReason, Wallet, WalletId,
};
use consigne_core::keys::{ApiKey, Ask, ChangeContext, KeyFacts, Limiter, RefusalCode};
use consigne_core::ports::{
    ChangeKey, ChargeKey, CreateOrg, Due, FindDue, GetHold, GetKey, GetWallet, GrantCredits, IssueKey, ListReceipts,
    OpenHold, PageAsk, ReceiptFilter, ResolveHold, SuspendOrg,
};
use consigne_core::{Code, OrgId, Timestamp, UserId};
use consigne_testkit::accounts::{self, opening, resolver, settled};
use consigne_usecases::holds::resolve;
use futures_util::future::join_all;

use super::{all_due, eventually, now, on_both};

/// The ports under test.
pub trait Holds:
    CreateOrg
    + IssueKey
    + GetKey
    + ChangeKey
    + ChargeKey
    + GetWallet
    + GrantCredits
    + OpenHold
    + GetHold
    + ResolveHold
    + FindDue
    + ListReceipts
    + SuspendOrg
    + Sync
{
}
impl<T> Holds for T where
    T: CreateOrg
        + IssueKey
        + GetKey
        + ChangeKey
        + ChargeKey
        + GetWallet
        + GrantCredits
        + OpenHold
        + GetHold
        + ResolveHold
        + FindDue
        + ListReceipts
        + SuspendOrg
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_hold_counts_the_call_and_reserves_its_credits,
    retries_open_one_hold_whatever_its_state,
    a_hold_is_refused_like_a_charge_and_changes_nothing,
    concurrent_holds_never_exceed_the_balance,
    every_end_of_a_hold_is_read_back,
    of_a_concurrent_settlement_and_void_one_succeeds,
    a_hold_of_a_revoked_key_and_closed_wallet_can_be_settled,
    a_refund_above_the_daily_limit_is_refused,
    a_hold_that_outlives_a_lot_is_settled_from_it_and_saves_nothing,
    holds_that_outlive_a_lot_end_correctly_during_concurrent_charges,
    a_hold_from_the_last_period_does_not_increase_a_test_wallet,
    a_hold_is_due_until_it_ends,
);

const REFUND: HoldEnd = HoldEnd::Voided(VoidReason::ProviderError);
const CHARGED: HoldEnd = HoldEnd::Voided(VoidReason::CallerError);

/// An organisation with a key and credits.
struct Fixture {
    org: OrgId,
    owner: UserId,
    facts: KeyFacts,
}

async fn fixture(store: &impl Holds, credits: u64, change: impl Fn(ApiKey) -> ApiKey) -> Fixture {
    let (org, owner) = accounts::found(store, now()).await;
    let fixture =
        Fixture { org, facts: accounts::issue(store, &change(accounts::key(org, &owner, false, now()))).await, owner };
    if credits > 0 {
        fixture.fund(store, LotKind::Promo, credits, None).await;
    }
    fixture
}

impl Fixture {
    async fn fund(&self, store: &impl Holds, kind: LotKind, credits: u64, expires_at: Option<Timestamp>) {
        let grant = accounts::credits(self.org, kind, credits, expires_at, now());
        assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    }

    /// Opens a hold for a day. Returns its id.
    async fn hold(&self, store: &impl Holds, amount: u64) -> HoldId {
        held(store, &self.facts, amount, now()).await
    }

    async fn wallet(&self, store: &impl Holds, at: Timestamp) -> Wallet {
        wallet(store, &self.facts, at).await
    }
}

async fn held(store: &impl Holds, facts: &KeyFacts, amount: u64, at: Timestamp) -> HoldId {
    let mut opening = opening(facts, amount, None, at);
    opening.hold.expires_at = at.plus(Duration::from_hours(24));
    let outcome = store.open_hold(&opening).await.unwrap();
    let OpeningOutcome::Opened(written) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        store.get_hold(written.id).await.unwrap(),
        Some(*written.clone()),
        "the outcome has the stored hold, with its expiry epoch"
    );
    written.id
}

async fn wallet(store: &impl Holds, facts: &KeyFacts, at: Timestamp) -> Wallet {
    let wallet = store.get_wallet(&facts.wallet(), at).await.unwrap().unwrap();
    assert!(wallet.is_balanced(), "{wallet:?}");
    wallet
}

/// Returns balance, held, used and expired credits.
fn numbers(wallet: &Wallet) -> (i64, u64, u64, u64) {
    (wallet.balance, wallet.held, wallet.used, wallet.expired)
}

async fn end(store: &impl Holds, id: HoldId, how: HoldEnd, at: Timestamp) -> Result<Hold, Code> {
    resolve(store, id, how, &resolver(at)).await.map_err(|fault| fault.code)
}

async fn a_hold_counts_the_call_and_reserves_its_credits(store: &impl Holds) {
    let fixture = fixture(store, 50, |key| key).await;
    let (at, mut asked) = (now(), opening(&fixture.facts, 30, None, now()));
    asked.hold.scope = Some("pdf:read".to_owned());
    assert!(matches!(store.open_hold(&asked).await.unwrap(), OpeningOutcome::Opened(_)));
    assert_eq!(numbers(&fixture.wallet(store, at).await), (20, 30, 0, 0));
    assert_eq!(store.get_hold(asked.hold.id).await.unwrap(), Some(asked.hold.clone()));
    let key = store.get_key(fixture.org, fixture.facts.id).await.unwrap().unwrap();
    assert_eq!((key.daily_used(at), key.monthly_used(at)), (1, 1));
    assert_eq!(store.get_hold(HoldId::fresh(fixture.org, at)).await.unwrap(), None);
    let ended = end(store, asked.hold.id, settled(12), at).await.unwrap();
    assert_eq!((ended.used(), numbers(&fixture.wallet(store, at).await)), (12, (38, 0, 12, 0)));
}

async fn retries_open_one_hold_whatever_its_state(store: &impl Holds) {
    let fixture = fixture(store, 50, |key| key).await;
    let other = accounts::issue(store, &accounts::key(fixture.org, &fixture.owner, false, now())).await;
    let asked = opening(&fixture.facts, 30, Some("job 17"), now());
    let all = join_all((0..6).map(|_| store.open_hold(&asked))).await;
    let opened = all.iter().filter(|outcome| matches!(outcome, Ok(OpeningOutcome::Opened(_)))).count();
    let again = all.iter().filter(|outcome| matches!(outcome, Ok(OpeningOutcome::Replayed(_)))).count();
    assert_eq!((opened, again), (1, 5), "{all:?}");
    let mut different = opening(&fixture.facts, 30, Some("job 17"), now());
    "another".clone_into(&mut different.hold.fingerprint);
    for different in [different, opening(&other, 30, Some("job 17"), now())] {
        assert_eq!(store.open_hold(&different).await.unwrap(), OpeningOutcome::KeyReused);
    }
    assert_eq!(numbers(&fixture.wallet(store, now()).await), (20, 30, 0, 0));
    let ended = end(store, asked.hold.id, settled(30), now()).await.unwrap();
    let replayed = store.open_hold(&asked).await.unwrap();
    assert_eq!(replayed, OpeningOutcome::Replayed(Box::new(ended)), "although fewer than 30 credits are left");
}

async fn a_hold_is_refused_like_a_charge_and_changes_nothing(store: &impl Holds) {
    use RefusalCode as C;
    let at = now();
    let refused = async |fixture: &Fixture, ask: Option<Ask>, amount: u64| {
        let before = fixture.wallet(store, at).await;
        let mut asked = opening(&fixture.facts, amount, Some("k"), at);
        asked.ask = ask.unwrap_or(asked.ask);
        let outcome = store.open_hold(&asked).await.unwrap();
        assert_eq!((fixture.wallet(store, at).await, store.get_hold(asked.hold.id).await.unwrap()), (before, None));
        match outcome {
            OpeningOutcome::Refused(refusal) => (refusal.code, refusal.limiter),
            other => panic!("not refused: {other:?}"),
        }
    };
    let poor = fixture(store, 29, |key| key).await;
    assert_eq!(refused(&poor, None, 30).await, (C::InsufficientCredits, Some(Limiter::Wallet)));
    let scope = Some("ai:write".to_owned());
    let ask = Ask { generation: 1, scope, now: at };
    assert_eq!(refused(&poor, Some(ask), 1).await, (C::InsufficientScope, Some(Limiter::Key)));
    let spent = fixture(store, 50, |key| ApiKey { daily_quota: Some(1), ..key }).await;
    spent.hold(store, 1).await;
    assert_eq!(refused(&spent, None, 1).await, (C::DailyQuotaExceeded, Some(Limiter::Key)));
    let over = fixture(store, 50, |key| ApiKey { expires_at: Some(at), ..key }).await;
    assert_eq!(refused(&over, None, 1).await, (C::Expired, Some(Limiter::Key)));
    let stopped = fixture(store, 50, |key| key).await;
    let entry = accounts::entry(stopped.org, AuditAction::OrgSuspended, &stopped.owner, at);
    assert!(store.suspend_org(stopped.org, true, &entry).await.unwrap());
    assert_eq!(refused(&stopped, None, 1).await, (C::Suspended, Some(Limiter::Organisation)));
    let revoked = fixture(store, 50, |key| key).await;
    revoke(store, &revoked).await;
    assert_eq!(refused(&revoked, None, 1).await, (C::Revoked, Some(Limiter::Key)));
    let moved = KeyFacts { spender: Some(accounts::person()), ..poor.facts };
    assert_eq!(store.open_hold(&opening(&moved, 1, None, at)).await.unwrap(), OpeningOutcome::PayerChanged);
}

async fn revoke(store: &impl Holds, fixture: &Fixture) {
    let origin = accounts::origin(&fixture.owner);
    let key = store.get_key(fixture.org, fixture.facts.id).await.unwrap().unwrap();
    let step = key.revoke("leaked", &ChangeContext { origin: &origin, now: now() }).unwrap().unwrap();
    store.change_key(&step).await.unwrap();
}

async fn concurrent_holds_never_exceed_the_balance(store: &impl Holds) {
    let fixture = fixture(store, 100, |key| key).await;
    let asked: Vec<_> = (0..30).map(|_| opening(&fixture.facts, 10, None, now())).collect();
    let outcomes = join_all(asked.iter().map(|asked| store.open_hold(asked))).await;
    let opened = outcomes.iter().filter(|outcome| matches!(outcome, Ok(OpeningOutcome::Opened(_)))).count();
    assert_eq!((opened, numbers(&fixture.wallet(store, now()).await)), (10, (0, 100, 0, 0)), "{outcomes:?}");
}

async fn every_end_of_a_hold_is_read_back(store: &impl Holds) {
    let fixture = fixture(store, 100, |key| key).await;
    for (how, used) in [(settled(12), 12), (settled(0), 0), (REFUND, 0), (CHARGED, 10)] {
        let before = fixture.wallet(store, now()).await;
        let id = fixture.hold(store, if how == settled(12) { 12 } else { 10 }).await;
        let by = consigne_core::credits::Resolver { idempotency_key: Some("done 17".to_owned()), ..resolver(now()) };
        let ended = resolve(store, id, how, &by).await.unwrap();
        assert_eq!(store.get_hold(id).await.unwrap().as_ref(), Some(&ended), "{how:?}");
        assert_eq!(
            ended.end.as_ref().map(|end| (end.how, end.idempotency_key.as_deref())),
            Some((how, Some("done 17")))
        );
        let after = fixture.wallet(store, now()).await;
        assert_eq!((after.held, after.used - before.used), (0, used), "{how:?}");
        // A repeated end changes nothing.
        assert_eq!(end(store, id, how, now()).await, Ok(ended.clone()));
        assert_eq!(end(store, id, settled(7), now()).await, Err(Code::HoldResolved));
        assert_eq!(fixture.wallet(store, now()).await, after);
    }
    let id = fixture.hold(store, 10).await;
    let open = store.get_hold(id).await.unwrap().unwrap();
    let step = open.time_out(open.due_at().unwrap()).unwrap();
    assert_eq!(store.resolve_hold(&step).await.unwrap(), ResolutionOutcome::Resolved);
    assert_eq!(store.resolve_hold(&step).await.unwrap(), ResolutionOutcome::Conflict);
    assert_eq!(store.get_hold(id).await.unwrap(), Some(step.hold));
    assert_eq!(end(store, id, settled(1), now()).await, Err(Code::HoldExpired));
    assert_eq!(numbers(&fixture.wallet(store, now()).await), (78, 0, 22, 0));

    let all = ReceiptFilter { day: None, key: None };
    let receipts = eventually(
        async || store.list_receipts(fixture.org, all, &PageAsk { limit: 10, after: None }).await.unwrap().items,
        |receipts| receipts.len() == 3,
    );
    let mut shown: Vec<_> =
        receipts.await.into_iter().map(|receipt| (receipt.credits, receipt.outcome.map(|o| o.status_code))).collect();
    shown.sort_unstable();
    assert_eq!(shown, [(0, Some(200)), (10, None), (12, Some(200))], "the usage log must have the settlement");
}

async fn of_a_concurrent_settlement_and_void_one_succeeds(store: &impl Holds) {
    let fixture = fixture(store, 100, |key| key).await;
    let mut spent = 0;
    for _ in 0..10 {
        let (id, at) = (fixture.hold(store, 10).await, now());
        let (settlement, void) = tokio::join!(end(store, id, settled(4), at), end(store, id, REFUND, at));
        let lost = [&settlement, &void].into_iter().filter(|ended| **ended == Err(Code::HoldResolved)).count();
        assert_eq!(lost, 1, "{settlement:?} {void:?}");
        spent += if settlement.is_ok() { 4 } else { 0 };
    }
    assert_eq!(numbers(&fixture.wallet(store, now()).await), (100 - i64::try_from(spent).unwrap(), 0, spent, 0));
}

async fn a_hold_of_a_revoked_key_and_closed_wallet_can_be_settled(store: &impl Holds) {
    let fixture = fixture(store, 100, |key| key).await;
    let (done, failed) = (fixture.hold(store, 40).await, fixture.hold(store, 40).await);
    revoke(store, &fixture).await;
    let entry = accounts::entry(fixture.org, AuditAction::OrgSuspended, &fixture.owner, now());
    assert!(store.suspend_org(fixture.org, true, &entry).await.unwrap());
    assert!(end(store, done, settled(25), now()).await.is_ok());
    assert!(end(store, failed, REFUND, now()).await.is_ok());
    assert_eq!(numbers(&fixture.wallet(store, now()).await), (75, 0, 25, 0));
}

async fn a_refund_above_the_daily_limit_is_refused(store: &impl Holds) {
    let fixture = fixture(store, 200, |key| key).await;
    let midnight = Timestamp::parse("2027-03-01T00:00:00Z").unwrap();
    let (day, next) = (midnight.minus(Duration::from_hours(1)), midnight);
    let mut holds = Vec::new();
    for _ in 0..=REFUNDS_A_DAY {
        holds.push(held(store, &fixture.facts, 1, day).await);
    }
    let mut spent = Vec::new();
    // Some at the same time, as many as a service has workers.
    for some in holds.chunks(8) {
        let ends = join_all(some.iter().map(|id| end(store, *id, REFUND, day))).await;
        spent.extend(ends.into_iter().map(Result::unwrap).filter(|hold| hold.used() > 0));
    }
    let [last] = &spent[..] else { panic!("{spent:?}") };
    assert_eq!(last.end.as_ref().map(|end| end.how), Some(HoldEnd::Voided(VoidReason::RefundsSpent)));
    assert_eq!(numbers(&fixture.wallet(store, day).await), (199, 0, 1, 0));
    assert_eq!(
        end(store, last.id, REFUND, next).await.as_ref(),
        Ok(last),
        "a repeated request must not change how it ended"
    );
    let another = accounts::issue(store, &accounts::key(fixture.org, &fixture.owner, false, now())).await;
    let theirs = held(store, &another, 1, day).await;
    assert_eq!(end(store, theirs, REFUND, day).await.unwrap().used(), 0, "each key has its own limit");
    let tomorrow = held(store, &fixture.facts, 1, next).await;
    assert_eq!(end(store, tomorrow, REFUND, next).await.unwrap().used(), 0, "each day has its own limit");
    assert_eq!(numbers(&fixture.wallet(store, next).await), (199, 0, 1, 0));
}

async fn a_hold_that_outlives_a_lot_is_settled_from_it_and_saves_nothing(store: &impl Holds) {
    for (how, want) in [(settled(12), (90, 0, 12, 38)), (REFUND, (90, 0, 0, 50)), (CHARGED, (90, 0, 30, 20))] {
        let (fixture, at) = (fixture(store, 0, |key| key).await, now());
        let later = at.plus(Duration::from_hours(2));
        fixture.fund(store, LotKind::Promo, 50, Some(at.plus(Duration::from_hours(1)))).await;
        fixture.fund(store, LotKind::Paid, 100, None).await;
        let id = held(store, &fixture.facts, 30, at).await;
        assert_eq!(numbers(&fixture.wallet(store, later).await), (100, 30, 0, 20));
        // A hold that is opened later is not covered by that lot, in whatever order they end.
        let late = held(store, &fixture.facts, 10, later).await;
        assert!(end(store, id, how, later).await.is_ok());
        assert!(end(store, late, settled(10), later).await.is_ok());
        let used = want.2 + 10;
        assert_eq!(numbers(&fixture.wallet(store, later).await), (want.0, 0, used, want.3), "{how:?}");
    }
}

async fn holds_that_outlive_a_lot_end_correctly_during_concurrent_charges(store: &impl Holds) {
    let (fixture, at) = (fixture(store, 0, |key| key).await, now());
    let later = at.plus(Duration::from_hours(2));
    fixture.fund(store, LotKind::Promo, 40, Some(at.plus(Duration::from_hours(1)))).await;
    fixture.fund(store, LotKind::Paid, 100, None).await;
    let mut holds = Vec::new();
    for _ in 0..8 {
        holds.push(held(store, &fixture.facts, 5, at).await);
    }
    let ending = join_all(holds.iter().enumerate().map(|(n, id)| {
        let how = if n % 2 == 0 { settled(5) } else { REFUND };
        end(store, *id, how, later)
    }));
    let charges: Vec<_> = (0..20).map(|_| accounts::charge(&fixture.facts, 1, None, later)).collect();
    let charging = join_all(charges.iter().map(|charge| store.charge_key(charge)));
    let (ended, paid) = tokio::join!(ending, charging);
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert!(paid.iter().all(|outcome| matches!(outcome, Ok(ChargeOutcome::Charged))), "{paid:?}");
    assert_eq!(numbers(&fixture.wallet(store, later).await), (80, 0, 40, 20));
}

async fn a_hold_from_the_last_period_does_not_increase_a_test_wallet(store: &impl Holds) {
    let at = now();
    for (how, used, expired) in [(settled(12), 12, 88), (REFUND, 0, 100), (CHARGED, 30, 70)] {
        let (org, owner) = accounts::found(store, at).await;
        let test = accounts::issue(store, &accounts::key(org, &owner, true, at)).await;
        let renewal = at.plus(Duration::from_hours(24 * 30));
        // The first use of the wallet, and one just before its renewal.
        let first = held(store, &test, 100, at).await;
        assert!(end(store, first, REFUND, at).await.is_ok());
        let id = held(store, &test, 30, renewal.minus(Duration::from_hours(1))).await;
        let refused = store.open_hold(&opening(&test, 101, None, renewal)).await.unwrap();
        assert!(matches!(refused, OpeningOutcome::Refused(refusal) if refusal.limiter == Some(Limiter::TestWallet)));
        let new = held(store, &test, 100, renewal).await;
        assert!(end(store, id, how, renewal).await.is_ok());
        assert_eq!(numbers(&wallet(store, &test, renewal).await), (0, 100, used, expired), "{how:?}");
        assert!(end(store, new, REFUND, renewal).await.is_ok());
        assert_eq!(numbers(&wallet(store, &test, renewal).await), (100, 0, used, expired), "{how:?}");
        let live = store.get_wallet(&WalletId::Organisation(org), at).await.unwrap().unwrap();
        assert_eq!(numbers(&live), (0, 0, 0, 0), "the production wallet must not change");
    }
}

async fn a_hold_is_due_until_it_ends(store: &impl Holds) {
    let at = now().plus(Duration::from_hours(1_000));
    let fixture = fixture(store, 50, |key| key).await;
    let id = held(store, &fixture.facts, 30, at).await;
    let open = store.get_hold(id).await.unwrap().unwrap();
    let due_at = open.due_at().unwrap();
    let mine = async |at| due_holds(store, at).await.into_iter().find(|hold| hold.id == id);
    assert_eq!(mine(due_at.minus(Duration::from_millis(1))).await, None);
    assert_eq!(eventually(async || mine(due_at).await, Option::is_some).await, Some(open.clone()));
    let step = open.time_out(due_at).unwrap();
    assert_eq!(store.resolve_hold(&step).await.unwrap(), ResolutionOutcome::Resolved);
    assert_eq!(eventually(async || mine(due_at).await, Option::is_none).await, None);
    assert_eq!(numbers(&fixture.wallet(store, now()).await), (50, 0, 0, 0));
}

async fn due_holds<D: Holds>(store: &D, at: Timestamp) -> Vec<Hold> {
    all_due(store, at)
        .await
        .into_iter()
        .filter_map(|due| if let Due::Hold(hold) = due { Some(*hold) } else { None })
        .collect()
}
