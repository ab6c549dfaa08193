//! Verifies session tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::{Code, Fault, Timestamp};
use jsonwebtoken::{Algorithm, crypto};
use serde::Deserialize;

use crate::buckets::Buckets;
use crate::carrier::unauthenticated;
use crate::claims::Claims;
use crate::{Credentials, KeySource, Refreshed, ServiceTokens, User, acting};

/// How far clocks may differ, in seconds, in either direction.
const LEEWAY: i64 = 5;
/// Longest token accepted, in bytes. Clerk keeps its own below 4 KiB, so that they fit a cookie.
const TOKEN_MAX: usize = 16 * 1024;

/// What a token must say, besides having a valid signature.
#[derive(Clone, Debug)]
pub struct SessionPolicy {
    /// The only accepted `iss`.
    pub issuer: String,
    /// The accepted values of `azp`: the origins of the applications, exactly as a browser writes them. A write that is
    /// authenticated by cookie must also come from one of them.
    pub authorized_parties: Vec<String>,
    /// Most seconds from a token's issue to its expiry. Reads do not ask whether an account was closed, so they go on for
    /// as long as its tokens live.
    pub max_token_seconds: i64,
}

/// Verifies the session tokens of requests, and counts what this environment counts for each user.
#[derive(Debug)]
pub struct SessionVerifier {
    policy: SessionPolicy,
    keys: KeySource,
    services: Option<Refreshed<ServiceTokens>>,
    reads: Buckets,
    writes: Buckets,
}

/// The part of the header that is checked. Source: RFC 7515, section 4.1.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl SessionVerifier {
    /// Creates a verifier with a policy and the issuer's keys.
    pub fn new(policy: SessionPolicy, keys: KeySource) -> Self {
        Self { policy, keys, services: None, reads: Buckets::default(), writes: Buckets::default() }
    }

    /// Accepts services that act for a user, too.
    #[must_use]
    pub fn with_services(self, services: Refreshed<ServiceTokens>) -> Self {
        Self { services: Some(services), ..self }
    }

    /// Returns the user who is calling, or for whom a service is calling.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is no token, or it is not valid. `TOKEN_EXPIRED` if only its time has passed.
    /// `API_KEY_NOT_ACCEPTED` for an API key. `ORIGIN_NOT_ALLOWED` for a write by cookie from another site.
    /// `UNAVAILABLE` if the issuer's keys cannot be fetched. `INVALID_REQUEST` for a person who sends the headers of a
    /// service, and `INSUFFICIENT_SCOPE` for a service without the right.
    pub async fn user(&self, credentials: Credentials<'_>, now: Timestamp) -> Result<User, Fault> {
        if !credentials.act_for_somebody() {
            return self.signed_in(credentials, now).await;
        }
        let refusal = match &self.services {
            Some(services) => match acting::user(services, credentials, now).await {
                Err(fault) if fault.code == Code::Unauthenticated => Some(fault),
                answered => return answered,
            },
            None => None,
        };
        match self.signed_in(credentials, now).await {
            Ok(_) => Err(acting::only_for_services()),
            Err(fault) if fault.code == Code::ApiKeyNotAccepted => Err(fault),
            Err(fault) => Err(refusal.unwrap_or(fault)),
        }
    }

    async fn signed_in(&self, credentials: Credentials<'_>, now: Timestamp) -> Result<User, Fault> {
        let (carrier, tokens) = credentials.find()?;
        let user = match tokens.as_slice() {
            [token] => self.user_of(token, now).await?,
            several => self.user_of_one(several, now).await?,
        };
        credentials.check_origin(carrier, &self.policy.authorized_parties)?;
        Ok(user)
    }

    /// Counts a read of the user against their plan. The count is approximate, because each environment has its own.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the user has read too often.
    pub fn count_read(&self, user: &User, now: Timestamp) -> Result<(), Fault> {
        self.reads.take(&user.id, user.plan.allowances().reads_per_minute, "reads", now)
    }

    /// Counts a write of the user like [`Self::count_read`], for a route whose own write cannot count it.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the user has written too often.
    pub fn count_write(&self, user: &User, now: Timestamp) -> Result<(), Fault> {
        self.writes.take(&user.id, user.plan.allowances().writes_per_minute, "writes", now)
    }

    async fn user_of(&self, token: &str, now: Timestamp) -> Result<User, Fault> {
        let claims = self.genuine_claims(token, now).await?;
        self.accept(&claims, now)
    }

    /// Returns the user of the first valid token. Only tokens that name our issuer are verified, so that cookies of
    /// other applications cause no look-up of keys.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED` if one is valid but for its time, else the refusal of the first token.
    async fn user_of_one(&self, tokens: &[&str], now: Timestamp) -> Result<User, Fault> {
        let mut refusal = None;
        for token in tokens.iter().filter(|token| self.names_our_issuer(token)) {
            match self.user_of(token, now).await {
                Ok(user) => return Ok(user),
                Err(fault) if refusal.is_none() || fault.code == Code::TokenExpired => refusal = Some(fault),
                Err(_) => {}
            }
        }
        Err(refusal.unwrap_or_else(|| unauthenticated("The session token is not valid")))
    }

    /// Returns whether a token, which is not verified, names our issuer.
    fn names_our_issuer(&self, token: &str) -> bool {
        let payload = token.split('.').nth(1).filter(|_| token.len() <= TOKEN_MAX);
        payload
            .and_then(decode)
            .map(Claims)
            .is_some_and(|claims| claims.text("iss") == Some(self.policy.issuer.as_str()))
    }

    /// Checks the algorithm and the signature, and only then reads the claims.
    async fn genuine_claims(&self, token: &str, now: Timestamp) -> Result<Claims, Fault> {
        let refused = || unauthenticated("The session token is not valid");
        let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_MAX).ok_or_else(refused)?;
        let (header, payload) = signed.split_once('.').ok_or_else(refused)?;
        let header: Header = decode(header).ok_or_else(refused)?;
        // We support no critical extensions. The key is looked up only for our algorithm, so that `none` or `HS256`
        // never causes a fetch.
        if header.alg != "RS256" || header.crit.is_some() {
            return Err(refused());
        }
        let candidates = self.keys.candidates(header.kid.as_deref(), now).await.map_err(Fault::unavailable)?;
        let genuine = candidates
            .iter()
            .any(|key| crypto::verify(signature, signed.as_bytes(), key, Algorithm::RS256).unwrap_or(false));
        if !genuine {
            return Err(refused());
        }
        decode(payload).map(Claims).ok_or_else(refused)
    }

    fn accept(&self, claims: &Claims, now: Timestamp) -> Result<User, Fault> {
        let refused = || unauthenticated("The session token is not valid");
        let now = now.as_secs();
        let expires = claims.date("exp").ok_or_else(refused)?;
        if now > expires.saturating_add(LEEWAY) {
            return Err(Fault::new(Code::TokenExpired, "The session token has expired")
                .header("www-authenticate", "Bearer error=\"invalid_token\""));
        }
        let (issued, longest) = (claims.date("iat").ok_or_else(refused)?, self.policy.max_token_seconds);
        let lives = expires.saturating_sub(issued);
        if lives > longest {
            let why = format!("the token lives for {lives} seconds, and MaxTokenSeconds is {longest}");
            return Err(refused().because(why));
        }
        if issued > now.saturating_add(LEEWAY) {
            return Err(refused().because("the token was issued in the future"));
        }
        let early =
            claims.0.contains_key("nbf") && claims.date("nbf").is_none_or(|start| now < start.saturating_sub(LEEWAY));
        let ours = claims.text("iss") == Some(self.policy.issuer.as_str());
        let party = claims.text("azp").unwrap_or_default();
        let known_party = self.policy.authorized_parties.iter().any(|known| known == party);
        let pending = claims.text("sts") == Some("pending");
        if early || !ours || !known_party || pending {
            return Err(refused());
        }
        claims.user().ok_or_else(refused)
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
