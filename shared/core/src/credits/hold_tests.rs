use super::*;
use crate::OrgId;

const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

fn hold() -> Hold {
    let org = OrgId::mint(NOW);
    Hold {
        id: HoldId::fresh(org, NOW),
        key: KeyId::mint(NOW),
        environment: KeyMode::Production,
        wallet: WalletId::Organisation(org),
        expiry_epoch: 0,
        amount: 30,
        service: "pdf".to_owned(),
        scope: None,
        caller: "pdf-api".to_owned(),
        fingerprint: String::new(),
        opened_at: NOW,
        expires_at: NOW.plus(Duration::from_mins(10)),
        end: None,
    }
}

fn by(caller: &str, idempotency_key: Option<&str>, now: Timestamp) -> Resolver {
    Resolver { caller: caller.to_owned(), idempotency_key: idempotency_key.map(str::to_owned), now }
}

fn settled(amount: u64) -> HoldEnd {
    HoldEnd::Settled { amount, status_code: 200, response_ms: 7 }
}

const REFUND: HoldEnd = HoldEnd::Voided(VoidReason::ProviderError);
const CHARGED: HoldEnd = HoldEnd::Voided(VoidReason::CallerError);

/// Returns the code with which a resolution is refused.
fn refused(hold: &Hold, how: HoldEnd, by: &Resolver) -> &'static str {
    hold.resolve(how, by).unwrap_err().code.as_str()
}

#[test]
fn each_end_has_its_cost_and_receipt() {
    let (hold, by) = (hold(), by("pdf-api", None, NOW));
    for (how, used, receipt, refund) in [
        (settled(12), 12, Some(12), false),
        (settled(0), 0, Some(0), false),
        (settled(30), 30, Some(30), false),
        (REFUND, 0, None, true),
        (CHARGED, 30, Some(30), false),
    ] {
        let step = hold.resolve(how, &by).unwrap().unwrap();
        assert_eq!((step.used, step.hold.used()), (used, used), "{how:?}");
        assert_eq!(step.receipt.as_ref().map(|receipt| receipt.credits), receipt, "{how:?}");
        assert_eq!(step.refund_of, refund.then(|| Day::of(NOW)), "{how:?}");
        let view = HoldView::of(&step.hold);
        assert_eq!((view.used, view.released), (used, 30 - used));
        assert_eq!(view.receipt_id, step.receipt.map(|receipt| receipt.id.to_string()));
    }
    let receipt = hold.resolve(settled(12), &by).unwrap().unwrap().receipt.unwrap();
    assert_eq!(receipt.outcome, Some(Outcome { status_code: 200, response_ms: 7, details: json!({}) }));
}

#[test]
fn a_hold_ends_once() {
    let (open, first) = (hold(), by("pdf-api", Some("k1"), NOW));
    let hold = open.resolve(settled(12), &first).unwrap().unwrap().hold;
    let late = hold.expires_at.plus(HOLD_MARGIN);
    for again in [&first, &by("pdf-api", Some("k2"), NOW), &by("pdf-api", None, late)] {
        assert_eq!(hold.resolve(settled(12), again).unwrap(), None, "the same is answered the same");
    }
    for other in [settled(13), settled(31), REFUND, CHARGED] {
        assert_eq!(refused(&hold, other, &by("pdf-api", None, NOW)), "HOLD_RESOLVED");
        assert_eq!(refused(&hold, other, &by("pdf-api", Some("k2"), NOW)), "HOLD_RESOLVED");
        assert_eq!(refused(&hold, other, &first), "IDEMPOTENCY_MISMATCH");
    }
    assert_eq!(hold.time_out(late), None);
}

#[test]
fn only_the_service_that_opened_a_hold_finds_it() {
    let open = hold();
    let ended = open.resolve(REFUND, &by("pdf-api", None, NOW)).unwrap().unwrap().hold;
    for hold in [&open, &ended] {
        assert_eq!(refused(hold, REFUND, &by("ai-api", None, NOW)), "NOT_FOUND");
    }
}

#[test]
fn a_hold_cannot_be_settled_above_its_amount_or_after_its_expiry() {
    let hold = hold();
    let fault = hold.resolve(settled(31), &by("pdf-api", None, NOW)).unwrap_err();
    assert_eq!((fault.code, &fault.details["limit"]), (Code::HoldExceeded, &30.into()));
    let last = hold.expires_at.minus(Duration::from_millis(1));
    assert!(hold.resolve(settled(30), &by("pdf-api", None, last)).unwrap().is_some());
    for how in [settled(1), REFUND, CHARGED] {
        assert_eq!(refused(&hold, how, &by("pdf-api", None, hold.expires_at)), "HOLD_EXPIRED");
    }
}

#[test]
fn an_unresolved_hold_is_released_after_a_margin() {
    let hold = hold();
    let due = hold.expires_at.plus(HOLD_MARGIN);
    assert_eq!(hold.time_out(due.minus(Duration::from_millis(1))), None);
    let step = hold.time_out(due).unwrap();
    assert_eq!((step.used, step.receipt, step.refund_of), (0, None, None));
    assert_eq!(step.hold.due_at(), None);
    assert_eq!(refused(&step.hold, settled(1), &by("pdf-api", None, due)), "HOLD_EXPIRED");
}

#[test]
fn beyond_the_limit_of_refunds_a_hold_is_charged_and_a_retry_accepted() {
    let (open, first) = (hold(), by("pdf-api", Some("k1"), NOW));
    let spent = HoldEnd::Voided(VoidReason::RefundsSpent);
    let step = open.resolve(spent, &first).unwrap().unwrap();
    assert_eq!((step.used, step.refund_of, step.receipt.as_ref().map(|receipt| receipt.credits)), (30, None, Some(30)));
    let view = HoldView::of(&step.hold);
    assert_eq!((view.status, view.reason, view.released), ("voided", Some("refunds_spent"), 0));
    for (end, again) in [(spent, REFUND), (REFUND, spent)] {
        let ended = open.resolve(end, &first).unwrap().unwrap().hold;
        assert_eq!(
            ended.resolve(again, &by("pdf-api", None, NOW)).unwrap(),
            None,
            "{end:?}: the same is answered the same"
        );
        assert_eq!(refused(&ended, CHARGED, &by("pdf-api", None, NOW)), "HOLD_RESOLVED");
    }
    assert_eq!(step.hold.due_at(), None, "nothing is left to `sweep`");
}
