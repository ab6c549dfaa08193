//! One connection pool, one set of credentials and one region for all AWS clients of a function.
//!
//! It does not use `aws_config`, whose search for credentials and certificates takes longer than everything else in a
//! start. A function has its credentials in its environment and needs only the root certificates of AWS.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::sdk_config::SharedCredentialsProvider;
use consigne_aws::connections::IDLE;
use consigne_aws::{ATTEMPT, AwsConfig, connector};
use consigne_storage::Endpoint;

use crate::settings::EnvVars;

/// Longest time to open a TCP and TLS connection, the same as the SDK's. A function with 256 MB has a seventh of a
/// processor, so a handshake just after its start may take more than a second. Source: AWS SDK for Rust,
/// `ConnectTimeout` default of 3.1 s.
const CONNECT: Duration = Duration::from_millis(3_100);
/// How long an unused connection to a service is kept if its calls must not be repeated.
const BRIEF: Duration = Duration::from_secs(4);

/// What all AWS clients of a function share.
#[derive(Clone, Debug)]
pub struct Aws {
    /// The configuration from which clients are created.
    pub config: AwsConfig,
    /// The endpoint of the bucket.
    pub endpoint: Endpoint,
}

impl Aws {
    /// Reads region, credentials and endpoint from the variables that Lambda sets.
    pub fn from_environment(environment: &EnvVars) -> Self {
        let variable = |name| environment.variable(name).unwrap_or_default();
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID"),
            variable("AWS_SECRET_ACCESS_KEY"),
            environment.variable("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let address = if environment.is_describing() { None } else { environment.variable("AWS_ENDPOINT_URL") };
        Self::new(variable("AWS_REGION"), credentials, address)
    }

    /// Creates the configuration for a region, at AWS or at another address.
    pub fn new(region: String, credentials: Credentials, address: Option<String>) -> Self {
        let connector = connector(CONNECT, IDLE);
        let address = address.map(|address| address.trim_end_matches('/').to_owned());
        let endpoint = address.clone().map_or(Endpoint::Aws, Endpoint::At);
        Self { config: AwsConfig { connector, region, credentials, address }, endpoint }
    }

    /// Returns the configuration for clients of a service whose calls must not be repeated. Unused connections are
    /// dropped before the server closes them, because a request on a connection that was just closed is lost.
    ///
    /// As in the SDK, `AWS_ENDPOINT_URL_<service>` sets another address for that service alone.
    pub fn config_once(&self, service: &str, environment: &EnvVars) -> AwsConfig {
        let config = self.config.clone().through(|_| connector(CONNECT, BRIEF));
        let name = format!("AWS_ENDPOINT_URL_{service}");
        let address = if environment.is_describing() { None } else { environment.variable(&name) };
        match address {
            Some(address) => config.at(address),
            None => config,
        }
    }

    /// Returns the configuration for the SDK's own clients. Only tools and tests use them, no function does.
    pub fn sdk_config(&self) -> SdkConfig {
        let AwsConfig { connector, region, credentials, address } = self.config.clone();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build());
        config.set_endpoint_url(address);
        config.build()
    }
}

/// Opens a connection to a host of the region, such as `dynamodb` or `<bucket>.s3`, before the first request needs it.
/// A handshake takes a small function most of a second.
///
/// Does nothing at an address other than AWS's. Never fails: the first request will report the error.
pub(crate) async fn warm(config: AwsConfig, host: String) {
    if config.address.is_none()
        && let Ok(request) = HttpRequest::get(format!("{}/ping", config.url(&host)))
        && let Ok(mut answer) = config.connector.call(request).await
    {
        // Any answer will do. If it is not read to its end, the connection is closed.
        let rest = ByteStream::new(answer.take_body()).collect();
        drop(tokio::time::timeout(CONNECT, rest).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_have_an_address_of_its_own() {
        let variables = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_SES", "http://ses")];
        let environment = EnvVars::fixed(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let aws = Aws::from_environment(&environment);
        let address = |service| aws.config_once(service, &environment).address;
        assert_eq!(address("SES").as_deref(), Some("http://ses"));
        assert_eq!(address("SQS").as_deref(), Some("http://all"));
    }
}
