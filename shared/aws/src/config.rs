//! What all AWS clients of a function share.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

/// The connections, region and credentials with which a function calls AWS, and the address if it is not AWS's own.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// The connections that all clients share.
    pub connector: SharedHttpConnector,
    /// The region, such as `eu-west-3`: part of AWS's addresses and of signatures.
    pub region: String,
    /// The credentials of the function's role.
    pub credentials: Credentials,
    /// The address at which every service is called instead of AWS, without a slash at the end. A laptop's stack sets
    /// it.
    pub address: Option<String>,
}

impl AwsConfig {
    /// Returns the URL of a host in the region, such as `dynamodb` or `<bucket>.s3`.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}.{}.amazonaws.com", self.region)
    }

    /// Wraps the connections in `around`. Tests use this to watch or fake calls.
    #[must_use]
    pub fn through(mut self, around: impl FnOnce(SharedHttpConnector) -> SharedHttpConnector) -> Self {
        self.connector = around(self.connector);
        self
    }

    /// Calls every service at `address` instead of AWS.
    #[must_use]
    pub fn at(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into().trim_end_matches('/').to_owned());
        self
    }
}
