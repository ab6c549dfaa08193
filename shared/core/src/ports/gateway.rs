//! What the gateway needs of the outside world, beside the holds it shares with others.

use super::PortFuture;
use crate::gateway::{UpstreamCall, UpstreamOutcome};

/// Calls an upstream, once. No IAM action: what may be called is what the installation names.
pub trait CallUpstream {
    /// Hands the call on and gives what came of it; never follows a redirect, never asks twice.
    fn call_upstream(&self, call: &UpstreamCall) -> impl PortFuture<UpstreamOutcome>;
}
