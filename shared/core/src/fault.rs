//! Errors: what the caller may see, and the causes for the log.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Timestamp;

/// Declares all error codes: name, wire form and HTTP status.
macro_rules! codes {
    ($($name:ident = $wire:literal $status:literal,)*) => {
        /// A stable error code. Clients branch on it. Messages may change, codes do not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // The wire form beside each name explains it.
        pub enum Code { $($name,)* }

        impl Code {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the code as written in `error.code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $wire,)* }
            }

            /// Returns the HTTP status for the code.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

codes! {
    InvalidRequest = "INVALID_REQUEST" 400,
    InvalidFilename = "INVALID_FILENAME" 400,
    InvalidCursor = "INVALID_CURSOR" 400,
    Unauthenticated = "UNAUTHENTICATED" 401,
    TokenExpired = "TOKEN_EXPIRED" 401,
    InvalidSignature = "INVALID_SIGNATURE" 401,
    ApiKeyNotAccepted = "API_KEY_NOT_ACCEPTED" 401,
    InsufficientCredits = "INSUFFICIENT_CREDITS" 402,
    SubscriptionRequired = "SUBSCRIPTION_REQUIRED" 403,
    RoleRequired = "ROLE_REQUIRED" 403,
    FeatureRequired = "FEATURE_REQUIRED" 403,
    InsufficientScope = "INSUFFICIENT_SCOPE" 403,
    KeyRefused = "KEY_REFUSED" 403,
    StorageQuotaExceeded = "STORAGE_QUOTA_EXCEEDED" 403,
    FileInfected = "FILE_INFECTED" 403,
    EmailMismatch = "EMAIL_MISMATCH" 403,
    OriginNotAllowed = "ORIGIN_NOT_ALLOWED" 403,
    NotFound = "NOT_FOUND" 404,
    ServiceUnknown = "SERVICE_UNKNOWN" 404,
    MethodNotAllowed = "METHOD_NOT_ALLOWED" 405,
    NotReady = "NOT_READY" 409,
    Conflict = "CONFLICT" 409,
    IdempotencyInFlight = "IDEMPOTENCY_IN_FLIGHT" 409,
    AlreadyAnswered = "ALREADY_ANSWERED" 409,
    HoldResolved = "HOLD_RESOLVED" 409,
    HoldExpired = "HOLD_EXPIRED" 409,
    FileTooLarge = "FILE_TOO_LARGE" 413,
    BodyTooLarge = "BODY_TOO_LARGE" 413,
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE" 415,
    UnsupportedFileType = "UNSUPPORTED_FILE_TYPE" 415,
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH" 422,
    WebhookContentMismatch = "WEBHOOK_CONTENT_MISMATCH" 422,
    HoldExceeded = "HOLD_EXCEEDED" 422,
    RateLimited = "RATE_LIMITED" 429,
    GenerationQuotaExceeded = "GENERATION_QUOTA_EXCEEDED" 429,
    Internal = "INTERNAL" 500,
    UpstreamFailed = "UPSTREAM_FAILED" 502,
    Unavailable = "UNAVAILABLE" 503,
    ServiceUnavailable = "SERVICE_UNAVAILABLE" 503,
    UpstreamTimeout = "UPSTREAM_TIMEOUT" 504,
}

/// An error: a code and a sentence for the caller, and a chain of causes for the log.
///
/// The caller never sees the causes. For a 5xx the caller does not even see the message. The contents are boxed, so
/// that a `Result` with a `Fault` stays small.
#[derive(Debug)]
pub struct Fault(Box<FaultDetails>);

/// The contents of a [`Fault`].
#[derive(Debug)]
pub struct FaultDetails {
    /// The code on which callers branch.
    pub code: Code,
    /// The sentence for the person who reads the answer.
    pub message: Cow<'static, str>,
    /// Machine-readable details, such as the field and the limit.
    pub details: Map<String, Value>,
    /// Response headers for this error: `Retry-After`, `Allow`, `RateLimit-*`.
    pub headers: Vec<(&'static str, String)>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Deref for Fault {
    type Target = FaultDetails;

    fn deref(&self) -> &FaultDetails {
        &self.0
    }
}

impl Fault {
    /// Creates a fault with a code and a sentence.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let (message, details) = (message.into(), Map::new());
        Self(Box::new(FaultDetails { code, message, details, headers: Vec::new(), source: None }))
    }

    /// Creates a 400 for an invalid field, which the detail `field` names.
    pub fn field(field: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, message).detail("field", field)
    }

    /// Creates the 404 for a thing that does not exist. A thing of another tenant gets exactly the same answer.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, format!("{what} not found"))
    }

    /// Creates the 400 for a cursor that was altered or belongs to another list.
    pub fn invalid_cursor() -> Self {
        Self::new(Code::InvalidCursor, "cursor was altered or belongs to another list").detail("field", "cursor")
    }

    /// Creates a 500. Only the log shows its cause.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "Something went wrong on our side").because(source)
    }

    /// Creates a 503 that suggests a retry after one second. Only the log shows its cause.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Unavailable, "Please try again in a moment").retry_after(Duration::from_secs(1)).because(source)
    }

    /// Adds a machine-readable detail.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Serialize) -> Self {
        self.0.details.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.headers.push((name, value.to_string()));
        self
    }

    /// Adds `Retry-After`, in whole seconds, at least one. Source: RFC 9110, section 10.2.3.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.header("retry-after", whole_seconds(wait))
    }

    /// Adds the limit and the time at which it resets, as details and as headers.
    #[must_use]
    pub fn limited(self, limit: u64, resets_at: Timestamp, now: Timestamp) -> Self {
        let (fault, wait) = (self.detail("limit", limit).detail("resets_at", resets_at), resets_at.since(now));
        fault.retry_after(wait).header("ratelimit-limit", limit).nothing_left(wait)
    }

    /// Adds the headers of a used-up limit that resets at `resets_at`.
    ///
    /// Header names: IETF draft "`RateLimit` header fields for HTTP", version 03, which most clients read.
    #[must_use]
    pub(crate) fn exhausted(self, resets_at: Timestamp, now: Timestamp) -> Self {
        let wait = resets_at.since(now);
        self.retry_after(wait).nothing_left(wait)
    }

    fn nothing_left(self, wait: Duration) -> Self {
        self.header("ratelimit-remaining", 0).header("ratelimit-reset", whole_seconds(wait))
    }

    /// Adds the cause, which only the log shows.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the whole chain of causes on one line, for the log.
    pub fn chain(&self) -> String {
        chain_of(self)
    }
}

/// Returns an error and its chain of causes on one line, for the log.
pub fn chain_of(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Returns a wait in whole seconds, rounded up, at least one, as response headers need it.
pub(crate) fn whole_seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000).max(1)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_has_every_cause_and_the_message_has_none() {
        let fault = Fault::internal(std::io::Error::other("disk on fire"));
        assert_eq!(fault.chain(), "INTERNAL: Something went wrong on our side: disk on fire");
        assert_eq!(fault.message, "Something went wrong on our side");
    }

    #[test]
    fn retry_after_rounds_up_and_is_never_zero() {
        let header = |wait| Fault::new(Code::RateLimited, "").retry_after(wait).headers[0].1.clone();
        assert_eq!(header(Duration::from_millis(1)), "1");
        assert_eq!(header(Duration::ZERO), "1");
        assert_eq!(header(Duration::from_millis(1001)), "2");
    }
}
