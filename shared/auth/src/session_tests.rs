use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_795_257_000;
const ISSUER: &str = "https://clerk.example";
const PARTY: &str = "https://app.example";

struct Issuer {
    private: EncodingKey,
    public_pem: String,
}

/// One key for all tests of this file, because generating it takes a moment.
static ISSUER_KEY: LazyLock<Issuer> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let private: aws_lc_rs::encoding::Pkcs8V1Der = pair.as_der().unwrap();
    let public: aws_lc_rs::encoding::PublicKeyX509Der = pair.public_key().as_der().unwrap();
    let private_pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", STANDARD.encode(private.as_ref()));
    let public_pem =
        format!("-----BEGIN PUBLIC KEY-----\\n{}\\n-----END PUBLIC KEY-----", STANDARD.encode(public.as_ref()));
    Issuer { private: EncodingKey::from_rsa_pem(private_pem.as_bytes()).unwrap(), public_pem }
});

fn policy() -> SessionPolicy {
    SessionPolicy { issuer: ISSUER.to_owned(), authorized_parties: vec![PARTY.to_owned()], max_token_seconds: 300 }
}

fn verifier() -> SessionVerifier {
    SessionVerifier::new(policy(), KeySource::from_pem(&ISSUER_KEY.public_pem).unwrap())
}

/// Signs `header` and `claims` unchanged.
fn token(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = crypto::sign(signed.as_bytes(), &ISSUER_KEY.private, Algorithm::RS256).unwrap();
    format!("{signed}.{signature}")
}

/// Returns a good token with some claims changed. A null removes the claim.
fn token_with(changes: &Value) -> String {
    let mut claims =
        json!({"sub": "user_ann1", "iss": ISSUER, "azp": PARTY, "exp": NOW + 60, "nbf": NOW - 1, "iat": NOW});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    token(&json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), &claims)
}

async fn verify(token: &str) -> Result<User, Code> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    let now = Timestamp::from_millis(NOW * 1000 + 999);
    verifier().user(Credentials { headers: &headers, writes: true }, now).await.map_err(|fault| fault.code)
}

#[tokio::test]
async fn a_good_token_names_its_user() {
    let user = verify(&token_with(&json!({"pla": "u:pro", "v": 2}))).await.unwrap();
    assert_eq!((user.id.as_str(), user.plan.name()), ("user_ann1", "pro"));
}

#[tokio::test]
async fn clocks_may_differ_by_five_seconds_either_way() {
    assert!(verify(&token_with(&json!({"exp": NOW - 5}))).await.is_ok());
    assert_eq!(verify(&token_with(&json!({"exp": NOW - 6}))).await.err(), Some(Code::TokenExpired));
    assert!(verify(&token_with(&json!({"nbf": NOW + 5}))).await.is_ok());
    assert_eq!(verify(&token_with(&json!({"nbf": NOW + 6}))).await.err(), Some(Code::Unauthenticated));
    assert!(verify(&token_with(&json!({"nbf": null}))).await.is_ok());
}

#[tokio::test]
async fn every_required_claim_is_checked() {
    for changes in [
        json!({"exp": null}),
        json!({"exp": "soon"}),
        json!({"nbf": "now"}),
        json!({"iss": "https://clerk.example.evil"}),
        json!({"iss": null}),
        json!({"azp": "https://app.example.evil"}),
        json!({"azp": null}),
        json!({"azp": ""}),
        json!({"sub": "user_ann1/../user_ann12"}),
        json!({"sub": null}),
        json!({"sts": "pending"}),
    ] {
        assert_eq!(verify(&token_with(&changes)).await.err(), Some(Code::Unauthenticated), "{changes}");
    }
    assert!(verify(&token_with(&json!({"sts": "active"}))).await.is_ok());
}

#[tokio::test]
async fn a_token_that_lives_longer_than_allowed_is_refused_and_the_log_says_why() {
    for (issued, expires, accepted) in [
        (NOW, NOW + 300, true),
        (NOW, NOW + 301, false),
        (NOW - 299, NOW + 1, true),
        (NOW - 300, NOW + 1, false),
        (NOW + 5, NOW + 60, true),
        (i64::MIN, NOW + 60, false),
        (NOW, i64::MAX, false),
    ] {
        let outcome = verify(&token_with(&json!({"iat": issued, "exp": expires}))).await;
        assert_eq!(outcome.err(), (!accepted).then_some(Code::Unauthenticated), "{issued} {expires}");
    }
    for unreadable in [Value::Null, json!("today"), json!([])] {
        assert_eq!(verify(&token_with(&json!({"iat": unreadable}))).await.err(), Some(Code::Unauthenticated));
    }
    let mut headers = HeaderMap::new();
    let token = token_with(&json!({"exp": NOW + 3600}));
    headers.insert("authorization", HeaderValue::from_str(&token).unwrap());
    let fault = verifier().user(Credentials { headers: &headers, writes: false }, Timestamp::from_secs(NOW)).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.message, "The session token is not valid");
    assert_eq!(
        fault.chain(),
        "UNAUTHENTICATED: The session token is not valid: the token lives for 3600 seconds, and MaxTokenSeconds is 300"
    );
}

#[tokio::test]
async fn only_rs256_by_the_issuers_key_is_genuine() {
    let claims = json!({"sub": "user_ann1", "iss": ISSUER, "azp": PARTY, "exp": NOW + 60, "iat": NOW});
    let good = token(&json!({"alg": "RS256"}), &claims);
    assert!(verify(&good).await.is_ok());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims));
    let public = &ISSUER_KEY.public_pem;
    let hmac_signed = format!("{}.{}", part(&json!({"alg": "HS256"})), part(&claims));
    let hmac = crypto::sign(hmac_signed.as_bytes(), &EncodingKey::from_secret(public.as_bytes()), Algorithm::HS256);
    let confused = format!("{hmac_signed}.{}", hmac.unwrap());
    let critical = token(&json!({"alg": "RS256", "crit": ["exp"]}), &claims);
    for bad in [unsigned, confused, critical, "a.b.c".to_owned(), "..".to_owned(), "x".to_owned(), good.repeat(40)] {
        assert_eq!(verify(&bad).await.err(), Some(Code::Unauthenticated), "{}", &bad[..bad.len().min(80)]);
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_ours_fetches_no_key() {
    let source = KeySource::fetched(Box::new(|| panic!("a key was fetched")));
    let verifier = SessionVerifier::new(policy(), source);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "HS256", "RS512", "ES256", ""] {
        let mut headers = HeaderMap::new();
        let token = format!("{}.{}.c2ln", part(&json!({"alg": alg, "kid": "k"})), part(&json!({"sub": "user_a"})));
        headers.insert("authorization", HeaderValue::from_str(&token).unwrap());
        let outcome = verifier.user(Credentials { headers: &headers, writes: false }, Timestamp::from_secs(NOW)).await;
        assert_eq!(outcome.err().map(|fault| fault.code), Some(Code::Unauthenticated), "{alg}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// No character of a good token can be replaced by one that decodes differently.
    #[test]
    fn no_altered_token_is_genuine(at in 0_usize..800, with in "[A-Za-z0-9_-]") {
        let good = token_with(&json!({}));
        let at = at % good.len();
        let mut altered = good.clone();
        altered.replace_range(at..=at, &with);
        let decodes_alike = altered.split('.').zip(good.split('.')).all(|(a, b)| {
            URL_SAFE_NO_PAD.decode(a).ok() == URL_SAFE_NO_PAD.decode(b).ok()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert!(decodes_alike || runtime.block_on(verify(&altered)).is_err());
    }
}

/// Returns the user of a request with these cookies.
async fn verify_cookies(cookies: &str) -> Result<User, Code> {
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_str(cookies).unwrap());
    let now = Timestamp::from_millis(NOW * 1000);
    verifier().user(Credentials { headers: &headers, writes: false }, now).await.map_err(|fault| fault.code)
}

#[tokio::test]
async fn of_several_session_cookies_the_valid_one_of_our_issuer_counts() {
    let ours = token_with(&json!({}));
    let foreign = token_with(&json!({"iss": "https://other.example", "sub": "user_bob1"}));
    let expired = token_with(&json!({"exp": NOW - 60}));
    let other_party = token_with(&json!({"azp": "https://other.example"}));
    let forged = format!("{}x", token_with(&json!({"sub": "user_eve1"})));
    for bad in [foreign.as_str(), &expired, &other_party, &forged, "not-a-token", "a.b.c", "", "été"] {
        for cookies in [
            format!("__session={bad}; __session_Ab12={ours}"),
            format!("__session_Ab12={ours}; __session={bad}"),
            format!("__session={ours}; __session_Ab12={bad}"),
            format!("__session_Ab12={bad}; x=é; __session_Cd34={ours}"),
        ] {
            let user = verify_cookies(&cookies).await;
            assert_eq!(user.map(|user| user.id.to_string()), Ok("user_ann1".to_owned()), "{bad}");
        }
    }
    for (cookies, want) in [
        (format!("__session={foreign}; __session_Ab12={expired}"), Code::TokenExpired),
        (format!("__session={forged}; __session_Ab12={expired}"), Code::TokenExpired),
        (format!("__session={foreign}; __session_Ab12={forged}"), Code::Unauthenticated),
        (format!("__session={foreign}; __session_Ab12=x"), Code::Unauthenticated),
    ] {
        assert_eq!(verify_cookies(&cookies).await.err(), Some(want), "{cookies}");
    }
}
