//! Service tokens: how servers authenticate at the routes that check and charge API keys.

use std::collections::BTreeMap;
use std::fmt;

use consigne_core::{Code, Fault, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::carrier::unauthenticated;
use crate::{Credentials, Refreshed, Secret};

/// Most tokens a service may have at once: the one in use and its replacement.
const LIVE_MAX: usize = 2;

/// The tokens of all services.
#[derive(Clone, Debug)]
pub struct ServiceTokens(Vec<(Service, Hashed)>);

/// A service, and what it may do besides checking and charging API keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name of the service.
    pub name: String,
    rights: Vec<ServiceRight>,
}

impl Service {
    /// Returns whether the service has a right.
    pub fn may(&self, right: ServiceRight) -> bool {
        self.rights.contains(&right)
    }
}

/// What a service may do besides checking and charging API keys. None has any of these rights unless it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceRight {
    /// Act for any user on the routes of files.
    Files,
    /// Say which plan the user has for whom it acts.
    Plan,
}

impl ServiceRight {
    /// Every right.
    pub const ALL: [Self; 2] = [Self::Files, Self::Plan];

    /// Returns the right's name in the secret.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Plan => "plan",
        }
    }

    /// Returns the right with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }
}

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
    /// Reads `{"pdf-api": "...", "ai-api": ["...", "..."], "portal": {"tokens": ["..."], "rights": ["files"]}}`: one token
    /// for each service, or two while one replaces the other, and the rights of those that have any.
    ///
    /// A right of an unknown name is ignored. So a mistake in one service's rights takes nothing from the others.
    ///
    /// # Errors
    /// If the text has another shape, a service has more than two tokens, or a token is too short or a placeholder.
    pub fn parse(text: &str) -> Result<Self, ServiceTokenError> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Live {
            One(String),
            Several(Vec<String>),
            WithRights { tokens: Vec<String>, rights: Vec<String> },
        }
        let services: BTreeMap<String, Live> = serde_json::from_str(text)
            .map_err(|_| ServiceTokenError("it is not a JSON object with the tokens of each service".to_owned()))?;
        let mut tokens = Vec::new();
        for (name, live) in services {
            let (live, rights) = match live {
                Live::One(token) => (vec![token], Vec::new()),
                Live::Several(tokens) => (tokens, Vec::new()),
                Live::WithRights { tokens, rights } => (tokens, rights),
            };
            let rights = rights.iter().filter_map(|right| ServiceRight::from_name(right)).collect();
            let service = Service { name, rights };
            let name = &service.name;
            if live.len() > LIVE_MAX {
                return Err(ServiceTokenError(format!("service {name} has more than {LIVE_MAX} tokens")));
            }
            for token in live {
                let problem = || ServiceTokenError(format!("a token of service {name} is too short or a placeholder"));
                let token = Secret::new(token).ok_or_else(problem)?;
                tokens.push((service.clone(), Hashed(Sha256::digest(token.expose()).into())));
            }
        }
        Ok(Self(tokens))
    }

    /// Returns an empty list, by which no service is recognised.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns the service with this token. The time it takes reveals nothing about any token.
    fn service_of(&self, token: &str) -> Option<&Service> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for (service, known) in &self.0 {
            if bool::from(known.0.ct_eq(&hash)) {
                found = Some(service);
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
    /// `UNAUTHENTICATED` if there is no token or no service has it. `UNAVAILABLE` if the tokens could never be read.
    pub async fn service(&self, credentials: Credentials<'_>, now: Timestamp) -> Result<String, Fault> {
        self.find(credentials, &[], now).await.map(|service| service.name)
    }

    /// Returns the service that is calling, like [`Self::service`], and requires that it has all of some rights.
    ///
    /// # Errors
    /// Those of [`Self::service`]. `INSUFFICIENT_SCOPE` with the right that the service lacks.
    pub async fn service_with(
        &self,
        credentials: Credentials<'_>,
        rights: &[ServiceRight],
        now: Timestamp,
    ) -> Result<Service, Fault> {
        let service = self.find(credentials, rights, now).await?;
        if let Some(right) = rights.iter().find(|right| !service.may(**right)) {
            let message = format!("service {} lacks the right `{}`", service.name, right.name());
            // The log, too, should say which service it was.
            let refusal = Fault::new(Code::InsufficientScope, message.clone()).because(message);
            return Err(refusal.detail("required", right.name()));
        }
        Ok(service)
    }

    /// Finds the service that is calling. The secret is read again if it has no such service, or not with these rights:
    /// either may have been added after this execution environment started.
    async fn find(
        &self,
        credentials: Credentials<'_>,
        rights: &[ServiceRight],
        now: Timestamp,
    ) -> Result<Service, Fault> {
        let refused = || unauthenticated("The service token is not valid");
        let token = credentials.bearer().ok_or_else(refused)?;
        let known = self.get(now).await;
        if let Some(service) = known.service_of(&token).filter(|service| rights.iter().all(|it| service.may(*it))) {
            return Ok(service.clone());
        }
        let found = self.refresh(now).await.service_of(&token).cloned();
        if found.is_none() && !self.is_known() {
            // The token may be valid. A 401 would make its service give up.
            return Err(Fault::unavailable("the tokens of services could not be read"));
        }
        found.ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

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

    #[tokio::test]
    async fn no_token_is_refused_before_the_tokens_were_read() {
        let down = Arc::new(AtomicBool::new(true));
        let is_down = down.clone();
        let fetch = Box::new(move || -> Pin<Box<dyn Future<Output = _> + Send>> {
            let down = is_down.load(Ordering::Relaxed);
            Box::pin(async move {
                if down { Err("down".into()) } else { Ok(ServiceTokens::parse(&format!(r#"{{"ai": "{C}"}}"#))?) }
            })
        });
        let tokens = Refreshed::on_demand(ServiceTokens::none(), fetch);
        let code = async |token: &str, at: i64| {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
            let credentials = Credentials { headers: &headers, writes: true };
            tokens.service(credentials, Timestamp::from_secs(at)).await.map_err(|fault| fault.code)
        };
        assert_eq!(code(C, 1000).await, Err(Code::Unavailable));
        down.store(false, Ordering::Relaxed);
        assert_eq!(code(C, 1000).await, Err(Code::Unavailable), "it was read again at once");
        assert_eq!(code(C, 1001).await, Ok("ai".to_owned()));
        down.store(true, Ordering::Relaxed);
        assert_eq!((code(C, 9000).await, code(A, 9000).await), (Ok("ai".to_owned()), Err(Code::Unauthenticated)));
    }

    #[tokio::test]
    async fn a_service_has_the_rights_of_its_entry_and_no_others() {
        let text = format!(r#"{{"pdf": "{A}", "portal": {{"tokens": ["{B}", "{C}"], "rights": ["files", "mail"]}}}}"#);
        let tokens = Refreshed::fixed(ServiceTokens::parse(&text).unwrap());
        let ask = async |token: &str, right| {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]);
            let credentials = Credentials { headers: &headers, writes: true };
            let found = tokens.service_with(credentials, &[right], Timestamp::from_secs(1)).await;
            found.map(|service| service.name).map_err(|fault| (fault.code, fault.details["required"].clone()))
        };
        for token in [B, C] {
            assert_eq!(ask(token, ServiceRight::Files).await.as_deref(), Ok("portal"));
            assert_eq!(ask(token, ServiceRight::Plan).await, Err((Code::InsufficientScope, "plan".into())));
        }
        assert_eq!(ask(A, ServiceRight::Files).await, Err((Code::InsufficientScope, "files".into())));
    }

    #[tokio::test]
    async fn a_right_given_later_is_known_at_once() {
        let later = ServiceTokens::parse(&format!(r#"{{"ai": {{"tokens": ["{A}"], "rights": ["files"]}}}}"#)).unwrap();
        let tokens = Refreshed::new(
            ServiceTokens::parse(&format!(r#"{{"ai": "{A}"}}"#)).unwrap(),
            Timestamp::from_secs(1),
            Box::new(move || {
                let later = later.clone();
                Box::pin(async move { Ok(later) })
            }),
        );
        let headers = HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            HeaderValue::from_str(&format!("Bearer {A}")).unwrap(),
        )]);
        let credentials = Credentials { headers: &headers, writes: true };
        let found = tokens.service_with(credentials, &[ServiceRight::Files], Timestamp::from_secs(1)).await;
        assert_eq!(found.unwrap().name, "ai");
    }

    #[test]
    fn three_tokens_and_weak_ones_are_refused() {
        for bad in [
            "",
            "[]",
            r#"{"a": 1}"#,
            r#"{"a": "short"}"#,
            &format!(r#"{{"a": ["{A}", "{B}", "{C}"]}}"#),
            r#"{"a": {"rights": []}}"#,
        ] {
            assert!(ServiceTokens::parse(bad).is_err(), "{bad}");
        }
    }
}
