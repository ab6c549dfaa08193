//! Credits that are bought, and taken back when their payment is refunded or disputed.
//!
//! What is known of a payment stands in one record, found by the payment's own id, since that is all a refund names. The
//! provider tells of things late, twice and in any order; so each of them only adds to what is known, and how many credits
//! must be away follows from that. A refund that is told of before its purchase is known, too, and counts once that comes.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::json;

use super::Wallet;
use crate::audit::{AuditAction, AuditEntry, Origin};
use crate::events::{Event, EventData, PaymentEvent};
use crate::{LotId, OrgId, Timestamp};

/// Longest id of the payment provider, in bytes.
const ID_MAX: usize = 255;

/// Makes the type of an id that the payment provider gave out: letters, digits, `_` and `-`, safe in a key of the table.
macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Parses an id.
            pub fn parse(text: &str) -> Option<Self> {
                let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                (plain && (1..=ID_MAX).contains(&text.len())).then(|| Self(text.to_owned()))
            }

            /// Gives the id as the provider writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

provider_id! {
    /// One checkout session; it is paid once.
    SessionId
}

provider_id! {
    /// One payment (Stripe: payment intent).
    PaymentId
}

impl Serialize for PaymentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

read_from_json_string!(PaymentId, crate::json_text::opaque());

provider_id! {
    /// One dispute of a payment.
    DisputeId
}

/// A purchase: credits for an organisation, paid for in a checkout session.
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    /// The session; the credits are given once for it.
    pub session: SessionId,
    /// The payment, by which a refund names it.
    pub payment: PaymentId,
    /// To whom.
    pub org: OrgId,
    /// The lot they come as.
    pub lot: LotId,
    /// What was bought, of the catalogue of packs.
    pub pack: String,
    /// How many, at least 1.
    pub credits: u64,
    /// What was paid, in hundredths of the currency.
    pub amount_cents: u64,
    /// In which currency, such as `EUR`.
    pub currency: String,
    /// When.
    pub now: Timestamp,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
    /// What the world is told.
    pub event: Event,
}

/// What became of a purchase.
#[derive(Debug, PartialEq, Eq)]
pub enum PurchaseOutcome {
    /// The credits are in the wallet, but for those a refund has taken back already.
    Credited,
    /// They were before; nothing was changed.
    CreditedBefore,
    /// There is no such organisation.
    NoSuchOrganisation,
}

/// What was sold for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// To whom.
    pub org: OrgId,
    /// In which session.
    pub session: SessionId,
    /// As which lot.
    pub lot: LotId,
    /// Which pack.
    pub pack: String,
    /// How many credits.
    pub credits: u64,
    /// For how much, in hundredths of the currency.
    pub amount_cents: u64,
    /// In which currency.
    pub currency: String,
}

/// How a dispute stands, by rank: whichever is told first, the highest that was told counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum DisputeState {
    Open,
    /// The payment is refunded in its place; nothing of it counts, since the refund does.
    Dropped,
    /// The money came back; so do the credits.
    Won,
    Lost,
}

impl DisputeState {
    /// Gives the state's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Dropped => "dropped",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Dropped, Self::Won, Self::Lost].into_iter().find(|state| state.name() == name)
    }
}

/// A dispute of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// What is disputed, in hundredths of the currency.
    pub cents: u64,
    /// How it stands.
    pub state: DisputeState,
}

/// Everything that is known of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// What was sold for it, once that is known.
    pub sale: Option<Sale>,
    /// How much of it was refunded, all in all.
    pub refunded_cents: u64,
    /// Its disputes.
    pub disputes: BTreeMap<DisputeId, Dispute>,
    /// Credits that were taken back for it.
    pub clawed_back: u64,
    /// Counts its changes.
    pub revision: u64,
}

/// Why credits are taken back, or given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClawBackCause {
    /// So much of the payment was refunded, all in all.
    #[allow(missing_docs)]
    Refund { refunded_cents: u64 },
    /// A dispute stands so.
    #[allow(missing_docs)]
    Dispute { id: DisputeId, cents: u64, state: DisputeState },
}

impl ClawBackCause {
    const fn name(&self) -> &'static str {
        match self {
            Self::Refund { .. } => "refund",
            Self::Dispute { .. } => "dispute",
        }
    }
}

/// Something the payment provider tells of a payment that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct ClawBack {
    /// The payment.
    pub payment: PaymentId,
    /// What is told.
    pub cause: ClawBackCause,
    /// Id of the provider's event, for the audit trail.
    pub source: String,
    /// Who tells it.
    pub origin: Origin,
    /// When.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClawBackOutcome {
    /// So many credits were taken back.
    Taken(u64),
    /// So many credits that had been taken back were given back.
    GivenBack(u64),
    /// It was known, or comes to nothing.
    Unchanged,
    /// The purchase is not known yet; it is remembered until that comes.
    Remembered,
}

impl Payment {
    /// Makes the record of a payment of which nothing is known.
    pub fn unknown(id: PaymentId) -> Self {
        Self { id, sale: None, refunded_cents: 0, disputes: BTreeMap::new(), clawed_back: 0, revision: 0 }
    }

    /// Adds what was sold for it; `clawed_back` is then what must be taken back at once.
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

    /// Adds what is told of it; `None` when that was known. Refunds only grow, and so do disputes: by their state's rank, and
    /// within one state by their amount.
    pub fn told(&self, cause: &ClawBackCause) -> Option<Self> {
        let mut payment = self.clone();
        match cause {
            ClawBackCause::Refund { refunded_cents } => {
                payment.refunded_cents = payment.refunded_cents.max(*refunded_cents);
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

    /// Sums what is disputed, or was with success.
    fn disputed_cents(&self) -> u64 {
        let counts = |state| matches!(state, DisputeState::Open | DisputeState::Lost);
        let disputed = self.disputes.values().filter(|dispute| counts(dispute.state));
        disputed.fold(0, |sum: u64, dispute| sum.saturating_add(dispute.cents))
    }

    /// Works out how many credits must be away: the share of the payment that is refunded or disputed, rounded down.
    fn to_claw_back(&self) -> u64 {
        let Some(sale) = &self.sale else { return 0 };
        let away = self.refunded_cents.saturating_add(self.disputed_cents());
        if away >= sale.amount_cents {
            return if away == 0 { 0 } else { sale.credits };
        }
        let credits = u128::from(sale.credits) * u128::from(away) / u128::from(sale.amount_cents);
        u64::try_from(credits).unwrap_or(sale.credits)
    }
}

impl ClawBack {
    /// Makes the entry of the audit trail for what has come of it.
    pub fn audit(&self, org: OrgId, outcome: ClawBackOutcome) -> Option<AuditEntry> {
        let (action, credits) = match outcome {
            ClawBackOutcome::Taken(credits) => (AuditAction::CreditsClawedBack, credits),
            ClawBackOutcome::GivenBack(credits) => (AuditAction::CreditsGivenBack, credits),
            ClawBackOutcome::Unchanged | ClawBackOutcome::Remembered => return None,
        };
        let details = json!({ "credits": credits, "cause": self.cause.name(), "source": self.source });
        Some(AuditEntry::new(org, action, self.payment.as_str(), &self.origin, self.now, details))
    }

    /// Makes what the world is told of it, if it has moved credits; `balance` is what it leaves.
    pub fn event(&self, sale: &Sale, outcome: ClawBackOutcome, balance: i64) -> Option<Event> {
        let told = |event: fn(PaymentEvent) -> EventData, cents, credits| {
            Some(moved(event, sale, &self.payment, [cents, credits], balance, self.now))
        };
        match (&self.cause, outcome) {
            (ClawBackCause::Refund { refunded_cents }, ClawBackOutcome::Taken(credits)) => {
                told(EventData::PaymentRefunded, *refunded_cents, credits)
            }
            (ClawBackCause::Dispute { cents, .. }, ClawBackOutcome::Taken(credits)) => {
                told(EventData::PaymentDisputed, *cents, credits)
            }
            (ClawBackCause::Dispute { cents, state: DisputeState::Won, .. }, ClawBackOutcome::GivenBack(credits)) => {
                told(EventData::PaymentDisputeWon, *cents, credits)
            }
            _ => None,
        }
    }

    /// Says what the change of a payment comes to.
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
    /// Does what a claw-back comes to.
    pub fn follow(&mut self, lot: LotId, outcome: ClawBackOutcome) {
        match outcome {
            ClawBackOutcome::Taken(credits) => self.claw_back(lot, credits),
            ClawBackOutcome::GivenBack(credits) => self.give_back(lot, credits),
            ClawBackOutcome::Unchanged | ClawBackOutcome::Remembered => {}
        }
    }
}

impl Purchase {
    /// Makes the entry of the audit trail for credits a refund had taken back before they came.
    pub fn audit_of_early_refund(&self, credits: u64) -> AuditEntry {
        let details = json!({ "credits": credits, "cause": "told before the purchase" });
        let (subject, origin) = (self.payment.as_str(), &self.audit.origin);
        AuditEntry::new(self.org, AuditAction::CreditsClawedBack, subject, origin, self.now, details)
    }

    /// Makes what the world is told of a refund and of disputes that were told of before the purchase, if they took any of
    /// it back; `balance` is what they leave.
    pub fn early_events(&self, sold: &Payment, balance: i64) -> Vec<Event> {
        let Some(sale) = &sold.sale else { return Vec::new() };
        let refunded = Payment { disputes: BTreeMap::new(), ..sold.clone() }.to_claw_back();
        let disputed = sold.clawed_back.saturating_sub(refunded);
        let told = |event: fn(PaymentEvent) -> EventData, cents, credits| {
            (credits > 0).then(|| moved(event, sale, &sold.id, [cents, credits], balance, self.now))
        };
        let refund = told(EventData::PaymentRefunded, sold.refunded_cents, refunded);
        refund.into_iter().chain(told(EventData::PaymentDisputed, sold.disputed_cents(), disputed)).collect()
    }
}

/// Makes the event of credits that were taken back, or given back: how much of the payment it is about, how many they are,
/// and the balance they leave.
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
