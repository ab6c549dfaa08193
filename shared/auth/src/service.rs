//! Service tokens: how servers authenticate at the routes that check and charge API keys.

use std::collections::BTreeMap;
use std::fmt;

use consigne_core::{Fault, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::carrier::unauthenticated;
use crate::{Credentials, Refreshed, Secret};

/// Most tokens a service may have at once: the one in use and its replacement.
const LIVE_MAX: usize = 2;

/// The tokens of all services.
#[derive(Clone, Debug)]
pub struct ServiceTokens(Vec<(String, Hashed)>);

/// A token's SHA-256. It is enough to recognise the token.
#[derive(Clone)]
struct Hashed([u8; 32]);

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashed(..)")
    }
}

/// Why a text holds no service tokens. It does not contain the text, which is secret.
#[derive(Debug)]
pub struct ServiceTokenError(String);

impl fmt::Display for ServiceTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServiceTokenError {}

impl ServiceTokens {
    /// Reads `{"pdf-api": "...", "ai-api": ["...", "..."]}`: one token for each service, or two while one replaces the
    /// other.
    ///
    /// # Errors
    /// If the text has another shape, a service has more than two tokens, or a token is too short or a placeholder.
    pub fn parse(text: &str) -> Result<Self, ServiceTokenError> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Live {
            One(String),
            Several(Vec<String>),
        }
        let services: BTreeMap<String, Live> = serde_json::from_str(text)
            .map_err(|_| ServiceTokenError("it is not a JSON object with the tokens of each service".to_owned()))?;
        let mut tokens = Vec::new();
        for (name, live) in services {
            let live = match live {
                Live::One(token) => vec![token],
                Live::Several(tokens) => tokens,
            };
            if live.len() > LIVE_MAX {
                return Err(ServiceTokenError(format!("service {name} has more than {LIVE_MAX} tokens")));
            }
            for token in live {
                let problem = || ServiceTokenError(format!("a token of service {name} is too short or a placeholder"));
                let token = Secret::new(token).ok_or_else(problem)?;
                tokens.push((name.clone(), Hashed(Sha256::digest(token.expose()).into())));
            }
        }
        Ok(Self(tokens))
    }

    /// Returns an empty list, by which no service is recognised.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns the service with this token. The time it takes reveals nothing about any token.
    fn service_of(&self, token: &str) -> Option<&str> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for (name, known) in &self.0 {
            if bool::from(known.0.ct_eq(&hash)) {
                found = Some(name.as_str());
            }
        }
        found
    }
}

impl Refreshed<ServiceTokens> {
    /// Returns the name of the service that is calling, from its token in `Authorization`: `Bearer <token>`, or `Basic
    /// <base64 of token:>`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is no token or no service has it.
    pub async fn service(&self, credentials: Credentials<'_>, now: Timestamp) -> Result<String, Fault> {
        let refused = || unauthenticated("The service token is not valid");
        let token = credentials.bearer().ok_or_else(refused)?;
        if let Some(name) = self.get(now).await.service_of(&token) {
            return Ok(name.to_owned());
        }
        // The token may have been added after this execution environment started.
        self.refresh(now).await.service_of(&token).map(str::to_owned).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1";
    const B: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2";
    const C: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa3";

    async fn ask(tokens: &Refreshed<ServiceTokens>, value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
        let credentials = Credentials { headers: &headers, writes: true };
        tokens.service(credentials, Timestamp::from_secs(1)).await.ok()
    }

    #[tokio::test]
    async fn a_service_is_known_by_either_of_its_tokens() {
        let tokens = ServiceTokens::parse(&format!(r#"{{"pdf": ["{A}", "{B}"], "ai": "{C}"}}"#)).unwrap();
        let tokens = Refreshed::fixed(tokens);
        assert_eq!(ask(&tokens, &format!("Bearer {A}")).await.as_deref(), Some("pdf"));
        assert_eq!(ask(&tokens, &format!("bearer {B}")).await.as_deref(), Some("pdf"));
        assert_eq!(ask(&tokens, &format!("Bearer {C}")).await.as_deref(), Some("ai"));
        let basic = |user: &str| format!("Basic {}", STANDARD.encode(user));
        assert_eq!(ask(&tokens, &basic(&format!("{C}:"))).await.as_deref(), Some("ai"));
        assert_eq!(ask(&tokens, &basic(&format!("{C}:{C}"))).await, None);
        for bad in ["", "Bearer", A, &format!("Bearer {A}x"), &format!("Basic {A}")] {
            assert_eq!(ask(&tokens, bad).await, None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_token_added_later_is_accepted() {
        let later = ServiceTokens::parse(&format!(r#"{{"ai": "{C}"}}"#)).unwrap();
        let tokens = Refreshed::new(
            ServiceTokens::parse("{}").unwrap(),
            Timestamp::from_secs(1),
            Box::new(move || {
                let later = later.clone();
                Box::pin(async move { Ok(later) })
            }),
        );
        assert_eq!(ask(&tokens, &format!("Bearer {C}")).await.as_deref(), Some("ai"));
    }

    #[test]
    fn three_tokens_and_weak_ones_are_refused() {
        for bad in ["", "[]", r#"{"a": 1}"#, r#"{"a": "short"}"#, &format!(r#"{{"a": ["{A}", "{B}", "{C}"]}}"#)] {
            assert!(ServiceTokens::parse(bad).is_err(), "{bad}");
        }
    }
}
