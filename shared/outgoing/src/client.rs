//! Calls to servers other than AWS's: one try, no redirects, and no connection to an address that is not allowed.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use aws_smithy_runtime_api::client::dns::{ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use consigne_aws::budget;
use consigne_aws::connections::{Connections, Machine, Roots, Terms};
use consigne_core::gateway::{Answered, Failure, HEADERS_MAX, Reach, UpstreamCall, UpstreamOutcome};
use consigne_core::ports::CallUpstream;
use consigne_core::{Fault, chain_of};

/// Longest time to open a TCP and TLS connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest time for the head of an answer: the limit of the slowest service. Each call has a shorter limit of its own.
const ANSWER: Duration = Duration::from_mins(15);
/// How long an unused connection is kept. It is shorter than servers keep theirs, because a request on a connection
/// that was just closed is lost, and must not be sent twice.
const IDLE: Duration = Duration::from_secs(4);
/// Time of an invocation kept to end the hold and to answer the caller after a call.
const RESERVE: Duration = Duration::from_secs(3);

/// Calls servers other than AWS's.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(crate) connector: Connections,
    pub(crate) private: bool,
}

impl Outgoing {
    /// Creates the adapter. With `private` it may also call private addresses.
    pub fn new(private: bool) -> Self {
        Self::resolving(private, Machine)
    }

    /// Creates the adapter with a resolver other than the machine's.
    pub(crate) fn resolving(private: bool, resolver: impl ResolveDns + 'static) -> Self {
        let allowed = if private { allowed_also_privately } else { allowed_publicly };
        let terms = Terms { roots: Roots::Machine, connect: CONNECT, answer: ANSWER, idle: IDLE, allowed };
        Self { connector: Connections::resolving(terms, resolver), private }
    }

    async fn exchange(&self, call: &UpstreamCall) -> Result<Answered, (Failure, String)> {
        let request = request_of(call).map_err(|error| (Failure::Broken, error.to_string()))?;
        let mut answer = self.connector.call(request).await.map_err(|error| (failure_of(&error), chain_of(&error)))?;
        let headers: Vec<(String, String)> =
            answer.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let size: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > HEADERS_MAX {
            return Err((Failure::TooLarge, format!("headers of {size} bytes")));
        }
        let body = body_within(&mut answer, call.response_max).await?;
        Ok(Answered { status: answer.status().as_u16(), headers, body })
    }
}

/// Reads the body of an answer.
///
/// # Errors
/// `TooLarge` above `most` bytes, `Broken` if the body breaks off.
pub(crate) async fn body_within(answer: &mut HttpResponse, most: usize) -> Result<Vec<u8>, (Failure, String)> {
    let (mut stream, mut body) = (ByteStream::new(answer.take_body()), Vec::new());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| (Failure::Broken, chain_of(&error)))?;
        if body.len() + chunk.len() > most {
            return Err((Failure::TooLarge, format!("a body of more than {most} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl CallUpstream for Outgoing {
    async fn call_upstream(&self, call: &UpstreamCall) -> Result<UpstreamOutcome, Fault> {
        let timeout = call.timeout.min(budget::remaining().saturating_sub(RESERVE));
        Ok(match tokio::time::timeout(timeout, self.exchange(call)).await {
            Ok(Ok(answered)) => UpstreamOutcome::Answered(answered),
            Ok(Err((failure, cause))) => UpstreamOutcome::Failed(failure, cause),
            Err(_) => UpstreamOutcome::Failed(Failure::Timeout, format!("no complete answer within {timeout:?}")),
        })
    }
}

pub(crate) fn request_of(call: &UpstreamCall) -> Result<HttpRequest, Box<dyn Error + Send + Sync>> {
    let mut request = http::Request::builder()
        .method(call.method.as_str())
        .uri(format!("{}{}", call.origin, call.target))
        .body(SdkBody::from(call.body.clone()))?;
    for (name, value) in &call.headers {
        request.headers_mut().append(http::HeaderName::try_from(name)?, http::HeaderValue::from_str(value)?);
    }
    Ok(HttpRequest::try_from(request)?)
}

pub(crate) fn failure_of(error: &ConnectorError) -> Failure {
    if error.is_timeout() {
        return Failure::Timeout;
    }
    // The operating system reports that no connection was opened.
    let mut next = error.source();
    while let Some(cause) = next {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::ConnectionRefused) || cause.is::<ResolveDnsError>() {
            return Failure::Unreachable;
        }
        next = cause.source();
    }
    Failure::Broken
}

fn allowed_publicly(address: IpAddr) -> bool {
    Reach::of(address).is_allowed(false)
}

fn allowed_also_privately(address: IpAddr) -> bool {
    Reach::of(address).is_allowed(true)
}

#[cfg(test)]
#[path = "client_tests.rs"]
pub(crate) mod tests;
