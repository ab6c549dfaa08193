//! Calls to servers that are not AWS's, over connections like those to AWS: one try, no redirects
//! followed, and no address that a name should not lead to.

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

/// Longest wait for a TCP and TLS connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest wait for the head of an answer: as long as any service may take. Each call's own time is in its hold.
const ANSWER: Duration = Duration::from_mins(15);
/// How long a connection that nobody uses is kept. Shorter than servers keep theirs, since a request on a connection that
/// its server has just closed is lost, and must not be sent twice.
const IDLE: Duration = Duration::from_secs(4);
/// Time of an invocation kept for what follows a call: its hold is ended, and the caller is answered.
const RESERVE: Duration = Duration::from_secs(3);

/// Calls servers.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(crate) connector: Connections,
    pub(crate) private: bool,
}

impl Outgoing {
    /// Makes what calls them, also at private addresses if `private` says so.
    pub fn new(private: bool) -> Self {
        Self::resolving(private, Machine)
    }

    /// The same, where names lead to what a resolver says.
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

/// Reads the body of an answer, and no further than so many bytes.
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
        let patience = call.timeout.min(budget::remaining().saturating_sub(RESERVE));
        Ok(match tokio::time::timeout(patience, self.exchange(call)).await {
            Ok(Ok(answered)) => UpstreamOutcome::Answered(answered),
            Ok(Err((failure, cause))) => UpstreamOutcome::Failed(failure, cause),
            Err(_) => UpstreamOutcome::Failed(Failure::Timeout, format!("nothing whole within {patience:?}")),
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
    // A connection that was never made, as the operating system says.
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
#[path = "outgoing_tests.rs"]
pub(crate) mod tests;
