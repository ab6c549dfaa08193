//! The transport that leaves everything to the SDK's own client: endpoints, signing, retries and connections.

use std::future::Future;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::endpoint::{
    EndpointFuture, EndpointResolverParams, ResolveEndpoint, SharedEndpointResolver,
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, http_client_fn};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::endpoint::Endpoint;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::sdk_config::SharedCredentialsProvider;

use super::{ATTEMPT, FIRST_WAIT, Failure, TRIES, name_trace};
use crate::budget;
use crate::config::AwsConfig;

/// Names that [`operations!`](crate::operations) uses in other crates.
#[doc(hidden)]
pub mod parts {
    pub use aws_smithy_runtime_api::client::endpoint::SharedEndpointResolver;
    pub use aws_types::SdkConfig;

    pub use super::Traced;
}

/// What this transport needs from a service besides its names. [`service!`](crate::service) implements it.
pub trait Transported {
    /// The SDK's client of the service.
    type Client: Clone + Send + Sync;

    /// Creates that client. Without a `base` the SDK's own rules find the endpoint.
    fn client(config: &SdkConfig, base: Option<SharedEndpointResolver>) -> Self::Client;
}

/// An operation's builder, filled in but not yet built. [`service!`](crate::service) implements it.
pub trait Operation<S: Transported> {
    /// The answer.
    type Output;
    /// The refusal.
    type Error;

    /// Sends the operation with the SDK's client.
    fn send_by(self, client: &S::Client) -> impl Future<Output = Result<Self::Output, Failure<Self::Error>>> + Send;
}

/// Implements this transport's traits for the operations that [`service!`](crate::service) declares.
#[doc(hidden)]
#[macro_export]
macro_rules! operations {
    (@each $service:ident: $($sdk:ident::$module:ident, $name:ident, $builder:ident, $input:ident, $output:ident, $error:ident;)*) => {
        $(impl $crate::Operation<$service> for $sdk::operation::$module::builders::$builder {
            type Output = $sdk::operation::$module::$output;
            type Error = $sdk::operation::$module::$error;

            async fn send_by(self, client: &$sdk::Client) -> Result<Self::Output, $crate::Failure<Self::Error>> {
                self.send_with(client).await
            }
        })*
    };
    ($service:ident: $sdk:ident::$($operations:tt)*) => {
        impl $crate::Transported for $service {
            type Client = $sdk::Client;

            fn client(config: &$crate::parts::SdkConfig, base: Option<$crate::parts::SharedEndpointResolver>) -> $sdk::Client {
                let mut config = $sdk::config::Builder::from(config).interceptor($crate::parts::Traced);
                config.set_endpoint_resolver(base);
                $sdk::Client::from_conf(config.build())
            }
        }

        $crate::operations! { @each $service: $sdk::$($operations)* }
    };
}

/// Adds the invocation's trace id to every request.
#[derive(Debug)]
pub struct Traced;

impl Intercept for Traced {
    fn name(&self) -> &'static str {
        "Traced"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        name_trace(context.request_mut().headers_mut())
    }
}

/// An endpoint resolver that always returns the same address.
#[derive(Debug)]
struct Base(String);

impl ResolveEndpoint for Base {
    fn resolve_endpoint<'a>(&'a self, _: &'a EndpointResolverParams) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}

/// The SDK's client of a service, and what it was created from.
pub(super) struct Transport<S: Transported> {
    config: SdkConfig,
    base: Option<SharedEndpointResolver>,
    client: S::Client,
}

impl<S: Transported> Clone for Transport<S> {
    fn clone(&self) -> Self {
        Self { config: self.config.clone(), base: self.base.clone(), client: self.client.clone() }
    }
}

impl<S: Transported> Transport<S> {
    fn new(config: SdkConfig, base: Option<SharedEndpointResolver>) -> Self {
        let client = S::client(&config, base.clone());
        Self { config, base, client }
    }

    /// Lets the SDK's rules find the host. They know the hosts of a region and prefix a bucket's name by themselves.
    pub(super) fn hosted(config: &AwsConfig, _: &str) -> Self {
        Self::new(sdk_config(config), None)
    }

    pub(super) fn based(config: &AwsConfig, base: String) -> Self {
        Self::new(sdk_config(config), Some(SharedEndpointResolver::new(Base(base))))
    }

    pub(super) fn once(self) -> Self {
        Self::new(self.config.into_builder().retry_config(RetryConfig::disabled()).build(), self.base)
    }

    /// Sends an operation. The SDK knows no deadline, so all its tries together get the time the invocation can spend.
    pub(super) async fn send<O: Operation<S>>(&self, operation: O) -> Result<O::Output, Failure<O::Error>> {
        // Boxed, because the SDK's futures take ten kilobytes and more.
        let sending = Box::pin(operation.send_by(&self.client));
        match tokio::time::timeout(budget::spendable(), sending).await {
            Ok(outcome) => outcome,
            Err(late) => Err(SdkError::timeout_error(late)),
        }
    }
}

fn sdk_config(config: &AwsConfig) -> SdkConfig {
    let AwsConfig { connector, region, credentials, .. } = config.clone();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(FIRST_WAIT))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
        .build()
}

/// Creates the connections of the SDK's default client: HTTP/1.1 or 2, proxies from the environment, the machine's root
/// certificates.
pub(super) fn connections(connect: Duration, idle: Duration) -> Connector {
    let settings = HttpConnectorSettings::builder().connect_timeout(connect).read_timeout(ATTEMPT).build();
    Connector::builder()
        .connector_settings(settings)
        .pool_idle_timeout(idle)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build()
}
