//! Port for the gateway, which also uses the ports for holds.

use super::PortFuture;
use crate::gateway::{UpstreamCall, UpstreamOutcome};

/// Calls an upstream. No IAM action: the setting of upstreams lists what may be called.
pub trait CallUpstream {
    /// Sends the call once and returns its outcome. Never follows a redirect, never retries.
    fn call_upstream(&self, call: &UpstreamCall) -> impl PortFuture<UpstreamOutcome>;
}
