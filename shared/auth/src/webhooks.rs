//! Signed webhooks, in and out, as the standard has them: HMAC-SHA-256 over id, time and body.
//!
//! Source: Standard Webhooks 1.0.0, <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

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

/// What secrets begin with when people or programs hand them over.
const PREFIX: &str = "whsec_";
/// Fewest bytes of a secret, by the standard.
const SECRET_MIN: usize = 24;
/// How far a webhook's time may be from ours, either way.
const TOLERANCE: Duration = Duration::from_mins(5);
/// Headers of one webhook: id, time, signatures.
type Names = [&'static str; 3];
/// The standard's own names.
const STANDARD_NAMES: Names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
/// The names the same headers had before there was a standard. Clerk sends these.
const SVIX_NAMES: Names = ["svix-id", "svix-timestamp", "svix-signature"];

/// A secret that the sender and the receiver of webhooks share.
#[derive(Clone, Debug)]
pub struct WebhookSecret(Secret);

impl WebhookSecret {
    /// Reads `whsec_` and base64, or base64 alone, of at least 24 bytes that are no placeholder.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.trim().strip_prefix(PREFIX).unwrap_or(text.trim()).trim_end_matches('=');
        // The text first: a placeholder may well be base64 of something.
        Secret::new(encoded)?;
        let bytes = STANDARD_NO_PAD.decode(encoded).ok()?;
        Secret::of_at_least(SECRET_MIN, bytes).map(Self)
    }

    /// Takes bytes that were derived from a secret.
    pub(crate) fn of_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::derived(bytes))
    }

    fn mac(&self, id: &str, at: &str, body: &[u8]) -> [u8; 32] {
        // A full stop in an id could only be taken for a delimiter in front of a body that begins with digits; ours are
        // JSON objects.
        self.0.mac([id.as_bytes(), b".", at.as_bytes(), b".", body]).finalize().into_bytes().into()
    }
}

/// The secrets of one sender: that in use and, while one replaces the other, that in use before.
#[derive(Clone, Debug)]
pub struct WebhookSecrets(Vec<WebhookSecret>);

/// Why a text holds no secrets of webhooks. The text stays out of it.
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
    /// Reads `{"current": "whsec_...", "previous": "whsec_..."}`; the latter may be missing.
    ///
    /// # Errors
    /// When that is not its shape, or a secret is no base64, short or a placeholder.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let secrets: Option<Vec<_>> = live(text)?.iter().map(|secret| WebhookSecret::parse(secret)).collect();
        secrets.map(Self).ok_or(WebhookSecretError("a secret that is no base64, short or a placeholder"))
    }

    /// Takes secrets, that in use first.
    pub(crate) fn of(secrets: Vec<WebhookSecret>) -> Self {
        Self(secrets)
    }

    /// Signs a webhook with every secret and gives its headers, so that a receiver may know either.
    pub fn sign(&self, id: &WebhookId, at: Timestamp, body: &[u8]) -> [(&'static str, String); 3] {
        let at = at.as_secs().to_string();
        let signatures =
            self.0.iter().map(|secret| format!("v1,{}", STANDARD.encode(secret.mac(id.as_str(), &at, body))));
        let signatures = signatures.collect::<Vec<_>>().join(" ");
        let [id_name, at_name, signatures_name] = STANDARD_NAMES;
        [(id_name, id.to_string()), (at_name, at), (signatures_name, signatures)]
    }

    /// Says whether one of the signatures is by one of the secrets, in a time that tells nothing of any of them.
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
    /// Finds out whether a webhook is from whom it must be from, and gives its id.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE`, in the same words whatever is wrong; its cause is for the log.
    pub async fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<WebhookId, Fault> {
        let envelope = Envelope::read(headers, now).map_err(refused)?;
        // The second secret may have been added since this environment started.
        if self.get(now).await.signed(&envelope, body) || self.refresh(now).await.signed(&envelope, body) {
            return Ok(envelope.id);
        }
        Err(refused("no signature is by a secret known here"))
    }
}

/// Reads the texts of the live secrets out of a secret's text.
pub(crate) fn live(text: &str) -> Result<Vec<String>, WebhookSecretError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Live {
        current: String,
        previous: Option<String>,
    }
    let live: Live = serde_json::from_str(text)
        .map_err(|_| WebhookSecretError("no JSON object of `current` and, perhaps, `previous`"))?;
    Ok(std::iter::once(live.current).chain(live.previous).collect())
}

/// What the headers of a webhook say.
struct Envelope<'a> {
    id: WebhookId,
    /// As it was written, since so it was signed.
    at: &'a str,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Envelope<'a> {
    /// Reads the headers, or says what is wrong with them.
    fn read(headers: &'a HeaderMap, now: Timestamp) -> Result<Self, &'static str> {
        // All three of one family: what is missing in one is not made up by the other.
        let standard = STANDARD_NAMES.iter().any(|name| headers.contains_key(*name));
        let [id, at, signatures] = if standard { STANDARD_NAMES } else { SVIX_NAMES };
        let id = single(headers, id).and_then(WebhookId::parse).ok_or("the id is missing or malformed")?;
        let at = single(headers, at).ok_or("the time is missing")?;
        let sent = moment(at).ok_or("the time is malformed")?;
        if now.since(sent) > TOLERANCE || sent.since(now) > TOLERANCE {
            return Err("the time is more than five minutes off");
        }
        let signatures = single(headers, signatures).ok_or("the signature is missing")?;
        Ok(Self { id, at, signatures: signatures.split(' ').filter_map(signature).collect() })
    }
}

/// Gives a header that stands there exactly once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (first, more) = (values.next()?, values.next());
    if more.is_some() { None } else { first.to_str().ok() }
}

/// Reads whole seconds since the epoch.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(Timestamp::from_secs)
}

/// Reads `v1,<base64>`; signatures of other sorts are passed over.
fn signature(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text.strip_prefix("v1,")?).ok()?;
    bytes.try_into().ok()
}

/// Makes the 401 that every webhook we do not take shares, word for word.
fn refused(why: &'static str) -> Fault {
    Fault::new(Code::InvalidSignature, "The webhook's signature is not valid")
        // A 401 must name a way to authenticate (RFC 9110, section 11.6.1); nobody has registered one for this.
        .header("www-authenticate", "StandardWebhooks")
        .because(why)
}

#[cfg(test)]
#[path = "webhooks_tests.rs"]
mod tests;
