//! Calls to AWS of which the command line needs single operations: signed, without an SDK, each within its own time.

mod again;
pub(crate) mod xml;

use std::fmt;
use std::time::Duration;

use consigne_aws::{AwsConfig, PlainAnswer, PlainRequest, send};
use serde_json::Value;

use again::{Try, is_throttled, repeated};

/// What is left to do once a session with AWS has ended.
pub(crate) const EXPIRED: &str = "Your credentials have expired; sign in and start it again.";
/// Longest time for one call.
const CALL: Duration = Duration::from_secs(8);
/// Codes with which services refuse a caller who lacks a permission.
const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AccessDeniedFault",
    "AuthorizationError",
    "NotAuthorized",
    "UnauthorizedOperation",
];
/// Codes of a server that does not have the operation, as the laptop's does not have all.
const UNSUPPORTED: [&str; 6] = [
    "InvalidAction",
    "NotImplemented",
    "UnknownAction",
    "UnknownOperation",
    "UnknownOperationException",
    "Unsupported",
];

/// Why a call brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The caller lacks this permission, an IAM action such as `dynamodb:DescribeTable`.
    Denied(&'static str),
    /// The thing that was asked for does not exist. The code says what.
    Missing(String),
    /// The server does not have the operation.
    Unsupported,
    /// The service is asked too often, also after some pauses. It has not carried the call out.
    Throttled(String),
    /// Any other reason.
    Failed(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(action) => write!(f, "you may not call {action}"),
            Self::Missing(code) => write!(f, "it does not exist ({code})"),
            Self::Unsupported => f.write_str("the server does not have the operation"),
            Self::Throttled(why) => write!(f, "the service is asked too often ({why})"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(action) => format!("You may not call {action}; a policy must allow it."),
            other => format!("The call to AWS failed: {other}."),
        }
    }
}

/// A service that is called in JSON: its host, its name in signatures, the beginning of `x-amz-target`, the version of
/// the protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonService(&'static str, &'static str, &'static str, &'static str);

/// DynamoDB.
pub(crate) const DYNAMODB: JsonService = JsonService("dynamodb", "dynamodb", "DynamoDB_20120810.", "1.0");
/// EventBridge.
pub(crate) const EVENTS: JsonService = JsonService("events", "events", "AWSEvents.", "1.1");
/// CloudWatch Logs.
pub(crate) const LOGS: JsonService = JsonService("logs", "logs", "Logs_20140328.", "1.1");
/// Secrets Manager.
pub(crate) const SECRETS: JsonService = JsonService("secretsmanager", "secretsmanager", "secretsmanager.", "1.1");

/// Calls AWS with the operator's credentials.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    config: AwsConfig,
}

impl Aws {
    /// Creates it from region and credentials.
    pub(crate) fn new(config: AwsConfig) -> Self {
        Self { config }
    }

    /// Returns the region.
    pub(crate) fn region(&self) -> &str {
        &self.config.region
    }

    /// Calls an operation of a service in JSON. `action` is the permission it needs.
    pub(crate) async fn json(
        &self,
        service: JsonService,
        action: &'static str,
        operation: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        let JsonService(host, name, target, version) = service;
        let headers = vec![
            ("content-type", format!("application/x-amz-json-{version}")),
            ("x-amz-target", format!("{target}{operation}")),
        ];
        let request =
            PlainRequest { host, name, method: "POST", path: "/".to_owned(), headers, body: body.to_string() };
        document(&self.call(action, request).await?.body)
    }

    /// Reads a path of a service with the protocol of REST and JSON. `name` is the service's name in signatures.
    pub(crate) async fn rest(
        &self,
        host: &'static str,
        name: &'static str,
        action: &'static str,
        path: String,
    ) -> Result<Value, Refusal> {
        let request = PlainRequest { host, name, method: "GET", path, headers: Vec::new(), body: String::new() };
        document(&self.call(action, request).await?.body)
    }

    /// Sends a form to a service with the query protocol. Returns the answer's XML.
    pub(crate) async fn query(
        &self,
        host: &'static str,
        action: &'static str,
        form: &[(&str, &str)],
    ) -> Result<PlainAnswer, Refusal> {
        let pairs = form.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let request = PlainRequest {
            host,
            name: host,
            method: "POST",
            path: "/".to_owned(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
            body: pairs.collect::<Vec<_>>().join("&"),
        };
        self.call(action, request).await
    }

    /// Calls S3 about a bucket. `path` begins with the bucket's name. Returns the answer's body.
    pub(crate) async fn s3(
        &self,
        action: &'static str,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<String, Refusal> {
        let request = PlainRequest { host: "s3", name: "s3", method, path: format!("/{path}"), headers, body };
        Ok(self.call(action, request).await?.body)
    }

    /// Sends a request, and again after a pause if that is safe and may help.
    async fn call(&self, action: &'static str, request: PlainRequest) -> Result<PlainAnswer, Refusal> {
        repeated(action, async || self.attempt(action, request.clone()).await).await
    }

    async fn attempt(&self, action: &'static str, request: PlainRequest) -> Result<PlainAnswer, Try> {
        match tokio::time::timeout(CALL, send(&self.config, request)).await {
            // A service that hangs would take the time of its whole group of checks if it were asked again.
            Err(_) => {
                let refusal = Refusal::Failed(format!("no answer within {} s", CALL.as_secs()));
                Err(Try { refusal, passing: false })
            }
            Ok(Err(error)) => {
                Err(Try { refusal: Refusal::Failed(crate::operator::causes(error.as_ref())), passing: true })
            }
            Ok(Ok(answer)) if answer.status < 300 => Ok(answer),
            Ok(Ok(answer)) => {
                let refusal = refusal(action, &answer);
                // A server without the operation will not have it a second later.
                let passing = answer.status >= 500 && refusal != Refusal::Unsupported;
                Err(Try { refusal, passing })
            }
        }
    }
}

/// Classifies an answer that is an error, in JSON or in XML.
fn refusal(action: &'static str, answer: &PlainAnswer) -> Refusal {
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let in_json = |names: &[&str]| names.iter().find_map(|name| json[*name].as_str()).map(str::to_owned);
    let code = answer.error.clone().or_else(|| in_json(&["__type", "code", "Code"]));
    let code = code.or_else(|| xml::first(&answer.body, "Code")).unwrap_or_else(|| answer.status.to_string());
    // Services write `Code:http://...` or `namespace#Code`.
    let code = code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned();
    let message = in_json(&["message", "Message"]).or_else(|| xml::first(&answer.body, "Message"));
    let absent = code.starts_with("NoSuch") || code.contains("NotFound") || code.contains("NonExistent");
    let why = || message.as_ref().map_or_else(|| code.clone(), |message| format!("{code}: {message}"));
    if DENIED.contains(&code.as_str()) {
        Refusal::Denied(action)
    } else if is_throttled(answer.status, &code, message.as_deref().unwrap_or_default()) {
        Refusal::Throttled(why())
    } else if answer.status == 501 || UNSUPPORTED.contains(&code.as_str()) {
        Refusal::Unsupported
    } else if absent || (answer.status == 404 && !code.contains("Exception")) {
        Refusal::Missing(code)
    } else {
        Refusal::Failed(why())
    }
}

fn document(text: &str) -> Result<Value, Refusal> {
    let text = if text.is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| Refusal::Failed(format!("the answer is not JSON: {error}")))
}

/// Encodes a value for a form or a path: everything but letters, digits and `-._~`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', nibble(byte >> 4), nibble(byte & 15)]);
        }
    }
    out
}

/// Returns four bits as a digit of an encoded byte.
fn nibble(bits: u8) -> char {
    char::from_digit(bits.into(), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, error: Option<&str>, body: &str) -> PlainAnswer {
        PlainAnswer { status, body: body.to_owned(), error: error.map(str::to_owned), date: None }
    }

    #[test]
    fn refusals_are_told_apart_in_every_protocol() {
        let missing = |code: &str| Refusal::Missing(code.to_owned());
        for (status, header, body, want) in [
            (
                400,
                None,
                r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#,
                Refusal::Denied("x:Y"),
            ),
            (
                403,
                Some("AccessDeniedException:http://internal.amazon.com/"),
                r#"{"message":"no"}"#,
                Refusal::Denied("x:Y"),
            ),
            (403, None, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>", Refusal::Denied("x:Y")),
            (
                400,
                None,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}"#,
                missing("ResourceNotFoundException"),
            ),
            (404, None, "<Error><Code>NoSuchCORSConfiguration</Code></Error>", missing("NoSuchCORSConfiguration")),
            (501, None, "", Refusal::Unsupported),
            (400, None, r#"{"__type":"UnknownOperationException"}"#, Refusal::Unsupported),
            (
                400,
                None,
                "<ErrorResponse><Error><Code>ValidationError</Code><Message>bad &amp; sad</Message></Error></ErrorResponse>",
                Refusal::Failed("ValidationError: bad & sad".to_owned()),
            ),
            (500, None, "", Refusal::Failed("500".to_owned())),
            (
                400,
                None,
                "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
                Refusal::Throttled("Throttling: Rate exceeded".to_owned()),
            ),
            (
                400,
                None,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#,
                Refusal::Throttled("ProvisionedThroughputExceededException".to_owned()),
            ),
            (503, None, "<Error><Code>SlowDown</Code></Error>", Refusal::Throttled("SlowDown".to_owned())),
            (
                429,
                Some("TooManyRequestsException"),
                r#"{"Reason":"CallerRateLimitExceeded"}"#,
                Refusal::Throttled("TooManyRequestsException".to_owned()),
            ),
        ] {
            assert_eq!(refusal("x:Y", &answer(status, header, body)), want, "{body}");
        }
    }

    #[test]
    fn values_of_forms_are_encoded() {
        assert_eq!(encoded("a b&c=d/é"), "a%20b%26c%3Dd%2F%C3%A9");
        assert_eq!(encoded("A-z_0.9~"), "A-z_0.9~");
    }
}
