//! Stripe's events, with the fields that are used here. Source: Stripe API reference, "Types of events", "The Checkout
//! Session object", "The Charge object", "The Payment Intent object", "The Refund object", "The Dispute object".

use consigne_core::credits::{
    ClawBackCause, DisputeId, DisputeState, FailedRefund, PaidSession, PaymentId, RefundId, SessionId,
};
use consigne_core::text::cut;
use consigne_core::{Fault, OrgId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Most characters of an event's id that are stored.
const ID_MAX: usize = 255;
/// Value of `metadata.consigne` of a payment intent that is for an order.
const ORDER: &str = "order";
/// Dispute statuses of an inquiry: the bank only asks, and no money has moved.
const INQUIRIES: [&str; 2] = ["warning_needs_response", "warning_under_review"];
/// Dispute statuses that mean the payment was refunded instead. The refund has an event of its own.
const REFUNDED_INSTEAD: [&str; 2] = ["prevented", "charge_refunded"];

/// An event of Stripe.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StripeEvent {
    /// Id of the event, the same in every delivery.
    id: String,
    /// Type of the event. Those that are not processed are ignored, whatever their other fields look like.
    #[serde(rename = "type")]
    kind: String,
    /// When it happened, in seconds since 1970.
    #[serde(default)]
    created: Value,
    /// The object that the event is about.
    #[serde(default)]
    data: Value,
}

/// What to do about an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StripeAction {
    /// A checkout session was paid: credit it.
    Paid(PaidSession),
    /// A payment was refunded, or a dispute of it has changed: take credits back or return them.
    ClawBack(PaymentId, ClawBackCause),
    /// An order was paid: it may be submitted from now on.
    OrderPaid(PaymentId),
    /// Nothing to do, for this reason.
    Ignored(&'static str),
    /// Not supported: nothing is done, but a person should look at it.
    Unknown(&'static str),
}

impl StripeEvent {
    /// Returns the event's id, shortened for the audit log.
    pub(crate) fn id(&self) -> String {
        cut(&self.id, ID_MAX)
    }

    /// Returns when the event happened, or `now` if it does not say.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        let created = match &self.created {
            Value::String(text) => Timestamp::parse(text),
            created => created.as_i64().map(Timestamp::from_secs),
        };
        created.unwrap_or(now)
    }

    /// Determines what to do about the event. `now` is the time of an event without a time.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when its type is processed here but a field is missing or malformed.
    pub(crate) fn action(&self, now: Timestamp) -> Result<StripeAction, Fault> {
        match self.kind.as_str() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => self.session(),
            "charge.refunded" => self.refund(now),
            // Which of these is sent depends on the version of Stripe's API and on the kind of payment.
            "refund.updated" | "refund.failed" | "charge.refund.updated" => self.failed_refund(now),
            "charge.dispute.created"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated"
            | "charge.dispute.closed" => self.dispute(),
            "payment_intent.succeeded" => self.order(),
            "checkout.session.async_payment_failed" | "checkout.session.expired" => {
                Ok(StripeAction::Ignored("not paid"))
            }
            _ => Ok(StripeAction::Ignored("another type of event")),
        }
    }

    fn session(&self) -> Result<StripeAction, Fault> {
        let session = &self.data["object"];
        // Some payment methods take days. `async_payment_succeeded` follows then.
        if self.text("payment_status")? != "paid" {
            return Ok(StripeAction::Ignored("not paid yet"));
        }
        let Some(org) = session["client_reference_id"].as_str().and_then(OrgId::parse) else {
            // Another product that is sold with the same Stripe account.
            return Ok(StripeAction::Ignored("it names no organisation"));
        };
        // Checkouts that are opened here always have a payment intent. Subscriptions, for example, have none.
        let Some(payment) = self.payment()? else { return Ok(StripeAction::Ignored("no payment intent")) };
        let metadata = |name: &str| match &session["metadata"][name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok(StripeAction::Paid(PaidSession {
            session: SessionId::parse(self.text("id")?).ok_or_else(|| malformed("id"))?,
            payment,
            org,
            metadata: ["org_id", "pack", "credits"].map(metadata),
            amount_cents: self.number("amount_total")?,
            currency: self.text("currency")?.to_owned(),
        }))
    }

    /// The application marks payments of orders. All others, such as those of packs, are none of ours.
    fn order(&self) -> Result<StripeAction, Fault> {
        if self.data["object"]["metadata"]["consigne"] != ORDER {
            return Ok(StripeAction::Ignored("not a payment for an order"));
        }
        Ok(StripeAction::OrderPaid(PaymentId::parse(self.text("id")?).ok_or_else(|| malformed("id"))?))
    }

    fn refund(&self, now: Timestamp) -> Result<StripeAction, Fault> {
        let Some(payment) = self.payment()? else { return Ok(StripeAction::Ignored("no payment intent")) };
        let (refunded_cents, at) = (self.number("amount_refunded")?, self.at(now));
        Ok(StripeAction::ClawBack(payment, ClawBackCause::Refund { refunded_cents, at }))
    }

    /// A refund can succeed first and fail days later.
    fn failed_refund(&self, now: Timestamp) -> Result<StripeAction, Fault> {
        let status = self.data["object"]["status"].as_str();
        if !matches!(status, Some("failed" | "canceled")) {
            return Ok(StripeAction::Ignored("the refund has not failed"));
        }
        let Some(payment) = self.payment()? else { return Ok(StripeAction::Ignored("no payment intent")) };
        let id = RefundId::parse(self.text("id")?).ok_or_else(|| malformed("id"))?;
        let created = self.data["object"]["created"].as_i64().ok_or_else(|| malformed("created"))?;
        let (cents, created) = (self.number("amount")?, Timestamp::from_secs(created));
        let refund = FailedRefund { cents, created, failed: self.at(now) };
        Ok(StripeAction::ClawBack(payment, ClawBackCause::RefundFailed { id, refund }))
    }

    fn dispute(&self) -> Result<StripeAction, Fault> {
        let Some(payment) = self.payment()? else { return Ok(StripeAction::Ignored("no payment intent")) };
        let state = match (self.kind.as_str(), self.text("status")?) {
            (_, "lost") => DisputeState::Lost,
            (_, "won" | "warning_closed") => DisputeState::Won,
            (_, status) if REFUNDED_INSTEAD.contains(&status) => DisputeState::Dropped,
            // Funds are also reinstated when a part was refunded. Only the status says whether the dispute is over.
            ("charge.dispute.funds_reinstated", _) => return Ok(StripeAction::Ignored("the dispute is not over")),
            ("charge.dispute.funds_withdrawn", _) | ("charge.dispute.created", "needs_response" | "under_review") => {
                DisputeState::Open
            }
            ("charge.dispute.created", status) if INQUIRIES.contains(&status) => {
                return Ok(StripeAction::Ignored("an inquiry"));
            }
            _ => return Ok(StripeAction::Unknown("a dispute with an unknown status")),
        };
        let id = DisputeId::parse(self.text("id")?).ok_or_else(|| malformed("id"))?;
        Ok(StripeAction::ClawBack(payment, ClawBackCause::Dispute { id, cents: self.number("amount")?, state }))
    }

    /// Returns the payment of a session, a charge, a refund or a dispute. `None` if it has no payment intent.
    fn payment(&self) -> Result<Option<PaymentId>, Fault> {
        let object = self.data["object"].as_object();
        let object = object.ok_or_else(|| Fault::field("data.object", "data.object is missing or malformed"))?;
        match object.get("payment_intent").unwrap_or(&Value::Null) {
            Value::Null => Ok(None),
            Value::String(id) => PaymentId::parse(id).map(Some).ok_or_else(|| malformed("payment_intent")),
            _ => Err(malformed("payment_intent")),
        }
    }

    fn text(&self, name: &str) -> Result<&str, Fault> {
        self.data["object"][name].as_str().ok_or_else(|| malformed(name))
    }

    fn number(&self, name: &str) -> Result<u64, Fault> {
        self.data["object"][name].as_u64().ok_or_else(|| malformed(name))
    }
}

fn malformed(name: &str) -> Fault {
    let field = format!("data.object.{name}");
    Fault::field(&field, format!("{field} is missing or malformed"))
}
