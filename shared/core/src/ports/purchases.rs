//! What buying credits needs of the outside world.

use super::Doing;
use crate::credits::{ClawBack, ClawBackOutcome, Purchase, PurchaseOutcome};

/// Puts credits that were paid for into a wallet, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait CreditPurchase {
    /// Credits them, once a session; what a refund has taken back already is taken in the same moment.
    fn credit_purchase(&self, purchase: &Purchase) -> impl Doing<PurchaseOutcome>;
}

/// Takes credits back when their payment is refunded or disputed, and gives them back when the dispute is won, in one
/// transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ClawBackCredits {
    /// Brings the wallet to what follows from all that is known of the payment; the same again changes nothing.
    fn claw_back(&self, claw_back: &ClawBack) -> impl Doing<ClawBackOutcome>;
}
