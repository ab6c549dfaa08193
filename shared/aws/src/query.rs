//! Sends one call in AWS's query protocol, or one with XML, to a service of which only a single operation is needed. So its
//! SDK does not have to be linked.
//!
//! Source: AWS General Reference, "Making requests using the AWS query APIs".

use aws_sigv4::http_request::SigningSettings;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::config::AwsConfig;
use crate::signing::signed;

/// The region in whose name requests to services with one address are signed.
const GLOBAL: &str = "us-east-1";

/// Sends a form, such as `Action=DescribeStacks&Version=2010-05-15`, and returns the status and the XML of the answer.
///
/// `service` is both the service's host within the region and its name in signatures.
///
/// # Errors
/// If the request cannot be built or signed, or if no complete answer arrives.
pub async fn query(config: &AwsConfig, service: &str, form: String) -> Result<(u16, String), BoxError> {
    let base = config.address.clone().unwrap_or_else(|| config.url(service));
    post(config, (service, &config.region), format!("{base}/"), "application/x-www-form-urlencoded", form).await
}

/// Posts XML to a path of a service that has one address for all regions, such as `CloudFront`. Returns the status and the
/// XML of the answer.
///
/// # Errors
/// If the request cannot be built or signed, or if no complete answer arrives.
pub async fn post_xml(config: &AwsConfig, service: &str, path: &str, xml: String) -> Result<(u16, String), BoxError> {
    let base = config.address.clone().unwrap_or_else(|| format!("https://{service}.amazonaws.com"));
    post(config, (service, GLOBAL), format!("{base}{path}"), "application/xml", xml).await
}

async fn post(
    config: &AwsConfig,
    (service, region): (&str, &str),
    url: String,
    content_type: &'static str,
    body: String,
) -> Result<(u16, String), BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri(url)?;
    request.headers_mut().insert("content-type", content_type);
    let identity = config.credentials.clone().into();
    let request = signed(&request, &identity, region, service, SigningSettings::default())?;
    let mut answer = config.connector.call(request).await?;
    let body = ByteStream::new(answer.take_body()).collect().await?;
    Ok((answer.status().as_u16(), String::from_utf8_lossy(&body.into_bytes()).into_owned()))
}
