use std::time::Duration;

use super::*;
use crate::{OrgId, UserId};

const START: Timestamp = Timestamp::from_secs(1_000_000);

fn after(hours: u64) -> Timestamp {
    START.plus(Duration::from_hours(hours))
}

fn lot(n: u64) -> LotId {
    LotId::parse(&format!("lot_{n:026}")).unwrap()
}

fn wallet() -> Wallet {
    Wallet::of_organisation(OrgId::mint(START), START)
}

/// Returns balance, held, used and expired, after checking that the books balance.
fn numbers(wallet: &Wallet) -> (i64, u64, u64, u64) {
    assert!(wallet.is_balanced(), "{wallet:?}");
    (wallet.balance, wallet.held, wallet.used, wallet.expired)
}

#[test]
fn a_hold_that_ends_before_its_lot_leaves_only_its_cost() {
    let mut wallet = wallet();
    wallet.add(lot(1), LotKind::Promo, 50, Some(after(10)));
    wallet.hold(30);
    assert_eq!(numbers(&wallet), (20, 30, 0, 0));
    assert!(wallet.release(0, 30, 12));
    assert_eq!(numbers(&wallet), (38, 0, 12, 0));
    assert_eq!(numbers(&wallet.with_lots_expired(after(10))), (0, 0, 12, 38));
}

#[test]
fn a_test_wallets_new_period_starts_with_a_hundred_despite_open_holds() {
    let mut wallet = Wallet::of_tester(UserId::parse("user_ann1").unwrap(), START);
    wallet.hold(30);
    let renewed = wallet.with_lots_expired(after(24 * 30));
    assert_eq!(numbers(&renewed), (100, 30, 0, 70), "what is held is not lost yet");
    for (used, want) in [(0, (100, 0, 0, 100)), (12, (100, 0, 12, 88)), (30, (100, 0, 30, 70))] {
        let mut ended = renewed.clone();
        assert!(ended.release(0, 30, used));
        assert_eq!(numbers(&ended.with_lots_expired(after(24 * 31))), want, "of 30 held, {used} are spent");
    }
}

#[test]
fn credits_kept_of_an_expired_lot_expire_once_no_hold_can_use_them() {
    let mut wallet = wallet();
    wallet.add(lot(1), LotKind::Promo, 50, Some(after(1)));
    wallet.add(lot(2), LotKind::Paid, 100, None);
    wallet.hold(30);
    wallet.hold(30);
    let settled = wallet.with_lots_expired(after(1));
    assert_eq!(numbers(&settled), (90, 60, 0, 0), "all of the lot is held");
    // In either order, the settled hold spends the credits of the expired lot.
    for first_is_void in [true, false] {
        let mut ended = settled.clone();
        for void in [first_is_void, !first_is_void] {
            assert!(ended.release(0, 30, if void { 0 } else { 30 }));
        }
        assert_eq!(numbers(&ended), (100, 0, 30, 20), "void first: {first_is_void}");
    }
}

#[test]
fn a_hold_of_a_later_epoch_keeps_nothing_of_an_earlier_one() {
    let mut wallet = wallet();
    wallet.add(lot(1), LotKind::Promo, 50, Some(after(1)));
    wallet.add(lot(2), LotKind::Paid, 100, None);
    wallet.hold(30);
    let mut wallet = wallet.with_lots_expired(after(1));
    assert_eq!((numbers(&wallet), wallet.expiry_epoch), ((100, 30, 0, 20), 1));
    wallet.hold(40);
    assert!(wallet.release(0, 30, 0));
    assert_eq!(numbers(&wallet), (60, 40, 0, 50), "the first one's credits are lost with it");
    assert!(wallet.release(1, 40, 40));
    assert_eq!(numbers(&wallet), (60, 0, 40, 50));
}

#[test]
fn credits_that_are_not_held_are_not_released() {
    let mut wallet = wallet();
    wallet.add(lot(1), LotKind::Promo, 50, Some(after(1)));
    wallet.hold(30);
    let before = wallet.clone();
    for (expiry_epoch, amount, used) in [(0, 31, 0), (1, 30, 0), (0, 30, 31)] {
        assert!(!wallet.release(expiry_epoch, amount, used));
    }
    let mut settled = wallet.with_lots_expired(after(1));
    assert!(!settled.release(0, 31, 0) && !settled.release(1, 1, 0));
    assert_eq!(wallet, before);
}

#[test]
fn a_claw_back_takes_from_its_own_lot_then_the_others_then_later_ones() {
    let mut wallet = wallet();
    wallet.add(lot(1), LotKind::Promo, 10, None);
    wallet.add(lot(2), LotKind::Paid, 100, None);
    wallet.claw_back(lot(2), 60);
    assert_eq!((numbers(&wallet), wallet.lots[&lot(1)].left), ((50, 0, 0, 0), 10));
    wallet.debit(45);
    wallet.claw_back(lot(2), 40);
    assert_eq!((numbers(&wallet), wallet.debt), ((-35, 0, 45, 0), 35));
    assert_eq!(wallet.refusal(0, START), Some(super::super::WalletRefusal::Insufficient), "not even for nothing");
    wallet.add(lot(3), LotKind::Paid, 100, None);
    let settled = wallet.with_lots_expired(START);
    assert_eq!((numbers(&settled), settled.debt), ((65, 0, 45, 0), 0));
    assert_eq!(settled.lots.values().map(|lot| lot.left).collect::<Vec<_>>(), [65]);
}

#[test]
fn credits_are_given_back_even_if_their_lot_was_dropped() {
    let mut wallet = wallet();
    let bought = lot(1);
    wallet.add(bought, LotKind::Paid, 100, None);
    wallet.claw_back(bought, 100);
    let mut wallet = wallet.with_lots_expired(START);
    assert!(wallet.lots.is_empty());
    wallet.give_back(bought, 100);
    assert_eq!((numbers(&wallet), wallet.clawed_back), ((100, 0, 0, 0), 0));
    assert_eq!(wallet.lots[&bought].left, 100);
}

#[test]
fn held_credits_can_be_clawed_back_and_still_be_settled() {
    let mut wallet = wallet();
    let bought = lot(1);
    wallet.add(bought, LotKind::Paid, 100, None);
    wallet.hold(30);
    wallet.claw_back(bought, 100);
    assert_eq!(numbers(&wallet), (-30, 30, 0, 0));
    let mut settled = wallet.clone();
    assert!(settled.release(0, 30, 30));
    assert_eq!(numbers(&settled.with_lots_expired(START)), (-30, 0, 30, 0), "the work was done");
    assert!(wallet.release(0, 30, 0));
    assert_eq!(numbers(&wallet.with_lots_expired(START)), (0, 0, 0, 0));
}
