use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const START: Timestamp = Timestamp::from_secs(1_000_000);

/// A key set endpoint that counts its fetches and answers what the test wants.
#[derive(Default)]
struct Endpoint {
    fetches: AtomicUsize,
    answer: StdMutex<Option<String>>,
}

/// Returns a JWKS with a well-formed key under each id. The keys verify nothing; these tests only look them up.
fn key_set(kids: &[&str]) -> String {
    let n = URL_SAFE_NO_PAD.encode([0xC5; 256]);
    let keys: Vec<_> = kids
        .iter()
        .map(|kid| serde_json::json!({"kty": "RSA", "kid": kid, "use": "sig", "n": n, "e": "AQAB"}))
        .collect();
    serde_json::json!({ "keys": keys }).to_string()
}

fn source(endpoint: &Arc<Endpoint>) -> KeySource {
    let endpoint = endpoint.clone();
    KeySource::fetched(Box::new(move || {
        let endpoint = endpoint.clone();
        Box::pin(async move {
            endpoint.fetches.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            endpoint.answer.lock().unwrap().clone().ok_or_else(|| "down".into())
        })
    }))
}

fn endpoint(kids: &[&str]) -> Arc<Endpoint> {
    let endpoint = Endpoint::default();
    *endpoint.answer.lock().unwrap() = Some(key_set(kids));
    Arc::new(endpoint)
}

async fn found(source: &KeySource, kid: &str, at: Timestamp) -> Result<bool, String> {
    source.candidates(Some(kid), at).await.map(|keys| !keys.is_empty()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn keys_are_fetched_once_an_hour() {
    let endpoint = endpoint(&["a"]);
    let source = source(&endpoint);
    for minute in 0..60 {
        assert_eq!(found(&source, "a", START.plus(Duration::from_secs(60 * minute))).await, Ok(true));
    }
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 1);
    assert_eq!(found(&source, "a", START.plus(FRESH)).await, Ok(true));
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn five_hundred_invented_key_ids_cause_one_fetch_beside_the_first() {
    let endpoint = endpoint(&["a"]);
    let source = source(&endpoint);
    for n in 0..500 {
        assert_eq!(
            found(&source, &format!("invented-{n}"), START.plus(Duration::from_millis(n * 100))).await,
            Ok(false)
        );
        assert_eq!(found(&source, "a", START.plus(Duration::from_millis(n * 100))).await, Ok(true));
    }
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_key_rotated_in_is_found_at_once_and_the_next_after_five_minutes() {
    let endpoint = endpoint(&["a"]);
    let source = source(&endpoint);
    assert_eq!(found(&source, "a", START).await, Ok(true));
    *endpoint.answer.lock().unwrap() = Some(key_set(&["a", "b"]));
    assert_eq!(found(&source, "b", START.plus(Duration::from_secs(1))).await, Ok(true));
    *endpoint.answer.lock().unwrap() = Some(key_set(&["b", "c"]));
    assert_eq!(found(&source, "c", START.plus(Duration::from_secs(2))).await, Ok(false));
    assert_eq!(found(&source, "c", START.plus(Duration::from_secs(301))).await, Ok(true));
}

#[tokio::test]
async fn concurrent_first_callers_share_one_fetch() {
    let endpoint = endpoint(&["a"]);
    let source = Arc::new(source(&endpoint));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { found(&source, "a", START).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(true));
    }
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn stale_keys_serve_for_a_day_and_a_failing_endpoint_is_left_alone_for_ten_seconds() {
    let endpoint = endpoint(&["a"]);
    let source = source(&endpoint);
    assert_eq!(found(&source, "a", START).await, Ok(true));
    *endpoint.answer.lock().unwrap() = None;
    let hours = |n: u64| START.plus(Duration::from_secs(n * 3600));
    assert_eq!(found(&source, "a", hours(2)).await, Ok(true));
    assert_eq!(found(&source, "a", hours(2).plus(Duration::from_secs(9))).await, Ok(true));
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 2);
    assert_eq!(found(&source, "a", hours(2).plus(Duration::from_secs(10))).await, Ok(true));
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 3);
    assert!(found(&source, "a", hours(24)).await.is_err());
}

#[tokio::test]
async fn without_any_keys_a_failure_is_an_error_not_a_refusal() {
    let endpoint = Arc::new(Endpoint::default());
    let source = source(&endpoint);
    assert_eq!(found(&source, "a", START).await, Err("down".to_owned()));
    assert!(found(&source, "a", START.plus(Duration::from_secs(1))).await.is_err());
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 1);
    *endpoint.answer.lock().unwrap() = Some(key_set(&["a"]));
    assert_eq!(found(&source, "a", START.plus(Duration::from_secs(10))).await, Ok(true));
}

#[test]
fn weak_and_foreign_keys_are_left_out() {
    let n = URL_SAFE_NO_PAD.encode([0xC5; 256]);
    let weak = URL_SAFE_NO_PAD.encode([0xC5; 128]);
    let set = serde_json::json!({"keys": [
        {"kty": "RSA", "kid": "good", "n": n, "e": "AQAB", "alg": "RS256"},
        {"kty": "RSA", "kid": "weak", "n": weak, "e": "AQAB"},
        {"kty": "RSA", "kid": "encrypts", "n": n, "e": "AQAB", "use": "enc"},
        {"kty": "RSA", "kid": "rs512", "n": n, "e": "AQAB", "alg": "RS512"},
        {"kty": "EC", "kid": "ec", "crv": "P-256", "x": "x", "y": "y"},
        {"kty": "RSA", "n": n, "e": "AQAB"},
        "nonsense",
    ]});
    let keys = parse_key_set(&set.to_string()).unwrap();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["good"]);
    assert!(parse_key_set(r#"{"keys": []}"#).is_err() && parse_key_set("<html>").is_err());
}

#[test]
fn pem_text_may_hold_escaped_line_breaks_and_several_keys_but_not_none() {
    assert!(KeySource::from_pem("").is_err());
    assert!(KeySource::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----").is_err());
}
