//! Credits: wallets, the charges, holds, purchases and refunds that change them, and receipts.

mod balance_alert;
mod calling;
mod charge;
mod checkout;
mod hold;
mod ids;
mod lot_expiry;
mod opening;
mod provider_ids;
mod purchase;
mod receipt;
mod wallet;

pub use balance_alert::{ALERT_PERCENTAGES, AlertThreshold, topped_up};
pub use calling::CallRecord;
pub use charge::{Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome, KeySnapshot};
pub use checkout::{
    CHECKOUT_KEPT, CHECKOUTS_A_DAY, CHECKOUTS_AN_HOUR, CURRENCY, Checkout, CheckoutAnswer, CheckoutAsk,
    CheckoutReservation, OpenSession, PACKS, Pack, PaidSession, checkout_hour, too_many_checkouts,
    too_many_checkouts_of_person,
};
pub use hold::{
    Ending, HOLD_MARGIN, Hold, HoldEnd, HoldView, REFUNDS_A_DAY, Resolution, ResolutionOutcome, Resolver, VoidReason,
    hold_not_found,
};
pub use ids::{HoldId, ReceiptId};
pub use opening::{HOLD_TTL, HoldTerms, Opening, OpeningOutcome};
pub use provider_ids::{DisputeId, PaymentId, RefundId, SessionId};
pub use purchase::{
    ClawBack, ClawBackCause, ClawBackOutcome, Dispute, DisputeState, FailedRefund, Payment, Purchase, PurchaseOutcome,
    Sale,
};
pub use receipt::{CallFacts, Outcome, OutcomeKept, RECEIPT_KEPT, RESPONSE_MS_MAX, Receipt, STATUS_CODES};
pub use wallet::{CarriedHolds, CreditLot, LotKind, TEST_CREDITS, TEST_PERIOD, Wallet, WalletId, WalletRefusal};
