//! Changes a webhook endpoint, and checks where its URL leads.

use consigne_core::endpoints::{Endpoint, EndpointStep, HookUrl, endpoint_not_found};
use consigne_core::idempotency::{WriteOutcome, key_reused};
use consigne_core::ports::{ChangeEndpoint, GetEndpoint, ResolveHost};
use consigne_core::{EndpointId, Fault, OrgId};

use crate::ConflictRetry;

/// How a change of an endpoint ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    /// The endpoint as it is now: changed, or unchanged if there was nothing to change.
    Applied(Box<Endpoint>),
    /// The same request made the change before. This is the `result` recorded with it.
    Replayed(String),
}

/// Reads an endpoint and writes the step that `step` computes from it. If `step` returns `None`, nothing is written.
///
/// # Errors
/// `NOT_FOUND`, the errors of `step`, `IDEMPOTENCY_MISMATCH`, and `UNAVAILABLE` if the endpoint keeps changing.
pub async fn change<F: GetEndpoint + ChangeEndpoint>(
    endpoints: &F,
    org: OrgId,
    id: EndpointId,
    step: impl Fn(&Endpoint) -> Result<Option<EndpointStep>, Fault>,
) -> Result<Changed, Fault> {
    let mut retry = ConflictRetry::of("the endpoint");
    loop {
        let endpoint = endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
        let Some(step) = step(&endpoint)? else { return Ok(Changed::Applied(Box::new(endpoint))) };
        match endpoints.change_endpoint(&step).await? {
            WriteOutcome::Applied => return Ok(Changed::Applied(Box::new(step.endpoint))),
            WriteOutcome::Replayed(result) => return Ok(Changed::Replayed(result)),
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => retry.wait().await?,
        }
    }
}

/// Refuses a URL whose host name resolves to an address that must not be called. Accepts a name that does not resolve
/// yet, because every delivery checks the address again when it connects. `private` allows private addresses.
///
/// # Errors
/// `INVALID_REQUEST` naming `url`, and `UNAVAILABLE` if the resolver does not answer.
pub async fn require_reachable(url: &HookUrl, resolver: &impl ResolveHost, private: bool) -> Result<(), Fault> {
    let addresses = if url.is_named() { resolver.resolve_host(url.host()).await? } else { Vec::new() };
    url.require_public(&addresses, private)
}
