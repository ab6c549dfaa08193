use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::HeaderValue;

use super::*;

const OLD: &str = "whsec_9Yh3k2LqT7vB5nR8cX1wZ4mD6pF0sJaG";
const NEW: &str = "whsec_b7Qw2eR5tY8uI1oP4aS6dF9gH3jK0lZx";
const SENT: Timestamp = Timestamp::from_secs(1_492_774_577);
const BODY: &[u8] = br#"{"id":"evt_1"}"#;
/// Computed by `printf '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac <OLD>`.
const BY_OLD: &str = "bb0ded1aa9c4aa083af9aa24cbc3f8e86f245081b7198a31e668e5e4d4686e65";

fn secrets(current: &str) -> StripeSecrets {
    StripeSecrets::parse(&format!(r#"{{"current": "{current}"}}"#)).unwrap()
}

fn both() -> StripeSecrets {
    StripeSecrets::parse(&format!(r#"{{"current": "{NEW}", "previous": "{OLD}"}}"#)).unwrap()
}

fn signature_of(secrets: &StripeSecrets, body: &[u8]) -> String {
    secrets.sign(SENT, body).1
}

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// Returns whether a webhook is refused, and asserts that the refusal is the one all share.
async fn refuses(known: &StripeSecrets, values: &[&str], body: &[u8], now: Timestamp) -> bool {
    match Refreshed::fixed(known.clone()).verify(&headers(values), body, now).await {
        Ok(()) => false,
        Err(fault) => {
            let refusal =
                "INVALID_SIGNATURE: The webhook's signature is not valid [(\"www-authenticate\", \"StripeSignature\")]";
            assert_eq!(format!("{fault} {:?}", fault.headers), refusal);
            true
        }
    }
}

#[tokio::test]
async fn a_signature_agrees_with_another_implementation() {
    assert_eq!(secrets(OLD).sign(SENT, BODY), ("stripe-signature", format!("t=1492774577,v1={BY_OLD}")));
    assert!(!refuses(&secrets(OLD), &[&format!("t=1492774577,v1={BY_OLD}")], BODY, SENT).await);
    // The prefix is part of the key, whether it is written or not.
    assert_eq!(signature_of(&secrets(&OLD[PREFIX.len()..]), BODY), signature_of(&secrets(OLD), BODY));
}

#[tokio::test]
async fn a_body_altered_by_any_bit_is_refused() {
    let body: Vec<u8> = (0_u8..=255).cycle().take(1024).collect();
    let signed = signature_of(&secrets(OLD), &body);
    let (known, headers) = (Refreshed::fixed(secrets(OLD)), headers(&[&signed]));
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
async fn any_altered_added_or_missing_character_of_the_header_is_refused() {
    let signed = signature_of(&secrets(OLD), BODY);
    for at in 0..signed.len() {
        for other in (0x20..0x7f).map(char::from) {
            let mut altered = signed.clone();
            altered.replace_range(at..=at, &other.to_string());
            assert!(altered == signed || refuses(&secrets(OLD), &[&altered], BODY, SENT).await, "{altered}");
        }
        let mut cut = signed.clone();
        cut.remove(at);
        assert!(refuses(&secrets(OLD), &[&cut], BODY, SENT).await, "{cut}");
        let mut doubled = signed.clone();
        doubled.insert(at, signed.as_bytes()[at].into());
        assert!(refuses(&secrets(OLD), &[&doubled], BODY, SENT).await, "{doubled}");
    }
}

#[tokio::test]
async fn a_header_that_is_missing_empty_doubled_or_odd_is_refused() {
    let signed = signature_of(&secrets(OLD), BODY);
    let joined = format!("{signed},{signed}");
    let upper = format!("t=1492774577,v1={}", BY_OLD.to_uppercase());
    let (no_time, no_signature) = (format!("v1={BY_OLD}"), "t=1492774577".to_owned());
    let signed_time = format!("t=+1492774577,v1={BY_OLD}");
    for odd in [
        &[][..],
        &[""],
        &["é"],
        &["t=,v1="],
        &[&signed, &signed],
        &[&joined],
        &[&upper],
        &[&no_time],
        &[&no_signature],
        &[&signed_time],
    ] {
        assert!(refuses(&secrets(OLD), odd, BODY, SENT).await, "{odd:?}");
    }
    // The headers of Standard Webhooks do not count here.
    let mut standard = HeaderMap::new();
    standard.insert("webhook-signature", HeaderValue::from_str(&signed).unwrap());
    assert!(Refreshed::fixed(secrets(OLD)).verify(&standard, BODY, SENT).await.is_err());
}

#[tokio::test]
async fn a_time_may_be_five_minutes_off_either_way() {
    let signed = signature_of(&secrets(OLD), BODY);
    let (near, far) = (Duration::from_mins(5), Duration::from_mins(6));
    for now in [SENT.plus(near), SENT.minus(near)] {
        assert!(!refuses(&secrets(OLD), &[&signed], BODY, now).await, "{now}");
    }
    for now in [SENT.plus(far), SENT.minus(far), SENT.plus(near + Duration::from_millis(1))] {
        assert!(refuses(&secrets(OLD), &[&signed], BODY, now).await, "{now}");
    }
}

#[tokio::test]
async fn one_valid_signature_is_enough_and_other_schemes_are_ignored() {
    let (old, new) = (signature_of(&secrets(OLD), BODY), signature_of(&secrets(NEW), BODY));
    let v1_of = |header: &str| header.split_once(',').unwrap().1.to_owned();
    let with = |parts: &[&str]| format!("t=1492774577,{}", parts.join(","));
    let (by_old, by_new) = (v1_of(&old), v1_of(&new));
    for good in [
        with(&[&by_new, &by_old]),
        with(&["v0=00", "v2=x", "v1=AAAA", &by_old]),
        format!("{by_old},t=1492774577"),
        signature_of(&both(), BODY),
    ] {
        assert!(!refuses(&secrets(OLD), &[&good], BODY, SENT).await, "{good}");
    }
    for bad in [with(&[&by_new]), with(&[&by_old.replace("v1", "v0")]), with(&[&by_old.replace("v1", "v2")])] {
        assert!(refuses(&secrets(OLD), &[&bad], BODY, SENT).await, "{bad}");
    }
    for good in [&old, &new] {
        assert!(!refuses(&both(), &[good], BODY, SENT).await, "{good}");
    }
}

#[tokio::test]
async fn a_secret_added_later_is_accepted_and_bad_webhooks_cause_few_reads() {
    let reads = Arc::new(AtomicU32::new(0));
    let counter = reads.clone();
    let fetch: crate::Fetch<StripeSecrets> = Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(both()) })
    });
    let known = Refreshed::new(secrets(OLD), SENT, fetch);
    let good = headers(&[&signature_of(&secrets(NEW), BODY)]);
    assert!(known.verify(&headers(&["t=1"]), BODY, SENT).await.is_err());
    assert_eq!(reads.load(Ordering::Relaxed), 0, "what is malformed makes us read nothing");
    assert!(known.verify(&good, BODY, SENT).await.is_ok());
    for _ in 0..10 {
        assert!(known.verify(&good, b"[]", SENT).await.is_err());
    }
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[test]
fn secrets_are_read_with_and_without_prefix_and_do_not_print() {
    for good in [OLD, NEW, "aB3".repeat(20).as_str(), &format!("{OLD}\n"), &"0123456789abcdef".repeat(4)] {
        assert!(StripeSecret::parse(good).is_some(), "{good}");
    }
    for bad in [
        "",
        PREFIX,
        "whsec_short",
        &"A".repeat(64),
        "whsec_changemechangemechangeme",
        "whsec_with space with space with",
    ] {
        assert!(StripeSecret::parse(bad).is_none(), "{bad}");
    }
    assert_eq!(format!("{:?}", secrets(OLD)), "StripeSecrets([StripeSecret(Secret(..))])");
    for bad in ["", "{}", "[]", r#"{"current": "short"}"#] {
        assert!(StripeSecrets::parse(bad).is_err(), "{bad}");
    }
}
