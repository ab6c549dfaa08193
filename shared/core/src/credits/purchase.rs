//! Credits that are bought, and that are clawed back if their payment is refunded or disputed.
//!
//! Everything known of a payment is in one record under the payment's id, because a refund names only that id. The
//! provider reports refunds and disputes late, twice and in any order. So reports are merged in a way that does not depend
//! on their order, and the number of credits to claw back is computed from the record. A refund reported before its
//! purchase is recorded too, and counts once the purchase arrives.

use std::collections::BTreeMap;

use serde_json::json;

use super::{DisputeId, PaymentId, RefundId, SessionId, Wallet};
use crate::audit::{AuditAction, AuditEntry, Origin};
use crate::events::{Event, EventData, PaymentEvent};
use crate::{LotId, OrgId, Timestamp};

/// A purchase: credits for an organisation, paid in a checkout session.
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    /// The session. Its credits are added at most once.
    pub session: SessionId,
    /// The payment. Refunds and disputes name it by this id.
    pub payment: PaymentId,
    /// The organisation that gets the credits.
    pub org: OrgId,
    /// Id of the credit lot.
    pub lot: LotId,
    /// Name of the pack that was bought.
    pub pack: String,
    /// Number of credits, at least 1.
    pub credits: u64,
    /// Amount paid, in hundredths of the currency.
    pub amount_cents: u64,
    /// Currency of the payment, such as `EUR`.
    pub currency: String,
    /// The time of the purchase.
    pub now: Timestamp,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The event that announces the top-up.
    pub event: Event,
}

/// The outcome of a purchase.
#[derive(Debug, PartialEq, Eq)]
pub enum PurchaseOutcome {
    /// The credits are in the wallet, except those that an earlier refund claws back.
    Credited,
    /// They were added before. Nothing was changed.
    CreditedBefore,
    /// The organisation does not exist.
    NoSuchOrganisation,
}

/// What was sold for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The organisation that bought.
    pub org: OrgId,
    /// Id of the checkout session.
    pub session: SessionId,
    /// Id of the credit lot.
    pub lot: LotId,
    /// Name of the pack.
    pub pack: String,
    /// Number of credits in the pack.
    pub credits: u64,
    /// Price, in hundredths of the currency.
    pub amount_cents: u64,
    /// Currency of the price.
    pub currency: String,
}

/// The state of a dispute. The order of the variants matters: reports come in any order, and the highest reported state
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum DisputeState {
    Open,
    /// The payment was refunded instead. The refund counts, so the dispute does not.
    Dropped,
    /// The money came back, so the credits are given back.
    Won,
    Lost,
}

impl DisputeState {
    /// Returns the state's name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Dropped => "dropped",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Dropped, Self::Won, Self::Lost].into_iter().find(|state| state.name() == name)
    }
}

/// A dispute of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Disputed amount, in hundredths of the currency.
    pub cents: u64,
    /// Highest state reported so far.
    pub state: DisputeState,
}

/// A refund that failed at the buyer's bank or was canceled, so the money is back with the seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedRefund {
    /// Amount of the refund, in hundredths of the currency.
    pub cents: u64,
    /// When the refund was made.
    pub created: Timestamp,
    /// When it failed: the earliest time reported.
    pub failed: Timestamp,
}

/// Everything known of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Id of the payment.
    pub id: PaymentId,
    /// What was sold for it; `None` until the purchase is known.
    pub sale: Option<Sale>,
    /// Total refunded according to the latest report, in hundredths of the currency. Includes refunds that failed later.
    pub refunded_cents: u64,
    /// When that total was valid.
    pub refunded_at: Timestamp,
    /// Its refunds that failed, by id.
    pub failed_refunds: BTreeMap<RefundId, FailedRefund>,
    /// Its disputes, by id.
    pub disputes: BTreeMap<DisputeId, Dispute>,
    /// Credits clawed back for it.
    pub clawed_back: u64,
    /// Number of changes of the record.
    pub revision: u64,
}

/// Why credits are clawed back or given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClawBackCause {
    /// A refund. The amount is the total refunded at this time, without the refunds that had failed by then.
    #[allow(missing_docs)]
    Refund { refunded_cents: u64, at: Timestamp },
    /// A refund has failed or was canceled.
    #[allow(missing_docs)]
    RefundFailed { id: RefundId, refund: FailedRefund },
    /// A dispute has reached this state.
    #[allow(missing_docs)]
    Dispute { id: DisputeId, cents: u64, state: DisputeState },
}

impl ClawBackCause {
    const fn name(&self) -> &'static str {
        match self {
            Self::Refund { .. } => "refund",
            Self::RefundFailed { .. } => "refund_failed",
            Self::Dispute { .. } => "dispute",
        }
    }
}

/// A report of the payment provider about a payment.
#[derive(Clone, Debug, PartialEq)]
pub struct ClawBack {
    /// The payment it is about.
    pub payment: PaymentId,
    /// The refund or dispute reported.
    pub cause: ClawBackCause,
    /// Id of the provider's event, for the audit log.
    pub source: String,
    /// Who reported it, for the audit log.
    pub origin: Origin,
    /// When the report was received.
    pub now: Timestamp,
}

/// The outcome of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClawBackOutcome {
    /// This many credits were clawed back.
    Taken(u64),
    /// This many credits that had been clawed back were given back.
    GivenBack(u64),
    /// The report was known already, or changes no credits.
    Unchanged,
    /// The purchase is not known yet. The report is remembered until it arrives.
    Remembered,
}

impl Payment {
    /// Returns the record of a payment of which nothing is known yet.
    pub fn unknown(id: PaymentId) -> Self {
        Self {
            id,
            sale: None,
            refunded_cents: 0,
            refunded_at: Timestamp::from_secs(0),
            failed_refunds: BTreeMap::new(),
            disputes: BTreeMap::new(),
            clawed_back: 0,
            revision: 0,
        }
    }

    /// Adds what was sold for the payment. Afterwards `clawed_back` is the number of credits that earlier reports claw
    /// back at once.
    #[must_use]
    pub fn sold(&self, purchase: &Purchase) -> Self {
        let mut payment = self.clone();
        payment.sale = Some(Sale {
            org: purchase.org,
            session: purchase.session.clone(),
            lot: purchase.lot,
            pack: purchase.pack.clone(),
            credits: purchase.credits,
            amount_cents: purchase.amount_cents,
            currency: purchase.currency.clone(),
        });
        payment.clawed_back = payment.to_claw_back();
        payment.revision += 1;
        payment
    }

    /// Adds a report. Returns `None` if it changes nothing. Of the refunded totals the latest counts, and of two with the
    /// same time the larger one. A failed refund stays failed, since the earliest time that was reported. Disputes only
    /// rise to a higher state, and within one state to a larger amount.
    pub fn with_report(&self, cause: &ClawBackCause) -> Option<Self> {
        let mut payment = self.clone();
        match cause {
            ClawBackCause::Refund { refunded_cents, at } => {
                let known = (payment.refunded_at, payment.refunded_cents);
                (payment.refunded_at, payment.refunded_cents) = known.max((*at, *refunded_cents));
            }
            ClawBackCause::RefundFailed { id, refund } => {
                let known = payment.failed_refunds.entry(id.clone()).or_insert(*refund);
                known.failed = known.failed.min(refund.failed);
            }
            ClawBackCause::Dispute { id, cents, state } => {
                let known = payment.disputes.get(id).map(|known| (known.state, known.cents));
                if known < Some((*state, *cents)) {
                    payment.disputes.insert(id.clone(), Dispute { cents: *cents, state: *state });
                }
            }
        }
        if payment == *self {
            return None;
        }
        payment.clawed_back = payment.to_claw_back();
        payment.revision += 1;
        Some(payment)
    }

    /// Returns what is refunded without the refunds that failed, in hundredths of the currency. The provider takes a failed
    /// refund out of the total, so only those are subtracted that were made before the total was reported, and failed
    /// after it. Times are in whole seconds. Within one second, a refund is assumed to fail after the report.
    fn refunded(&self) -> u64 {
        let counted = |refund: &&FailedRefund| refund.created <= self.refunded_at && self.refunded_at <= refund.failed;
        let failed = self.failed_refunds.values().filter(counted);
        failed.fold(self.refunded_cents, |left, refund| left.saturating_sub(refund.cents))
    }

    /// Returns the sum of open and lost disputes, in hundredths of the currency.
    fn disputed_cents(&self) -> u64 {
        let counts = |state| matches!(state, DisputeState::Open | DisputeState::Lost);
        let disputed = self.disputes.values().filter(|dispute| counts(dispute.state));
        disputed.fold(0, |sum: u64, dispute| sum.saturating_add(dispute.cents))
    }

    /// Computes how many credits must be clawed back in total: the refunded or disputed share of the payment, rounded
    /// down.
    fn to_claw_back(&self) -> u64 {
        let Some(sale) = &self.sale else { return 0 };
        let away = self.refunded().saturating_add(self.disputed_cents());
        if away >= sale.amount_cents {
            return if away == 0 { 0 } else { sale.credits };
        }
        let credits = u128::from(sale.credits) * u128::from(away) / u128::from(sale.amount_cents);
        u64::try_from(credits).unwrap_or(sale.credits)
    }
}

impl ClawBack {
    /// Returns the audit entry of the outcome, or `None` if no credits were moved.
    pub fn audit(&self, org: OrgId, outcome: ClawBackOutcome) -> Option<AuditEntry> {
        let (action, credits) = match outcome {
            ClawBackOutcome::Taken(credits) => (AuditAction::CreditsClawedBack, credits),
            ClawBackOutcome::GivenBack(credits) => (AuditAction::CreditsGivenBack, credits),
            ClawBackOutcome::Unchanged | ClawBackOutcome::Remembered => return None,
        };
        let details = json!({ "credits": credits, "cause": self.cause.name(), "source": self.source });
        Some(AuditEntry::new(org, action, self.payment.as_str(), &self.origin, self.now, details))
    }

    /// Returns the event of the outcome, or `None` if no credits were moved or no event announces it. `balance` is the
    /// wallet's balance afterwards.
    pub fn event(&self, sale: &Sale, outcome: ClawBackOutcome, balance: i64) -> Option<Event> {
        let event_of = |event: fn(PaymentEvent) -> EventData, cents, credits| {
            Some(moved(event, sale, &self.payment, [cents, credits], balance, self.now))
        };
        match (&self.cause, outcome) {
            // An earlier time of a failure can show that a later total already excluded it.
            (
                ClawBackCause::Refund { refunded_cents: cents, .. }
                | ClawBackCause::RefundFailed { refund: FailedRefund { cents, .. }, .. },
                ClawBackOutcome::Taken(credits),
            ) => event_of(EventData::PaymentRefunded, *cents, credits),
            (ClawBackCause::Dispute { cents, .. }, ClawBackOutcome::Taken(credits)) => {
                event_of(EventData::PaymentDisputed, *cents, credits)
            }
            (ClawBackCause::Dispute { cents, state: DisputeState::Won, .. }, ClawBackOutcome::GivenBack(credits)) => {
                event_of(EventData::PaymentDisputeWon, *cents, credits)
            }
            _ => None,
        }
    }

    /// Returns the outcome of a change of the payment's record.
    pub fn outcome(before: &Payment, after: &Payment) -> ClawBackOutcome {
        match (after.sale.is_some(), after.clawed_back, before.clawed_back) {
            (false, _, _) => ClawBackOutcome::Remembered,
            (true, now, was) if now > was => ClawBackOutcome::Taken(now - was),
            (true, now, was) if now < was => ClawBackOutcome::GivenBack(was - now),
            _ => ClawBackOutcome::Unchanged,
        }
    }
}

impl Wallet {
    /// Applies the outcome of a report to the wallet. `lot` is the lot that was bought.
    pub fn apply(&mut self, lot: LotId, outcome: ClawBackOutcome) {
        match outcome {
            ClawBackOutcome::Taken(credits) => self.claw_back(lot, credits),
            ClawBackOutcome::GivenBack(credits) => self.give_back(lot, credits),
            ClawBackOutcome::Unchanged | ClawBackOutcome::Remembered => {}
        }
    }
}

impl Purchase {
    /// Returns the audit entry for credits that are clawed back because refunds or disputes were reported before the
    /// purchase.
    pub fn audit_of_early_refund(&self, credits: u64) -> AuditEntry {
        let details = json!({ "credits": credits, "cause": "reported before the purchase" });
        let (subject, origin) = (self.payment.as_str(), &self.audit.origin);
        AuditEntry::new(self.org, AuditAction::CreditsClawedBack, subject, origin, self.now, details)
    }

    /// Returns the events of refunds and disputes that were reported before the purchase, if they claw back any of its
    /// credits. `balance` is the wallet's balance afterwards.
    pub fn early_events(&self, sold: &Payment, balance: i64) -> Vec<Event> {
        let Some(sale) = &sold.sale else { return Vec::new() };
        let refunded = Payment { disputes: BTreeMap::new(), ..sold.clone() }.to_claw_back();
        let disputed = sold.clawed_back.saturating_sub(refunded);
        let event_of = |event: fn(PaymentEvent) -> EventData, cents, credits| {
            (credits > 0).then(|| moved(event, sale, &sold.id, [cents, credits], balance, self.now))
        };
        let refund = event_of(EventData::PaymentRefunded, sold.refunded(), refunded);
        refund.into_iter().chain(event_of(EventData::PaymentDisputed, sold.disputed_cents(), disputed)).collect()
    }
}

/// Builds the event of credits that were clawed back or given back. `cents` is the amount in hundredths of the
/// currency, `balance` the wallet's balance afterwards.
fn moved(
    event: fn(PaymentEvent) -> EventData,
    sale: &Sale,
    payment: &PaymentId,
    [cents, credits]: [u64; 2],
    balance: i64,
    now: Timestamp,
) -> Event {
    let data = event(PaymentEvent {
        org_id: sale.org,
        payment_id: payment.clone(),
        amount_cents: cents,
        currency: sale.currency.clone(),
        credits,
        balance,
    });
    Event::new(now, data)
}

#[cfg(test)]
#[path = "purchase_tests.rs"]
mod tests;
