//! Stripe's webhooks: signed in a way of Stripe's own, HMAC-SHA-256 over time and body.
//!
//! Source: Stripe documentation, "Receive Stripe events in your webhook endpoint", section "Verify webhook signatures manually",
//! <https://docs.stripe.com/webhooks#verify-manually>.

use std::time::Duration;

use consigne_core::text::hex;
use consigne_core::{Code, Fault, Timestamp};
use hmac::Mac as _;
use http::HeaderMap;
use subtle::{Choice, ConstantTimeEq};

use crate::webhooks::{live, moment, single};
use crate::{Refreshed, Secret, WebhookSecretError};

/// The header that time and signatures stand in.
const HEADER: &str = "stripe-signature";
/// What secrets begin with. Unlike in Standard Webhooks it is part of the key, and what follows is no base64.
const PREFIX: &str = "whsec_";
/// How far a webhook's time may be from ours, either way. Stripe's own libraries allow as much.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The secret of an endpoint at Stripe.
#[derive(Clone, Debug)]
pub struct StripeSecret(Secret);

impl StripeSecret {
    /// Reads a secret as Stripe shows it, or without its beginning; at least 26 characters that are no placeholder.
    pub fn parse(text: &str) -> Option<Self> {
        let own = text.trim().trim_start_matches(PREFIX);
        let plain = own.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+/=".contains(&byte));
        // Looked at alone: the beginning would make any text varied.
        Secret::of_at_least(26, own)?;
        Secret::new(format!("{PREFIX}{own}")).filter(|_| plain).map(Self)
    }

    fn mac(&self, at: &str, body: &[u8]) -> [u8; 32] {
        self.0.mac([at.as_bytes(), b".", body]).finalize().into_bytes().into()
    }
}

/// The secrets of the endpoint: that in use and, while one replaces the other, that in use before.
#[derive(Clone, Debug)]
pub struct StripeSecrets(Vec<StripeSecret>);

impl StripeSecrets {
    /// Reads `{"current": "whsec_...", "previous": "whsec_..."}`; the latter may be missing.
    ///
    /// # Errors
    /// When that is not its shape, or a secret is short or a placeholder.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let secrets: Option<Vec<_>> = live(text)?.iter().map(|secret| StripeSecret::parse(secret)).collect();
        secrets.map(Self).ok_or(WebhookSecretError::new("a secret that is odd, short or a placeholder"))
    }

    /// Signs a body with every secret, as Stripe would, and gives the header; for tests.
    pub fn sign(&self, at: Timestamp, body: &[u8]) -> (&'static str, String) {
        let at = at.as_secs().to_string();
        let signatures = self.0.iter().map(|secret| format!(",v1={}", hex(&secret.mac(&at, body))));
        (HEADER, format!("t={at}{}", signatures.collect::<String>()))
    }

    /// Says whether one of the signatures is by one of the secrets, in a time that tells nothing of any of them.
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
    /// Finds out whether a webhook is Stripe's.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE`, in the same words whatever is wrong; its cause is for the log.
    pub async fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Fault> {
        let envelope = Envelope::read(headers, now).map_err(refused)?;
        // The second secret may have been added since this environment started.
        if self.get(now).await.signed(&envelope, body) || self.refresh(now).await.signed(&envelope, body) {
            return Ok(());
        }
        Err(refused("no signature is by a secret known here"))
    }
}

/// What the header says.
struct Envelope<'a> {
    /// As it was written, since so it was signed.
    at: &'a str,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Envelope<'a> {
    /// Reads `t=1492774577,v1=...`, or says what is wrong with it. There may be several `v1`; other schemes are passed over,
    /// above all `v0`, by which test events are signed and which proves nothing.
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
        let sent = moment(at).ok_or("the time is malformed")?;
        if now.since(sent) > TOLERANCE || sent.since(now) > TOLERANCE {
            return Err("the time is more than five minutes off");
        }
        Ok(Self { at, signatures })
    }
}

/// Reads 64 lower-case hexadecimal digits; a signature has one spelling.
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

/// Makes the 401 that every webhook we do not take shares, word for word.
fn refused(why: &'static str) -> Fault {
    Fault::new(Code::InvalidSignature, "The webhook's signature is not valid")
        // A 401 must name a way to authenticate (RFC 9110, section 11.6.1); nobody has registered one for this.
        .header("www-authenticate", "StripeSignature")
        .because(why)
}

#[cfg(test)]
#[path = "stripe_tests.rs"]
mod tests;
