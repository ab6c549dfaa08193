//! Issues session tokens like those of Clerk.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consigne_auth::{KeySource, SessionPolicy, SessionVerifier};
use consigne_runtime::clock;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

/// An issuer of session tokens, with its private key.
pub struct Issuer {
    key: EncodingKey,
    /// Public key in PEM.
    pub public_pem: String,
    /// Modulus and exponent, as in a JWKS.
    pub components: (String, String),
    /// `kid` of its tokens.
    pub kid: String,
    /// `iss` of its tokens.
    pub iss: String,
    /// `azp` of its tokens.
    pub azp: String,
}

impl Issuer {
    /// Creates an issuer with a new key of 2048 bits.
    pub fn fresh(kid: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key can be generated");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("a private key can be encoded");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a public key can be encoded");
        let components = (pair.public_key().modulus(), pair.public_key().exponent());
        let private_pem = pem("PRIVATE KEY", private.as_ref());
        Self {
            key: EncodingKey::from_rsa_pem(private_pem.as_bytes()).expect("the generated key is valid"),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
            components: (
                URL_SAFE_NO_PAD.encode(components.0.big_endian_without_leading_zero()),
                URL_SAFE_NO_PAD.encode(components.1.big_endian_without_leading_zero()),
            ),
            kid: kid.to_owned(),
            iss: "https://issuer.test".to_owned(),
            azp: "https://app.test".to_owned(),
        }
    }

    /// Creates the issuer of a stack from its private key in PEM, and its `kid`, `iss` and `azp`.
    pub fn of_stack(private_pem: &[u8], kid: String, iss: String, azp: String) -> Self {
        let key = EncodingKey::from_rsa_pem(private_pem).expect("JWT_KEY_FILE contains an RSA key");
        Self { key, public_pem: String::new(), components: (String::new(), String::new()), kid, iss, azp }
    }

    /// Returns a verifier that accepts this issuer's tokens.
    pub fn verifier(&self) -> SessionVerifier {
        let policy = SessionPolicy {
            issuer: self.iss.clone(),
            authorized_parties: vec![self.azp.clone()],
            max_token_seconds: 300,
        };
        SessionVerifier::new(policy, KeySource::from_pem(&self.public_pem).expect("the generated key is valid"))
    }

    /// Issues a valid token for a user on a plan. It expires after five minutes.
    pub fn token(&self, user: &str, plan: &str) -> String {
        self.token_with(user, &json!({ "public_metadata": { "subscription": plan } }))
    }

    /// Issues a token with changed claims. A null removes the claim.
    pub fn token_with(&self, user: &str, changes: &Value) -> String {
        let now = clock::now().as_secs();
        let mut claims = json!({
            "sub": user, "iss": self.iss, "azp": self.azp, "iat": now, "nbf": now, "exp": now + 300, "sid": "sess_test",
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        if let Some(claims) = claims.as_object_mut() {
            claims.retain(|_, value| !value.is_null());
        }
        self.signed(&json!({ "alg": "RS256", "typ": "JWT", "kid": self.kid }), &claims)
    }

    /// Signs a header and claims as they stand.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = crypto::sign(signed.as_bytes(), &self.key, Algorithm::RS256).expect("an RSA key signs");
        format!("{signed}.{signature}")
    }

    /// Returns the key set (JWKS) that an issuer publishes.
    pub fn key_set(&self) -> String {
        let (n, e) = &self.components;
        json!({ "keys": [{ "kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": n, "e": e }] }).to_string()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}
