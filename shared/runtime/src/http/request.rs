//! One HTTP request, as handlers see it.

use std::collections::HashMap;
use std::error::Error as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consigne_auth::{Credentials, Refreshed, Route, SessionVerifier, StripeSecrets, User, WebhookSecrets, member};
use consigne_core::audit::{Actor, Origin};
use consigne_core::orgs::{Member, org_in_path};
use consigne_core::ports::GetMember;
use consigne_core::webhooks::{Received, Source, WebhookId};
use consigne_core::{Code, Fault, IdempotencyKey, OrgId, Timestamp, UserId};
use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::{Digest as _, Sha256};

use super::cdn::{CallerAddress, Cdn};
use crate::log::RequestLog;

/// Largest JSON body taken, in bytes. Media never passes through a function; what remains is small.
pub const BODY_MAX: usize = 64 * 1024;
/// Longest idempotency key, in characters.
const IDEMPOTENCY_KEY_MAX: usize = 255;
/// Most characters kept of what a client calls itself.
const AGENT_MAX: usize = 256;

/// A request.
///
/// Made from the event itself, not by `lambda_http`'s conversion: that builds a URI out of the path, which the gateway
/// has already decoded, and panics on the paths of which none can be built.
#[derive(Debug)]
pub struct Request {
    /// Goes into the answer, into errors and into the log.
    pub id: String,
    /// When it arrived.
    pub now: Timestamp,
    /// What the handler adds to the log line.
    pub log: RequestLog,
    method: Method,
    route: String,
    path: String,
    parameters: HashMap<String, String>,
    source_ip: Option<String>,
    country: Option<String>,
    domain: String,
    query: String,
    headers: HeaderMap,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Bytes(Vec<u8>),
    /// Marked as base64 and none.
    Broken,
}

impl Request {
    /// Makes a request from an event of payload format 2.0.
    pub fn from_event(event: ApiGatewayV2httpRequest, now: Timestamp) -> Self {
        Self::from_event_behind(&Cdn::default(), event, now)
    }

    /// Makes a request that may have come through a CDN.
    pub(super) fn from_event_behind(cdn: &Cdn, event: ApiGatewayV2httpRequest, now: Timestamp) -> Self {
        let mut headers = event.headers;
        // API Gateway takes cookies out of the headers and gives them one by one.
        let cookies = event.cookies.filter(|cookies| !cookies.is_empty()).map(|cookies| cookies.join("; "));
        if let Some(Ok(cookies)) = cookies.map(|cookies| HeaderValue::from_str(&cookies)) {
            headers.insert(COOKIE, cookies);
        }
        let body = match (event.body, event.is_base64_encoded) {
            (Some(text), true) => STANDARD.decode(text).map_or(Body::Broken, Body::Bytes),
            (text, _) => Body::Bytes(text.unwrap_or_default().into_bytes()),
        };
        let (address, country) = cdn.caller(&headers);
        let log = RequestLog::default();
        let source_ip = match address {
            CallerAddress::OfTheConnection => event.request_context.http.source_ip,
            CallerAddress::Known(address) => Some(address.to_string()),
            CallerAddress::Unknown => {
                log.field("cdn.address", "missing or unreadable");
                None
            }
        };
        Self {
            id: event.request_context.request_id.unwrap_or_default(),
            now,
            log,
            method: event.request_context.http.method,
            route: event.route_key.unwrap_or_default(),
            path: event.raw_path.unwrap_or_default(),
            parameters: event.path_parameters,
            source_ip,
            country,
            domain: event.request_context.domain_name.unwrap_or_default(),
            query: event.raw_query_string.unwrap_or_default(),
            headers,
            body,
        }
    }

    /// Gives the route that matched, as template.yaml writes it: `GET /api/files/list`, or `$default`.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Gives the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Gives the path, decoded by the gateway: whatever looks like an escape in it is one no longer.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Gives what stands behind a prefix of the path, for routes that end in a greedy parameter.
    pub fn path_after(&self, prefix: &str) -> &str {
        self.path.strip_prefix(prefix).unwrap_or_default()
    }

    /// Gives a parameter of the path, decoded by the gateway; empty when the route has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Tells who acts and from where, for the audit trail.
    pub fn origin(&self, actor: &UserId) -> Origin {
        self.origin_of(Actor::User(actor.clone()))
    }

    /// Tells the same of whoever acts.
    pub fn origin_of(&self, actor: Actor) -> Origin {
        let user_agent = self.header("user-agent").map(|agent| agent.chars().take(AGENT_MAX).collect());
        Origin { actor, ip: self.source_ip.clone(), user_agent }
    }

    /// Gives the domain the request came to, as API Gateway knows it.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Gives what decides who is calling.
    pub fn credentials(&self) -> Credentials<'_> {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        Credentials { headers: &self.headers, writes: !reads }
    }

    /// Finds out which person is calling.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` and its kin.
    pub async fn user(&self, users: &SessionVerifier) -> Result<User, Fault> {
        let user = users.user(self.credentials(), self.now).await?;
        self.log.field("user.id", &user.id);
        Ok(user)
    }

    /// Finds out which person is calling, in which organisation: that of the path, where their role must allow the route.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` and its kin; `NOT_FOUND` to whoever is no member; `ROLE_REQUIRED`.
    pub async fn member(
        &self,
        users: &SessionVerifier,
        orgs: &impl GetMember,
        route: Route,
    ) -> Result<(User, OrgId), Fault> {
        let (user, member) = self.place(users, orgs, route).await?;
        Ok((user, member.org))
    }

    /// The same for routes on which it matters further who of the members is calling.
    pub async fn place(
        &self,
        users: &SessionVerifier,
        orgs: &impl GetMember,
        route: Route,
    ) -> Result<(User, Member), Fault> {
        let user = self.user(users).await?;
        let org = org_in_path(self.parameter("org"))?;
        let member = member(orgs, org, &user, route).await?;
        self.log.field("org.id", org);
        Ok((user, member))
    }

    /// Makes what remembers a webhook of a sender, whose id [`Self::signed`] gave.
    pub fn received(&self, source: Source, id: WebhookId, result: impl Into<String>) -> Result<Received, Fault> {
        let fingerprint = URL_SAFE_NO_PAD.encode(Sha256::digest(self.bytes()?));
        Ok(Received { source, id, fingerprint, result: result.into(), now: self.now })
    }

    /// Finds out whether a webhook is from whom it must be from, by its headers and its body as it came.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE`; `BODY_TOO_LARGE` and `INVALID_REQUEST` for a body that cannot be had as it came.
    pub async fn signed(&self, secrets: &Refreshed<WebhookSecrets>) -> Result<WebhookId, Fault> {
        let verified = secrets.verify(&self.headers, self.bytes()?, self.now).await;
        match &verified {
            Ok(id) => self.log.field("webhook.id", id.as_str()),
            Err(fault) => self.log.field("webhook.refused", fault.source().map(ToString::to_string)),
        }
        verified
    }

    /// Finds out whether a webhook is Stripe's, which signs in a way of its own.
    ///
    /// # Errors
    /// As [`Self::signed`].
    pub async fn signed_by_stripe(&self, secrets: &Refreshed<StripeSecrets>) -> Result<(), Fault> {
        let verified = secrets.verify(&self.headers, self.bytes()?, self.now).await;
        if let Err(fault) = &verified {
            self.log.field("webhook.refused", fault.source().map(ToString::to_string));
        }
        verified
    }

    /// Gives a hash of the body as it came, by which one that comes again is told from another.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE`, and `INVALID_REQUEST` for a body that cannot be had as it came.
    pub fn fingerprint(&self) -> Result<String, Fault> {
        Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(self.bytes()?)))
    }

    /// Gives the body as it came.
    fn bytes(&self) -> Result<&[u8], Fault> {
        self.body_within(BODY_MAX)
    }

    /// Gives the body as it came, whatever it is.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE` above so many bytes, and `INVALID_REQUEST` for a body that cannot be had as it came.
    pub fn body_within(&self, most: usize) -> Result<&[u8], Fault> {
        let Body::Bytes(bytes) = &self.body else {
            return Err(Fault::new(Code::InvalidRequest, "The body is marked as base64 and is not"));
        };
        if bytes.len() > most {
            return Err(Fault::new(Code::BodyTooLarge, format!("The body may have {most} bytes"))
                .detail("limit", most)
                .detail("size", bytes.len()));
        }
        Ok(bytes)
    }

    /// Returns the caller's address: as the CDN names it, or else as API Gateway saw it.
    pub fn source_ip(&self) -> Option<&str> {
        self.source_ip.as_deref()
    }

    /// Returns the caller's country as the CDN names it, two upper-case letters; `None` without a CDN.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// Gives the query as it was sent, without the question mark.
    pub fn raw_query(&self) -> &str {
        &self.query
    }

    /// Gives the headers that are text, each with its name in lower case.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        let text = |value| std::str::from_utf8(HeaderValue::as_bytes(value)).ok();
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), text(value)?))).collect()
    }

    /// Gives a header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Gives a query parameter; an empty one counts as absent.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming a parameter that stands there twice.
    pub fn query(&self, name: &str) -> Result<Option<String>, Fault> {
        let mut values = form_urlencoded::parse(self.query.as_bytes()).filter(|(key, _)| key == name);
        let (first, more) = (values.next(), values.next());
        if more.is_some() {
            return Err(Fault::field(name, format!("{name} is given twice")));
        }
        Ok(first.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty()))
    }

    /// Reads the body as JSON of one shape.
    ///
    /// # Errors
    /// `UNSUPPORTED_MEDIA_TYPE`, `BODY_TOO_LARGE`, and `INVALID_REQUEST` with the position of malformed JSON or the name
    /// of the field that is missing, unknown or of the wrong type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let essence = self.header(CONTENT_TYPE.as_str()).unwrap_or_default().split(';').next().unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case("application/json") {
            return Err(Fault::new(Code::UnsupportedMediaType, "The body must be sent as application/json"));
        }
        let bytes = self.bytes()?;
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let read = serde_path_to_error::deserialize(&mut json);
        // An array would pass for an object whose fields it lists.
        let object = bytes.trim_ascii_start().starts_with(b"{");
        match read {
            Ok(value) if object && json.end().is_ok() => return Ok(value),
            _ => {}
        }
        // First whether it is JSON at all: read as a shape, some values of a wrong type are taken for wrong syntax.
        let whole: Result<IgnoredAny, _> = serde_json::from_slice(bytes);
        whole.map_err(|error| syntax_fault(&error))?;
        match read {
            Err(error) if object => Err(shape_fault(&error)),
            _ => Err(Fault::new(Code::InvalidRequest, "The body must be a JSON object")),
        }
    }

    /// Reads `Idempotency-Key`, if there is one, and binds it to the request it stands for.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when it is empty, longer than 255 characters or not plain ASCII.
    pub fn idempotency_key(&self, request: &impl Serialize) -> Result<Option<IdempotencyKey>, Fault> {
        const NAME: &str = "idempotency-key";
        let Some(value) = self.headers.get(NAME) else { return Ok(None) };
        let key = value.to_str().unwrap_or_default().trim();
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_MAX {
            return Err(Fault::field("Idempotency-Key", "Idempotency-Key must be 1 to 255 plain ASCII characters"));
        }
        self.bind_key(key, request).map(Some)
    }

    /// Binds a key to the request it stands for.
    pub fn bind_key(&self, key: &str, request: &impl Serialize) -> Result<IdempotencyKey, Fault> {
        let json = serde_json::to_vec(request).map_err(Fault::internal)?;
        let mut hash = Sha256::new();
        hash.update(self.route.as_bytes());
        hash.update([0]);
        hash.update(self.path.as_bytes());
        hash.update([0]);
        hash.update(json);
        let fingerprint = URL_SAFE_NO_PAD.encode(hash.finalize());
        Ok(IdempotencyKey { key: key.to_owned(), fingerprint })
    }
}

fn syntax_fault(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    Fault::new(Code::InvalidRequest, format!("The body is not JSON: line {line}, column {column}"))
        .detail("line", line)
        .detail("column", column)
}

/// Says which field is at fault. For a missing or unknown field the name stands only in serde's sentence, in backquotes.
fn shape_fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let sentence = error.inner().to_string();
    let sentence = sentence.split(" at line ").next().unwrap_or_default();
    let path = error.path().to_string();
    for problem in ["missing field", "unknown field", "duplicate field"] {
        if let Some(name) = sentence.strip_prefix(problem).and_then(|rest| rest.split('`').nth(1)) {
            let parent = path.trim_end_matches(name).trim_end_matches('.');
            let field = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
            return Fault::field(&field, format!("{problem} {field}"));
        }
    }
    if path == "." {
        return Fault::new(Code::InvalidRequest, format!("The body has the wrong shape: {sentence}"));
    }
    Fault::field(&path, format!("{path}: {sentence}"))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
