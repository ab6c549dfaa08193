use serde_json::json;

use super::*;
use crate::audit::Actor;
use crate::credits::{LotKind, topped_up};

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn origin() -> Origin {
    Origin { actor: Actor::Service("stripe".to_owned()), ip: None, user_agent: None }
}

fn purchase(credits: u64, amount_cents: u64) -> Purchase {
    let (org, lot) = (OrgId::mint(NOW), LotId::mint(NOW));
    Purchase {
        session: SessionId::parse("cs_test_1").unwrap(),
        payment: PaymentId::parse("pi_1").unwrap(),
        org,
        lot,
        pack: "starter".to_owned(),
        credits,
        amount_cents,
        currency: "EUR".to_owned(),
        now: NOW,
        audit: AuditEntry::new(org, AuditAction::CreditsPurchased, "pi_1", &origin(), NOW, json!({})),
        event: topped_up(org, lot, LotKind::Paid, credits, NOW),
    }
}

fn unknown() -> Payment {
    Payment::unknown(PaymentId::parse("pi_1").unwrap())
}

fn refund(cents: u64) -> ClawBackCause {
    ClawBackCause::Refund { refunded_cents: cents }
}

fn dispute(id: &str, cents: u64, state: DisputeState) -> ClawBackCause {
    ClawBackCause::Dispute { id: DisputeId::parse(id).unwrap(), cents, state }
}

/// Reports these causes one after the other. Returns how many credits are clawed back in the end.
fn away(payment: Payment, told: &[ClawBackCause]) -> u64 {
    told.iter().fold(payment, |payment, cause| payment.told(cause).unwrap_or(payment)).clawed_back
}

#[test]
fn what_is_refunded_takes_its_share_rounded_down_and_never_more_than_was_sold() {
    let sold = unknown().sold(&purchase(10_000, 8_000));
    for (cents, credits) in
        [(0, 0), (1, 1), (799, 998), (4_000, 5_000), (7_999, 9_998), (8_000, 10_000), (9_000, 10_000)]
    {
        assert_eq!(away(sold.clone(), &[refund(cents)]), credits, "{cents}");
    }
    assert_eq!(away(unknown().sold(&purchase(100, 0)), &[refund(0)]), 0, "of nothing, nothing");
}

#[test]
fn refunds_only_grow() {
    let sold = unknown().sold(&purchase(1_000, 1_000));
    let after = sold.told(&refund(600)).unwrap();
    assert_eq!(after.told(&refund(600)), None);
    assert_eq!(after.told(&refund(300)), None, "told late");
    assert_eq!(away(after, &[refund(700)]), 700);
}

#[test]
fn a_dispute_takes_back_until_it_is_won_and_what_is_over_stays_so() {
    use DisputeState::{Dropped, Lost, Open, Won};
    let sold = unknown().sold(&purchase(1_000, 1_000));
    let told = |states: &[DisputeState]| -> u64 {
        let told: Vec<_> = states.iter().map(|state| dispute("dp_1", 400, *state)).collect();
        away(sold.clone(), &told)
    };
    assert_eq!([told(&[Open]), told(&[Open, Won]), told(&[Open, Lost])], [400, 0, 400]);
    assert_eq!([told(&[Won, Open]), told(&[Lost, Open]), told(&[Dropped, Open])], [0, 400, 0], "in any order");
    assert_eq!(
        [told(&[Won, Lost]), told(&[Lost, Won]), told(&[Open, Dropped])],
        [400, 400, 0],
        "what is lost stays so"
    );
    let open = |cents| dispute("dp_1", cents, Open);
    for order in [[open(300), open(400)], [open(400), open(300)]] {
        assert_eq!(away(sold.clone(), &order), 400);
    }
    let both = [dispute("dp_1", 400, Open), refund(500), dispute("dp_2", 400, Open)];
    assert_eq!(away(sold.clone(), &both), 1_000, "all of it, and no more");
    assert_eq!(away(sold, &[&both[..], &[dispute("dp_1", 400, Won)]].concat()), 900);
}

#[test]
fn what_is_told_before_the_purchase_counts_once_that_comes() {
    let known = unknown().told(&refund(250)).unwrap();
    assert_eq!((known.clawed_back, ClawBack::outcome(&unknown(), &known)), (0, ClawBackOutcome::Remembered));
    let sold = known.sold(&purchase(1_000, 1_000));
    assert_eq!((sold.clawed_back, sold.revision), (250, 2));
}

#[test]
fn what_was_refunded_and_disputed_before_the_purchase_is_told_of_each_with_its_share() {
    let known = unknown().told(&refund(300)).unwrap().told(&dispute("dp_1", 900, DisputeState::Open)).unwrap();
    let bought = purchase(1_000, 1_000);
    let told = |known: &Payment| -> Vec<_> {
        let events = bought.early_events(&known.sold(&bought), -5);
        events.into_iter().map(|event| (event.kind().name(), event.detail()["credits"].clone())).collect()
    };
    assert_eq!(told(&known), [("payment.refunded", json!(300)), ("payment.disputed", json!(700))], "all, and no more");
    let won = known.told(&dispute("dp_1", 900, DisputeState::Won)).unwrap();
    assert_eq!(told(&won), [("payment.refunded", json!(300))]);
    assert_eq!(told(&unknown()), []);
}

#[test]
fn the_trail_says_what_was_taken_and_given_back_and_nothing_else() {
    let (org, sold) = (OrgId::mint(NOW), unknown().sold(&purchase(1_000, 1_000)));
    let told = |cause: ClawBackCause| ClawBack {
        payment: sold.id.clone(),
        cause,
        source: "evt_7".to_owned(),
        origin: origin(),
        now: NOW,
    };
    let taken = told(refund(100));
    let after = sold.told(&taken.cause).unwrap();
    let outcome = ClawBack::outcome(&sold, &after);
    assert_eq!(outcome, ClawBackOutcome::Taken(100));
    let entry = taken.audit(org, outcome).unwrap();
    assert_eq!((entry.action, entry.subject.as_str()), (AuditAction::CreditsClawedBack, "pi_1"));
    assert_eq!(entry.details, json!({ "credits": 100, "cause": "refund", "source": "evt_7" }));
    let won = told(dispute("dp_1", 100, DisputeState::Won));
    let over = after.told(&won.cause).unwrap();
    assert_eq!(ClawBack::outcome(&after, &over), ClawBackOutcome::Unchanged);
    assert_eq!(won.audit(org, ClawBackOutcome::Unchanged), None);
    assert_eq!(won.audit(org, ClawBackOutcome::GivenBack(1)).unwrap().action, AuditAction::CreditsGivenBack);
}

#[test]
fn ids_of_the_provider_are_plain() {
    assert!(SessionId::parse("cs_test_a1B2").is_some());
    let long = "x".repeat(256);
    for bad in ["", "pi 1", "pi#1", "pi/1", "pi\u{e9}", long.as_str()] {
        assert_eq!(PaymentId::parse(bad), None, "{bad}");
    }
}
