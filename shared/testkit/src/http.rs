//! An HTTP client for tests and benches. An error status is an answer like any other.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::openapi::answers::{self, Answered};

/// An HTTP client. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    hyper: Hyper<HttpConnector, Full<Bytes>>,
    /// Base of the API whose answers openapi.json must describe.
    api: Option<Arc<str>>,
}

/// An HTTP response.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub bytes: Vec<u8>,
}

impl Response {
    /// Returns the body as JSON, and null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// Returns `error.code` of the body, and "" if there is none.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns the value of a header, and "" if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { hyper: Hyper::builder(TokioExecutor::new()).build(connector), api: None }
    }
}

impl Client {
    /// Makes the client panic if an answer of the API is not as openapi.json describes it. `api` is the API's base URL.
    #[must_use]
    pub fn asserting_documented(self, api: &str) -> Self {
        Self { api: Some(api.into()), ..self }
    }

    /// Sends a request and reads the whole response, within a minute.
    pub async fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        self.try_send(method, url, headers, body).await.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// Like [`Self::send`], but returns an error instead of panicking if the connection breaks.
    pub async fn try_send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
        let uri: Uri = url.parse()?;
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes())?).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let exchange = async {
            let (parts, body) = self.hyper.request(request).await?.into_parts();
            let bytes = body.collect().await?.to_bytes().to_vec();
            Ok(Response { status: parts.status.as_u16(), headers: parts.headers, bytes })
        };
        let response: Result<Response, Box<dyn std::error::Error + Send + Sync>> =
            tokio::time::timeout(Duration::from_mins(1), exchange).await?;
        let path = self.api.as_deref().and_then(|api| url.strip_prefix(api)).filter(|path| path.starts_with('/'));
        if let (Ok(response), Some(path)) = (&response, path) {
            let (status, content_type) = (response.status, response.header("content-type"));
            answers::assert_documented(method, path, &Answered { status, content_type, body: &response.bytes });
        }
        response
    }
}
