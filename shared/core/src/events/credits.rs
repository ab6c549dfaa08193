//! Events about credits and the payments for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::credits::{ALERT_PERCENTAGES, LotKind, PaymentId};
use crate::{LotId, OrgId};

/// `payment.refunded`, `payment.disputed` and `payment.dispute-won`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentEvent {
    /// Id of the organisation that had paid.
    pub org_id: OrgId,
    /// The payment provider's id of the payment.
    pub payment_id: PaymentId,
    /// The amount refunded so far, or the disputed amount, in hundredths of the currency.
    #[schemars(range(min = 1))]
    pub amount_cents: u64,
    /// The currency, such as `EUR`.
    #[schemars(length(min = 3))]
    pub currency: String,
    /// Credits taken back by this refund or dispute, or given back because a dispute was won.
    pub credits: u64,
    /// Credits left afterwards; below zero if more was taken back than was left.
    pub balance: i64,
}

/// `wallet.low`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalletLow {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// The share of the last top-up, in percent.
    #[schemars(extend("enum" = ALERT_PERCENTAGES))]
    pub percent: u8,
    /// Credits left; below zero if more was taken back than was left.
    pub balance: i64,
    /// Credits of the last top-up.
    #[schemars(range(min = 1))]
    pub reference: u64,
}

/// `wallet.topped-up`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalletToppedUp {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// Id of the credit lot.
    pub lot_id: LotId,
    /// `paid` if they were bought, `promo` if they were given.
    #[schemars(extend("enum" = [LotKind::Paid, LotKind::Promo]))]
    pub kind: LotKind,
    /// Number of credits.
    #[schemars(range(min = 1))]
    pub credits: u64,
}
