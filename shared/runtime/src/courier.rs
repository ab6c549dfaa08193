//! The courier of webhooks: calls customers' endpoints over the connector that guards every name it resolves.

use std::net::IpAddr;
use std::time::Duration;

use aws_smithy_runtime_api::client::dns::ResolveDns;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_types::byte_stream::ByteStream;
use consigne_aws::budget;
use consigne_aws::connections::Machine;
use consigne_core::deliveries::{Post, Posted};
use consigne_core::gateway::{Failure, UpstreamCall};
use consigne_core::ports::{PostWebhook, ResolveHost};
use consigne_core::{Fault, Timestamp, chain_of};

use crate::clock;
use crate::outgoing::{Outgoing, failure_of, request_of};

/// Most bytes read of an answer; a receiver has little to say.
const ANSWER_MAX: usize = 4 * 1024;
/// Time of a call kept for its answer to be taken as it is by then.
const LEFT: Duration = Duration::from_millis(200);
/// Time of an invocation kept for what follows: the attempt is put down, and what comes next arranged.
const RESERVE: Duration = Duration::from_secs(3);
/// Longest wait for where a name leads, when an endpoint is registered.
const LOOK: Duration = Duration::from_secs(2);

impl Outgoing {
    async fn post(&self, post: &Post, timeout: Duration) -> Result<Posted, (Failure, String)> {
        let headers = post.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let call = UpstreamCall {
            method: "POST".to_owned(),
            origin: post.url.origin().to_owned(),
            target: post.url.target(),
            headers,
            body: post.body.clone().into_bytes(),
            timeout,
            response_max: ANSWER_MAX,
        };
        let enough = tokio::time::Instant::now() + timeout.saturating_sub(LEFT);
        let request = request_of(&call).map_err(|error| (Failure::Broken, error.to_string()))?;
        let mut answer = self.connector.call(request).await.map_err(|error| (failure_of(&error), chain_of(&error)))?;
        let retry_after = answer.headers().get("retry-after").map(str::to_owned);
        let (status, mut stream, mut body) =
            (answer.status().as_u16(), ByteStream::new(answer.take_body()), Vec::new());
        // The status is what counts. Of the rest a beginning is enough, and none is needed at all.
        let reading = async {
            while body.len() < ANSWER_MAX
                && let Some(Ok(chunk)) = stream.next().await
            {
                body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX - body.len())]);
            }
        };
        // A body that does not end takes nothing away from the status.
        drop(tokio::time::timeout_at(enough, reading).await);
        Ok(Posted::answered(status, retry_after.as_deref(), &body))
    }
}

impl PostWebhook for Outgoing {
    async fn post_webhook(&self, post: &Post) -> Result<Posted, Fault> {
        // An address needs no resolver, and what was allowed when it was registered may not be any more.
        if !post.url.is_allowed(self.private) {
            return Ok(Posted::NotAllowed);
        }
        let patience = post.timeout.min(budget::remaining().saturating_sub(RESERVE));
        Ok(match tokio::time::timeout(patience, self.post(post, patience)).await {
            Ok(Ok(posted)) => posted,
            Ok(Err((failure, cause))) => Posted::Failed(failure, cause),
            Err(_) => Posted::Failed(Failure::Timeout, format!("nothing within {patience:?}")),
        })
    }
}

impl ResolveHost for Outgoing {
    async fn resolve_host(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let looked = tokio::time::timeout(LOOK, Machine.resolve_dns(name)).await;
        Ok(looked.ok().and_then(Result::ok).unwrap_or_default())
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl consigne_core::ports::Clock for WallClock {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn wait_until(&self, at: Timestamp) {
        tokio::time::sleep(at.since(clock::now())).await;
    }
}

#[cfg(test)]
#[path = "courier_tests.rs"]
mod tests;
