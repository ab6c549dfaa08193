//! Debits that cross an alert threshold.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use consigne_core::credits::Wallet;
use consigne_core::events::Event;

use crate::table::credits::debit::{Debit, DebitMode, FRESH, millis};
use crate::table::credits::wallet_change::WalletChange;
use crate::table::credits::wallet_item;
use crate::table::item::{number, text};

/// The crossing of an alert threshold by a debit.
pub(crate) struct ThresholdCrossing {
    /// The event that announces the crossing.
    pub(crate) event: Event,
    seen: Wallet,
    lowered: Wallet,
    /// The lowest and the highest balance before the debit, for which the debit crosses exactly this threshold.
    from: (i64, i64),
}

impl ThresholdCrossing {
    /// Returns the crossing if `debit` crosses a threshold of the wallet `seen`.
    pub(crate) fn of(seen: Wallet, debit: &Debit<'_>) -> Option<Self> {
        let mut lowered = seen.clone();
        match debit.mode {
            DebitMode::Spend => lowered.debit(debit.amount),
            DebitMode::Reserve(_) => lowered.hold(debit.amount),
        }
        let (percent, event) = lowered.alert(debit.ask.now)?;
        let band = seen.alert.band(percent);
        let least = band.start().max(&0).saturating_add_unsigned(debit.amount);
        let most = band.end().saturating_add_unsigned(debit.amount);
        Some(Self { event, seen, lowered, from: (least, most) })
    }

    /// Builds the update that takes the credits and records the threshold as crossed. Its condition allows other debits
    /// in between, as long as this debit still crosses the same threshold.
    pub(crate) fn update(&self, debit: &Debit<'_>) -> UpdateBuilder {
        let condition = format!("wallet_status = :open AND balance BETWEEN :least AND :most AND {FRESH}");
        WalletChange::between(&self.seen, &self.lowered)
            .on_condition(&condition)
            .build()
            .expression_attribute_values(":open", text(wallet_item::status(true)))
            .expression_attribute_values(":least", number(self.from.0))
            .expression_attribute_values(":most", number(self.from.1))
            .expression_attribute_values(":now", millis(debit.ask.now))
    }
}
