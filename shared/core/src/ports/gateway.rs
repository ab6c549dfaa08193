//! Port for the gateway, in addition to the holds it shares with others.

use super::PortFuture;
use crate::gateway::{UpstreamCall, UpstreamOutcome};

/// Calls an upstream. No IAM action: the installation's settings say what may be called.
pub trait CallUpstream {
    /// Sends the call once and returns its outcome. Never follows a redirect, never retries.
    fn call_upstream(&self, call: &UpstreamCall) -> impl PortFuture<UpstreamOutcome>;
}
