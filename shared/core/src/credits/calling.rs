//! The end of a hold by the service that opened it a moment before, with the record of the call.

use super::{CallFacts, Outcome, Receipt, ReceiptId, Resolution};

/// The record of a call that a hold has paid for, or would have paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// What the caller reported about the call.
    pub facts: CallFacts,
    /// The outcome of the call.
    pub outcome: Outcome,
}

impl Resolution {
    /// Writes the call to the usage log even if it costs nothing: a receipt of 0 credits shows a failure. The receipt
    /// is dated when the call was admitted, as its quota was counted.
    ///
    /// A refund given this way has no daily limit, because the failure was seen here and not only reported.
    #[must_use]
    pub fn telling(mut self, told: &CallRecord) -> Self {
        let hold = &self.hold;
        self.receipt = Some(Receipt {
            id: ReceiptId::of_hold(hold.id),
            key: hold.key,
            environment: hold.environment,
            credits: self.used,
            at: hold.opened_at,
            caller: hold.caller.clone(),
            fingerprint: String::new(),
            call: told.facts.clone(),
            outcome: Some(told.outcome.clone()),
        });
        self.refund_of = None;
        self
    }
}
