//! Purchases, and what refunds and disputes take back of them.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::OrgId;
use consigne_core::audit::AuditAction;
use consigne_core::credits::{
    ChargeOutcome, ClawBack, ClawBackOutcome, CreditGrantOutcome, DisputeState, LotKind, Purchase, PurchaseOutcome,
    Wallet, WalletId,
};
use consigne_core::keys::RefusalCode;
use consigne_core::ports::{
    ChargeKey, ClawBackCredits, CreateOrg, CreditPurchase, GetWallet, GrantCredits, IssueKey, ListAudit, PageAsk,
};
use consigne_testkit::desk::{self, dispute, purchase, refund};
use consigne_testkit::fakes::World;
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;

use super::{now, on_both};

/// Everything the table can do for purchases.
pub trait Purchases:
    CreateOrg + IssueKey + ChargeKey + GetWallet + GrantCredits + CreditPurchase + ClawBackCredits + ListAudit + Sync
{
}
impl<T> Purchases for T where
    T: CreateOrg
        + IssueKey
        + ChargeKey
        + GetWallet
        + GrantCredits
        + CreditPurchase
        + ClawBackCredits
        + ListAudit
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_session_is_credited_once,
    a_refund_takes_back_its_share_once_and_refunds_only_grow,
    a_balance_below_zero_stops_keys_until_there_are_credits_again,
    a_refund_that_is_told_of_first_counts_when_its_purchase_comes,
    a_dispute_takes_back_and_gives_back_in_any_order,
    everything_three_times_and_at_once_comes_to_the_same,
    claw_backs_and_charges_do_not_wait_for_each_other,
);

/// Founds an organisation and names a payment nobody has made.
async fn buyer(desk: &impl Purchases) -> (OrgId, String) {
    let (org, _) = desk::found(desk, now()).await;
    (org, org.to_string())
}

async fn buys(desk: &impl Purchases, purchase: &Purchase) -> PurchaseOutcome {
    desk.credit_purchase(purchase).await.unwrap()
}

async fn tell(desk: &impl Purchases, told: &ClawBack) -> ClawBackOutcome {
    desk.claw_back(told).await.unwrap()
}

async fn wallet(desk: &impl Purchases, org: OrgId) -> Wallet {
    let wallet = desk.get_wallet(&WalletId::Organisation(org), now()).await.unwrap().unwrap();
    assert!(wallet.is_balanced(), "{wallet:?}");
    wallet
}

/// Gives balance, purchased and clawed back.
async fn numbers(desk: &impl Purchases, org: OrgId) -> (i64, u64, u64) {
    let wallet = wallet(desk, org).await;
    (wallet.balance, wallet.purchased, wallet.clawed_back)
}

/// Gives what stands in the trail about credits, oldest first.
async fn trail(desk: &impl Purchases, org: OrgId) -> Vec<AuditAction> {
    let page = desk.list_audit(org, &PageAsk { limit: 100, after: None }).await.unwrap();
    let mut entries = page.items;
    entries.sort_by_key(|entry| entry.id);
    entries.iter().map(|entry| entry.action).filter(|action| action.name().starts_with("credits.")).collect()
}

async fn a_session_is_credited_once(desk: &impl Purchases) {
    let (org, name) = buyer(desk).await;
    let bought = purchase(org, &name, 1_000, now());
    assert_eq!(buys(desk, &bought).await, PurchaseOutcome::Credited);
    assert_eq!(buys(desk, &bought).await, PurchaseOutcome::CreditedBefore);
    assert_eq!(buys(desk, &purchase(org, &name, 1_000, now())).await, PurchaseOutcome::CreditedBefore);
    let wallet = wallet(desk, org).await;
    assert_eq!((wallet.balance, wallet.purchased), (1_000, 1_000));
    assert_eq!(wallet.lots[&bought.lot].kind, LotKind::Paid);
    assert_eq!(trail(desk, org).await, [AuditAction::CreditsPurchased]);
    let nobody = OrgId::mint(now());
    let nowhere = purchase(nobody, &nobody.to_string(), 1_000, now());
    assert_eq!(buys(desk, &nowhere).await, PurchaseOutcome::NoSuchOrganisation);
    // One payment pays for one session.
    let other = Purchase { session: purchase(org, "x", 1, now()).session, ..purchase(org, &name, 1_000, now()) };
    assert!(desk.credit_purchase(&other).await.is_err());
    assert_eq!(numbers(desk, org).await, (1_000, 1_000, 0));
}

async fn a_refund_takes_back_its_share_once_and_refunds_only_grow(desk: &impl Purchases) {
    let (org, name) = buyer(desk).await;
    let bought = Purchase { amount_cents: 8_000, ..purchase(org, &name, 10_000, now()) };
    assert_eq!(buys(desk, &bought).await, PurchaseOutcome::Credited);
    for (cents, outcome, away) in [
        (2_000, ClawBackOutcome::Taken(2_500), 2_500),
        (2_000, ClawBackOutcome::Unchanged, 2_500),
        (1_000, ClawBackOutcome::Unchanged, 2_500),
        (2_001, ClawBackOutcome::Taken(1), 2_501),
        (8_000, ClawBackOutcome::Taken(7_499), 10_000),
        (9_000, ClawBackOutcome::Unchanged, 10_000),
    ] {
        let got = tell(desk, &refund(&name, cents, now())).await;
        assert_eq!((got, numbers(desk, org).await.2), (outcome, away), "{cents}");
    }
    assert_eq!(numbers(desk, org).await, (0, 10_000, 10_000));
    let taken = trail(desk, org).await;
    assert_eq!(taken.iter().filter(|action| **action == AuditAction::CreditsClawedBack).count(), 3);
}

async fn a_balance_below_zero_stops_keys_until_there_are_credits_again(desk: &impl Purchases) {
    let (org, owner) = desk::found(desk, now()).await;
    let (name, facts) = (org.to_string(), desk::issue(desk, &desk::key(org, &owner, false, now())).await);
    let charge = async |cost| desk.charge_key(&desk::charge(&facts, cost, None, now())).await.unwrap();
    let gift = desk::credits(org, LotKind::Promo, 10, Some(now().plus(Duration::from_hours(1))), now());
    assert_eq!(desk.grant_credits(&gift).await.unwrap(), CreditGrantOutcome::Granted);
    assert_eq!(buys(desk, &purchase(org, &name, 100, now())).await, PurchaseOutcome::Credited);
    assert_eq!(charge(80).await, ChargeOutcome::Charged);
    assert_eq!(tell(desk, &refund(&name, 100, now())).await, ClawBackOutcome::Taken(100));
    assert_eq!(numbers(desk, org).await, (-70, 100, 100));
    match charge(1).await {
        ChargeOutcome::Refused(refusal) => assert_eq!(refusal.code, RefusalCode::InsufficientCredits),
        other => panic!("not refused: {other:?}"),
    }
    let more = purchase(org, &format!("{name}_2"), 100, now());
    assert_eq!(buys(desk, &more).await, PurchaseOutcome::Credited);
    let wallet = wallet(desk, org).await;
    assert_eq!((wallet.balance, wallet.lots[&more.lot].left), (30, 30), "what was owed is paid first");
    assert_eq!(charge(30).await, ChargeOutcome::Charged);
}

async fn a_refund_that_is_told_of_first_counts_when_its_purchase_comes(desk: &impl Purchases) {
    let (org, name) = buyer(desk).await;
    assert_eq!(tell(desk, &refund(&name, 250, now())).await, ClawBackOutcome::Remembered);
    assert_eq!(tell(desk, &refund(&name, 250, now())).await, ClawBackOutcome::Unchanged);
    let disputed = dispute(&name, "dp_1", 100, DisputeState::Open, now());
    assert_eq!(tell(desk, &disputed).await, ClawBackOutcome::Remembered);
    assert_eq!(buys(desk, &purchase(org, &name, 1_000, now())).await, PurchaseOutcome::Credited);
    assert_eq!(numbers(desk, org).await, (650, 1_000, 350));
    assert_eq!(trail(desk, org).await.len(), 2, "the purchase and what was taken back of it");
    let won = dispute(&name, "dp_1", 100, DisputeState::Won, now());
    assert_eq!(tell(desk, &won).await, ClawBackOutcome::GivenBack(100));
    assert_eq!(numbers(desk, org).await, (750, 1_000, 250));
}

async fn a_dispute_takes_back_and_gives_back_in_any_order(desk: &impl Purchases) {
    use DisputeState::{Dropped, Lost, Open, Won};
    for (order, away) in [
        ([Open, Won], 0),
        ([Won, Open], 0),
        ([Open, Lost], 400),
        ([Lost, Open], 400),
        ([Won, Lost], 400),
        ([Lost, Won], 400),
        ([Open, Dropped], 0),
        ([Dropped, Open], 0),
    ] {
        let (org, name) = buyer(desk).await;
        assert_eq!(buys(desk, &purchase(org, &name, 1_000, now())).await, PurchaseOutcome::Credited);
        for state in order {
            tell(desk, &dispute(&name, "dp_1", 400, state, now())).await;
        }
        let balance = 1_000 - i64::try_from(away).unwrap();
        assert_eq!(numbers(desk, org).await, (balance, 1_000, away), "{order:?}");
    }
}

async fn everything_three_times_and_at_once_comes_to_the_same(desk: &impl Purchases) {
    for round in 0..3 {
        let (org, name) = buyer(desk).await;
        let at = now();
        let bought = purchase(org, &name, 1_000, at);
        let told = [
            refund(&name, 100, at),
            refund(&name, 300, at),
            dispute(&name, "dp_1", 500, DisputeState::Open, at),
            dispute(&name, "dp_1", 500, DisputeState::Won, at),
            dispute(&name, "dp_2", 200, DisputeState::Open, at),
        ];
        let buying = join_all((0..3).map(|_| async {
            // Not always first.
            tokio::time::sleep(Duration::from_millis(round * 10)).await;
            desk.credit_purchase(&bought).await
        }));
        let telling = join_all((0..3).flat_map(|_| told.iter()).map(|told| desk.claw_back(told)));
        let (credited, telling) = tokio::join!(buying, telling);
        assert_eq!(credited.iter().filter(|outcome| matches!(outcome, Ok(PurchaseOutcome::Credited))).count(), 1);
        assert!(telling.iter().all(Result::is_ok), "{telling:?}");
        assert_eq!(numbers(desk, org).await, (500, 1_000, 500));
        let bought = trail(desk, org).await.iter().filter(|action| **action == AuditAction::CreditsPurchased).count();
        assert_eq!(bought, 1);
    }
}

async fn claw_backs_and_charges_do_not_wait_for_each_other(desk: &impl Purchases) {
    let (org, owner) = desk::found(desk, now()).await;
    let (name, facts) = (org.to_string(), desk::issue(desk, &desk::key(org, &owner, false, now())).await);
    assert_eq!(buys(desk, &purchase(org, &name, 100, now())).await, PurchaseOutcome::Credited);
    let charges: Vec<_> = (0..60).map(|_| desk::charge(&facts, 1, None, now())).collect();
    let charging = join_all(charges.iter().map(|charge| desk.charge_key(charge)));
    let told: Vec<_> = (1..=8).map(|tens| refund(&name, tens * 10, now())).collect();
    let telling = join_all(told.iter().map(|told| desk.claw_back(told)));
    let (outcomes, told) = tokio::join!(charging, telling);
    assert!(told.iter().all(Result::is_ok), "{told:?}");
    let paid = outcomes.iter().filter(|outcome| matches!(outcome, Ok(ChargeOutcome::Charged))).count();
    let wallet = wallet(desk, org).await;
    assert_eq!((wallet.clawed_back, wallet.used), (80, paid as u64));
    assert!(paid >= 20, "only {paid}");
}

/// Buys and spends, again and again, and sees that no lot which is spent stays where every charge rewrites it.
async fn buys_and_spends(desk: &impl Purchases, lots: impl AsyncFn(OrgId) -> usize) {
    let (org, owner) = desk::found(desk, now()).await;
    let facts = desk::issue(desk, &desk::key(org, &owner, false, now())).await;
    for round in 0..5 {
        if round % 2 == 0 {
            let bought = purchase(org, &format!("{org}_{round}"), 10, now());
            assert_eq!(buys(desk, &bought).await, PurchaseOutcome::Credited);
        } else {
            let gift = desk::credits(org, LotKind::Promo, 10, None, now());
            assert_eq!(desk.grant_credits(&gift).await.unwrap(), CreditGrantOutcome::Granted);
        }
        assert_eq!(lots(org).await, 1, "round {round}");
        let charge = desk::charge(&facts, 10, None, now());
        assert_eq!(desk.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
    }
    // What was spent of them can be taken back all the same.
    assert_eq!(tell(desk, &refund(&format!("{org}_0"), 10, now())).await, ClawBackOutcome::Taken(10));
    assert_eq!(numbers(desk, org).await, (-10, 30, 10));
}

#[tokio::test]
async fn lots_that_are_spent_go_when_the_next_one_comes_to_the_fake() {
    let world = World::default();
    let lots = async |org| world.state().desk.wallets[&WalletId::Organisation(org)].lots.len();
    buys_and_spends(&world, lots).await;
}

#[tokio::test]
async fn lots_that_are_spent_go_when_the_next_one_comes_to_the_table() {
    let stack = Stack::find();
    let (client, name) = (aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config()), stack.name("TABLE_NAME"));
    let lots = async |org: OrgId| {
        let text = |text: String| AttributeValue::S(text);
        let ask = client.get_item().table_name(name).key("pk", text(format!("ORG#{org}"))).consistent_read(true);
        let item = ask.key("sk", text("WALLET".to_owned())).send().await.unwrap().item.unwrap();
        item.keys().filter(|name| name.starts_with("lot.")).count()
    };
    buys_and_spends(&stack.table(), lots).await;
}
