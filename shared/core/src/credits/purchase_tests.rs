use serde_json::json;

use super::*;
use crate::audit::Actor;
use crate::credits::{LotKind, topped_up};

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn origin() -> Origin {
    Origin { actor: Actor::Service("stripe".to_owned()), ip: None, user_agent: None, plan: None }
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
    refund_at(cents, 100)
}

/// A total refunded at a time in seconds.
fn refund_at(refunded_cents: u64, at: i64) -> ClawBackCause {
    ClawBackCause::Refund { refunded_cents, at: Timestamp::from_secs(at) }
}

/// A refund that was made and failed at these times in seconds.
fn failed(id: &str, cents: u64, created: i64, failed: i64) -> ClawBackCause {
    let [created, failed] = [created, failed].map(Timestamp::from_secs);
    ClawBackCause::RefundFailed { id: RefundId::parse(id).unwrap(), refund: FailedRefund { cents, created, failed } }
}

fn dispute(id: &str, cents: u64, state: DisputeState) -> ClawBackCause {
    ClawBackCause::Dispute { id: DisputeId::parse(id).unwrap(), cents, state }
}

/// Reports these causes one after the other. Returns how many credits are clawed back in the end.
fn clawed_back(payment: Payment, reports: &[ClawBackCause]) -> u64 {
    reports.iter().fold(payment, |payment, cause| payment.with_report(cause).unwrap_or(payment)).clawed_back
}

#[test]
fn a_refund_claws_back_its_share_rounded_down_and_at_most_all() {
    let sold = unknown().sold(&purchase(10_000, 8_000));
    for (cents, credits) in
        [(0, 0), (1, 1), (799, 998), (4_000, 5_000), (7_999, 9_998), (8_000, 10_000), (9_000, 10_000)]
    {
        assert_eq!(clawed_back(sold.clone(), &[refund(cents)]), credits, "{cents}");
    }
    assert_eq!(clawed_back(unknown().sold(&purchase(100, 0)), &[refund(0)]), 0, "of nothing, nothing");
}

#[test]
fn of_refunded_totals_the_latest_counts_and_then_the_largest() {
    let sold = unknown().sold(&purchase(1_000, 1_000));
    let after = sold.with_report(&refund(600)).unwrap();
    assert_eq!(after.with_report(&refund(600)), None);
    assert_eq!(after.with_report(&refund(300)), None, "an older report");
    assert_eq!(clawed_back(after.clone(), &[refund(700)]), 700);
    assert_eq!(clawed_back(after.clone(), &[refund_at(300, 101)]), 300);
    assert_eq!(clawed_back(after, &[refund_at(700, 99)]), 600);
}

/// Asserts that reports claw back `credits` of 1,000 in every order, also repeated and before the purchase.
fn in_any_order(reports: &[ClawBackCause], credits: u64) {
    fn permutations(of: &[ClawBackCause]) -> Vec<Vec<ClawBackCause>> {
        if of.is_empty() {
            return vec![Vec::new()];
        }
        let with_first = |at: usize| {
            let rest = [&of[..at], &of[at + 1..]].concat();
            permutations(&rest).into_iter().map(move |order| [vec![of[at].clone()], order].concat())
        };
        (0..of.len()).flat_map(with_first).collect()
    }
    let bought = purchase(1_000, 1_000);
    for order in permutations(reports) {
        assert_eq!(clawed_back(unknown().sold(&bought), &order), credits, "{order:?}");
        assert_eq!(clawed_back(unknown().sold(&bought), &[&order[..], &order[..]].concat()), credits, "{order:?}");
        let early = order.iter().fold(unknown(), |payment, cause| payment.with_report(cause).unwrap_or(payment));
        assert_eq!(early.sold(&bought).clawed_back, credits, "{order:?}");
    }
}

#[test]
fn a_failed_refund_gives_its_share_back_once_in_any_order() {
    in_any_order(&[refund_at(300, 100), failed("re_1", 300, 99, 500)], 0);
    in_any_order(&[refund_at(300, 100), refund_at(500, 200), failed("re_1", 300, 99, 500)], 200);
    // Several events report the same failure, some of them later.
    let again = failed("re_1", 300, 99, 501);
    in_any_order(&[refund_at(300, 100), refund_at(500, 200), failed("re_1", 300, 99, 500), again], 200);
    // All within one second.
    in_any_order(&[refund_at(300, 100), failed("re_1", 300, 100, 100)], 0);
    in_any_order(&[failed("re_1", 300, 99, 500)], 0);
}

#[test]
fn a_refund_made_after_a_failed_one_counts_in_full() {
    // The provider takes the failed refund out of the next total.
    let next = refund_at(300, 600);
    in_any_order(&[refund_at(300, 100), failed("re_1", 300, 99, 500), next.clone()], 300);
    in_any_order(&[failed("re_1", 300, 99, 500), next.clone(), failed("re_2", 300, 600, 900)], 0);
    let late = failed("re_1", 300, 99, 700);
    in_any_order(&[refund_at(300, 100), failed("re_1", 300, 99, 500), next, late], 300);
    // A refund that was made after the last known total is not in it.
    in_any_order(&[refund_at(300, 100), failed("re_2", 200, 300, 400)], 300);
}

#[test]
fn a_dispute_claws_back_until_it_is_won_and_final_states_stay() {
    use DisputeState::{Dropped, Lost, Open, Won};
    let sold = unknown().sold(&purchase(1_000, 1_000));
    let credits = |states: &[DisputeState]| -> u64 {
        let reports: Vec<_> = states.iter().map(|state| dispute("dp_1", 400, *state)).collect();
        clawed_back(sold.clone(), &reports)
    };
    assert_eq!([credits(&[Open]), credits(&[Open, Won]), credits(&[Open, Lost])], [400, 0, 400]);
    assert_eq!([credits(&[Won, Open]), credits(&[Lost, Open]), credits(&[Dropped, Open])], [0, 400, 0], "in any order");
    assert_eq!(
        [credits(&[Won, Lost]), credits(&[Lost, Won]), credits(&[Open, Dropped])],
        [400, 400, 0],
        "a lost dispute stays lost"
    );
    let open = |cents| dispute("dp_1", cents, Open);
    for order in [[open(300), open(400)], [open(400), open(300)]] {
        assert_eq!(clawed_back(sold.clone(), &order), 400);
    }
    let both = [dispute("dp_1", 400, Open), refund(500), dispute("dp_2", 400, Open)];
    assert_eq!(clawed_back(sold.clone(), &both), 1_000, "all of it, and no more");
    assert_eq!(clawed_back(sold, &[&both[..], &[dispute("dp_1", 400, Won)]].concat()), 900);
}

#[test]
fn a_report_before_the_purchase_counts_once_the_purchase_arrives() {
    let known = unknown().with_report(&refund(250)).unwrap();
    assert_eq!((known.clawed_back, ClawBack::outcome(&unknown(), &known)), (0, ClawBackOutcome::Remembered));
    let sold = known.sold(&purchase(1_000, 1_000));
    assert_eq!((sold.clawed_back, sold.revision), (250, 2));
}

#[test]
fn refunds_and_disputes_before_the_purchase_have_one_event_each() {
    let known =
        unknown().with_report(&refund(300)).unwrap().with_report(&dispute("dp_1", 900, DisputeState::Open)).unwrap();
    let bought = purchase(1_000, 1_000);
    let events = |known: &Payment| -> Vec<_> {
        let early = bought.early_events(&known.sold(&bought), -5);
        early.into_iter().map(|event| (event.kind().name(), event.detail()["credits"].clone())).collect()
    };
    assert_eq!(
        events(&known),
        [("payment.refunded", json!(300)), ("payment.disputed", json!(700))],
        "all, and no more"
    );
    let won = known.with_report(&dispute("dp_1", 900, DisputeState::Won)).unwrap();
    assert_eq!(events(&won), [("payment.refunded", json!(300))]);
    assert_eq!(events(&unknown()), []);
}

#[test]
fn the_audit_log_has_only_reports_that_moved_credits() {
    let (org, sold) = (OrgId::mint(NOW), unknown().sold(&purchase(1_000, 1_000)));
    let report = |cause: ClawBackCause| ClawBack {
        payment: sold.id.clone(),
        cause,
        source: "evt_7".to_owned(),
        origin: origin(),
        now: NOW,
    };
    let taken = report(refund(100));
    let after = sold.with_report(&taken.cause).unwrap();
    let outcome = ClawBack::outcome(&sold, &after);
    assert_eq!(outcome, ClawBackOutcome::Taken(100));
    let entry = taken.audit(org, outcome).unwrap();
    assert_eq!((entry.action, entry.subject.as_str()), (AuditAction::CreditsClawedBack, "pi_1"));
    assert_eq!(entry.details, json!({ "credits": 100, "cause": "refund", "source": "evt_7" }));
    let won = report(dispute("dp_1", 100, DisputeState::Won));
    let over = after.with_report(&won.cause).unwrap();
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
