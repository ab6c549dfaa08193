//! The secrets with which webhooks to customers' endpoints are signed. Each is shown once.
//!
//! A secret is derived from organisation, endpoint and generation with one secret of the installation. So none has to
//! be stored, and a copy of the table is not enough to sign anything.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::endpoints::Endpoint;
use consigne_core::{EndpointId, OrgId, Timestamp};
use hmac::Mac as _;

use crate::{Secret, WebhookSecret, WebhookSecrets};

/// Derives the secrets of endpoints.
#[derive(Clone, Debug)]
pub struct EndpointSecrets {
    secret: Secret,
}

/// An endpoint's secret as its receiver keeps it: `whsec_` and 32 bytes in base64. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointSecret([u8; 32]);

impl EndpointSecret {
    /// Returns the text, for the one answer that shows it.
    pub fn expose(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointSecret(..)")
    }
}

impl EndpointSecrets {
    /// Creates the deriver from a secret of the installation.
    pub fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// Returns the secret of one generation of an endpoint. It is always the same.
    pub fn derive(&self, org: OrgId, id: EndpointId, generation: u32) -> EndpointSecret {
        // The purpose is part of the text, in case the secret is ever used for anything else. No part can contain a
        // full stop.
        let named = format!("endpoint.{org}.{id}.{generation}");
        EndpointSecret(self.secret.mac([named.as_bytes()]).finalize().into_bytes().into())
    }

    /// Returns the secrets that sign webhooks to an endpoint at `now`: the current one and, during a rotation, the
    /// previous one.
    pub fn signing(&self, endpoint: &Endpoint, now: Timestamp) -> WebhookSecrets {
        let of = |generation: u32| WebhookSecret::of_bytes(self.derive(endpoint.org, endpoint.id, generation).0);
        WebhookSecrets::of(endpoint.signing(now).into_iter().map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use consigne_core::UserId;
    use consigne_core::endpoints::{EndpointStatus, HookUrl};
    use consigne_core::events::EventKind;
    use consigne_core::pacing::Rate;
    use consigne_core::webhooks::WebhookId;
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::Refreshed;

    fn secrets(text: &str) -> EndpointSecrets {
        EndpointSecrets::new(Secret::new(text).unwrap())
    }

    fn ours() -> EndpointSecrets {
        secrets("0123456789abcdef0123456789abcdef")
    }

    fn endpoint() -> Endpoint {
        let now = Timestamp::from_secs(1_795_257_000);
        Endpoint {
            org: OrgId::parse("org_01M7YREWKH7VM7Z3Z2KWSH2FTS").unwrap(),
            id: EndpointId::parse("ep_01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap(),
            url: HookUrl::kept("https://hooks.example.com").unwrap(),
            events: BTreeSet::from([EventKind::JobCompleted]),
            rate: Rate::default(),
            status: EndpointStatus::Active,
            generation: 2,
            previous_until: Some(now.plus(Duration::from_mins(1))),
            failing_since: None,
            created_by: UserId::parse("user_ann1").unwrap(),
            created_at: now,
            revision: 1,
        }
    }

    /// Returns whether a receiver with the secret of a generation accepts a webhook signed at `at`, if it has this
    /// body.
    async fn is_accepted(generation: u32, at: Timestamp, body: &[u8]) -> bool {
        let endpoint = endpoint();
        let id = WebhookId::parse("dlv_01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in ours().signing(&endpoint, at).sign(&id, at, b"{\"type\":\"job.completed\"}") {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        let text = ours().derive(endpoint.org, endpoint.id, generation).expose();
        let known = WebhookSecrets::parse(&format!(r#"{{"current": "{text}"}}"#)).unwrap();
        Refreshed::fixed(known).verify(&headers, body, at).await.is_ok()
    }

    #[tokio::test]
    async fn a_receiver_verifies_webhooks_with_the_secret_it_was_shown() {
        let body = b"{\"type\":\"job.completed\"}";
        let (within, after) = (endpoint().created_at, endpoint().created_at.plus(Duration::from_mins(1)));
        assert!(
            is_accepted(2, within, body).await && is_accepted(1, within, body).await,
            "both sign during a rotation"
        );
        assert!(is_accepted(2, after, body).await && !is_accepted(1, after, body).await, "and one after it");
        assert!(!is_accepted(3, within, body).await && !is_accepted(2, within, b"{\"type\":\"job.failed\"}").await);
    }

    #[test]
    fn each_endpoint_generation_and_installation_has_its_own_secret() {
        let endpoint = endpoint();
        let other = EndpointId::mint(endpoint.created_at);
        let of = |secrets: EndpointSecrets, id, generation| secrets.derive(endpoint.org, id, generation).expose();
        let first = of(ours(), endpoint.id, 1);
        // printf 'endpoint.<org>.<endpoint>.1' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -binary |
        // base64
        assert_eq!(first, "whsec_Lw2Cv2TBCq/tI0u9XDyJaRx6vs1GgDROaPtUHrGEVos=");
        assert_eq!(of(ours(), endpoint.id, 1), first);
        for another in [
            of(ours(), endpoint.id, 2),
            of(ours(), other, 1),
            of(secrets("fedcba9876543210fedcba9876543210"), endpoint.id, 1),
            ours().derive(OrgId::mint(endpoint.created_at), endpoint.id, 1).expose(),
        ] {
            assert_ne!(another, first);
        }
        let shown = format!("{:?} {:?}", ours(), ours().derive(endpoint.org, endpoint.id, 1));
        assert_eq!(shown, "EndpointSecrets { secret: Secret(..) } EndpointSecret(..)");
    }
}
