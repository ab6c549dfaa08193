use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn wallet(bought: u64) -> Wallet {
    let mut wallet = Wallet::of_organisation(OrgId::mint(NOW), NOW);
    wallet.add(LotId::mint(NOW), LotKind::Paid, bought, None);
    wallet
}

/// Debits credits one by one. Returns the balances at which an alert is raised, with the thresholds.
fn alerts_while_spending(wallet: &mut Wallet, credits: u64) -> Vec<(i64, u8)> {
    let mut alerts = Vec::new();
    for _ in 0..credits {
        let has_headroom = wallet.headroom() > 1;
        wallet.debit(1);
        let notice = wallet.alert(NOW);
        assert_eq!(has_headroom, notice.is_none(), "the headroom alone decides");
        alerts.extend(notice.map(|(mark, _)| (wallet.balance, mark)));
    }
    alerts
}

#[test]
fn each_threshold_is_announced_once() {
    let mut wallet = wallet(200);
    assert_eq!(alerts_while_spending(&mut wallet, 200), [(40, 20), (20, 10), (0, 0)]);
    assert_eq!(wallet.headroom(), 1, "no threshold is left");
}

#[test]
fn one_debit_across_several_thresholds_announces_the_lowest() {
    for (cost, mark, next) in [(160, 20, Some(10)), (179, 20, Some(10)), (180, 10, Some(0)), (200, 0, None)] {
        let mut wallet = wallet(200);
        wallet.debit(cost);
        assert_eq!(wallet.alert(NOW).map(|(mark, _)| mark), Some(mark), "{cost}");
        assert_eq!((wallet.alert.next, wallet.alert(NOW)), (next, None), "{cost}");
    }
    let mut wallet = wallet(200);
    wallet.debit(159);
    assert_eq!(wallet.alert(NOW), None);
}

#[test]
fn a_top_up_becomes_the_reference_unless_it_is_a_gift_to_a_buyer() {
    let mut wallet = wallet(200);
    wallet.debit(200);
    assert!(wallet.alert(NOW).is_some());
    wallet.add(LotId::mint(NOW), LotKind::Promo, 1_000, None);
    assert_eq!((wallet.alert.reference, wallet.alert.next), (200, Some(20)));
    wallet.add(LotId::mint(NOW), LotKind::Paid, 50, None);
    assert_eq!((wallet.alert.reference, wallet.alert.next), (50, Some(20)));
    let mut gifted = Wallet::of_organisation(OrgId::mint(NOW), NOW);
    gifted.add(LotId::mint(NOW), LotKind::Promo, 10, None);
    assert_eq!(alerts_while_spending(&mut gifted, 10), [(2, 20), (1, 10), (0, 0)]);
}

#[test]
fn holds_and_claw_backs_lower_a_balance_too() {
    let mut wallet = wallet(100);
    let lot = *wallet.lots.keys().next().unwrap();
    wallet.hold(85);
    assert_eq!(wallet.alert(NOW).map(|(mark, _)| mark), Some(20));
    assert!(wallet.release(0, 85, 0));
    assert_eq!(wallet.alert(NOW), None, "released credits are no top-up");
    wallet.claw_back(lot, 100);
    let (mark, event) = wallet.alert(NOW).unwrap();
    assert_eq!((mark, &event.detail()["balance"], &event.detail()["reference"]), (0, &0.into(), &100.into()));
}

#[test]
fn credits_given_back_rearm_the_thresholds_below_the_balance() {
    for (spent, given_back, again) in [
        (0, 100, vec![(20, 20), (10, 10), (0, 0)]),
        (85, 100, vec![(10, 10), (0, 0)]),
        (0, 15, vec![(10, 10), (0, 0)]),
        (100, 100, vec![]),
    ] {
        let mut wallet = wallet(100);
        let lot = *wallet.lots.keys().next().unwrap();
        wallet.debit(spent);
        wallet.claw_back(lot, 100);
        assert_eq!(wallet.alert(NOW).map(|(mark, _)| mark), Some(0));
        wallet.give_back(lot, given_back);
        assert_eq!(wallet.alert(NOW), None, "giving credits back raises no alert");
        let left = u64::try_from(wallet.balance).unwrap_or(0);
        assert_eq!(alerts_while_spending(&mut wallet, left), again, "{spent} spent, {given_back} given back");
    }
    let mut full = wallet(200);
    let lot = *full.lots.keys().next().unwrap();
    full.claw_back(lot, 50);
    full.give_back(lot, 50);
    assert_eq!(full.alert.next, Some(20), "the highest threshold stays the next");
}

#[test]
fn test_wallets_and_wallets_that_were_always_empty_have_no_alerts() {
    let mut test = Wallet::of_tester(crate::UserId::parse("user_ann1").unwrap(), NOW);
    test.debit(100);
    assert_eq!((test.alert(NOW), test.headroom()), (None, 1));
    let mut empty = Wallet::of_organisation(OrgId::mint(NOW), NOW);
    assert_eq!((empty.alert(NOW), empty.headroom()), (None, 1));
}

#[test]
fn a_band_has_the_balances_at_which_its_threshold_is_the_lowest() {
    let low = AlertThreshold { reference: 200, next: Some(20) };
    assert_eq!([low.band(20), low.band(10), low.band(0)], [21..=40, 1..=20, i64::MIN..=0]);
    for balance in 0..=40 {
        let mark = low.reached(balance).unwrap();
        assert!(low.band(mark).contains(&balance), "{balance}");
    }
}
