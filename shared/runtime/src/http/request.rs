//! An HTTP request, as handlers see it.

use std::collections::HashMap;
use std::error::Error as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consigne_auth::{Credentials, Refreshed, Route, SessionVerifier, StripeSecrets, User, WebhookSecrets, member};
use consigne_core::audit::{Actor, Origin};
use consigne_core::orgs::{Member, org_in_path};
use consigne_core::ports::GetMember;
use consigne_core::webhooks::{Received, Source, WebhookId};
use consigne_core::{Code, Fault, IdempotencyKey, OrderId, OrgId, Timestamp};
use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::access::Access;
use super::cdn::{CallerAddress, Cdn};
use super::json_body;
use crate::log::RequestLog;

/// Largest JSON body, in bytes. Media never pass through a function, so other bodies are small.
pub const BODY_MAX: usize = 64 * 1024;
/// Longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;
/// Characters kept of a client's `User-Agent`.
const AGENT_MAX: usize = 256;

/// An HTTP request.
///
/// It is built from the event itself and not with `lambda_http`. That crate builds a URI from the path, which API
/// Gateway has already decoded, and panics on paths that are not valid in a URI.
#[derive(Debug)]
pub struct Request {
    /// Id of the request, in the answer, in errors and in the log.
    pub id: String,
    /// When the request arrived.
    pub now: Timestamp,
    /// What the handler adds to the log line.
    pub log: RequestLog,
    pub(super) access: Access,
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
    /// Marked as base64, but malformed.
    Broken,
}

impl Request {
    /// Builds a request from an event of payload format 2.0.
    pub fn from_event(event: ApiGatewayV2httpRequest, now: Timestamp) -> Self {
        Self::from_event_behind(&Cdn::default(), event, now)
    }

    /// Builds a request that may have come through a CDN.
    pub(super) fn from_event_behind(cdn: &Cdn, event: ApiGatewayV2httpRequest, now: Timestamp) -> Self {
        let mut headers = event.headers;
        // API Gateway takes cookies out of the headers and lists them separately.
        // One that cannot be part of a header is left out, so that it does not take the others with it.
        let mut cookies = event.cookies.unwrap_or_default();
        cookies.retain(|cookie| HeaderValue::from_str(cookie).is_ok());
        if let Some(cookies) = (!cookies.is_empty()).then(|| HeaderValue::from_str(&cookies.join("; ")).ok()).flatten()
        {
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
            access: Access::default(),
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

    /// Returns the matched route as written in template.yaml: `GET /api/files/list`, or `$default`.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Returns the HTTP method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path. API Gateway has decoded it, so anything in it that looks like an escape is not one.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path behind a prefix, for routes that end in a greedy parameter.
    pub fn path_after(&self, prefix: &str) -> &str {
        self.path.strip_prefix(prefix).unwrap_or_default()
    }

    /// Returns a path parameter, decoded by API Gateway; empty if the route has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Returns who acts and from where, for the audit log. What they do counts as a write of their plan.
    pub fn origin(&self, actor: &User) -> Origin {
        Origin { plan: Some(actor.plan), ..self.origin_of(Actor::User(actor.id.clone())) }
    }

    /// Like [`Self::origin`], for an actor that is not a person, whose writes are not counted.
    pub fn origin_of(&self, actor: Actor) -> Origin {
        let user_agent = self.header("user-agent").map(|agent| agent.chars().take(AGENT_MAX).collect());
        Origin { actor, ip: self.source_ip.clone(), user_agent, plan: None }
    }

    /// Returns the domain to which the request was sent, according to API Gateway.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the parts of the request that identify the caller.
    pub fn credentials(&self) -> Credentials<'_> {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        Credentials { headers: &self.headers, writes: !reads }
    }

    /// Authenticates the person who is calling, and counts the request if it reads.
    ///
    /// # Errors
    /// Those of [`SessionVerifier::user`] and, for a request that reads, [`SessionVerifier::count_read`].
    pub async fn user(&self, users: &SessionVerifier) -> Result<User, Fault> {
        let credentials = self.credentials();
        let reads = !credentials.writes;
        let verified = users.user(credentials, self.now).await;
        match &verified {
            Ok(user) => {
                self.log.field("user.id", &user.id);
                if let Some(service) = &user.service {
                    self.log.field("service", service);
                }
                self.access.by(user);
                if reads {
                    users.count_read(user, self.now)?;
                }
            }
            Err(fault) => {
                if let Some(why) = fault.source() {
                    self.log.field("token.refused", why.to_string());
                }
            }
        }
        verified
    }

    /// Tells log and audit which file the request is about. `key` is the file's key as the caller sent it, so that a refused
    /// request for somebody else's file names it, too.
    pub fn names_file(&self, key: &str) {
        if let Some(file) = self.access.to(key, None) {
            self.log.field("file.id", file);
        }
    }

    /// Tells the audit about one of several files of the request, and why this one was refused.
    pub fn names_one_file(&self, key: &str, refusal: Option<&Fault>) {
        self.access.to(key, refusal.map(|fault| fault.code));
    }

    /// Tells log and audit which order the request is about.
    pub fn names_order(&self, order: OrderId) {
        self.access.to_order(order);
        self.log.field("order.id", order);
    }

    /// Authenticates the person who is calling, and checks that their role in the organisation of the path allows the
    /// route.
    ///
    /// # Errors
    /// Those of [`Self::user`]. `NOT_FOUND` if the caller is not a member. `ROLE_REQUIRED` if their role does not allow
    /// the route.
    pub async fn member(
        &self,
        users: &SessionVerifier,
        orgs: &impl GetMember,
        route: Route,
    ) -> Result<(User, OrgId), Fault> {
        let (user, member) = self.membership(users, orgs, route).await?;
        Ok((user, member.org))
    }

    /// Like [`Self::member`], for routes that need the caller's whole membership.
    ///
    /// # Errors
    /// Those of [`Self::member`].
    pub async fn membership(
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

    /// Builds the record of a received webhook. `id` is the one that [`Self::signed`] returned.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE` above [`BODY_MAX`], and `INVALID_REQUEST` for a body with malformed base64.
    pub fn received(&self, source: Source, id: WebhookId, result: impl Into<String>) -> Result<Received, Fault> {
        let fingerprint = URL_SAFE_NO_PAD.encode(Sha256::digest(self.bytes()?));
        Ok(Received { source, id, fingerprint, result: result.into(), now: self.now })
    }

    /// Verifies a webhook's signature, from its headers and its unchanged body. Returns the webhook's id.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE` if the webhook is not signed by the expected sender, `BODY_TOO_LARGE` above [`BODY_MAX`], and
    /// `INVALID_REQUEST` for a body with malformed base64.
    pub async fn signed(&self, secrets: &Refreshed<WebhookSecrets>) -> Result<WebhookId, Fault> {
        let verified = secrets.verify(&self.headers, self.bytes()?, self.now).await;
        match &verified {
            Ok(id) => self.log.field("webhook.id", id.as_str()),
            Err(fault) => self.log.field("webhook.refused", fault.source().map(ToString::to_string)),
        }
        verified
    }

    /// Verifies the signature of a webhook from Stripe, which has its own format. Stripe decides how large an event is, so
    /// any size that Lambda accepts is read.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE` if the webhook is not signed by Stripe, and `INVALID_REQUEST` for a body with malformed base64.
    pub async fn signed_by_stripe(&self, secrets: &Refreshed<StripeSecrets>) -> Result<(), Fault> {
        let verified = secrets.verify(&self.headers, self.body_within(usize::MAX)?, self.now).await;
        if let Err(fault) = &verified {
            self.log.field("webhook.refused", fault.source().map(ToString::to_string));
        }
        verified
    }

    /// Returns a hash of the unchanged body, to recognise a repeated request.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE` above [`BODY_MAX`], and `INVALID_REQUEST` for a body with malformed base64.
    pub fn fingerprint(&self) -> Result<String, Fault> {
        Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(self.bytes()?)))
    }

    /// Returns the unchanged body, at most [`BODY_MAX`] bytes.
    fn bytes(&self) -> Result<&[u8], Fault> {
        self.body_within(BODY_MAX)
    }

    /// Returns the unchanged body, of any content.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE` above `most` bytes, and `INVALID_REQUEST` for a body with malformed base64.
    pub fn body_within(&self, most: usize) -> Result<&[u8], Fault> {
        let Body::Bytes(bytes) = &self.body else {
            return Err(Fault::new(Code::InvalidRequest, "body is marked as base64 but is not valid base64"));
        };
        if bytes.len() > most {
            return Err(Fault::new(Code::BodyTooLarge, format!("body must be at most {most} bytes"))
                .detail("limit", most)
                .detail("size", bytes.len()));
        }
        Ok(bytes)
    }

    /// Returns the caller's address: from the CDN's header, or else as API Gateway saw it.
    pub fn source_ip(&self) -> Option<&str> {
        self.source_ip.as_deref()
    }

    /// Returns the caller's country from the CDN's header, as two upper-case letters; `None` without a CDN.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// Returns the query as it was sent, without the question mark.
    pub fn raw_query(&self) -> &str {
        &self.query
    }

    /// Returns the headers that are valid text, with names in lower case.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        let text = |value| std::str::from_utf8(HeaderValue::as_bytes(value)).ok();
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), text(value)?))).collect()
    }

    /// Returns a header's text. One that is not plain ASCII counts as absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the text of a header that limits what the request may do. One that is not plain ASCII is returned as empty,
    /// which no handler accepts: as an absent one it would take its limit with it.
    pub fn limiting_header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap_or_default())
    }

    /// Returns a query parameter. An empty one counts as absent.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming a parameter that is given twice.
    pub fn query(&self, name: &str) -> Result<Option<String>, Fault> {
        let mut values = form_urlencoded::parse(self.query.as_bytes()).filter(|(key, _)| key == name);
        let (first, more) = (values.next(), values.next());
        if more.is_some() {
            return Err(Fault::field(name, format!("{name} must be given only once")));
        }
        Ok(first.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty()))
    }

    /// Parses the body as JSON. A byte order mark before it is skipped, and an integer may be written as `500.0` or
    /// `5e2`, as some languages print numbers.
    ///
    /// # Errors
    /// `UNSUPPORTED_MEDIA_TYPE` if `Content-Type` is not `application/json`. `BODY_TOO_LARGE` above [`BODY_MAX`].
    /// `INVALID_REQUEST` with the position of malformed JSON, or with the name of a field that is missing, unknown or of
    /// the wrong type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        self.json_within(BODY_MAX)
    }

    /// Parses a JSON body of at most `most` bytes, as [`Self::json`] does.
    ///
    /// # Errors
    /// Those of [`Self::json`].
    pub fn json_within<T: DeserializeOwned>(&self, most: usize) -> Result<T, Fault> {
        let essence = self.header(CONTENT_TYPE.as_str()).unwrap_or_default().split(';').next().unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case("application/json") {
            return Err(Fault::new(
                Code::UnsupportedMediaType,
                "body must be sent with Content-Type: application/json",
            ));
        }
        json_body::read(self.body_within(most)?)
    }

    /// Reads `Idempotency-Key`, if there is one, and binds it to the request, as [`Self::bind_key`] does.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if it is empty, longer than 255 characters or not plain ASCII.
    pub fn idempotency_key(&self, request: &impl Serialize) -> Result<Option<IdempotencyKey>, Fault> {
        let Some(key) = self.limiting_header("idempotency-key").map(str::trim) else { return Ok(None) };
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_MAX {
            return Err(Fault::field("Idempotency-Key", "Idempotency-Key must be 1 to 255 plain ASCII characters"));
        }
        self.bind_key(key, request).map(Some)
    }

    /// Binds an idempotency key to the request by a hash of its route, its path and `request`. So the same key with another
    /// request is recognised and refused.
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

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
