//! Compares signatures with those of botocore, and tries windows.

use consigne_core::files::{FileName, MediaType};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What botocore's `CloudFrontSigner` signed. A test of infra/local signs it again.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/cdn.json")).unwrap()
}

fn secret(private: &str) -> String {
    let old = json!({ "id": "KOLD", "private": "of an older key" });
    json!({ "current": "b", "a": old, "b": { "id": vectors()["id"], "private": private } }).to_string()
}

fn keys() -> CdnKeys {
    let der = vectors()["private_der"].as_str().unwrap().to_owned();
    let lines: Vec<&str> = der.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    CdnKeys::parse(&secret(&format!("{begin}\n{}\n{end}\n", lines.join("\n")))).unwrap()
}

fn readable() -> Readable {
    Readable {
        key: "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-photo.png".to_owned(),
        name: FileName::parse("photo.png").unwrap(),
        media: MediaType::from_name("image/png").unwrap(),
        version: "v1".to_owned(),
        asked: None,
    }
}

#[test]
fn signatures_equal_those_of_botocore() {
    let keys = keys();
    for vector in vectors()["urls"].as_array().unwrap() {
        let (url, expires) = (vector["url"].as_str().unwrap(), vector["expires"].as_i64().unwrap());
        assert_eq!(sign(&keys, url, Timestamp::from_secs(expires)).unwrap(), vector["signed"]);
    }
}

#[test]
fn a_url_names_version_type_name_and_caching() {
    // The first vector: the beginning of the hour, and an hour asked for.
    let now = Timestamp::from_secs(1_795_854_600 - 3_600 + 17);
    let valid = CdnValidity::of(Duration::from_hours(1), now);
    let signer = CdnSigner::new("d111111abcdef8.cloudfront.net");
    assert_eq!(signer.read(&keys(), &readable(), valid).unwrap(), vectors()["urls"][0]["signed"]);
}

#[test]
fn a_domain_gets_tls_and_an_address_keeps_its_scheme() {
    assert_eq!(CdnSigner::new("cdn.example.com").base(), "https://cdn.example.com");
    assert_eq!(CdnSigner::new("http://127.0.0.1:4500/").base(), "http://127.0.0.1:4500");
}

#[test]
fn a_secret_without_a_usable_current_key_is_refused() {
    for (text, error) in [
        ("", CdnKeyError::Malformed),
        ("[]", CdnKeyError::Malformed),
        (r#"{"current": "a"}"#, CdnKeyError::NoCurrent),
        (r#"{"a": {"id": "K1", "private": "x"}}"#, CdnKeyError::NoCurrent),
        (r#"{"current": "a", "a": {"private": "x"}}"#, CdnKeyError::NoCurrent),
        (r#"{"current": "a", "a": {"id": "K&1", "private": "x"}}"#, CdnKeyError::NoCurrent),
        (r#"{"current": "a", "a": {"id": "K1", "private": "eHh4eA=="}}"#, CdnKeyError::Unusable),
    ] {
        assert_eq!(CdnKeys::parse(text).unwrap_err(), error, "{text}");
    }
    let printed = format!("{:?}", keys());
    assert_eq!(printed, r#"CdnKeys { id: "K2JCJMDEHXQW5F", .. }"#);
}

proptest! {
    /// A URL is never valid for longer than asked, nor for more than an hour; and never for less than asked minus a window.
    #[test]
    fn a_url_is_valid_for_at_most_what_was_asked(asked in 1_u64..=7_200, now in 1_700_000_000_000_i64..1_900_000_000_000) {
        let (asked, now) = (Duration::from_secs(asked), Timestamp::from_millis(now));
        let CdnValidity { expires_at, cached } = CdnValidity::of(asked, now);
        let left = expires_at.since(now);
        prop_assert!(left <= asked && left <= TICKET_MAX && expires_at.as_millis() % 1_000 == 0);
        let lost = if asked < WINDOWED_FROM { Duration::from_secs(1) } else { WINDOW };
        prop_assert!(left + lost > asked.min(TICKET_MAX), "{left:?} of {asked:?}");
        prop_assert!(cached <= left + Duration::from_secs(1));
    }

    /// Within a window a file's URL stays the same.
    #[test]
    fn a_url_stays_the_same_within_its_window(
        asked in 900_u64..=3_600, window in 6_000_000_i64..6_300_000, one in 0_i64..300_000, other in 0_i64..300_000,
    ) {
        let at = |millis: i64| Timestamp::from_millis(window * 300_000 + millis);
        let of = |millis| CdnValidity::of(Duration::from_secs(asked), at(millis));
        prop_assert_eq!(of(one), of(other));
        prop_assert_ne!(of(one), of(other + 300_000));
    }
}
