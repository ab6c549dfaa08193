//! Signed URLs of the CDN. `CloudFront` checks their signature and fetches the object from the bucket.
//!
//! Unlike a URL that S3 checks, such a URL does not end with the credentials of an execution environment, and it is the
//! same from every environment: within a window of five minutes the same file gets the same URL, byte for byte. So a
//! browser finds the file in its cache again.
//!
//! Signatures are RSASSA-PKCS1-v1_5 over SHA-256, which `CloudFront` accepts with `Hash-Algorithm=SHA256`. Without that
//! parameter it expects SHA-1.
//!
//! Source: Amazon CloudFront developer guide, "Create a signed URL using a canned policy".

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::files::{Readable, TICKET_MAX};
use consigne_core::{Fault, Timestamp};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use crate::presign::{PATH, QUERY, query_of};

/// How long the URL of a file stays the same, counted from the epoch.
pub const WINDOW: Duration = Duration::from_mins(5);
/// The shortest requested validity for which URLs stay the same. A shorter one is kept as exactly as possible.
pub const WINDOWED_FROM: Duration = Duration::from_mins(15);

/// Size of the keys that `CloudFront` accepts, in bytes: RSA with 2048 bits.
const MODULUS: usize = 256;

/// The keys that sign URLs. One signs; the others are accepted by the CDN, so that a new key can replace an old one.
pub struct CdnKeys {
    /// The CDN's id of the public key.
    id: String,
    pair: KeyPair,
}

/// Why a secret is no set of signing keys. It never contains the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CdnKeyError {
    /// It is not the JSON of such a secret.
    Malformed,
    /// The key that should sign is missing, or the CDN has given it no id yet.
    NoCurrent,
    /// The key that should sign is not an RSA key of 2048 bits in PKCS#8.
    Unusable,
}

impl fmt::Display for CdnKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => r#"it must be {"current": "a", "a": {"id": "...", "private": "..."}}"#,
            Self::NoCurrent => "its current key is missing, or has no id of the CDN yet",
            Self::Unusable => "its current key must be an RSA key of 2048 bits in PKCS#8",
        })
    }
}

impl std::error::Error for CdnKeyError {}

/// The secret, as `consigne cdn-key` writes it.
#[derive(Deserialize)]
struct StoredKeys {
    #[serde(default)]
    current: String,
    #[serde(flatten)]
    keys: BTreeMap<String, StoredKey>,
}

#[derive(Deserialize)]
struct StoredKey {
    #[serde(default)]
    id: String,
    /// PKCS#8 in PEM.
    private: String,
}

impl CdnKeys {
    /// Parses the secret and takes the key that signs.
    ///
    /// # Errors
    /// See [`CdnKeyError`].
    pub fn parse(text: &str) -> Result<Self, CdnKeyError> {
        let stored: StoredKeys = serde_json::from_str(text).map_err(|_| CdnKeyError::Malformed)?;
        let key = stored.keys.get(&stored.current).filter(|key| is_id(&key.id)).ok_or(CdnKeyError::NoCurrent)?;
        let pair = from_pem(&key.private).filter(|pair| pair.public_modulus_len() == MODULUS);
        Ok(Self { id: key.id.clone(), pair: pair.ok_or(CdnKeyError::Unusable)? })
    }
}

impl fmt::Debug for CdnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CdnKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Returns whether a text can be an id of the CDN, and stand in a URL as it is.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Reads a key in PKCS#8 from PEM.
fn from_pem(pem: &str) -> Option<KeyPair> {
    let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    KeyPair::from_pkcs8(&STANDARD.decode(body).ok()?).ok()
}

/// When URLs that are signed now expire, and for how long a browser may keep what they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdnValidity {
    /// When the URL expires: whole seconds.
    pub expires_at: Timestamp,
    /// The shortest validity that anyone who gets this URL still has. A browser may keep the answer for so long.
    pub cached: Duration,
}

impl CdnValidity {
    /// Returns when a URL expires that is asked for now: never later than after `asked`, and never later than after an
    /// hour.
    ///
    /// From [`WINDOWED_FROM`] on, the time counts from the beginning of the window, so a URL is valid for up to
    /// [`WINDOW`] less than `asked`.
    pub fn of(asked: Duration, now: Timestamp) -> Self {
        let asked = asked.min(TICKET_MAX);
        if asked < WINDOWED_FROM {
            return Self { expires_at: Timestamp::from_secs(now.as_secs()).plus(asked), cached: asked };
        }
        Self { expires_at: now.floor(WINDOW).plus(asked), cached: asked.saturating_sub(WINDOW) }
    }
}

/// Signs URLs for the files behind one CDN.
#[derive(Clone, Debug)]
pub struct CdnSigner {
    base: String,
}

impl CdnSigner {
    /// Creates a signer for a domain, such as `d111111abcdef8.cloudfront.net`, or for an address with its scheme, such as
    /// that of a laptop's stand-in.
    pub fn new(domain: &str) -> Self {
        let domain = domain.trim_end_matches('/');
        let base = if domain.contains("://") { domain.to_owned() } else { format!("https://{domain}") };
        Self { base }
    }

    /// Returns the address of the CDN, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Signs a URL that reads one version of a file.
    ///
    /// As a URL that S3 checks, it sets name, type, disposition and caching of the answer.
    ///
    /// # Errors
    /// `INTERNAL` if signing fails.
    pub fn read(&self, keys: &CdnKeys, file: &Readable, valid: CdnValidity) -> Result<String, Fault> {
        let mut url = format!("{}/{}", self.base, utf8_percent_encode(&file.key, PATH));
        for (at, (name, value)) in query_of(file, valid.cached).iter().enumerate() {
            let mark = if at == 0 { '?' } else { '&' };
            // Writing to a String cannot fail.
            let _ = write!(url, "{mark}{name}={}", utf8_percent_encode(value, QUERY));
        }
        sign(keys, &url, valid.expires_at)
    }
}

/// Adds to a URL what `CloudFront` checks: when it expires, and the signature of its canned policy.
fn sign(keys: &CdnKeys, url: &str, expires_at: Timestamp) -> Result<String, Fault> {
    let expires = expires_at.as_secs();
    // `CloudFront` builds this text again from the URL, so each byte counts. The URL has no quote and no backslash.
    let policy = format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    );
    let mut signature = vec![0; keys.pair.public_modulus_len()];
    keys.pair
        .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), policy.as_bytes(), &mut signature)
        .map_err(|_| Fault::internal("the CDN's key cannot sign"))?;
    let signature = STANDARD.encode(signature).replace('+', "-").replace('=', "_").replace('/', "~");
    let mark = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{mark}Expires={expires}&Signature={signature}&Key-Pair-Id={}&Hash-Algorithm=SHA256", keys.id))
}

#[cfg(test)]
#[path = "cdn_tests.rs"]
mod tests;
