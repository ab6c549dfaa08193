//! The public keys with which the issuer's session tokens are verified: given by configuration, or fetched as a JWKS
//! and cached.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::Timestamp;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use tokio::sync::Mutex;

/// How long fetched keys count as fresh.
const FRESH: Duration = Duration::from_hours(1);
/// How long fetched keys are used while newer ones cannot be fetched.
const STALE: Duration = Duration::from_hours(24);
/// Shortest time between two fetches caused by unknown key ids. Anybody can invent key ids, and must not be able to
/// make us fetch at will.
const UNKNOWN_KID_INTERVAL: Duration = Duration::from_mins(5);
/// How long after a failed fetch no other is tried.
const BACK_OFF: Duration = Duration::from_secs(10);
/// Smallest RSA modulus accepted, in bytes. Source: RFC 7518, section 3.3 (2048 bits).
const MODULUS_MIN: usize = 256;

/// Why a fetch of the key set failed.
pub type FetchError = Box<dyn Error + Send + Sync>;

/// Fetches the JSON text of the key set.
pub type FetchKeys = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, FetchError>> + Send>> + Send + Sync>;

/// Where the issuer's keys come from.
pub enum KeySource {
    /// Keys from the configuration. A token is checked against each of them, whatever key id it names.
    Fixed(Vec<Arc<DecodingKey>>),
    /// Keys fetched from the issuer.
    Fetched(Box<KeyCache>),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(keys) => write!(f, "KeySource::Fixed({})", keys.len()),
            Self::Fetched(_) => f.write_str("KeySource::Fetched"),
        }
    }
}

/// Why no key source can be built.
#[derive(Debug)]
pub struct KeySourceError(String);

impl fmt::Display for KeySourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for KeySourceError {}

impl KeySource {
    /// Reads one or more PEM public keys. `\n` may stand for a line break, because environment variables rarely contain
    /// one.
    ///
    /// # Errors
    /// If there is no key, or one is not an RSA public key. The error says which.
    pub fn from_pem(text: &str) -> Result<Self, KeySourceError> {
        const END: &str = "-----END PUBLIC KEY-----";
        let text = text.replace("\\n", "\n");
        let blocks = text.split_inclusive(END).filter(|block| block.contains(END));
        let keys = blocks.enumerate().map(|(at, block)| {
            let key = DecodingKey::from_rsa_pem(block.trim().as_bytes());
            key.map(Arc::new)
                .map_err(|error| KeySourceError(format!("key {} is not an RSA public key: {error}", at + 1)))
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(KeySourceError("no PEM public key found".to_owned())) } else { Ok(Self::Fixed(keys)) }
    }

    /// Creates a key source that fetches keys with `fetch` and caches them.
    pub fn fetched(fetch: FetchKeys) -> Self {
        Self::Fetched(Box::new(KeyCache { fetch, keys: RwLock::default(), fetching: Mutex::default() }))
    }

    /// Returns the keys that may have signed a token with this key id. Empty if there is no such key.
    ///
    /// # Errors
    /// If keys are needed and cannot be fetched, and there are no cached ones that are still usable.
    pub(crate) async fn candidates(
        &self,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Arc<DecodingKey>>, FetchError> {
        match (self, kid) {
            (Self::Fixed(keys), _) => Ok(keys.clone()),
            (Self::Fetched(cache), Some(kid)) => Ok(cache.find(kid, now).await?.into_iter().collect()),
            (Self::Fetched(_), None) => Ok(Vec::new()),
        }
    }
}

/// The keys of the last fetch, and when that was.
struct KeySet {
    keys: HashMap<String, Arc<DecodingKey>>,
    fetched_at: Timestamp,
}

/// When the last failed fetch, and the last fetch for an unknown key id, took place. Its mutex is held during a fetch,
/// so that only one runs at a time.
#[derive(Default)]
struct Attempts {
    failed_at: Option<Timestamp>,
    unknown_kid_at: Option<Timestamp>,
}

/// A cache of fetched keys. They are fresh for an hour and usable for a day. Only one fetch runs at a time, and
/// invented key ids cannot cause many.
pub struct KeyCache {
    fetch: FetchKeys,
    keys: RwLock<Option<Arc<KeySet>>>,
    fetching: Mutex<Attempts>,
}

impl KeyCache {
    async fn find(&self, kid: &str, now: Timestamp) -> Result<Option<Arc<DecodingKey>>, FetchError> {
        if let Some(set) = self.current()
            && now.since(set.fetched_at) < FRESH
            && let Some(key) = set.keys.get(kid)
        {
            return Ok(Some(key.clone()));
        }
        // A caller that waited here for another's fetch looks at its result before it fetches again.
        let mut attempts = self.fetching.lock().await;
        let set = self.current();
        let known = set.as_ref().and_then(|set| set.keys.get(kid)).cloned();
        let fresh = set.as_ref().is_some_and(|set| now.since(set.fetched_at) < FRESH);
        let due =
            if fresh { known.is_none() && elapsed(attempts.unknown_kid_at, UNKNOWN_KID_INTERVAL, now) } else { true };
        if !due || !elapsed(attempts.failed_at, BACK_OFF, now) {
            return usable(set.as_deref(), known, now, "the key set could not be fetched a moment ago".into());
        }
        if fresh {
            attempts.unknown_kid_at = Some(now);
        }
        match (self.fetch)().await.and_then(|text| parse_key_set(&text)) {
            Ok(keys) => {
                attempts.failed_at = None;
                let key = keys.get(kid).cloned();
                self.replace(KeySet { keys, fetched_at: now });
                Ok(key)
            }
            Err(error) => {
                attempts.failed_at = Some(now);
                usable(set.as_deref(), known, now, error)
            }
        }
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn replace(&self, set: KeySet) {
        *self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(set));
    }
}

/// Answers from a key set that could not be fetched again, as long as it is not too old.
fn usable(
    set: Option<&KeySet>,
    known: Option<Arc<DecodingKey>>,
    now: Timestamp,
    error: FetchError,
) -> Result<Option<Arc<DecodingKey>>, FetchError> {
    match set {
        Some(set) if now.since(set.fetched_at) < STALE => Ok(known),
        _ => Err(error),
    }
}

fn elapsed(last: Option<Timestamp>, interval: Duration, now: Timestamp) -> bool {
    last.is_none_or(|last| now.since(last) >= interval)
}

/// One key of a JWKS. Source: RFC 7517, section 4, and RFC 7518, section 6.3.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Returns the RS256 signing keys of a JWKS by key id. Skips all other kinds of keys.
fn parse_key_set(text: &str) -> Result<HashMap<String, Arc<DecodingKey>>, FetchError> {
    #[derive(Deserialize)]
    struct Jwks {
        keys: Vec<serde_json::Value>,
    }
    let set: Jwks = serde_json::from_str(text)?;
    let keys = set.keys.into_iter().filter_map(|value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let ours = jwk.kty == "RSA"
            && jwk.alg.is_none_or(|alg| alg == "RS256")
            && jwk.usage.is_none_or(|usage| usage == "sig");
        let (kid, n, e) = (jwk.kid?, jwk.n?, jwk.e?);
        let strong = URL_SAFE_NO_PAD.decode(&n).is_ok_and(|modulus| modulus.len() >= MODULUS_MIN);
        let key = DecodingKey::from_rsa_components(&n, &e).ok()?;
        (ours && strong).then(|| (kid, Arc::new(key)))
    });
    let keys: HashMap<_, _> = keys.collect();
    if keys.is_empty() { Err("the key set holds no RS256 key".into()) } else { Ok(keys) }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
