//! The end of a hold that its own opener ends, a moment after it was opened, with everything there is to tell of the call.

use super::hold::{TRIES, hold_not_found};
use super::{CallFacts, Hold, HoldEnd, Outcome, Receipt, ReceiptId, Resolution, ResolutionOutcome, Resolver};
use crate::Fault;
use crate::ports::{GetHold, ResolveHold};

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

/// Ends a hold as [`super::resolve`] does, but without reading it first: it is as it was opened, unless an answer was lost or
/// somebody else was faster.
///
/// # Errors
/// As [`super::resolve`]; and what the table answers when it cannot be reached twice.
pub async fn resolve_opened<F: GetHold + ResolveHold>(
    holds: &F,
    opened: &Hold,
    how: HoldEnd,
    told: &CallRecord,
    by: &Resolver,
) -> Result<Hold, Fault> {
    let (mut hold, mut failed) = (opened.clone(), false);
    for _ in 0..TRIES {
        let Some(step) = hold.resolve(how, by)? else { return Ok(hold) };
        let step = step.telling(told);
        match holds.resolve_hold(&step).await {
            Ok(ResolutionOutcome::Resolved) => return Ok(step.hold),
            // Without a limit there are never too many.
            Ok(ResolutionOutcome::NoMoreRefunds | ResolutionOutcome::Conflict) => {}
            Err(fault) if failed => return Err(fault),
            Err(_) => failed = true,
        }
        hold = holds.get_hold(opened.id).await?.ok_or_else(hold_not_found)?;
    }
    Err(Fault::unavailable("the hold keeps changing"))
}
