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
use crate::plain::{PlainRequest, send};
use crate::signing::signed;

/// The region in whose name requests to services with one address are signed.
const GLOBAL: &str = "us-east-1";

/// Sends a form, such as `Action=DescribeStacks&Version=2010-05-15`, and returns the status and the XML of the answer.
///
/// `service` is both the service's host within the region and its name in signatures.
///
/// # Errors
/// If the request cannot be built or signed, or if no complete answer arrives.
pub async fn query(config: &AwsConfig, service: &'static str, form: String) -> Result<(u16, String), BoxError> {
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let request =
        PlainRequest { host: service, name: service, method: "POST", path: "/".to_owned(), headers, body: form };
    let answer = send(config, request).await?;
    Ok((answer.status, answer.body))
}

/// Posts XML to a path of a service that has one address for all regions, such as `CloudFront`. Returns the status and the
/// XML of the answer.
///
/// # Errors
/// If the request cannot be built or signed, or if no complete answer arrives.
pub async fn post_xml(config: &AwsConfig, service: &str, path: &str, xml: String) -> Result<(u16, String), BoxError> {
    let base = config.address.clone().unwrap_or_else(|| format!("https://{service}.amazonaws.com"));
    let mut request = HttpRequest::new(SdkBody::from(xml));
    request.set_method("POST")?;
    request.set_uri(format!("{base}{path}"))?;
    request.headers_mut().insert("content-type", "application/xml");
    let identity = config.credentials.clone().into();
    let request = signed(&request, &identity, GLOBAL, service, SigningSettings::default())?;
    let mut answer = config.connector.call(request).await?;
    let body = ByteStream::new(answer.take_body()).collect().await?;
    Ok((answer.status().as_u16(), String::from_utf8_lossy(&body.into_bytes()).into_owned()))
}
