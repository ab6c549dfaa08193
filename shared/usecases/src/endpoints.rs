//! Changes a webhook endpoint, and checks the addresses of its URL.

use consigne_core::endpoints::{Endpoint, EndpointStep, HookUrl, endpoint_not_found};
use consigne_core::idempotency::{WriteOutcome, key_reused};
use consigne_core::ports::{ChangeEndpoint, GetEndpoint, ResolveHost};
use consigne_core::{EndpointId, Fault, OrgId};

use crate::ConflictRetry;

/// The outcome of a change of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    /// The endpoint as it is now: changed, or unchanged if there was nothing to change.
    Applied(Box<Endpoint>),
    /// An earlier try of the request made the change. This is its recorded `result`.
    Replayed(String),
}

/// Reads an endpoint and writes the step that `step` computes from it. If `step` returns `None`, nothing is written.
///
/// # Errors
/// `NOT_FOUND` if the organisation has no such endpoint; those of `step`; `IDEMPOTENCY_MISMATCH` if the idempotency key
/// was used with a different request; `UNAVAILABLE` if the endpoint keeps changing.
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

/// Requires that the host name of a URL resolves only to addresses that may be called. A name that does not resolve yet
/// is accepted, because every delivery checks the addresses again when it connects. With `private`, private addresses
/// are allowed.
///
/// # Errors
/// `INVALID_REQUEST` naming `url` if an address must not be called; `UNAVAILABLE` if the resolver does not answer.
pub async fn require_reachable(url: &HookUrl, resolver: &impl ResolveHost, private: bool) -> Result<(), Fault> {
    let addresses = if url.is_named() { resolver.resolve_host(url.host()).await? } else { Vec::new() };
    url.require_public(&addresses, private)
}
