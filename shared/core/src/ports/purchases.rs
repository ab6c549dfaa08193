//! Ports for buying credits.

use super::PortFuture;
use crate::OrgId;
use crate::credits::{
    Checkout, CheckoutAnswer, CheckoutAsk, CheckoutReservation, ClawBack, ClawBackOutcome, Purchase, PurchaseOutcome,
    SessionId,
};
use crate::idempotency::{IdempotentRequest, WriteOutcome};

/// Opens checkout sessions at the payment provider. No IAM action: it calls the provider with the provider's API key.
pub trait StartCheckout {
    /// Opens a session for a pack. A retry gets the same session.
    ///
    /// # Errors
    /// If it is unknown whether a session was opened.
    fn start_checkout(&self, ask: &CheckoutAsk) -> impl PortFuture<CheckoutAnswer>;
}

/// Takes a place for a checkout session within the limits, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait ReserveCheckout {
    /// Takes the place. A retry of a request with an idempotency key takes no second one: it gets `Replayed` with the
    /// result of the first. Never returns [`WriteOutcome::Conflict`].
    ///
    /// # Errors
    /// `RATE_LIMITED` if the organisation has used up its sessions of this hour, or the person theirs of this day.
    fn reserve_checkout(&self, reservation: &CheckoutReservation) -> impl PortFuture<WriteOutcome>;
}

/// Gives the place of a checkout session back, in one transaction. `dynamodb:UpdateItem`, `dynamodb:DeleteItem`.
pub trait ReleaseCheckout {
    /// Gives the place back, because the provider has opened no session. Of a request with an idempotency key it is
    /// given back once, however often this is called.
    fn release_checkout(&self, reservation: &CheckoutReservation) -> impl PortFuture<()>;
}

/// Records checkout sessions. `dynamodb:PutItem`, `dynamodb:ConditionCheckItem`.
pub trait RecordCheckout {
    /// Records what a session offers, with the request's idempotency record. Returns `Conflict` if the request's
    /// reservation was given back meanwhile by another try. Then the session must not be shown.
    fn record_checkout(
        &self,
        checkout: &Checkout,
        idempotent: Option<&IdempotentRequest>,
        reservation: &CheckoutReservation,
    ) -> impl PortFuture<WriteOutcome>;
}

/// Reads what a checkout session offers. `dynamodb:GetItem`.
pub trait GetCheckout {
    /// Returns the record of an organisation's session, or `None` if the organisation has no such session.
    fn get_checkout(&self, org: OrgId, session: &SessionId) -> impl PortFuture<Option<Checkout>>;
}

/// Adds bought credits to a wallet, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait CreditPurchase {
    /// Adds the credits, at most once for each session. If refunds or disputes were reported before the purchase, their
    /// credits are clawed back in the same transaction.
    fn credit_purchase(&self, purchase: &Purchase) -> impl PortFuture<PurchaseOutcome>;
}

/// Claws credits back if their payment is refunded or disputed, and gives them back if the dispute is won, in one
/// transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ClawBackCredits {
    /// Adds a report to the payment's record and changes the wallet accordingly. A repeated report changes nothing.
    fn claw_back(&self, claw_back: &ClawBack) -> impl PortFuture<ClawBackOutcome>;
}
