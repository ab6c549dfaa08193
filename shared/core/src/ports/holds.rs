//! Ports for opening, reading and ending holds.

use super::PortFuture;
use crate::credits::{Hold, HoldId, Opening, OpeningOutcome, Resolution, ResolutionOutcome};

/// Checks a key as a charge does and reserves credits of its wallet, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`; and `dynamodb:GetItem` to find the hold that an earlier try of
/// the request opened.
pub trait OpenHold {
    /// Opens the hold, or returns why not. Only `Opened` means that something was written.
    fn open_hold(&self, opening: &Opening) -> impl PortFuture<OpeningOutcome>;
}

/// Reads one hold. `dynamodb:GetItem`.
pub trait GetHold {
    /// Returns the hold, even if it has ended, or `None` if there is none.
    fn get_hold(&self, hold: HoldId) -> impl PortFuture<Option<Hold>>;
}

/// Ends a hold. Hold, wallet and receipt are written in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ResolveHold {
    /// Applies the step. Only `Resolved` means that something was written.
    fn resolve_hold(&self, step: &Resolution) -> impl PortFuture<ResolutionOutcome>;
}
