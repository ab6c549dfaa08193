//! Who calls AWS: what all clients of a function share.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

/// The connections, the region and the credentials by which a function calls AWS, and the address, if it is not AWS's own.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// The connections.
    pub connector: SharedHttpConnector,
    /// The region.
    pub region: String,
    /// Credentials of the function's role.
    pub credentials: Credentials,
    /// Where every service is called instead of at AWS, without a slash at the end.
    pub address: Option<String>,
}

impl AwsConfig {
    /// Gives the address of a host of the region: `dynamodb` is such a host, and `<bucket>.s3`.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}.{}.amazonaws.com", self.region)
    }

    /// Puts something around the connections, as tests do.
    #[must_use]
    pub fn through(mut self, around: impl FnOnce(SharedHttpConnector) -> SharedHttpConnector) -> Self {
        self.connector = around(self.connector);
        self
    }

    /// Calls every service at another address.
    #[must_use]
    pub fn at(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into().trim_end_matches('/').to_owned());
        self
    }
}
