//! The issuer's public keys: fixed by configuration, or fetched as a JWKS and cached.

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
/// How long fetched keys are served while newer ones cannot be had.
const STALE: Duration = Duration::from_hours(24);
/// How often an unknown key id may cause a fetch. Anybody can invent key ids; nobody may make us fetch at will.
const UNKNOWN_KID_INTERVAL: Duration = Duration::from_mins(5);
/// How long a failed fetch is not repeated.
const BACK_OFF: Duration = Duration::from_secs(10);
/// Smallest RSA modulus accepted, in bytes. Source: RFC 7518, section 3.3 (2048 bits).
const MODULUS_MIN: usize = 256;

/// Why a fetch of the key set failed.
pub type FetchError = Box<dyn Error + Send + Sync>;

/// Fetches the key set's JSON text.
pub type FetchKeys = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, FetchError>> + Send>> + Send + Sync>;

/// Where the issuer's keys come from.
pub enum KeySource {
    /// Keys given by configuration; every token is tried against each, whatever key id it names.
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

/// Why there is no key source.
#[derive(Debug)]
pub struct KeySourceError(String);

impl fmt::Display for KeySourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for KeySourceError {}

impl KeySource {
    /// Reads one or more PEM public keys; `\n` may stand for a line break, since environment variables rarely hold one.
    ///
    /// # Errors
    /// Says which key is no RSA public key.
    pub fn from_pem(text: &str) -> Result<Self, KeySourceError> {
        const END: &str = "-----END PUBLIC KEY-----";
        let text = text.replace("\\n", "\n");
        let blocks = text.split_inclusive(END).filter(|block| block.contains(END));
        let keys = blocks.enumerate().map(|(at, block)| {
            let key = DecodingKey::from_rsa_pem(block.trim().as_bytes());
            key.map(Arc::new).map_err(|error| KeySourceError(format!("key {} is no RSA public key: {error}", at + 1)))
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(KeySourceError("no PEM public key found".to_owned())) } else { Ok(Self::Fixed(keys)) }
    }

    /// Fetches keys by a function and caches them.
    pub fn fetched(fetch: FetchKeys) -> Self {
        Self::Fetched(Box::new(KeyCache { fetch, keys: RwLock::default(), fetching: Mutex::default() }))
    }

    /// Gives the keys that may have signed a token naming this key id; none when no such key exists.
    ///
    /// # Errors
    /// When keys are needed and none can be had, not even stale ones.
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

/// Keys fetched last, and when.
struct KeySet {
    keys: HashMap<String, Arc<DecodingKey>>,
    fetched_at: Timestamp,
}

/// When what was last tried; held while a fetch is in flight, so that there is one at a time.
#[derive(Default)]
struct Attempts {
    failed_at: Option<Timestamp>,
    unknown_kid_at: Option<Timestamp>,
}

/// A cache of fetched keys: fresh for an hour, stale for a day, one fetch in flight, and no fetch at a stranger's will.
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
        // Whoever waited here for another's fetch looks at its result before fetching again.
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

/// Answers from a set that could not be renewed, while it is not too old.
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

/// Takes the RS256 signing keys out of a JWKS; keys of other kinds are none of our business.
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
