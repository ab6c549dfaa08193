use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use hyper::body::{Body, Bytes, Frame};

use super::*;

/// A server that begins to answer and then never sends the body.
#[derive(Debug)]
struct Stalling;

/// The body that never arrives.
struct Stalled;

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

impl HttpConnector for Stalling {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let answer = HttpResponse::new(206.try_into().unwrap(), SdkBody::from_body_1_x(Stalled));
        HttpConnectorFuture::ready(Ok(answer))
    }
}

#[tokio::test(start_paused = true)]
async fn reading_an_object_that_stalls_times_out() {
    let config = AwsConfig {
        connector: SharedHttpConnector::new(Stalling),
        region: "eu-west-3".to_owned(),
        credentials: Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"),
        address: None,
    };
    let begun = tokio::time::Instant::now();
    Bucket::new(&config, "photos").read_head("user_ann1/a.png", None, 10).await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), BEGINNING.as_secs());
}
