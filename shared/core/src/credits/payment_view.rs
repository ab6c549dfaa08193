//! Payments as members of the organisation that paid see them.

use schemars::JsonSchema;
use serde::Serialize;

use super::Payment;

/// Names of the statuses of a payment.
const STATUSES: [&str; 3] = ["paid", "refunded", "disputed"];

/// A payment for credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PaymentView {
    /// The payment provider's id of the payment.
    pub payment: String,
    /// Name of the pack that was bought.
    pub pack: String,
    /// Credits in the pack.
    pub credits: u64,
    /// Amount paid, in hundredths of the currency.
    pub amount: u64,
    /// Currency of the payment, such as `EUR`.
    pub currency: String,
    /// `disputed` while a dispute is open and after one was lost, `refunded` once the whole amount was refunded, else
    /// `paid`.
    #[schemars(extend("enum" = STATUSES))]
    pub status: &'static str,
    /// Amount refunded so far, in hundredths of the currency. Without refunds that failed.
    pub refunded: u64,
    /// When the credits were added.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

impl PaymentView {
    /// Builds the view of a payment, or returns `None` if its purchase is not known yet.
    pub fn of(payment: &Payment) -> Option<Self> {
        let sale = payment.sale.as_ref()?;
        let refunded = payment.refunded().min(sale.amount_cents);
        let [paid, all_refunded, disputed] = STATUSES;
        let status = match (payment.disputed_cents(), refunded) {
            (1.., _) => disputed,
            (0, refunded) if refunded >= sale.amount_cents => all_refunded,
            (0, _) => paid,
        };
        Some(Self {
            payment: payment.id.as_str().to_owned(),
            pack: sale.pack.clone(),
            credits: sale.credits,
            amount: sale.amount_cents,
            currency: sale.currency.clone(),
            status,
            refunded,
            at: sale.lot.minted_at().to_string(),
        })
    }
}
