//! Counts and bounds every request to AWS, whichever transport sends it.

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::budget;

/// Counts every request in the invocation's budget, and ends it with a timeout before the invocation's deadline.
#[derive(Debug)]
pub(crate) struct Metered<C>(pub(crate) C);

impl<C: HttpConnector> HttpConnector for Metered<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        budget::count_aws_call();
        let answer = tokio::time::timeout(budget::spendable(), self.0.call(request));
        HttpConnectorFuture::new(async move {
            answer.await.unwrap_or_else(|late| Err(ConnectorError::timeout(late.into())))
        })
    }
}
