//! Calls Stripe to open checkout sessions.
//!
//! Source: Stripe API reference, "Create a Checkout Session", "Idempotent requests", "Errors".

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use consigne_auth::{Refreshed, Secret};
use consigne_aws::budget::remaining;
use consigne_core::credits::{CURRENCY, CheckoutAnswer, CheckoutAsk, OpenSession, SessionId};
use consigne_core::gateway::Failure;
use consigne_core::ports::StartCheckout;
use consigne_core::{Application, Fault, Timestamp};
use serde_json::Value;

use crate::client::body_within;
use crate::connector::connector;

/// The version of Stripe's API that is used, even if the account has another one.
const VERSION: &str = "2024-06-20";
/// Longest time for one try. Stripe mostly answers within a second. Two tries and the pause between them fit into the
/// function's timeout in the template.
const TRY: Duration = Duration::from_secs(6);
/// Pause before the second try.
const PAUSE: Duration = Duration::from_millis(500);
/// Time of an invocation kept for what follows the call.
const RESERVE: Duration = Duration::from_secs(2);
/// Largest answer, in bytes. A session has about four thousand.
const ANSWER_MAX: usize = 256 * 1024;
/// Characters of Stripe's error codes that go into the log.
const WORD_MAX: usize = 64;

/// The adapter of Stripe.
#[derive(Debug)]
pub struct Stripe {
    connector: SharedHttpConnector,
    url: String,
    key: Refreshed<ApiKey>,
    application: Application,
    now: fn() -> Timestamp,
}

/// The secret key of a Stripe account, which is safe in a header.
#[derive(Clone, Debug)]
pub struct ApiKey(Secret);

impl ApiKey {
    /// Parses a key of letters, digits and `_`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        Secret::new(text).filter(|_| plain).map(Self)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", String::from_utf8_lossy(self.0.expose()))
    }
}

/// Why a try failed.
enum Trouble {
    /// Another try may succeed.
    Transient(Box<dyn std::error::Error + Send + Sync>),
    /// Stripe failed and replays that failure for a day to every try with the same idempotency key.
    Replayed(String),
    /// No try will succeed. Stripe may have opened a session.
    Permanent(String),
    /// Stripe refuses the request and has opened no session.
    Refused(String),
}

impl Stripe {
    /// Creates an adapter for the API at `url`. Buyers return to `application`. `now` reads the clock.
    pub fn new(url: &str, key: Refreshed<ApiKey>, application: Application, now: fn() -> Timestamp) -> Self {
        Self { connector: connector(TRY), url: url.trim_end_matches('/').to_owned(), key, application, now }
    }

    /// Encodes the request as a form.
    fn form(&self, ask: &CheckoutAsk) -> String {
        let wallet = self.application.wallet(ask.org);
        let (org, credits) = (ask.org.to_string(), ask.pack.credits.to_string());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("mode", "payment")
            .append_pair("client_reference_id", &org)
            .append_pair("success_url", &format!("{wallet}?checkout=paid"))
            .append_pair("cancel_url", &format!("{wallet}?checkout=cancelled"))
            .append_pair("line_items[0][quantity]", "1")
            .append_pair("line_items[0][price_data][currency]", &CURRENCY.to_lowercase())
            .append_pair("line_items[0][price_data][unit_amount]", &ask.pack.cents.to_string())
            .append_pair("line_items[0][price_data][product_data][name]", &format!("{credits} credits"));
        // Also on the payment, where people see it when they look at a refund or a dispute.
        for place in ["metadata", "payment_intent_data[metadata]"] {
            for (name, value) in [("org_id", org.as_str()), ("pack", ask.pack.name), ("credits", &credits)] {
                form.append_pair(&format!("{place}[{name}]"), value);
            }
        }
        form.finish()
    }

    /// Sends the form once.
    async fn send(&self, form: &str, idempotency_key: &str, now: Timestamp) -> Result<OpenSession, Trouble> {
        let permanent = |error: &dyn std::error::Error| Trouble::Permanent(error.to_string());
        let mut request = HttpRequest::new(SdkBody::from(form));
        request.set_method("POST").map_err(|error| permanent(&error))?;
        request.set_uri(format!("{}/v1/checkout/sessions", self.url)).map_err(|error| permanent(&error))?;
        for (name, value) in [
            ("authorization", self.key.get(now).await.bearer()),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("content-length", form.len().to_string()),
            ("idempotency-key", idempotency_key.to_owned()),
            ("stripe-version", VERSION.to_owned()),
        ] {
            request.headers_mut().insert(name, value);
        }
        let exchange = async {
            let mut answer = self.connector.call(request).await.map_err(|error| Trouble::Transient(error.into()))?;
            let body = match body_within(&mut answer, ANSWER_MAX).await {
                Err((Failure::TooLarge, why)) => return Err(Trouble::Permanent(why)),
                Err((_, why)) => return Err(Trouble::Transient(why.into())),
                Ok(body) => body,
            };
            read(answer.status().as_u16(), answer.headers().get("idempotent-replayed") == Some("true"), &body)
        };
        let left = remaining().saturating_sub(RESERVE).min(TRY);
        tokio::time::timeout(left, exchange).await.map_err(|late| Trouble::Transient(late.into()))?
    }
}

impl StartCheckout for Stripe {
    async fn start_checkout(&self, ask: &CheckoutAsk) -> Result<CheckoutAnswer, Fault> {
        let (form, key) = (self.form(ask), &ask.idempotency_key);
        let tried = match self.send(&form, key, (self.now)()).await {
            // Only the first try can tell that there is no session. After a lost answer there may be one.
            Err(Trouble::Refused(why)) => return Ok(CheckoutAnswer::Refused(why)),
            Err(Trouble::Transient(_)) => {
                tokio::time::sleep(PAUSE).await;
                // With the same idempotency key, so that a session opened by the first try is returned.
                self.send(&form, key, (self.now)()).await
            }
            // With a second idempotency key, which is derived from the first. A session that the first key may have
            // opened is never shown to anybody.
            Err(Trouble::Replayed(_)) => self.send(&form, &format!("{key}-2"), (self.now)()).await,
            done => done,
        };
        tried.map(CheckoutAnswer::Opened).map_err(|trouble| match trouble {
            Trouble::Transient(why) => Fault::unavailable(why),
            Trouble::Replayed(why) => Fault::unavailable(why),
            Trouble::Permanent(why) | Trouble::Refused(why) => Fault::internal(why),
        })
    }
}

/// Reads an answer. Only the codes of an error go into the log, because its message may contain a part of the key.
fn read(status: u16, replayed: bool, body: &[u8]) -> Result<OpenSession, Trouble> {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if (200..300).contains(&status) {
        let session = answer.as_ref().and_then(|session| {
            let id = SessionId::parse(session["id"].as_str()?)?;
            Some(OpenSession { id, url: text(&session["url"]).filter(|url| url.starts_with("http"))? })
        });
        return session.ok_or_else(|| Trouble::Permanent("Stripe's answer is not a session".to_owned()));
    }
    let error = answer.map(|mut answer| answer["error"].take()).unwrap_or_default();
    let words = [&error["type"], &error["code"]].into_iter().filter_map(text);
    let words: String = words.collect::<Vec<_>>().join(" ").chars().take(WORD_MAX).collect();
    let why = format!("Stripe answered {status} {words}");
    Err(match status {
        500.. if replayed => Trouble::Replayed(why),
        // 409 means that a request with the same key is under way, perhaps our own first one.
        409 | 429 | 500.. => Trouble::Transient(why.into()),
        400..500 => Trouble::Refused(why),
        _ => Trouble::Permanent(why),
    })
}

#[cfg(test)]
#[path = "stripe_tests.rs"]
mod tests;
