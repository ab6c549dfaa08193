//! Sends one signed request as it is written, and returns the answer as it is. Tools use it for services of which they
//! need a few operations, so that they do not have to link an SDK for each.
//!
//! Source: AWS General Reference, "Signature Version 4 for API requests".

use aws_sigv4::http_request::{PayloadChecksumKind, PercentEncodingMode, SigningSettings, UriPathNormalizationMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::config::AwsConfig;
use crate::signing::signed;

/// A request to a service of AWS.
#[derive(Clone, Debug)]
pub struct PlainRequest {
    /// The service's host, such as `email` for SES.
    pub host: &'static str,
    /// The service's name in signatures, such as `ses`. S3 has rules of its own for paths and payloads.
    pub name: &'static str,
    /// `GET`, `POST` and the like.
    pub method: &'static str,
    /// Path and query, encoded, beginning with a slash.
    pub path: String,
    /// Headers besides those of the signature.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: String,
}

/// The answer to a [`PlainRequest`].
#[derive(Clone, Debug, Default)]
pub struct PlainAnswer {
    /// Status of HTTP.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The header `date`: the service's clock.
    pub date: Option<String>,
    /// The header `x-amzn-errortype`, in which some services name an error.
    pub error: Option<String>,
}

/// The region in whose name requests to services with one address are signed.
const GLOBAL: &str = "us-east-1";

/// Signs and sends a request to a service of the region.
///
/// # Errors
/// If it cannot be built or signed, or if no complete answer arrives.
pub async fn send(config: &AwsConfig, plain: PlainRequest) -> Result<PlainAnswer, BoxError> {
    let url = config.url(plain.host);
    send_to(config, url, &config.region, plain).await
}

/// Signs and sends a request to a service that has one address for all regions, such as `CloudFront`.
///
/// # Errors
/// As [`send`].
pub async fn send_global(config: &AwsConfig, plain: PlainRequest) -> Result<PlainAnswer, BoxError> {
    let url = format!("https://{}.amazonaws.com", plain.host);
    send_to(config, url, GLOBAL, plain).await
}

/// Sends a request to `url`, or to the address that stands in for AWS.
async fn send_to(config: &AwsConfig, url: String, region: &str, plain: PlainRequest) -> Result<PlainAnswer, BoxError> {
    let base = config.address.clone().unwrap_or(url);
    let mut request = HttpRequest::new(SdkBody::from(plain.body));
    request.set_method(plain.method)?;
    request.set_uri(format!("{base}{}", plain.path))?;
    for (name, value) in plain.headers {
        request.headers_mut().try_insert(name, value)?;
    }
    let mut settings = SigningSettings::default();
    if plain.name == "s3" {
        // S3 encodes paths once and wants the payload's hash in a header. Source: Amazon S3 API reference,
        // "Authenticating Requests: Using the Authorization Header".
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity = config.credentials.clone().into();
    let request = signed(&request, &identity, region, plain.name, settings)?;
    let mut answer = config.connector.call(request).await?;
    let header = |name: &str| answer.headers().get(name).map(str::to_owned);
    let (date, error) = (header("date"), header("x-amzn-errortype"));
    let body = ByteStream::new(answer.take_body()).collect().await?;
    let body = String::from_utf8_lossy(&body.into_bytes()).into_owned();
    Ok(PlainAnswer { status: answer.status().as_u16(), body, date, error })
}
