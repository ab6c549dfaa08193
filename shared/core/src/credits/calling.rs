//! The end of a hold by the gateway, which opened it for one call and itself saw how the call ended.

use super::{CallFacts, Outcome, Receipt, ReceiptId, Resolution};

/// The record of a call for which a hold was opened, whether the call was charged or failed.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// What the caller reported about the call.
    pub facts: CallFacts,
    /// The outcome of the call.
    pub outcome: Outcome,
}

impl Resolution {
    /// Writes the call to the usage log even if it costs nothing: a receipt of 0 credits shows a failure. The receipt
    /// has the time at which the call was admitted, in whose periods its quota was counted.
    ///
    /// A refund given this way has no daily limit, because the gateway saw the failure itself.
    #[must_use]
    pub fn with_call(mut self, call: &CallRecord) -> Self {
        let hold = &self.hold;
        self.receipt = Some(Receipt {
            id: ReceiptId::of_hold(hold.id),
            key: hold.key,
            environment: hold.environment,
            credits: self.used,
            at: hold.opened_at,
            caller: hold.caller.clone(),
            fingerprint: String::new(),
            call: call.facts.clone(),
            outcome: Some(call.outcome.clone()),
        });
        self.refund_of = None;
        self
    }
}
