//! The end of a hold that its own opener ends, a moment after it was opened, with everything there is to tell of the call.

use super::{CallFacts, Outcome, Receipt, ReceiptId, Resolution};

/// A call that a hold has paid for, or would have.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// The call.
    pub facts: CallFacts,
    /// How it went.
    pub outcome: Outcome,
}

impl Resolution {
    /// Tells of the call in the usage log, also when it costs nothing: a receipt of no credits is how a failure is seen. It
    /// is dated as its quota was counted, when the call was admitted. What is given back is not limited, since nobody's word
    /// has to be taken for the failure.
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
