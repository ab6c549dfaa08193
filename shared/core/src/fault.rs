//! Errors: what the caller may see, and the causes for the log.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Timestamp;

/// Declares all error codes: meaning, name, wire form, HTTP status, and what the caller can do about it.
macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $wire:literal $status:literal => $remedy:literal,)*) => {
        /// A stable error code. Clients branch on it. Messages may change, codes do not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $meaning])+ $name,)* }

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

            /// Says when the code is sent, for docs/reference/errors.md.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii(),)* }
            }

            /// Says what the caller can do about it, for docs/reference/errors.md.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

codes! {
    /// The request is malformed, or one of its fields has a value that is not allowed.
    InvalidRequest = "INVALID_REQUEST" 400
        => "Correct the field that `details.field` names.",
    /// The file name is empty, too long, a path, or has control or invisible characters.
    InvalidFilename = "INVALID_FILENAME" 400
        => "Choose another name.",
    /// The cursor was altered, or belongs to another list.
    InvalidCursor = "INVALID_CURSOR" 400
        => "Start the list again without a cursor.",
    /// The credential is missing or not valid, or the account is closed. At the gateway also: the API key is
    /// revoked or expired.
    Unauthenticated = "UNAUTHENTICATED" 401
        => "Send a valid credential; see [Authentication](authentication.md).",
    /// The session token has expired.
    TokenExpired = "TOKEN_EXPIRED" 401
        => "Ask the issuer for a new one and repeat the request.",
    /// The signature of a webhook is missing, wrong or too old.
    InvalidSignature = "INVALID_SIGNATURE" 401
        => "Sign with the current secret, over the bytes that are sent, and check the clock.",
    /// An API key was sent to a route for signed-in people.
    ApiKeyNotAccepted = "API_KEY_NOT_ACCEPTED" 401
        => "Send a session token; API keys open the gateway only.",
    /// The wallet has too few credits for the charge or the hold.
    InsufficientCredits = "INSUFFICIENT_CREDITS" 402
        => "Buy credits, then repeat the request.",
    /// The caller's plan is too small.
    SubscriptionRequired = "SUBSCRIPTION_REQUIRED" 403
        => "Change to the plan in `details.required` or a larger one.",
    /// The caller's role may not call this route.
    RoleRequired = "ROLE_REQUIRED" 403
        => "Ask a member with one of the roles in `details.required`; see [Roles](roles.md).",
    /// The caller's plan does not include the feature.
    FeatureRequired = "FEATURE_REQUIRED" 403
        => "Change to a plan with the feature in `details.required`; see [Plans and limits](plans-and-limits.md).",
    /// The API key does not have the scope that the call needs.
    InsufficientScope = "INSUFFICIENT_SCOPE" 403
        => "Add the scope to the key, or use another key.",
    /// The API key is revoked, expired or suspended.
    KeyRefused = "KEY_REFUSED" 403
        => "Use another key; `details` says why this one is refused.",
    /// The file does not fit into what is left of the plan's storage.
    StorageQuotaExceeded = "STORAGE_QUOTA_EXCEEDED" 403
        => "Delete files, or change to a larger plan.",
    /// Malware was found in the file. It was removed and cannot be read.
    FileInfected = "FILE_INFECTED" 403
        => "Upload a clean file.",
    /// The invitation is for another e-mail address than the caller's verified one.
    EmailMismatch = "EMAIL_MISMATCH" 403
        => "Sign in with the invited address.",
    /// The installation requires a second factor for this, verified a few minutes ago. The token shows none.
    SecondFactorRequired = "SECOND_FACTOR_REQUIRED" 403
        => "Let the person verify their second factor, and repeat the request with the new token.",
    /// The token is that of somebody who is signed in as another person, and only the person themselves may do this.
    ImpersonationRefused = "IMPERSONATION_REFUSED" 403
        => "Let the person do it in a session of their own.",
    /// A write with a session cookie came from a page that is not one of the applications.
    OriginNotAllowed = "ORIGIN_NOT_ALLOWED" 403
        => "Send the token in a header, or add the origin to `AuthorizedParties`.",
    /// The thing or the route does not exist, or belongs to somebody else.
    NotFound = "NOT_FOUND" 404
        => "Check the id and the path.",
    /// The gateway has no service of that name.
    ServiceUnknown = "SERVICE_UNKNOWN" 404
        => "Use a name that `GET /api/services` lists.",
    /// The path exists, but not with this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED" 405
        => "Use a method that the header `Allow` lists.",
    /// The file has been uploaded but not checked yet.
    NotReady = "NOT_READY" 409
        => "Repeat the request after `Retry-After`.",
    /// Files can be published only where the installation has a CDN, and this one has none.
    CdnRequired = "CDN_REQUIRED" 409
        => "Ask the operator for a CDN: `make deploy EDGE=1`.",
    /// The file was rejected after its upload, because it is not what was declared. `details.reason` says what it is.
    FileRejected = "FILE_REJECTED" 409
        => "Upload it again under its own type; this file stays rejected.",
    /// Something changed in the meantime, or its state does not allow the request.
    Conflict = "CONFLICT" 409
        => "Read it again, then decide whether the request still makes sense.",
    /// Another call with the same `Idempotency-Key` is still running.
    IdempotencyInFlight = "IDEMPOTENCY_IN_FLIGHT" 409
        => "Repeat the request after `Retry-After`.",
    /// A gateway call with the same `Idempotency-Key` has ended; its answer was not kept.
    AlreadyAnswered = "ALREADY_ANSWERED" 409
        => "Use another key for another call.",
    /// The hold was already settled or voided otherwise; `details.status` says how.
    HoldResolved = "HOLD_RESOLVED" 409
        => "Nothing: the hold has ended.",
    /// The hold has expired, and its credits are free again.
    HoldExpired = "HOLD_EXPIRED" 409
        => "Open a new hold.",
    /// The file has changed since the revision that `If-Match` names.
    PreconditionFailed = "PRECONDITION_FAILED" 412
        => "Read the file again, then repeat the change with its `ETag`.",
    /// The file is larger than the plan allows for its kind.
    FileTooLarge = "FILE_TOO_LARGE" 413
        => "Send a smaller file, or change to a larger plan.",
    /// The request body is larger than `details.limit` bytes.
    BodyTooLarge = "BODY_TOO_LARGE" 413
        => "Send a smaller body.",
    /// The body was not sent as `application/json`.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE" 415
        => "Set the header `Content-Type`.",
    /// Files of this type are not accepted, or not as this kind.
    UnsupportedFileType = "UNSUPPORTED_FILE_TYPE" 415
        => "Use a type listed in [Plans and limits](plans-and-limits.md#kinds-of-files).",
    /// The `Idempotency-Key` or webhook id was already used with a different request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH" 422
        => "Use a new key for a new request.",
    /// A generator's report does not agree with the job or its files.
    WebhookContentMismatch = "WEBHOOK_CONTENT_MISMATCH" 422
        => "Correct the field that `details.field` names.",
    /// The amount to settle is larger than the hold.
    HoldExceeded = "HOLD_EXCEEDED" 422
        => "Settle at most `details.limit` credits.",
    /// A limit was reached: reads, writes or job requests a minute, grants a day, a key's quota, or another count.
    RateLimited = "RATE_LIMITED" 429
        => "Wait for `Retry-After` seconds; see [Plans and limits](plans-and-limits.md#limits).",
    /// The plan's generations of this month are used up.
    GenerationQuotaExceeded = "GENERATION_QUOTA_EXCEEDED" 429
        => "Wait until `details.resets_at`, or change to a larger plan.",
    /// Something went wrong on the server. The cause is in the log only.
    Internal = "INTERNAL" 500
        => "Repeat the request with the same `Idempotency-Key`; if it fails again, report the `requestId`.",
    /// The service behind the gateway failed, and the call was not charged.
    UpstreamFailed = "UPSTREAM_FAILED" 502
        => "Try again later, with a new `Idempotency-Key`; `details.reason` says how it failed.",
    /// A part of the stack is busy or does not answer.
    Unavailable = "UNAVAILABLE" 503
        => "Repeat the request after `Retry-After`, with the same `Idempotency-Key`.",
    /// The service is in the catalogue but has no address.
    ServiceUnavailable = "SERVICE_UNAVAILABLE" 503
        => "The operator sets the parameter `Upstreams`.",
    /// The service behind the gateway did not answer in time, and the call was not charged.
    UpstreamTimeout = "UPSTREAM_TIMEOUT" 504
        => "Try again later, with a new `Idempotency-Key`.",
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
