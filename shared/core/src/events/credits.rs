//! Events about credits and the payments for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::credits::{ALERT_PERCENTAGES, LotKind, PaymentId};
use crate::{LotId, OrgId};

/// `payment.refunded`, `payment.disputed` and `payment.dispute-won`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentEvent {
    /// Which organisation had paid.
    pub org_id: OrgId,
    /// Which payment, as the payment provider names it.
    pub payment_id: PaymentId,
    /// In hundredths of the currency: what of it is refunded by now, or what is or was disputed.
    #[schemars(range(min = 1))]
    pub amount_cents: u64,
    /// In which currency.
    #[schemars(length(min = 3))]
    pub currency: String,
    /// Credits taken back this time, or given back when a dispute was won.
    pub credits: u64,
    /// Credits left, as it saw them; below zero when more was taken back than was left.
    pub balance: i64,
}

/// `wallet.low`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalletLow {
    /// Which organisation.
    pub org_id: OrgId,
    /// Which share, in percent: 20, 10 or 0.
    #[schemars(extend("enum" = ALERT_PERCENTAGES))]
    pub percent: u8,
    /// Credits left; below nothing after a refund.
    pub balance: i64,
    /// Credits of the last top-up.
    #[schemars(range(min = 1))]
    pub reference: u64,
}

/// `wallet.topped-up`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalletToppedUp {
    /// Which organisation.
    pub org_id: OrgId,
    /// Which lot.
    pub lot_id: LotId,
    /// Bought, or given.
    #[schemars(extend("enum" = [LotKind::Paid, LotKind::Promo]))]
    pub kind: LotKind,
    /// How many.
    #[schemars(range(min = 1))]
    pub credits: u64,
}
