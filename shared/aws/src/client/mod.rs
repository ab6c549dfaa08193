//! A client of one service, and what its two transports have in common.
//!
//! `own` signs, sends and tries again by itself. `sdk` leaves all of that to the SDK; the feature `sdk-client` puts it in
//! the first one's place.

#[cfg(not(feature = "sdk-client"))]
mod own;
#[cfg(not(feature = "sdk-client"))]
mod retry;
#[cfg(feature = "sdk-client")]
mod sdk;

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Headers;

use crate::budget;
use crate::config::AwsConfig;
use crate::metered::Metered;

#[cfg(not(feature = "sdk-client"))]
use own as transport;
#[cfg(feature = "sdk-client")]
use sdk as transport;

use transport::Transport;
pub use transport::{Operation, Transported, parts};

/// Longest wait for one try of a call, from its connection to the end of its answer. The invocation's deadline may make it
/// shorter.
pub const ATTEMPT: Duration = Duration::from_millis(4_500);
/// Tries of a call that fails for what goes away by itself, the first included. As in the SDK's standard mode.
const TRIES: u32 = 3;
/// Longest wait before the second try; doubled before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Why a call failed, as the SDK says it.
pub type Failure<E> = SdkError<E, HttpResponse>;

/// A service.
pub trait Service: Transported {
    /// Its host within a region.
    const HOST: &'static str;
    /// Its name in signatures.
    const NAME: &'static str;
}

/// Declares a service by its name in signatures and its host within a region, and which of its operations there are, by the
/// names the SDK has for their parts.
///
/// `service! { struct Mail: "ses" at "email"; aws_sdk_ses::send_raw_email, SendRawEmail, SendRawEmailInputBuilder, ...; }`
#[macro_export]
macro_rules! service {
    (
        $(#[$meta:meta])* $vis:vis struct $service:ident: $called:literal at $host:literal;
        $($operations:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        $vis struct $service;

        impl $crate::Service for $service {
            const HOST: &'static str = $host;
            const NAME: &'static str = $called;
        }

        $crate::operations! { $service: $($operations)* }
    };
}

/// A client of one service.
pub struct Client<S: Service> {
    transport: Transport<S>,
}

impl<S: Service> Clone for Client<S> {
    fn clone(&self) -> Self {
        Self { transport: self.transport.clone() }
    }
}

impl<S: Service> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client of {}", S::HOST)
    }
}

impl<S: Service> Client<S> {
    /// Makes a client.
    pub fn new(config: &AwsConfig) -> Self {
        match &config.address {
            Some(address) => Self::based(config, address.clone()),
            None => Self::hosted(config, S::HOST),
        }
    }

    /// Makes a client of a host of the region at AWS: `dynamodb` is such a host, and `<bucket>.s3`.
    pub fn hosted(config: &AwsConfig, host: &str) -> Self {
        Self { transport: Transport::hosted(config, host) }
    }

    /// Makes a client of what lies below an address, without a slash at the end.
    pub fn based(config: &AwsConfig, base: String) -> Self {
        Self { transport: Transport::based(config, base) }
    }

    /// Makes one try do, for calls of which a second may do twice what the first one has done.
    #[must_use]
    pub fn once(self) -> Self {
        Self { transport: self.transport.once() }
    }

    /// Carries out an operation. Throttling, trouble of the service's own and of the connection are tried again, as far as
    /// the invocation's time allows.
    ///
    /// # Errors
    /// As the SDK's own `send`.
    pub async fn send<O: Operation<S>>(&self, operation: O) -> Result<O::Output, Failure<O::Error>> {
        self.transport.send(operation).await
    }
}

/// Makes the connections on which AWS is called, each waited for and kept unused for no longer than given. Every request
/// is counted on its invocation's account, and none outlives it.
pub fn connector(connect: Duration, idle: Duration) -> SharedHttpConnector {
    SharedHttpConnector::new(Metered(transport::connections(connect, idle)))
}

/// Names the invocation's trace in a request, by which X-Ray follows it from service to service, and Lambda notices
/// functions that call themselves for ever.
fn name_trace(headers: &mut Headers) -> Result<(), BoxError> {
    if let Some(trace) = budget::trace() {
        headers.try_insert("x-amzn-trace-id", trace)?;
    }
    Ok(())
}
