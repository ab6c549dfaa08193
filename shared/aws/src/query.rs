//! Sends one call in AWS's query protocol. Tools use it for a service of which they need a single operation, so that
//! they do not have to link its SDK.
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

/// Sends a form, such as `Action=DescribeStacks&Version=2010-05-15`, and returns the status and the XML of the answer.
///
/// `service` is both the service's host within the region and its name in signatures.
///
/// # Errors
/// If the request cannot be built or signed, or if no complete answer arrives.
pub async fn query(config: &AwsConfig, service: &str, form: String) -> Result<(u16, String), BoxError> {
    let base = config.address.clone().unwrap_or_else(|| config.url(service));
    let mut request = HttpRequest::new(SdkBody::from(form));
    request.set_method("POST")?;
    request.set_uri(format!("{base}/"))?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
    let identity = config.credentials.clone().into();
    let request = signed(&request, &identity, &config.region, service, SigningSettings::default())?;
    let mut answer = config.connector.call(request).await?;
    let body = ByteStream::new(answer.take_body()).collect().await?;
    Ok((answer.status().as_u16(), String::from_utf8_lossy(&body.into_bytes()).into_owned()))
}
