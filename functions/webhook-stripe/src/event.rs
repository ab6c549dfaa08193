//! Stripe's events, as far as they are of use here. Source: Stripe API reference, "Types of events", "The Checkout Session
//! object", "The Charge object", "The Dispute object".

use consigne_core::credits::{ClawBackCause, DisputeId, DisputeState, PaidSession, PaymentId, SessionId};
use consigne_core::text::cut;
use consigne_core::{Fault, OrgId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Most characters kept of an event's id.
const ID_MAX: usize = 255;
/// Statuses of an inquiry: a bank only asks, and no money has moved.
const INQUIRIES: [&str; 2] = ["warning_needs_response", "warning_under_review"];
/// Statuses of a dispute in whose place there was a refund, before it began or after; the refund is told of by itself.
const REFUNDED_INSTEAD: [&str; 2] = ["prevented", "charge_refunded"];

/// One event.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StripeEvent {
    /// Its id, the same on every delivery.
    id: String,
    /// What happened. Checkouts that are paid, refunds and disputes are carried out, all others ignored.
    #[serde(rename = "type")]
    kind: String,
    /// When, in seconds since 1970.
    created: Option<i64>,
    /// What it happened to.
    data: StripeData,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct StripeData {
    /// A checkout session, a charge or a dispute, as it was then.
    object: Value,
}

/// What an event means here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StripeAction {
    /// A session was paid.
    Paid(PaidSession),
    /// A payment was refunded, or a dispute of it stands so.
    ClawBack(PaymentId, ClawBackCause),
    /// Nothing, for this reason.
    Ignored(&'static str),
    /// Something nobody knows here yet, so that it comes to nothing either; somebody should look at it.
    Unknown(&'static str),
}

impl StripeEvent {
    /// Gives its id, for the trail.
    pub(crate) fn id(&self) -> String {
        cut(&self.id, ID_MAX)
    }

    /// Gives when it happened.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        self.created.map_or(now, Timestamp::from_secs)
    }

    /// Reads what the event means.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when it is of a kind that is carried out, and not of the shape such events have.
    pub(crate) fn action(&self) -> Result<StripeAction, Fault> {
        match self.kind.as_str() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => self.session(),
            "charge.refunded" => self.refund(),
            "charge.dispute.created"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated"
            | "charge.dispute.closed" => self.dispute(),
            "checkout.session.async_payment_failed" | "checkout.session.expired" => {
                Ok(StripeAction::Ignored("nobody paid"))
            }
            _ => Ok(StripeAction::Ignored("another type of event")),
        }
    }

    fn session(&self) -> Result<StripeAction, Fault> {
        let session = &self.data.object;
        // Some ways to pay take days; the other of the two events comes then.
        if self.text("payment_status")? != "paid" {
            return Ok(StripeAction::Ignored("not paid yet"));
        }
        let Some(org) = session["client_reference_id"].as_str().and_then(OrgId::parse) else {
            // Something else that is sold under the same account.
            return Ok(StripeAction::Ignored("it names no organisation"));
        };
        let noted = |name: &str| match &session["metadata"][name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok(StripeAction::Paid(PaidSession {
            session: SessionId::parse(self.text("id")?).ok_or_else(|| odd("id"))?,
            payment: PaymentId::parse(self.text("payment_intent")?).ok_or_else(|| odd("payment_intent"))?,
            org,
            noted: ["org_id", "pack", "credits"].map(noted),
            amount_cents: self.number("amount_total")?,
            currency: self.text("currency")?.to_owned(),
        }))
    }

    fn refund(&self) -> Result<StripeAction, Fault> {
        let Some(payment) = self.payment()? else { return Ok(StripeAction::Ignored("no payment intent")) };
        Ok(StripeAction::ClawBack(payment, ClawBackCause::Refund { refunded_cents: self.number("amount_refunded")? }))
    }

    fn dispute(&self) -> Result<StripeAction, Fault> {
        let Some(payment) = self.payment()? else { return Ok(StripeAction::Ignored("no payment intent")) };
        let state = match (self.kind.as_str(), self.text("status")?) {
            (_, "lost") => DisputeState::Lost,
            (_, "won" | "warning_closed") => DisputeState::Won,
            (_, status) if REFUNDED_INSTEAD.contains(&status) => DisputeState::Dropped,
            // It may be that of a part that was refunded; what the dispute comes to, its status says.
            ("charge.dispute.funds_reinstated", _) => return Ok(StripeAction::Ignored("the dispute is not over")),
            ("charge.dispute.funds_withdrawn", _) | ("charge.dispute.created", "needs_response" | "under_review") => {
                DisputeState::Open
            }
            ("charge.dispute.created", status) if INQUIRIES.contains(&status) => {
                return Ok(StripeAction::Ignored("an inquiry"));
            }
            _ => return Ok(StripeAction::Unknown("a dispute of another status")),
        };
        let id = DisputeId::parse(self.text("id")?).ok_or_else(|| odd("id"))?;
        Ok(StripeAction::ClawBack(payment, ClawBackCause::Dispute { id, cents: self.number("amount")?, state }))
    }

    /// Gives the payment a charge or a dispute is of; none of those that were made without a payment intent.
    fn payment(&self) -> Result<Option<PaymentId>, Fault> {
        match &self.data.object["payment_intent"] {
            Value::Null => Ok(None),
            Value::String(id) => PaymentId::parse(id).map(Some).ok_or_else(|| odd("payment_intent")),
            _ => Err(odd("payment_intent")),
        }
    }

    fn text(&self, name: &str) -> Result<&str, Fault> {
        self.data.object[name].as_str().ok_or_else(|| odd(name))
    }

    fn number(&self, name: &str) -> Result<u64, Fault> {
        self.data.object[name].as_u64().ok_or_else(|| odd(name))
    }
}

fn odd(name: &str) -> Fault {
    let field = format!("data.object.{name}");
    Fault::field(&field, format!("{field} is missing or malformed"))
}
