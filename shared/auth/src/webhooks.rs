//! Signs and verifies webhooks by the standard: HMAC-SHA-256 over id, time and body.
//!
//! Source: Standard Webhooks 1.0.0,
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use consigne_core::webhooks::WebhookId;
use consigne_core::{Code, Fault, Timestamp};
use hmac::Mac as _;
use http::HeaderMap;
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq};

use crate::{Refreshed, Secret};

/// What a secret starts with in configuration and answers.
const PREFIX: &str = "whsec_";
/// Smallest length of a secret, in bytes, by the standard.
const SECRET_MIN: usize = 24;
/// How far a webhook's time may differ from ours, in either direction.
const TOLERANCE: Duration = Duration::from_mins(5);
/// The header names of a webhook: id, time, signatures.
type Names = [&'static str; 3];
/// The header names of the standard.
const STANDARD_NAMES: Names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
/// The names of the same headers before the standard. Clerk sends these.
const SVIX_NAMES: Names = ["svix-id", "svix-timestamp", "svix-signature"];

/// A secret shared by the sender and the receiver of webhooks.
#[derive(Clone, Debug)]
pub struct WebhookSecret(Secret);

impl WebhookSecret {
    /// Reads at least 24 bytes in base64, with or without `whsec_` in front. Refuses placeholders.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.trim().strip_prefix(PREFIX).unwrap_or(text.trim()).trim_end_matches('=');
        // The encoded text is checked first, because a placeholder may be valid base64.
        Secret::new(encoded)?;
        let bytes = STANDARD_NO_PAD.decode(encoded).ok()?;
        Secret::of_at_least(SECRET_MIN, bytes).map(Self)
    }

    /// Wraps bytes that were derived from a secret.
    pub(crate) fn of_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::derived(bytes))
    }

    fn mac(&self, id: &str, at: &str, body: &[u8]) -> [u8; 32] {
        // An id with a full stop could be confused only with a time, in front of a body that starts with digits. Our
        // bodies are JSON objects.
        self.0.mac([id.as_bytes(), b".", at.as_bytes(), b".", body]).finalize().into_bytes().into()
    }
}

/// The secrets of one sender: the one in use and, during a rotation, the previous one.
#[derive(Clone, Debug)]
pub struct WebhookSecrets(Vec<WebhookSecret>);

/// Why a text holds no webhook secrets. It does not contain the text, which is secret.
#[derive(Debug)]
pub struct WebhookSecretError(&'static str);

impl WebhookSecretError {
    pub(crate) const fn new(why: &'static str) -> Self {
        Self(why)
    }
}

impl fmt::Display for WebhookSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for WebhookSecretError {}

impl WebhookSecrets {
    /// Reads `{"current": "whsec_...", "previous": "whsec_..."}`. `previous` is optional.
    ///
    /// # Errors
    /// If the text has another shape, or a secret is not base64, too short or a placeholder.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let secrets: Option<Vec<_>> = secret_texts(text)?.iter().map(|secret| WebhookSecret::parse(secret)).collect();
        secrets.map(Self).ok_or(WebhookSecretError("a secret is not base64, too short or a placeholder"))
    }

    /// Wraps secrets, the one in use first.
    pub(crate) fn of(secrets: Vec<WebhookSecret>) -> Self {
        Self(secrets)
    }

    /// Signs a webhook with every secret and returns its headers. A receiver needs to know only one of the secrets.
    pub fn sign(&self, id: &WebhookId, at: Timestamp, body: &[u8]) -> [(&'static str, String); 3] {
        let at = at.as_secs().to_string();
        let signatures =
            self.0.iter().map(|secret| format!("v1,{}", STANDARD.encode(secret.mac(id.as_str(), &at, body))));
        let signatures = signatures.collect::<Vec<_>>().join(" ");
        let [id_name, at_name, signatures_name] = STANDARD_NAMES;
        [(id_name, id.to_string()), (at_name, at), (signatures_name, signatures)]
    }

    /// Returns whether one of the signatures was made with one of the secrets. The time it takes reveals nothing about
    /// them.
    fn signed(&self, envelope: &Envelope<'_>, body: &[u8]) -> bool {
        let mut found = Choice::from(0);
        for secret in &self.0 {
            let mac = secret.mac(envelope.id.as_str(), envelope.at, body);
            for signature in &envelope.signatures {
                found |= mac.ct_eq(signature);
            }
        }
        found.into()
    }
}

impl Refreshed<WebhookSecrets> {
    /// Checks that a webhook was signed by the expected sender, and returns its id.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE`, with the same message whatever is wrong. The reason goes to the log only.
    pub async fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<WebhookId, Fault> {
        let envelope = Envelope::read(headers, now).map_err(refused)?;
        // The second secret may have been added after this execution environment started.
        if self.get(now).await.signed(&envelope, body) || self.refresh(now).await.signed(&envelope, body) {
            return Ok(envelope.id);
        }
        Err(refused("no signature was made with a known secret"))
    }
}

/// Reads the texts of `current` and `previous` from a secret's JSON.
pub(crate) fn secret_texts(text: &str) -> Result<Vec<String>, WebhookSecretError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Live {
        current: String,
        previous: Option<String>,
    }
    let live: Live = serde_json::from_str(text)
        .map_err(|_| WebhookSecretError("it is not a JSON object with `current` and optionally `previous`"))?;
    Ok(std::iter::once(live.current).chain(live.previous).collect())
}

/// The headers of a webhook, parsed.
struct Envelope<'a> {
    id: WebhookId,
    /// The time as it was written, because that text was signed.
    at: &'a str,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Envelope<'a> {
    /// Parses the headers. The error says what is wrong with them.
    fn read(headers: &'a HeaderMap, now: Timestamp) -> Result<Self, &'static str> {
        // All three headers must be of the same family. One family does not fill in what the other lacks.
        let standard = STANDARD_NAMES.iter().any(|name| headers.contains_key(*name));
        let [id, at, signatures] = if standard { STANDARD_NAMES } else { SVIX_NAMES };
        let id = single(headers, id).and_then(WebhookId::parse).ok_or("the id is missing or malformed")?;
        let at = single(headers, at).ok_or("the time is missing")?;
        let sent = unix_seconds(at).ok_or("the time is malformed")?;
        if now.since(sent) > TOLERANCE || sent.since(now) > TOLERANCE {
            return Err("the time is more than five minutes off");
        }
        let signatures = single(headers, signatures).ok_or("the signature is missing")?;
        Ok(Self { id, at, signatures: signatures.split(' ').filter_map(signature).collect() })
    }
}

/// Returns the value of a header that occurs exactly once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (first, more) = (values.next()?, values.next());
    if more.is_some() { None } else { first.to_str().ok() }
}

/// Reads whole seconds since the epoch.
pub(crate) fn unix_seconds(text: &str) -> Option<Timestamp> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(Timestamp::from_secs)
}

/// Reads `v1,<base64>`. Returns `None` for signatures of other versions.
fn signature(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text.strip_prefix("v1,")?).ok()?;
    bytes.try_into().ok()
}

/// The 401 for every refused webhook, always with the same message.
fn refused(why: &'static str) -> Fault {
    Fault::new(Code::InvalidSignature, "The webhook's signature is not valid")
        // A 401 must name a way to authenticate (RFC 9110, section 11.6.1). None is registered for webhooks.
        .header("www-authenticate", "StandardWebhooks")
        .because(why)
}

#[cfg(test)]
#[path = "webhooks_tests.rs"]
mod tests;
