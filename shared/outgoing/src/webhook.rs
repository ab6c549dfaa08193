//! Sends webhooks to customers' endpoints. The connector checks every address that a name resolves to.

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
use consigne_core::{Fault, chain_of};

use crate::client::{Outgoing, failure_of, request_of};

/// Most bytes of an answer that are read.
const ANSWER_MAX: usize = 4 * 1024;
/// Time of a call that is kept to process what has arrived of the answer.
const PROCESSING_RESERVE: Duration = Duration::from_millis(200);
/// Time of an invocation that is kept to record the attempt and to send the message for the next one.
const RESERVE: Duration = Duration::from_secs(3);
/// Longest time to resolve a name when an endpoint is registered.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

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
        let enough = tokio::time::Instant::now() + timeout.saturating_sub(PROCESSING_RESERVE);
        let request = request_of(&call).map_err(|error| (Failure::Broken, error.to_string()))?;
        let mut answer = self.connector.call(request).await.map_err(|error| (failure_of(&error), chain_of(&error)))?;
        let retry_after = answer.headers().get("retry-after").map(str::to_owned);
        let (status, mut stream, mut body) =
            (answer.status().as_u16(), ByteStream::new(answer.take_body()), Vec::new());
        // Only the status counts. Of the body an excerpt is kept, so a part of it, or none, is enough.
        let reading = async {
            while body.len() < ANSWER_MAX
                && let Some(Ok(chunk)) = stream.next().await
            {
                body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX - body.len())]);
            }
        };
        // A body that never ends does not change the status.
        drop(tokio::time::timeout_at(enough, reading).await);
        Ok(Posted::answered(status, retry_after.as_deref(), &body))
    }
}

impl PostWebhook for Outgoing {
    async fn post_webhook(&self, post: &Post) -> Result<Posted, Fault> {
        // An IP address is not resolved, so it is checked here. It may no longer be allowed since it was registered.
        if !post.url.is_allowed(self.private) {
            return Ok(Posted::NotAllowed);
        }
        let timeout = post.timeout.min(budget::remaining().saturating_sub(RESERVE));
        Ok(match tokio::time::timeout(timeout, self.post(post, timeout)).await {
            Ok(Ok(posted)) => posted,
            Ok(Err((failure, cause))) => Posted::Failed(failure, cause),
            Err(_) => Posted::Failed(Failure::Timeout, format!("no answer within {timeout:?}")),
        })
    }
}

impl ResolveHost for Outgoing {
    async fn resolve_host(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let looked = tokio::time::timeout(RESOLVE_TIMEOUT, Machine.resolve_dns(name)).await;
        Ok(looked.ok().and_then(Result::ok).unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
