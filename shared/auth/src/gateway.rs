//! Signs calls through the gateway, so that the service that is called knows who is calling.
//!
//! The gateway adds nine headers to each call, and removes headers with these names that the caller sent. The last
//! header is `X-Consigne-Signature: v1,<base64>`. It is the HMAC-SHA-256, under the gateway's secret, of eleven lines
//! joined by line feeds, without one at the end:
//!
//! ```text
//! consigne-gateway-v1
//! POST                       the method
//! /v1/pdf/render?dpi=300     path and query as the service sees them
//! org_01J...                 X-Consigne-Org
//! key_01J...                 X-Consigne-Key
//! production                 X-Consigne-Environment, or test
//! pdf                        X-Consigne-Service
//! 1                          X-Consigne-Credits, held for the call
//! 0b54e2...                  X-Consigne-Request, as in the caller's X-Request-Id
//! 1795257000                 X-Consigne-Timestamp, in seconds since 1970
//! e3b0c4...                  X-Consigne-Body, the body's SHA-256 in hexadecimal
//! ```
//!
//! A service must refuse calls without these headers. It compares the signature in constant time, the hash with that of
//! the body it received, the service's name with its own, and the time with its clock, which may differ by five
//! minutes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::keys::KeyMode;
use consigne_core::text::hex;
use consigne_core::{Code, Fault, KeyId, OrgId, Timestamp};
use hmac::Mac as _;
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::Secret;
use crate::webhooks::single;

/// First line of the signed text: its purpose, in case the secret is ever used for anything else.
const PURPOSE: &str = "consigne-gateway-v1";
/// How far a call's time may differ from ours, in either direction.
const TOLERANCE: Duration = Duration::from_mins(5);
/// The headers of an identity, in the order in which they are signed.
const NAMES: [&str; 8] = [
    "x-consigne-org",
    "x-consigne-key",
    "x-consigne-environment",
    "x-consigne-service",
    "x-consigne-credits",
    "x-consigne-request",
    "x-consigne-timestamp",
    "x-consigne-body",
];
const SIGNATURE: &str = "x-consigne-signature";

/// Who a call is from, and how many credits are held for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The caller's organisation.
    pub org: OrgId,
    /// The API key that was sent.
    pub key: KeyId,
    /// The key's mode, which decides what it spends.
    pub environment: KeyMode,
    /// The service that is called.
    pub service: String,
    /// Credits held for the call.
    pub credits: u64,
    /// The request's id, which the caller gets as `X-Request-Id`.
    pub request: String,
    /// When the gateway accepted the call.
    pub at: Timestamp,
}

/// Signs calls, and verifies them as a service must.
#[derive(Clone, Debug)]
pub struct GatewaySeal(Secret);

/// Returns a body's SHA-256 in hexadecimal, as it is signed.
pub fn body_digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

impl GatewaySeal {
    /// Creates a seal with the key `secret`.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Returns the nine headers that tell a service who is calling.
    pub fn sign(&self, identity: &Identity, method: &str, target: &str, digest: &str) -> Vec<(String, String)> {
        let values = [
            identity.org.to_string(),
            identity.key.to_string(),
            identity.environment.name().to_owned(),
            identity.service.clone(),
            identity.credits.to_string(),
            // A line feed would shift the lines after it. No header can contain one anyway.
            identity.request.replace(char::is_control, ""),
            identity.at.as_secs().to_string(),
            digest.to_owned(),
        ];
        let signature = STANDARD.encode(self.mac(method, target, values.each_ref().map(String::as_str)));
        let named = NAMES.iter().map(|name| (*name).to_owned()).zip(values);
        named.chain([(SIGNATURE.to_owned(), format!("v1,{signature}"))]).collect()
    }

    /// Verifies a call and returns who it is from. A service must do this before anything else.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE` if a header is missing or repeated, if signature, body or path do not match, or if the time is
    /// more than five minutes off. The message is always the same.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        method: &str,
        target: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Identity, Fault> {
        let read = || -> Option<Identity> {
            let mut values = [""; NAMES.len()];
            for (value, name) in values.iter_mut().zip(NAMES) {
                *value = single(headers, name)?;
            }
            let signature = STANDARD.decode(single(headers, SIGNATURE)?.strip_prefix("v1,")?).ok()?;
            let [org, key, environment, service, credits, request, at, digest] = values;
            let same = self.mac(method, target, values).ct_eq(signature.as_slice());
            if !bool::from(same & body_digest(body).as_bytes().ct_eq(digest.as_bytes())) {
                return None;
            }
            let at = Timestamp::from_secs(at.parse().ok()?);
            if now.since(at) > TOLERANCE || at.since(now) > TOLERANCE {
                return None;
            }
            Some(Identity {
                org: OrgId::parse(org)?,
                key: KeyId::parse(key)?,
                environment: KeyMode::from_name(environment)?,
                service: service.to_owned(),
                credits: credits.parse().ok()?,
                request: request.to_owned(),
                at,
            })
        };
        read().ok_or_else(|| Fault::new(Code::InvalidSignature, "The call is not from the gateway"))
    }

    fn mac(&self, method: &str, target: &str, values: [&str; NAMES.len()]) -> [u8; 32] {
        let lines = [PURPOSE, method, target].into_iter().chain(values);
        let text = lines.collect::<Vec<_>>().join("\n");
        self.0.mac([text.as_bytes()]).finalize().into_bytes().into()
    }
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
