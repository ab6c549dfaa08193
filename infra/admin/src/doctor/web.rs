//! Reads addresses outside AWS: the issuer of session tokens, Stripe, the language model, and the API itself.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use consigne_aws::connections::{Connections, IDLE, Roots, Terms};

/// Longest time for one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A client for addresses outside AWS.
#[derive(Clone, Debug)]
pub(crate) struct Web(Connections);

impl Web {
    /// Creates it.
    pub(crate) fn new() -> Self {
        let terms = Terms { roots: Roots::Machine, connect: ANSWER, answer: ANSWER, idle: IDLE, allowed: |_| true };
        Self(Connections::new(terms))
    }

    /// Reads an address, with a bearer token if there is one. Returns the status and the body.
    ///
    /// # Errors
    /// If no answer arrives. The error does not contain the token.
    pub(crate) async fn get(&self, url: &str, bearer: Option<&str>) -> Result<(u16, String), String> {
        let unreadable = |_| "the address cannot be read".to_owned();
        let mut request = HttpRequest::get(url).map_err(unreadable)?;
        if let Some(token) = bearer {
            let header = request.headers_mut().try_insert("authorization", format!("Bearer {token}"));
            header.map_err(|_| "the key cannot be sent in a header".to_owned())?;
        }
        let exchange = async {
            let answer = self.0.call(request).await;
            let mut answer = answer.map_err(|error| crate::operator::causes(&error))?;
            let body = ByteStream::new(answer.take_body()).collect().await;
            let body = body.map_err(|error| crate::operator::causes(&error))?;
            Ok((answer.status().as_u16(), String::from_utf8_lossy(&body.into_bytes()).into_owned()))
        };
        let late = || Err(format!("no answer within {} s", ANSWER.as_secs()));
        tokio::time::timeout(ANSWER, exchange).await.unwrap_or_else(|_| late())
    }
}
