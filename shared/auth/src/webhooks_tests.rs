use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{HeaderName, HeaderValue};

use super::*;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgQ8KS9rc=";
const SENT: Timestamp = Timestamp::from_secs(1_614_265_330);

fn secrets(current: &str) -> WebhookSecrets {
    WebhookSecrets::parse(&format!(r#"{{"current": "{current}"}}"#)).unwrap()
}

fn both() -> WebhookSecrets {
    WebhookSecrets::parse(&format!(r#"{{"current": "{NEW}", "previous": "{OLD}"}}"#)).unwrap()
}

fn id() -> WebhookId {
    WebhookId::parse("msg_p5jXN8AQM9LWM0D4loKWxJek").unwrap()
}

fn headers(pairs: &[(&str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// Verifies a webhook at `now`. A refusal is returned as the caller sees it.
async fn ask(known: &WebhookSecrets, pairs: &[(&str, String)], body: &[u8], now: Timestamp) -> Result<(), String> {
    let verified = Refreshed::fixed(known.clone()).verify(&headers(pairs), body, now).await;
    verified.map(|found| assert_eq!(found, id())).map_err(|fault| format!("{fault} {:?}", fault.headers))
}

const REFUSED: &str =
    "INVALID_SIGNATURE: The webhook's signature is not valid [(\"www-authenticate\", \"StandardWebhooks\")]";

/// Returns whether a webhook is refused, and asserts that the refusal is the one all share.
async fn refuses(known: &WebhookSecrets, pairs: &[(&str, String)], body: &[u8], now: Timestamp) -> bool {
    match ask(known, pairs, body, now).await {
        Ok(()) => false,
        Err(refusal) => {
            assert_eq!(refusal, REFUSED);
            true
        }
    }
}

#[tokio::test]
async fn the_test_vector_of_the_standard_is_signed_and_accepted() {
    let body = br#"{"test": 2432232314}"#;
    let signed = secrets(OLD).sign(&id(), SENT, body);
    assert_eq!(signed[1], ("webhook-timestamp", "1614265330".to_owned()));
    assert_eq!(signed[2], ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()));
    assert_eq!(ask(&secrets(OLD), &signed, body, SENT).await, Ok(()));
    // Without the space it is another body.
    assert!(refuses(&secrets(OLD), &signed, br#"{"test":2432232314}"#, SENT).await);
}

#[tokio::test]
async fn a_body_altered_by_any_bit_is_refused() {
    let body: Vec<u8> = (0_u8..=255).cycle().take(1024).collect();
    let signed = secrets(OLD).sign(&id(), SENT, &body);
    let (known, headers) = (Refreshed::fixed(secrets(OLD)), headers(&signed));
    for bit in 0..body.len() * 8 {
        let mut altered = body.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(known.verify(&headers, &altered, SENT).await.is_err(), "bit {bit}");
    }
    assert!(known.verify(&headers, &body[..1023], SENT).await.is_err());
    assert!(known.verify(&headers, &[&body[..], b"\n"].concat(), SENT).await.is_err());
    assert!(known.verify(&headers, &body, SENT).await.is_ok());
}

#[tokio::test]
async fn any_altered_character_of_any_header_is_refused() {
    let signed = secrets(OLD).sign(&id(), SENT, b"{}");
    for header in 0..signed.len() {
        for at in 0..signed[header].1.len() {
            for other in (0x20..0x7f).map(char::from) {
                let mut altered = signed.clone();
                altered[header].1.replace_range(at..=at, &other.to_string());
                if altered != signed {
                    assert!(refuses(&secrets(OLD), &altered, b"{}", SENT).await, "{altered:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_is_missing_empty_doubled_or_odd_is_refused() {
    let signed = secrets(OLD).sign(&id(), SENT, b"{}");
    for header in 0..signed.len() {
        let others = |value: Option<&str>| {
            let mut pairs = signed.to_vec();
            match value {
                Some(value) => value.clone_into(&mut pairs[header].1),
                None => drop(pairs.remove(header)),
            }
            pairs
        };
        assert!(refuses(&secrets(OLD), &others(None), b"{}", SENT).await, "{header} missing");
        for odd in ["", " ", "é", "\u{1f600}", "x", "v1", "v1,", "v1,AAAA", "1614265330x", "-1", "+1614265330"] {
            assert!(refuses(&secrets(OLD), &others(Some(odd)), b"{}", SENT).await, "{header}: {odd:?}");
        }
        let mut doubled = signed.to_vec();
        doubled.push(signed[header].clone());
        assert!(refuses(&secrets(OLD), &doubled, b"{}", SENT).await, "{header} twice");
        // API Gateway joins a header that was sent twice like this.
        let joined = format!("{0},{0}", signed[header].1);
        assert!(refuses(&secrets(OLD), &others(Some(&joined)), b"{}", SENT).await, "{header} twice, joined");
    }
}

#[tokio::test]
async fn a_malformed_id_is_refused_even_if_signed() {
    let sign = |id: &str| {
        let mac = WebhookSecret::parse(OLD).unwrap().mac(id, "1614265330", b"{}");
        let signature = format!("v1,{}", STANDARD.encode(mac));
        [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", "1614265330".to_owned()),
            ("webhook-signature", signature),
        ]
    };
    assert!(!refuses(&secrets(OLD), &sign(id().as_str()), b"{}", SENT).await);
    for odd in ["x".repeat(256), "é".to_owned(), "a b".to_owned(), String::new()] {
        assert!(refuses(&secrets(OLD), &sign(&odd), b"{}", SENT).await, "{odd}");
    }
}

#[tokio::test]
async fn a_time_may_be_five_minutes_off_either_way() {
    let signed = secrets(OLD).sign(&id(), SENT, b"{}");
    let (near, far) = (Duration::from_mins(5), Duration::from_mins(6));
    for now in [SENT.plus(near), SENT.minus(near)] {
        assert!(!refuses(&secrets(OLD), &signed, b"{}", now).await, "{now}");
    }
    for now in [SENT.plus(far), SENT.minus(far), SENT.plus(near + Duration::from_millis(1))] {
        assert!(refuses(&secrets(OLD), &signed, b"{}", now).await, "{now}");
    }
}

#[tokio::test]
async fn one_valid_signature_is_enough() {
    let [id, at, by_old] = secrets(OLD).sign(&id(), SENT, b"{}");
    let by_new = secrets(NEW).sign(&self::id(), SENT, b"{}")[2].1.clone();
    let with = |signatures: String| [id.clone(), at.clone(), (by_old.0, signatures)];
    for signatures in [
        by_old.1.clone(),
        format!("{by_new} {}", by_old.1),
        format!("v1a,{} v2,x v1,AAAA {}", by_old.1, by_old.1),
        both().sign(&self::id(), SENT, b"{}")[2].1.clone(),
    ] {
        assert!(!refuses(&secrets(OLD), &with(signatures.clone()), b"{}", SENT).await, "{signatures}");
    }
    for signatures in [by_new.clone(), by_old.1.replace("v1", "v1a"), by_old.1.replace("v1,", "")] {
        assert!(refuses(&secrets(OLD), &with(signatures.clone()), b"{}", SENT).await, "{signatures}");
    }
    for signatures in [by_old.1.clone(), by_new] {
        assert!(!refuses(&both(), &with(signatures.clone()), b"{}", SENT).await, "{signatures}");
    }
}

#[tokio::test]
async fn both_families_of_headers_are_read_and_never_mixed() {
    let standard = secrets(OLD).sign(&id(), SENT, b"{}").to_vec();
    let svix: Vec<_> = standard.iter().map(|(name, value)| (name.replace("webhook", "svix"), value.clone())).collect();
    let svix: Vec<_> = svix.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert!(!refuses(&secrets(OLD), &svix, b"{}", SENT).await);
    assert!(!refuses(&secrets(OLD), &[standard.clone(), svix.clone()].concat(), b"{}", SENT).await);
    for missing in 0..3 {
        let mut mixed = standard.clone();
        mixed[missing] = svix[missing].clone();
        assert!(refuses(&secrets(OLD), &mixed, b"{}", SENT).await, "{mixed:?}");
        let mut both = [standard.clone(), svix.clone()].concat();
        both.remove(missing);
        assert!(refuses(&secrets(OLD), &both, b"{}", SENT).await, "{both:?}");
    }
}

#[tokio::test]
async fn a_secret_added_later_is_accepted_and_bad_webhooks_cause_few_reads() {
    let reads = Arc::new(AtomicU32::new(0));
    let counter = reads.clone();
    let fetch: crate::Fetch<WebhookSecrets> = Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(both()) })
    });
    let known = Refreshed::new(secrets(OLD), SENT, fetch);
    let good = headers(&secrets(NEW).sign(&id(), SENT, b"{}"));
    assert!(known.verify(&headers(&[]), b"{}", SENT).await.is_err());
    assert_eq!(reads.load(Ordering::Relaxed), 0, "what is malformed makes us read nothing");
    assert!(known.verify(&good, b"{}", SENT).await.is_ok());
    for _ in 0..10 {
        assert!(known.verify(&good, b"[]", SENT).await.is_err());
    }
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[test]
fn secrets_are_read_with_and_without_prefix_and_do_not_print() {
    for good in [OLD, NEW, NEW.trim_start_matches(PREFIX), "aB3".repeat(20).as_str(), &format!("{OLD}\n")] {
        assert!(WebhookSecret::parse(good).is_some(), "{good}");
    }
    let short = format!("{PREFIX}{}", STANDARD.encode([7, 8].repeat(11)));
    for bad in
        ["", PREFIX, "short", &short, &"A".repeat(64), "changemechangemechangemechangeme", &OLD.replace('M', "-")]
    {
        assert!(WebhookSecret::parse(bad).is_none(), "{bad}");
    }
    assert_eq!(format!("{:?}", secrets(OLD)), "WebhookSecrets([WebhookSecret(Secret(..))])");
}

#[test]
fn an_unusable_secret_is_refused_and_not_quoted() {
    for bad in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"previous": "{OLD}"}}"#),
        format!(r#"{{"current": "{OLD}", "previous": "short"}}"#),
        format!(r#"{{"current": ["{OLD}"]}}"#),
        format!(r#"{{"current": "{OLD}", "other": "{NEW}"}}"#),
    ] {
        let error = WebhookSecrets::parse(&bad).unwrap_err().to_string();
        assert!(!error.contains(OLD) && !error.contains("short\""), "{error}");
    }
}
