//! Sends one call in AWS's query protocol. Tools use it for a service of which they need a single operation, so that
//! they do not have to link its SDK.
//!
//! Source: AWS General Reference, "Making requests using the AWS query APIs".

use aws_smithy_runtime_api::box_error::BoxError;

use crate::config::AwsConfig;
use crate::plain::{PlainRequest, send};

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
