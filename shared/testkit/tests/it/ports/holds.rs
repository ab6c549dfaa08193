//! Holds: opened like a charge, ended once, released in time.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::credits::{
    ChargeOutcome, CreditGrantOutcome, Hold, HoldEnd, HoldId, LotKind, OpeningOutcome, REFUNDS_A_DAY,
    ResolutionOutcome, VoidReason, Wallet, WalletId, resolve,
};
use consigne_core::keys::{ApiKey, Ask, ChangeContext, KeyFacts, Limiter, RefusalCode};
use consigne_core::ports::{
    ChangeKey, ChargeKey, CreateOrg, Due, FindDue, GetHold, GetKey, GetWallet, GrantCredits, IssueKey, ListReceipts,
    OpenHold, PageAsk, ReceiptFilter, ResolveHold, SuspendOrg,
};
use consigne_core::{Code, OrgId, Timestamp, UserId};
use consigne_testkit::desk::{self, opening, resolver, settled};
use futures_util::future::join_all;

use super::{eventually, now, on_both};

/// Everything the table can do for holds.
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
    a_hold_counts_the_call_and_sets_its_credits_aside,
    the_same_request_opens_one_hold_whatever_has_become_of_it,
    a_hold_is_refused_as_a_charge_is_and_changes_nothing,
    racing_holds_set_aside_what_there_is_and_no_more,
    every_end_is_read_back_as_it_was_made,
    of_a_settlement_and_a_void_at_once_one_wins,
    what_was_done_for_a_revoked_key_of_a_closed_wallet_is_paid,
    one_refund_too_many_gives_nothing_back,
    a_hold_that_outlives_a_lot_neither_loses_nor_carries_over,
    holds_that_outlive_a_lot_end_while_others_are_charged,
    a_test_wallets_new_period_is_not_inflated,
    a_hold_is_due_until_it_has_ended,
);

const REFUND: HoldEnd = HoldEnd::Voided(VoidReason::ProviderError);
const CHARGED: HoldEnd = HoldEnd::Voided(VoidReason::CallerError);

/// An organisation with a key and credits.
struct Shop {
    org: OrgId,
    owner: UserId,
    facts: KeyFacts,
}

async fn shop(desk: &impl Holds, credits: u64, change: impl Fn(ApiKey) -> ApiKey) -> Shop {
    let (org, owner) = desk::found(desk, now()).await;
    let shop = Shop { org, facts: desk::issue(desk, &change(desk::key(org, &owner, false, now()))).await, owner };
    if credits > 0 {
        shop.fund(desk, LotKind::Promo, credits, None).await;
    }
    shop
}

impl Shop {
    async fn fund(&self, desk: &impl Holds, kind: LotKind, credits: u64, expires_at: Option<Timestamp>) {
        let grant = desk::credits(self.org, kind, credits, expires_at, now());
        assert_eq!(desk.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    }

    /// Opens a hold for a day and gives its id.
    async fn hold(&self, desk: &impl Holds, amount: u64) -> HoldId {
        held(desk, &self.facts, amount, now()).await
    }

    async fn wallet(&self, desk: &impl Holds, at: Timestamp) -> Wallet {
        wallet(desk, &self.facts, at).await
    }
}

async fn held(desk: &impl Holds, facts: &KeyFacts, amount: u64, at: Timestamp) -> HoldId {
    let mut opening = opening(facts, amount, None, at);
    opening.hold.expires_at = at.plus(Duration::from_hours(24));
    let outcome = desk.open_hold(&opening).await.unwrap();
    let OpeningOutcome::Opened(written) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        desk.get_hold(written.id).await.unwrap(),
        Some(*written.clone()),
        "it is told as it stands, era included"
    );
    written.id
}

async fn wallet(desk: &impl Holds, facts: &KeyFacts, at: Timestamp) -> Wallet {
    let wallet = desk.get_wallet(&facts.wallet(), at).await.unwrap().unwrap();
    assert!(wallet.is_balanced(), "{wallet:?}");
    wallet
}

/// Gives balance, held, used and expired.
fn numbers(wallet: &Wallet) -> (i64, u64, u64, u64) {
    (wallet.balance, wallet.held, wallet.used, wallet.expired)
}

async fn end(desk: &impl Holds, id: HoldId, how: HoldEnd, at: Timestamp) -> Result<Hold, Code> {
    resolve(desk, id, how, &resolver(at)).await.map_err(|fault| fault.code)
}

async fn a_hold_counts_the_call_and_sets_its_credits_aside(desk: &impl Holds) {
    let shop = shop(desk, 50, |key| key).await;
    let (at, mut asked) = (now(), opening(&shop.facts, 30, None, now()));
    asked.hold.scope = Some("pdf:read".to_owned());
    assert!(matches!(desk.open_hold(&asked).await.unwrap(), OpeningOutcome::Opened(_)));
    assert_eq!(numbers(&shop.wallet(desk, at).await), (20, 30, 0, 0));
    assert_eq!(desk.get_hold(asked.hold.id).await.unwrap(), Some(asked.hold.clone()));
    let key = desk.get_key(shop.org, shop.facts.id).await.unwrap().unwrap();
    assert_eq!((key.daily_used(at), key.monthly_used(at)), (1, 1));
    assert_eq!(desk.get_hold(HoldId::fresh(shop.org, at)).await.unwrap(), None);
    let ended = end(desk, asked.hold.id, settled(12), at).await.unwrap();
    assert_eq!((ended.used(), numbers(&shop.wallet(desk, at).await)), (12, (38, 0, 12, 0)));
}

async fn the_same_request_opens_one_hold_whatever_has_become_of_it(desk: &impl Holds) {
    let shop = shop(desk, 50, |key| key).await;
    let other = desk::issue(desk, &desk::key(shop.org, &shop.owner, false, now())).await;
    let asked = opening(&shop.facts, 30, Some("job 17"), now());
    let all = join_all((0..6).map(|_| desk.open_hold(&asked))).await;
    let opened = all.iter().filter(|outcome| matches!(outcome, Ok(OpeningOutcome::Opened(_)))).count();
    let again = all.iter().filter(|outcome| matches!(outcome, Ok(OpeningOutcome::Replayed(_)))).count();
    assert_eq!((opened, again), (1, 5), "{all:?}");
    let mut different = opening(&shop.facts, 30, Some("job 17"), now());
    "another".clone_into(&mut different.hold.fingerprint);
    for different in [different, opening(&other, 30, Some("job 17"), now())] {
        assert_eq!(desk.open_hold(&different).await.unwrap(), OpeningOutcome::KeyReused);
    }
    assert_eq!(numbers(&shop.wallet(desk, now()).await), (20, 30, 0, 0));
    let ended = end(desk, asked.hold.id, settled(30), now()).await.unwrap();
    let replayed = desk.open_hold(&asked).await.unwrap();
    assert_eq!(replayed, OpeningOutcome::Replayed(Box::new(ended)), "although there are no 30 credits any more");
}

async fn a_hold_is_refused_as_a_charge_is_and_changes_nothing(desk: &impl Holds) {
    use RefusalCode as C;
    let at = now();
    let refused = async |shop: &Shop, ask: Option<Ask>, amount: u64| {
        let before = shop.wallet(desk, at).await;
        let mut asked = opening(&shop.facts, amount, Some("k"), at);
        asked.ask = ask.unwrap_or(asked.ask);
        let outcome = desk.open_hold(&asked).await.unwrap();
        assert_eq!((shop.wallet(desk, at).await, desk.get_hold(asked.hold.id).await.unwrap()), (before, None));
        match outcome {
            OpeningOutcome::Refused(refusal) => (refusal.code, refusal.limiter),
            other => panic!("not refused: {other:?}"),
        }
    };
    let poor = shop(desk, 29, |key| key).await;
    assert_eq!(refused(&poor, None, 30).await, (C::InsufficientCredits, Some(Limiter::Wallet)));
    let scope = Some("ai:write".to_owned());
    let ask = Ask { generation: 1, scope, now: at };
    assert_eq!(refused(&poor, Some(ask), 1).await, (C::InsufficientScope, Some(Limiter::Key)));
    let spent = shop(desk, 50, |key| ApiKey { daily_quota: Some(1), ..key }).await;
    spent.hold(desk, 1).await;
    assert_eq!(refused(&spent, None, 1).await, (C::DailyQuotaExceeded, Some(Limiter::Key)));
    let over = shop(desk, 50, |key| ApiKey { expires_at: Some(at), ..key }).await;
    assert_eq!(refused(&over, None, 1).await, (C::Expired, Some(Limiter::Key)));
    let stopped = shop(desk, 50, |key| key).await;
    let entry = desk::entry(stopped.org, AuditAction::OrgSuspended, &stopped.owner, at);
    assert!(desk.suspend_org(stopped.org, true, &entry).await.unwrap());
    assert_eq!(refused(&stopped, None, 1).await, (C::Suspended, Some(Limiter::Organisation)));
    let revoked = shop(desk, 50, |key| key).await;
    revoke(desk, &revoked).await;
    assert_eq!(refused(&revoked, None, 1).await, (C::Revoked, Some(Limiter::Key)));
    let moved = KeyFacts { spender: Some(desk::person()), ..poor.facts };
    assert_eq!(desk.open_hold(&opening(&moved, 1, None, at)).await.unwrap(), OpeningOutcome::PayerChanged);
}

async fn revoke(desk: &impl Holds, shop: &Shop) {
    let origin = desk::origin(&shop.owner);
    let key = desk.get_key(shop.org, shop.facts.id).await.unwrap().unwrap();
    let step = key.revoke("leaked", &ChangeContext { origin: &origin, now: now() }).unwrap().unwrap();
    desk.change_key(&step).await.unwrap();
}

async fn racing_holds_set_aside_what_there_is_and_no_more(desk: &impl Holds) {
    let shop = shop(desk, 100, |key| key).await;
    let asked: Vec<_> = (0..30).map(|_| opening(&shop.facts, 10, None, now())).collect();
    let outcomes = join_all(asked.iter().map(|asked| desk.open_hold(asked))).await;
    let opened = outcomes.iter().filter(|outcome| matches!(outcome, Ok(OpeningOutcome::Opened(_)))).count();
    assert_eq!((opened, numbers(&shop.wallet(desk, now()).await)), (10, (0, 100, 0, 0)), "{outcomes:?}");
}

async fn every_end_is_read_back_as_it_was_made(desk: &impl Holds) {
    let shop = shop(desk, 100, |key| key).await;
    for (how, used) in [(settled(12), 12), (settled(0), 0), (REFUND, 0), (CHARGED, 10)] {
        let before = shop.wallet(desk, now()).await;
        let id = shop.hold(desk, if how == settled(12) { 12 } else { 10 }).await;
        let by = consigne_core::credits::Resolver { idempotency_key: Some("done 17".to_owned()), ..resolver(now()) };
        let ended = resolve(desk, id, how, &by).await.unwrap();
        assert_eq!(desk.get_hold(id).await.unwrap().as_ref(), Some(&ended), "{how:?}");
        assert_eq!(
            ended.end.as_ref().map(|end| (end.how, end.idempotency_key.as_deref())),
            Some((how, Some("done 17")))
        );
        let after = shop.wallet(desk, now()).await;
        assert_eq!((after.held, after.used - before.used), (0, used), "{how:?}");
        // Nothing is done twice, whoever asks.
        assert_eq!(end(desk, id, how, now()).await, Ok(ended.clone()));
        assert_eq!(end(desk, id, settled(7), now()).await, Err(Code::HoldResolved));
        assert_eq!(shop.wallet(desk, now()).await, after);
    }
    let id = shop.hold(desk, 10).await;
    let open = desk.get_hold(id).await.unwrap().unwrap();
    let step = open.time_out(open.due_at().unwrap()).unwrap();
    assert_eq!(desk.resolve_hold(&step).await.unwrap(), ResolutionOutcome::Resolved);
    assert_eq!(desk.resolve_hold(&step).await.unwrap(), ResolutionOutcome::Conflict);
    assert_eq!(desk.get_hold(id).await.unwrap(), Some(step.hold));
    assert_eq!(end(desk, id, settled(1), now()).await, Err(Code::HoldExpired));
    assert_eq!(numbers(&shop.wallet(desk, now()).await), (78, 0, 22, 0));

    let all = ReceiptFilter { day: None, key: None };
    let receipts = eventually(
        async || desk.list_receipts(shop.org, all, &PageAsk { limit: 10, after: None }).await.unwrap().items,
        |receipts| receipts.len() == 3,
    );
    let mut told: Vec<_> =
        receipts.await.into_iter().map(|receipt| (receipt.credits, receipt.outcome.map(|o| o.status_code))).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, Some(200)), (10, None), (12, Some(200))], "what was spent is in the usage log");
}

async fn of_a_settlement_and_a_void_at_once_one_wins(desk: &impl Holds) {
    let shop = shop(desk, 100, |key| key).await;
    let mut spent = 0;
    for _ in 0..10 {
        let (id, at) = (shop.hold(desk, 10).await, now());
        let (settlement, void) = tokio::join!(end(desk, id, settled(4), at), end(desk, id, REFUND, at));
        let lost = [&settlement, &void].into_iter().filter(|ended| **ended == Err(Code::HoldResolved)).count();
        assert_eq!(lost, 1, "{settlement:?} {void:?}");
        spent += if settlement.is_ok() { 4 } else { 0 };
    }
    assert_eq!(numbers(&shop.wallet(desk, now()).await), (100 - i64::try_from(spent).unwrap(), 0, spent, 0));
}

async fn what_was_done_for_a_revoked_key_of_a_closed_wallet_is_paid(desk: &impl Holds) {
    let shop = shop(desk, 100, |key| key).await;
    let (done, failed) = (shop.hold(desk, 40).await, shop.hold(desk, 40).await);
    revoke(desk, &shop).await;
    let entry = desk::entry(shop.org, AuditAction::OrgSuspended, &shop.owner, now());
    assert!(desk.suspend_org(shop.org, true, &entry).await.unwrap());
    assert!(end(desk, done, settled(25), now()).await.is_ok());
    assert!(end(desk, failed, REFUND, now()).await.is_ok());
    assert_eq!(numbers(&shop.wallet(desk, now()).await), (75, 0, 25, 0));
}

async fn one_refund_too_many_gives_nothing_back(desk: &impl Holds) {
    let shop = shop(desk, 200, |key| key).await;
    let midnight = Timestamp::parse("2027-03-01T00:00:00Z").unwrap();
    let (day, next) = (midnight.minus(Duration::from_hours(1)), midnight);
    let mut holds = Vec::new();
    for _ in 0..=REFUNDS_A_DAY {
        holds.push(held(desk, &shop.facts, 1, day).await);
    }
    let mut spent = Vec::new();
    // A few at once, as many as a service has workers.
    for some in holds.chunks(8) {
        let ends = join_all(some.iter().map(|id| end(desk, *id, REFUND, day))).await;
        spent.extend(ends.into_iter().map(Result::unwrap).filter(|hold| hold.used() > 0));
    }
    let [last] = &spent[..] else { panic!("{spent:?}") };
    assert_eq!(last.end.as_ref().map(|end| end.how), Some(HoldEnd::Voided(VoidReason::RefundsSpent)));
    assert_eq!(numbers(&shop.wallet(desk, day).await), (199, 0, 1, 0));
    assert_eq!(end(desk, last.id, REFUND, next).await.as_ref(), Ok(last), "asked for again, it stays as it ended");
    let another = desk::issue(desk, &desk::key(shop.org, &shop.owner, false, now())).await;
    let theirs = held(desk, &another, 1, day).await;
    assert_eq!(end(desk, theirs, REFUND, day).await.unwrap().used(), 0, "each key has its own");
    let tomorrow = held(desk, &shop.facts, 1, next).await;
    assert_eq!(end(desk, tomorrow, REFUND, next).await.unwrap().used(), 0, "each day has its own");
    assert_eq!(numbers(&shop.wallet(desk, next).await), (199, 0, 1, 0));
}

async fn a_hold_that_outlives_a_lot_neither_loses_nor_carries_over(desk: &impl Holds) {
    for (how, want) in [(settled(12), (90, 0, 12, 38)), (REFUND, (90, 0, 0, 50)), (CHARGED, (90, 0, 30, 20))] {
        let (shop, at) = (shop(desk, 0, |key| key).await, now());
        let later = at.plus(Duration::from_hours(2));
        shop.fund(desk, LotKind::Promo, 50, Some(at.plus(Duration::from_hours(1)))).await;
        shop.fund(desk, LotKind::Paid, 100, None).await;
        let id = held(desk, &shop.facts, 30, at).await;
        assert_eq!(numbers(&shop.wallet(desk, later).await), (100, 30, 0, 20));
        // One that is opened afterwards is none of that lot's, in whichever order they end.
        let late = held(desk, &shop.facts, 10, later).await;
        assert!(end(desk, id, how, later).await.is_ok());
        assert!(end(desk, late, settled(10), later).await.is_ok());
        let used = want.2 + 10;
        assert_eq!(numbers(&shop.wallet(desk, later).await), (want.0, 0, used, want.3), "{how:?}");
    }
}

async fn holds_that_outlive_a_lot_end_while_others_are_charged(desk: &impl Holds) {
    let (shop, at) = (shop(desk, 0, |key| key).await, now());
    let later = at.plus(Duration::from_hours(2));
    shop.fund(desk, LotKind::Promo, 40, Some(at.plus(Duration::from_hours(1)))).await;
    shop.fund(desk, LotKind::Paid, 100, None).await;
    let mut holds = Vec::new();
    for _ in 0..8 {
        holds.push(held(desk, &shop.facts, 5, at).await);
    }
    let ending = join_all(holds.iter().enumerate().map(|(n, id)| {
        let how = if n % 2 == 0 { settled(5) } else { REFUND };
        end(desk, *id, how, later)
    }));
    let charges: Vec<_> = (0..20).map(|_| desk::charge(&shop.facts, 1, None, later)).collect();
    let charging = join_all(charges.iter().map(|charge| desk.charge_key(charge)));
    let (ended, paid) = tokio::join!(ending, charging);
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert!(paid.iter().all(|outcome| matches!(outcome, Ok(ChargeOutcome::Charged))), "{paid:?}");
    assert_eq!(numbers(&shop.wallet(desk, later).await), (80, 0, 40, 20));
}

async fn a_test_wallets_new_period_is_not_inflated(desk: &impl Holds) {
    let at = now();
    for (how, used, expired) in [(settled(12), 12, 88), (REFUND, 0, 100), (CHARGED, 30, 70)] {
        let (org, owner) = desk::found(desk, at).await;
        let test = desk::issue(desk, &desk::key(org, &owner, true, at)).await;
        let renewal = at.plus(Duration::from_hours(24 * 30));
        // The first use of the wallet, and one just before its renewal.
        let first = held(desk, &test, 100, at).await;
        assert!(end(desk, first, REFUND, at).await.is_ok());
        let id = held(desk, &test, 30, renewal.minus(Duration::from_hours(1))).await;
        let refused = desk.open_hold(&opening(&test, 101, None, renewal)).await.unwrap();
        assert!(matches!(refused, OpeningOutcome::Refused(refusal) if refusal.limiter == Some(Limiter::TestWallet)));
        let new = held(desk, &test, 100, renewal).await;
        assert!(end(desk, id, how, renewal).await.is_ok());
        assert_eq!(numbers(&wallet(desk, &test, renewal).await), (0, 100, used, expired), "{how:?}");
        assert!(end(desk, new, REFUND, renewal).await.is_ok());
        assert_eq!(numbers(&wallet(desk, &test, renewal).await), (100, 0, used, expired), "{how:?}");
        let live = desk.get_wallet(&WalletId::Organisation(org), at).await.unwrap().unwrap();
        assert_eq!(numbers(&live), (0, 0, 0, 0), "the live wallet is untouched");
    }
}

async fn a_hold_is_due_until_it_has_ended(desk: &impl Holds) {
    // Longer ago than what others have left lying.
    let at = now().minus(Duration::from_hours(10_000));
    let shop = shop(desk, 50, |key| key).await;
    let id = held(desk, &shop.facts, 30, at).await;
    let open = desk.get_hold(id).await.unwrap().unwrap();
    let due_at = open.due_at().unwrap();
    let mine = async |at| due_holds(desk, at).await.into_iter().find(|hold| hold.id == id);
    assert_eq!(mine(due_at.minus(Duration::from_millis(1))).await, None);
    assert_eq!(eventually(async || mine(due_at).await, Option::is_some).await, Some(open.clone()));
    let step = open.time_out(due_at).unwrap();
    assert_eq!(desk.resolve_hold(&step).await.unwrap(), ResolutionOutcome::Resolved);
    assert_eq!(eventually(async || mine(due_at).await, Option::is_none).await, None);
    assert_eq!(numbers(&shop.wallet(desk, now()).await), (50, 0, 0, 0));
}

async fn due_holds<D: Holds>(desk: &D, at: Timestamp) -> Vec<Hold> {
    let due = desk.find_due(at, 100, &mut D::Walk::default()).await.unwrap();
    due.into_iter().filter_map(|due| if let Due::Hold(hold) = due { Some(*hold) } else { None }).collect()
}
