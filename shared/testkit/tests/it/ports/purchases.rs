//! Contract of the ports for purchases, and for claw-backs by refunds and disputes.

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
use consigne_testkit::accounts::{self, dispute, purchase, refund};
use consigne_testkit::fakes::World;
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;

use super::{now, on_both};

/// The ports under test.
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
    a_refund_claws_back_its_share_once_and_refunds_only_grow,
    a_balance_below_zero_refuses_keys_until_it_is_positive,
    a_refund_before_its_purchase_counts_when_the_purchase_comes,
    disputes_claw_back_and_return_credits_in_any_order,
    concurrent_repeated_reports_give_the_same_result,
    concurrent_claw_backs_and_charges_all_succeed,
);

/// Creates an organisation. Returns its id and the name of a new payment.
async fn buyer(store: &impl Purchases) -> (OrgId, String) {
    let (org, _) = accounts::found(store, now()).await;
    (org, org.to_string())
}

async fn buys(store: &impl Purchases, purchase: &Purchase) -> PurchaseOutcome {
    store.credit_purchase(purchase).await.unwrap()
}

async fn apply(store: &impl Purchases, report: &ClawBack) -> ClawBackOutcome {
    store.claw_back(report).await.unwrap()
}

async fn wallet(store: &impl Purchases, org: OrgId) -> Wallet {
    let wallet = store.get_wallet(&WalletId::Organisation(org), now()).await.unwrap().unwrap();
    assert!(wallet.is_balanced(), "{wallet:?}");
    wallet
}

/// Returns the balance, and the credits purchased and clawed back.
async fn numbers(store: &impl Purchases, org: OrgId) -> (i64, u64, u64) {
    let wallet = wallet(store, org).await;
    (wallet.balance, wallet.purchased, wallet.clawed_back)
}

/// Returns the actions about credits in the audit log, oldest first.
async fn audit_log(store: &impl Purchases, org: OrgId) -> Vec<AuditAction> {
    let page = store.list_audit(org, &PageAsk { limit: 100, after: None }).await.unwrap();
    let mut entries = page.items;
    entries.sort_by_key(|entry| entry.id);
    entries.iter().map(|entry| entry.action).filter(|action| action.name().starts_with("credits.")).collect()
}

async fn a_session_is_credited_once(store: &impl Purchases) {
    let (org, name) = buyer(store).await;
    let bought = purchase(org, &name, 1_000, now());
    assert_eq!(buys(store, &bought).await, PurchaseOutcome::Credited);
    assert_eq!(buys(store, &bought).await, PurchaseOutcome::CreditedBefore);
    assert_eq!(buys(store, &purchase(org, &name, 1_000, now())).await, PurchaseOutcome::CreditedBefore);
    let wallet = wallet(store, org).await;
    assert_eq!((wallet.balance, wallet.purchased), (1_000, 1_000));
    assert_eq!(wallet.lots[&bought.lot].kind, LotKind::Paid);
    assert_eq!(audit_log(store, org).await, [AuditAction::CreditsPurchased]);
    let nobody = OrgId::mint(now());
    let nowhere = purchase(nobody, &nobody.to_string(), 1_000, now());
    assert_eq!(buys(store, &nowhere).await, PurchaseOutcome::NoSuchOrganisation);
    // A payment pays for one session only.
    let other = Purchase { session: purchase(org, "x", 1, now()).session, ..purchase(org, &name, 1_000, now()) };
    assert!(store.credit_purchase(&other).await.is_err());
    assert_eq!(numbers(store, org).await, (1_000, 1_000, 0));
}

async fn a_refund_claws_back_its_share_once_and_refunds_only_grow(store: &impl Purchases) {
    let (org, name) = buyer(store).await;
    let bought = Purchase { amount_cents: 8_000, ..purchase(org, &name, 10_000, now()) };
    assert_eq!(buys(store, &bought).await, PurchaseOutcome::Credited);
    // Of reports with the same time, the largest total counts.
    let at = now();
    for (cents, outcome, away) in [
        (2_000, ClawBackOutcome::Taken(2_500), 2_500),
        (2_000, ClawBackOutcome::Unchanged, 2_500),
        (1_000, ClawBackOutcome::Unchanged, 2_500),
        (2_001, ClawBackOutcome::Taken(1), 2_501),
        (8_000, ClawBackOutcome::Taken(7_499), 10_000),
        (9_000, ClawBackOutcome::Unchanged, 10_000),
    ] {
        let got = apply(store, &refund(&name, cents, at)).await;
        assert_eq!((got, numbers(store, org).await.2), (outcome, away), "{cents}");
    }
    assert_eq!(numbers(store, org).await, (0, 10_000, 10_000));
    let taken = audit_log(store, org).await;
    assert_eq!(taken.iter().filter(|action| **action == AuditAction::CreditsClawedBack).count(), 3);
}

async fn a_balance_below_zero_refuses_keys_until_it_is_positive(store: &impl Purchases) {
    let (org, owner) = accounts::found(store, now()).await;
    let (name, facts) = (org.to_string(), accounts::issue(store, &accounts::key(org, &owner, false, now())).await);
    let charge = async |cost| store.charge_key(&accounts::charge(&facts, cost, None, now())).await.unwrap();
    let gift = accounts::credits(org, LotKind::Promo, 10, Some(now().plus(Duration::from_hours(1))), now());
    assert_eq!(store.grant_credits(&gift).await.unwrap(), CreditGrantOutcome::Granted);
    assert_eq!(buys(store, &purchase(org, &name, 100, now())).await, PurchaseOutcome::Credited);
    assert_eq!(charge(80).await, ChargeOutcome::Charged);
    assert_eq!(apply(store, &refund(&name, 100, now())).await, ClawBackOutcome::Taken(100));
    assert_eq!(numbers(store, org).await, (-70, 100, 100));
    match charge(1).await {
        ChargeOutcome::Refused(refusal) => assert_eq!(refusal.code, RefusalCode::InsufficientCredits),
        other => panic!("not refused: {other:?}"),
    }
    let more = purchase(org, &format!("{name}_2"), 100, now());
    assert_eq!(buys(store, &more).await, PurchaseOutcome::Credited);
    let wallet = wallet(store, org).await;
    assert_eq!((wallet.balance, wallet.lots[&more.lot].left), (30, 30), "the debt must be paid first");
    assert_eq!(charge(30).await, ChargeOutcome::Charged);
}

async fn a_refund_before_its_purchase_counts_when_the_purchase_comes(store: &impl Purchases) {
    let (org, name) = buyer(store).await;
    let refunded = refund(&name, 250, now());
    assert_eq!(apply(store, &refunded).await, ClawBackOutcome::Remembered);
    assert_eq!(apply(store, &refunded).await, ClawBackOutcome::Unchanged);
    let disputed = dispute(&name, "dp_1", 100, DisputeState::Open, now());
    assert_eq!(apply(store, &disputed).await, ClawBackOutcome::Remembered);
    assert_eq!(buys(store, &purchase(org, &name, 1_000, now())).await, PurchaseOutcome::Credited);
    assert_eq!(numbers(store, org).await, (650, 1_000, 350));
    assert_eq!(audit_log(store, org).await.len(), 2, "the purchase and its claw-back");
    let won = dispute(&name, "dp_1", 100, DisputeState::Won, now());
    assert_eq!(apply(store, &won).await, ClawBackOutcome::GivenBack(100));
    assert_eq!(numbers(store, org).await, (750, 1_000, 250));
}

async fn disputes_claw_back_and_return_credits_in_any_order(store: &impl Purchases) {
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
        let (org, name) = buyer(store).await;
        assert_eq!(buys(store, &purchase(org, &name, 1_000, now())).await, PurchaseOutcome::Credited);
        for state in order {
            apply(store, &dispute(&name, "dp_1", 400, state, now())).await;
        }
        let balance = 1_000 - i64::try_from(away).unwrap();
        assert_eq!(numbers(store, org).await, (balance, 1_000, away), "{order:?}");
    }
}

async fn concurrent_repeated_reports_give_the_same_result(store: &impl Purchases) {
    for round in 0..3 {
        let (org, name) = buyer(store).await;
        let at = now();
        let bought = purchase(org, &name, 1_000, at);
        let reports = [
            refund(&name, 100, at),
            refund(&name, 300, at),
            dispute(&name, "dp_1", 500, DisputeState::Open, at),
            dispute(&name, "dp_1", 500, DisputeState::Won, at),
            dispute(&name, "dp_2", 200, DisputeState::Open, at),
        ];
        let buying = join_all((0..3).map(|_| async {
            // In different orders.
            tokio::time::sleep(Duration::from_millis(round * 10)).await;
            store.credit_purchase(&bought).await
        }));
        let applying = join_all((0..3).flat_map(|_| reports.iter()).map(|reports| store.claw_back(reports)));
        let (credited, applying) = tokio::join!(buying, applying);
        assert_eq!(credited.iter().filter(|outcome| matches!(outcome, Ok(PurchaseOutcome::Credited))).count(), 1);
        assert!(applying.iter().all(Result::is_ok), "{applying:?}");
        assert_eq!(numbers(store, org).await, (500, 1_000, 500));
        let bought =
            audit_log(store, org).await.iter().filter(|action| **action == AuditAction::CreditsPurchased).count();
        assert_eq!(bought, 1);
    }
}

async fn concurrent_claw_backs_and_charges_all_succeed(store: &impl Purchases) {
    let (org, owner) = accounts::found(store, now()).await;
    let (name, facts) = (org.to_string(), accounts::issue(store, &accounts::key(org, &owner, false, now())).await);
    assert_eq!(buys(store, &purchase(org, &name, 100, now())).await, PurchaseOutcome::Credited);
    let charges: Vec<_> = (0..60).map(|_| accounts::charge(&facts, 1, None, now())).collect();
    let charging = join_all(charges.iter().map(|charge| store.charge_key(charge)));
    let reports: Vec<_> = (1..=8).map(|tens| refund(&name, tens * 10, now())).collect();
    let applying = join_all(reports.iter().map(|reports| store.claw_back(reports)));
    let (outcomes, reports) = tokio::join!(charging, applying);
    assert!(reports.iter().all(Result::is_ok), "{reports:?}");
    let paid = outcomes.iter().filter(|outcome| matches!(outcome, Ok(ChargeOutcome::Charged))).count();
    let wallet = wallet(store, org).await;
    assert_eq!((wallet.clawed_back, wallet.used), (80, paid as u64));
    assert!(paid >= 20, "only {paid}");
}

/// Buys and spends repeatedly. Asserts that used-up lots are removed from the item that every charge rewrites.
async fn buys_and_spends(store: &impl Purchases, lots: impl AsyncFn(OrgId) -> usize) {
    let (org, owner) = accounts::found(store, now()).await;
    let facts = accounts::issue(store, &accounts::key(org, &owner, false, now())).await;
    for round in 0..5 {
        if round % 2 == 0 {
            let bought = purchase(org, &format!("{org}_{round}"), 10, now());
            assert_eq!(buys(store, &bought).await, PurchaseOutcome::Credited);
        } else {
            let gift = accounts::credits(org, LotKind::Promo, 10, None, now());
            assert_eq!(store.grant_credits(&gift).await.unwrap(), CreditGrantOutcome::Granted);
        }
        assert_eq!(lots(org).await, 1, "round {round}");
        let charge = accounts::charge(&facts, 10, None, now());
        assert_eq!(store.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
    }
    // A removed lot can still be clawed back.
    assert_eq!(apply(store, &refund(&format!("{org}_0"), 10, now())).await, ClawBackOutcome::Taken(10));
    assert_eq!(numbers(store, org).await, (-10, 30, 10));
}

#[tokio::test]
async fn the_fake_removes_used_up_lots_at_the_next_purchase() {
    let world = World::default();
    let lots = async |org| world.state().accounts.wallets[&WalletId::Organisation(org)].lots.len();
    buys_and_spends(&world, lots).await;
}

#[tokio::test]
async fn the_table_removes_used_up_lots_at_the_next_purchase() {
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
