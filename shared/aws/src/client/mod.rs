//! A client of one AWS service, and what its two transports have in common.
//!
//! The transport `own` signs, sends and retries by itself. The transport `sdk` leaves all of that to the SDK; the
//! feature `sdk-client` selects it instead of `own`.

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

/// Longest time for one try of a call, from opening the connection to the end of the answer. The invocation's deadline
/// may shorten it.
pub const ATTEMPT: Duration = Duration::from_millis(4_500);
/// Tries of a call that fails with a transient error, including the first. The SDK's standard mode has the same number.
const TRIES: u32 = 3;
/// Longest wait before the second try. It doubles before each further try.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Why a call failed, in the SDK's own error type.
pub type Failure<E> = SdkError<E, HttpResponse>;

/// An AWS service. Declared with [`service!`](crate::service).
pub trait Service: Transported {
    /// Its host within a region, such as `email` for SES.
    const HOST: &'static str;
    /// Its name in signatures, such as `ses` for SES.
    const NAME: &'static str;
}

/// Declares a service: its name in signatures, its host within a region, and the operations that can be called. Each
/// operation is given by the SDK's names of its parts.
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
    /// Creates a client that calls `config.address`, or AWS if there is none.
    pub fn new(config: &AwsConfig) -> Self {
        match &config.address {
            Some(address) => Self::based(config, address.clone()),
            None => Self::hosted(config, S::HOST),
        }
    }

    /// Creates a client of one host in the region at AWS, such as `dynamodb` or `<bucket>.s3`.
    pub fn hosted(config: &AwsConfig, host: &str) -> Self {
        Self { transport: Transport::hosted(config, host) }
    }

    /// Creates a client that calls paths below `base`, an address without a slash at the end.
    pub fn based(config: &AwsConfig, base: String) -> Self {
        Self { transport: Transport::based(config, base) }
    }

    /// Turns retries off, for calls that must not be carried out twice.
    #[must_use]
    pub fn once(self) -> Self {
        Self { transport: self.transport.once() }
    }

    /// Carries out an operation. Retries throttling and failures of the service or the connection while the invocation
    /// has time.
    ///
    /// # Errors
    /// The errors of the SDK's own `send`.
    pub async fn send<O: Operation<S>>(&self, operation: O) -> Result<O::Output, Failure<O::Error>> {
        self.transport.send(operation).await
    }
}

/// Creates the connections over which AWS is called. Opening one takes at most `connect`; an unused one is kept for
/// `idle`. Every request counts in the invocation's budget and ends before its deadline.
pub fn connector(connect: Duration, idle: Duration) -> SharedHttpConnector {
    SharedHttpConnector::new(Metered(transport::connections(connect, idle)))
}

/// Adds the invocation's trace id to a request. With it X-Ray follows a request from service to service, and Lambda
/// detects functions that call themselves for ever.
fn name_trace(headers: &mut Headers) -> Result<(), BoxError> {
    if let Some(trace) = budget::trace() {
        headers.try_insert("x-amzn-trace-id", trace)?;
    }
    Ok(())
}
