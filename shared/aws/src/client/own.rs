//! The transport of our own: the SDK serializes the request and reads the answer; signing, sending and retries are
//! ours.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_sigv4::http_request::{PayloadChecksumKind, PercentEncodingMode, SigningSettings, UriPathNormalizationMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse as _, SerializeRequest as _, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer, Layer, Storable, StoreReplace};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;

use super::FIRST_WAIT;
use super::retry::is_retryable;
use super::{ATTEMPT, Failure, Service, TRIES, name_trace};
use crate::backoff::Backoff;
use crate::config::AwsConfig;
use crate::connections::{Connections, Roots, Terms};
use crate::signing::signed;

/// The `User-Agent` header of every request.
const USER_AGENT: &str = concat!("consigne/", env!("CARGO_PKG_VERSION"));

/// Names that [`operations!`](crate::operations) uses in other crates.
#[doc(hidden)]
pub mod parts {
    pub use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
    pub use aws_smithy_types::error::operation::BuildError;
}

/// What this transport needs from a service besides its names: nothing.
pub trait Transported {}

impl<S> Transported for S {}

/// An operation's builder, filled in but not yet built. [`service!`](crate::service) implements it.
pub trait Operation<S> {
    /// The request.
    type Input: fmt::Debug + Send + Sync + 'static;
    /// The answer.
    type Output: fmt::Debug + Send + Sync + 'static;
    /// The refusal, with a code.
    type Error: std::error::Error + ProvideErrorMetadata + fmt::Debug + Send + Sync + 'static;

    /// Builds the request.
    fn finish(self) -> Result<Self::Input, BuildError>;

    /// Returns the SDK's plugin that says how the operation is serialized, signed and read.
    fn plugin() -> impl RuntimePlugin;
}

/// Implements this transport's traits for the operations that [`service!`](crate::service) declares.
#[doc(hidden)]
#[macro_export]
macro_rules! operations {
    ($service:ident: $($sdk:ident::$module:ident, $name:ident, $builder:ident, $input:ident, $output:ident, $error:ident;)*) => {
        $(impl $crate::Operation<$service> for $sdk::operation::$module::builders::$builder {
            type Input = $sdk::operation::$module::$input;
            type Output = $sdk::operation::$module::$output;
            type Error = $sdk::operation::$module::$error;

            fn finish(self) -> Result<Self::Input, $crate::parts::BuildError> {
                self.build()
            }

            fn plugin() -> impl $crate::parts::RuntimePlugin {
                $sdk::operation::$module::$name::new()
            }
        })*
    };
}

/// Sends the operations of one service. The work is done by [`Wire`], which knows no operation types.
pub(super) struct Transport<S> {
    wire: Wire,
    service: PhantomData<fn() -> S>,
}

impl<S> Clone for Transport<S> {
    fn clone(&self) -> Self {
        Self { wire: self.wire.clone(), service: PhantomData }
    }
}

impl<S: Service> Transport<S> {
    pub(super) fn hosted(config: &AwsConfig, host: &str) -> Self {
        Self::based(config, config.url(host))
    }

    pub(super) fn based(config: &AwsConfig, base: String) -> Self {
        let identity = config.credentials.clone().into();
        let wire = Wire { config: config.clone(), identity, base, name: S::NAME, tries: TRIES };
        Self { wire, service: PhantomData }
    }

    pub(super) fn once(mut self) -> Self {
        self.wire.tries = 1;
        self
    }

    pub(super) async fn send<O: Operation<S>>(&self, operation: O) -> Result<O::Output, Failure<O::Error>> {
        let input = operation.finish().map_err(SdkError::construction_failure)?;
        let how = How {
            operation: O::plugin().config().unwrap_or_else(|| Layer::new("nothing").freeze()),
            code: |error| error.downcast_ref::<O::Error>().and_then(ProvideErrorMetadata::code),
        };
        // From here on types are erased, so that this code is compiled once and not for every operation.
        match self.wire.exchange(&how, Input::erase(input)).await {
            Ok(output) => {
                output.downcast().map_err(|_| SdkError::construction_failure("an answer of another operation"))
            }
            Err(Failed::Refused(refusal, answer)) => Err(match refusal.downcast() {
                Ok(refusal) => SdkError::service_error(refusal, answer),
                Err(other) => SdkError::response_error(other, answer),
            }),
            Err(Failed::Broken(failure)) => Err(failure.map_service_error(|never| match never {})),
        }
    }
}

/// How an operation is carried out, with its type erased.
struct How {
    /// The SDK's configuration of the operation.
    operation: FrozenLayer,
    /// Returns the code of one of its refusals.
    code: for<'a> fn(&'a Error) -> Option<&'a str>,
}

impl How {
    fn part<T: Storable<Storer = StoreReplace<T>>>(&self) -> Result<&T, BoxError> {
        self.operation.load::<T>().ok_or_else(|| "the operation does not say how it is carried out".into())
    }
}

/// Why a call failed, with the operation's type erased.
// As large as the SDK's own error, into which it is converted. A box would be opened once at every failure.
#[allow(clippy::large_enum_variant)]
pub(super) enum Failed {
    /// The service answered with an error.
    Refused(Error, HttpResponse),
    /// No answer came, or none that could be read.
    Broken(Failure<Infallible>),
}

impl Failed {
    /// The failure of a request that was never sent.
    fn before(error: BoxError) -> Self {
        Self::Broken(SdkError::construction_failure(error))
    }

    /// The failure of a request whose answer is an error or cannot be read.
    fn on(error: OrchestratorError<Error>, answer: HttpResponse) -> Self {
        let mut refusal = None;
        // The SDK has no other way to take a refusal out of its error.
        let rest = error.map_operation_error(|error| {
            refusal = Some(error);
            fmt::Error
        });
        match refusal {
            Some(refusal) => Self::Refused(refusal, answer),
            None => Self::Broken(SdkError::response_error(rest, answer)),
        }
    }
}

/// A client with the service's type erased.
#[derive(Clone)]
struct Wire {
    config: AwsConfig,
    identity: Identity,
    base: String,
    name: &'static str,
    tries: u32,
}

impl Wire {
    async fn exchange(&self, how: &How, input: Input) -> Result<Output, Failed> {
        let request = self.request(how, input).map_err(Failed::before)?;
        let mut backoff = Backoff::of_calls(self.tries, FIRST_WAIT);
        loop {
            let outcome = self.attempt(how, &request).await;
            match &outcome {
                Err(failed) if is_retryable(failed, how.code) && backoff.wait().await => {}
                _ => return outcome,
            }
        }
    }

    fn request(&self, how: &How, input: Input) -> Result<HttpRequest, BoxError> {
        let mut request = how.part::<SharedRequestSerializer>()?.serialize_input(input, &mut ConfigBag::base())?;
        request.uri_mut().set_endpoint(&self.base)?;
        request.headers_mut().insert("user-agent", USER_AGENT);
        name_trace(request.headers_mut())?;
        Ok(request)
    }

    /// Makes one try. Each try is signed anew, because a signature carries its time.
    async fn attempt(&self, how: &How, request: &HttpRequest) -> Result<Output, Failed> {
        let signed = self.signed(how, request).map_err(Failed::before)?;
        let deserializer = how.part::<SharedResponseDeserializer>().map_err(Failed::before)?;
        let attempt = async {
            let answer = self.config.connector.call(signed).await;
            let mut answer = answer.map_err(|error| Failed::Broken(SdkError::dispatch_failure(error)))?;
            let bag = ConfigBag::base();
            if let Some(output) = deserializer.deserialize_streaming_with_config(&mut answer, &bag) {
                return output.map_err(|error| Failed::on(error, answer));
            }
            match ByteStream::new(answer.take_body()).collect().await {
                Ok(body) => *answer.body_mut() = SdkBody::from(body.into_bytes()),
                Err(error) => return Err(Failed::Broken(SdkError::response_error(error, answer))),
            }
            let read = deserializer.deserialize_nonstreaming_with_config(&answer, &bag);
            read.map_err(|error| Failed::on(error, answer))
        };
        match tokio::time::timeout(ATTEMPT, attempt).await {
            Ok(outcome) => outcome,
            Err(late) => Err(Failed::Broken(SdkError::timeout_error(late))),
        }
    }

    fn signed(&self, how: &How, request: &HttpRequest) -> Result<HttpRequest, BoxError> {
        let how = &how.part::<SigV4OperationSigningConfig>()?.signing_options;
        let mut settings = SigningSettings::default();
        if !how.double_uri_encode {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
        }
        if !how.normalize_uri_path {
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if how.content_sha256_header {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        signed(request, &self.identity, &self.config.region, self.name, settings)
    }
}

/// Creates connections of our own that accept AWS's certificates only.
pub(super) fn connections(connect: Duration, idle: Duration) -> Connections {
    Connections::new(Terms { roots: Roots::Amazon, connect, answer: ATTEMPT, idle, allowed: |_| true })
}
