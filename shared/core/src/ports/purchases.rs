//! What buying credits needs of the outside world.

use super::PortFuture;
use crate::OrgId;
use crate::credits::{
    Checkout, CheckoutAsk, ClawBack, ClawBackOutcome, OpenSession, Purchase, PurchaseOutcome, SessionId,
};
use crate::idempotency::{IdempotentRequest, WriteOutcome};

/// Opens checkout sessions at the payment provider. No action of IAM's: a call to the outside, under a key of its own.
pub trait StartCheckout {
    /// Opens a session for a pack; the same ask again gets the same session.
    fn start_checkout(&self, ask: &CheckoutAsk) -> impl PortFuture<OpenSession>;
}

/// Writes checkout sessions down. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait RecordCheckout {
    /// Records what was offered in a session, and keeps the promise it was asked for with; never [`WriteOutcome::Conflict`].
    /// `RATE_LIMITED` when the organisation has had as many within the hour as it may.
    fn record_checkout(
        &self,
        checkout: &Checkout,
        idempotent: Option<&IdempotentRequest>,
    ) -> impl PortFuture<WriteOutcome>;
}

/// Reads what was offered in a checkout session. `dynamodb:GetItem`.
pub trait GetCheckout {
    /// Gives the record of a session of an organisation; `None` when none was opened here for it.
    fn get_checkout(&self, org: OrgId, session: &SessionId) -> impl PortFuture<Option<Checkout>>;
}

/// Puts credits that were paid for into a wallet, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait CreditPurchase {
    /// Credits them, once a session; what a refund has taken back already is taken in the same moment.
    fn credit_purchase(&self, purchase: &Purchase) -> impl PortFuture<PurchaseOutcome>;
}

/// Takes credits back when their payment is refunded or disputed, and gives them back when the dispute is won, in one
/// transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ClawBackCredits {
    /// Brings the wallet to what follows from all that is known of the payment; the same again changes nothing.
    fn claw_back(&self, claw_back: &ClawBack) -> impl PortFuture<ClawBackOutcome>;
}
