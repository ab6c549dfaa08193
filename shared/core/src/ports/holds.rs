//! What holds need of the outside world.

use super::PortFuture;
use crate::credits::{Hold, HoldId, Opening, OpeningOutcome, Resolution, ResolutionOutcome};

/// Checks a key as a charge does and sets credits of its wallet aside, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`; and `dynamodb:GetItem` to look for the same request's hold.
pub trait OpenHold {
    /// Opens the hold, or says why not; only `Opened` changes anything.
    fn open_hold(&self, opening: &Opening) -> impl PortFuture<OpeningOutcome>;
}

/// Reads one hold. `dynamodb:GetItem`.
pub trait GetHold {
    /// Gives the hold, ended ones included; `None` when there is none.
    fn get_hold(&self, hold: HoldId) -> impl PortFuture<Option<Hold>>;
}

/// Ends a hold, in one transaction of hold, wallet and receipt. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ResolveHold {
    /// Applies the step; only `Resolved` changes anything.
    fn resolve_hold(&self, step: &Resolution) -> impl PortFuture<ResolutionOutcome>;
}
