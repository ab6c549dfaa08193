//! Sends one call in AWS's query protocol, or one with XML, to a service of which only a single operation is needed. So its
//! SDK does not have to be linked.
//!
//! Source: AWS General Reference, "Making requests using the AWS query APIs".

use aws_smithy_runtime_api::box_error::BoxError;

use crate::config::AwsConfig;
use crate::plain::{PlainRequest, send, send_global};

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
pub async fn post_xml(
    config: &AwsConfig,
    service: &'static str,
    path: &str,
    xml: String,
) -> Result<(u16, String), BoxError> {
    let headers = vec![("content-type", "application/xml".to_owned())];
    let request =
        PlainRequest { host: service, name: service, method: "POST", path: path.to_owned(), headers, body: xml };
    let answer = send_global(config, request).await?;
    Ok((answer.status, answer.body))
}
