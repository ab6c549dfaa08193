//! Verifies Stripe's webhooks. Their signature is the HMAC-SHA-256 of time and body, in a header of Stripe's own.
//!
//! Source: Stripe documentation, "Receive Stripe events in your webhook endpoint", section "Verify webhook signatures
//! manually", <https://docs.stripe.com/webhooks#verify-manually>.

use std::time::Duration;

use consigne_core::text::hex;
use consigne_core::{Code, Fault, Timestamp};
use hmac::Mac as _;
use http::HeaderMap;
use subtle::{Choice, ConstantTimeEq};

use crate::webhooks::{secret_texts, single, unix_seconds};
use crate::{Refreshed, Secret, WebhookSecretError};

/// The header with the time and the signatures.
const HEADER: &str = "stripe-signature";
/// What secrets start with. Unlike in Standard Webhooks, it is part of the key, and the rest is not base64.
const PREFIX: &str = "whsec_";
/// How far a webhook's time may differ from ours, in either direction. Stripe's own libraries allow the same.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The secret of our endpoint at Stripe.
#[derive(Clone, Debug)]
pub struct StripeSecret(Secret);

impl StripeSecret {
    /// Reads a secret as Stripe shows it, with or without `whsec_`: at least 26 more characters, and not a placeholder.
    pub fn parse(text: &str) -> Option<Self> {
        let own = text.trim().trim_start_matches(PREFIX);
        let plain = own.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+/=".contains(&byte));
        // Checked without the prefix, which would make any text look varied enough.
        Secret::of_at_least(26, own)?;
        Secret::new(format!("{PREFIX}{own}")).filter(|_| plain).map(Self)
    }

    fn mac(&self, at: &str, body: &[u8]) -> [u8; 32] {
        self.0.mac([at.as_bytes(), b".", body]).finalize().into_bytes().into()
    }
}

/// The secrets of the endpoint: the one in use and, during a rotation, the previous one.
#[derive(Clone, Debug)]
pub struct StripeSecrets(Vec<StripeSecret>);

impl StripeSecrets {
    /// Reads `{"current": "whsec_...", "previous": "whsec_..."}`. `previous` is optional.
    ///
    /// # Errors
    /// If the text has another shape, or a secret is too short, a placeholder, or contains a character Stripe does not
    /// use.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let secrets: Option<Vec<_>> = secret_texts(text)?.iter().map(|secret| StripeSecret::parse(secret)).collect();
        secrets.map(Self).ok_or(WebhookSecretError::new(
            "a secret is too short, a placeholder, or contains a character that Stripe does not use",
        ))
    }

    /// Signs a body with every secret, as Stripe does, and returns the header. For tests.
    pub fn sign(&self, at: Timestamp, body: &[u8]) -> (&'static str, String) {
        let at = at.as_secs().to_string();
        let signatures = self.0.iter().map(|secret| format!(",v1={}", hex(&secret.mac(&at, body))));
        (HEADER, format!("t={at}{}", signatures.collect::<String>()))
    }

    /// Returns whether one of the signatures was made with one of the secrets. The time it takes reveals nothing about
    /// them.
    fn signed(&self, envelope: &Envelope<'_>, body: &[u8]) -> bool {
        let mut found = Choice::from(0);
        for secret in &self.0 {
            let mac = secret.mac(envelope.at, body);
            for signature in &envelope.signatures {
                found |= mac.ct_eq(signature);
            }
        }
        found.into()
    }
}

impl Refreshed<StripeSecrets> {
    /// Checks that a webhook was signed by Stripe.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE`, with the same message whatever is wrong. The reason goes to the log only.
    pub async fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Fault> {
        let envelope = Envelope::read(headers, now).map_err(refused)?;
        // The second secret may have been added after this execution environment started.
        if self.get(now).await.signed(&envelope, body) || self.refresh(now).await.signed(&envelope, body) {
            return Ok(());
        }
        Err(refused("no signature was made with a known secret"))
    }
}

/// The signature header, parsed.
struct Envelope<'a> {
    /// The time as it was written, because that text was signed.
    at: &'a str,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Envelope<'a> {
    /// Parses `t=1492774577,v1=...`. The error says what is wrong with it. There may be several `v1`. Other schemes are
    /// ignored, above all `v0`, which signs test events and proves nothing.
    fn read(headers: &'a HeaderMap, now: Timestamp) -> Result<Self, &'static str> {
        let header = single(headers, HEADER).ok_or("the signature is missing")?;
        let (mut at, mut signatures) = (None, Vec::new());
        for part in header.split(',') {
            match part.split_once('=').ok_or("a part of the signature is malformed")? {
                ("t", _) if at.is_some() => return Err("there are two times"),
                ("t", time) => at = Some(time),
                ("v1", signature) => signatures.extend(unhex(signature)),
                _ => {}
            }
        }
        let at = at.ok_or("the time is missing")?;
        let sent = unix_seconds(at).ok_or("the time is malformed")?;
        if now.since(sent) > TOLERANCE || sent.since(now) > TOLERANCE {
            return Err("the time is more than five minutes off");
        }
        Ok(Self { at, signatures })
    }
}

/// Reads 64 lower-case hexadecimal digits. Upper-case ones are refused, so that a signature has only one spelling.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes = text.as_bytes().chunks(2).map(|pair| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// The 401 for every refused webhook, always with the same message.
fn refused(why: &'static str) -> Fault {
    Fault::new(Code::InvalidSignature, "The webhook's signature is not valid")
        // A 401 must name a way to authenticate (RFC 9110, section 11.6.1). None is registered for webhooks.
        .header("www-authenticate", "StripeSignature")
        .because(why)
}

#[cfg(test)]
#[path = "stripe_tests.rs"]
mod tests;
