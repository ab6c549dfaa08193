//! Events about credits and the payments for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::credits::{ALERT_PERCENTAGES, LotKind, PaymentId};
use crate::{LotId, OrgId};

/// `payment.refunded`, `payment.disputed` and `payment.dispute-won`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentEvent {
    /// Id of the organisation that paid.
    pub org_id: OrgId,
    /// The payment provider's id of the payment.
    pub payment_id: PaymentId,
    /// The amount refunded so far, or the disputed amount, in hundredths of the currency.
    #[schemars(range(min = 1))]
    pub amount_cents: u64,
    /// The currency, such as `EUR`.
    #[schemars(length(min = 3))]
    pub currency: String,
    /// Credits clawed back for this refund or dispute, or given back because a dispute was won.
    pub credits: u64,
    /// Balance afterwards; negative if more credits were clawed back than were left.
    pub balance: i64,
}

/// `wallet.low`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalletLow {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// The alert threshold, in percent of the last top-up.
    #[schemars(extend("enum" = ALERT_PERCENTAGES))]
    pub percent: u8,
    /// Balance; negative if more credits were clawed back than were left.
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
