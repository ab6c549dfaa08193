use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const TARGET: &str = "/v1/pdf/render?dpi=300";
const BODY: &[u8] = b"%PDF\x00\xff";

fn seal(secret: &str) -> GatewaySeal {
    GatewaySeal::new(Secret::new(secret).unwrap())
}

fn ours() -> GatewaySeal {
    seal("0123456789abcdef0123456789abcdef")
}

fn identity() -> Identity {
    Identity {
        org: OrgId::parse("org_01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap(),
        key: KeyId::parse("key_01M7YREWKH7VM7Z3Z2KWSH2FTS").unwrap(),
        environment: KeyMode::Production,
        service: "pdf".to_owned(),
        credits: 1,
        request: "request-1".to_owned(),
        at: Timestamp::from_secs(1_795_257_000),
    }
}

fn signed() -> Vec<(String, String)> {
    ours().sign(&identity(), "POST", TARGET, &body_digest(BODY))
}

fn map(headers: &[(String, String)]) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    headers.iter().map(pair).collect()
}

fn verified(headers: &[(String, String)]) -> Option<Identity> {
    ours().verify(&map(headers), "POST", TARGET, BODY, identity().at).ok()
}

#[test]
fn a_service_learns_who_is_calling() {
    assert_eq!(verified(&signed()), Some(identity()));
    assert_eq!(format!("{:?}", ours()), "GatewaySeal(Secret(..))");
}

#[test]
fn a_signature_agrees_with_another_implementation() {
    let headers = signed();
    assert_eq!(headers.len(), 9);
    // Computed by another implementation.
    assert_eq!(headers[7].1, "28a11d2f75c7fe40f1e52f081d326f2ffbf47846877dacad97d86b6155664f62");
    assert_eq!(headers[8].1, "v1,iz7BLeLu9oydDjLvO0O5ohunEPCjKm2KrWeIbShxHTQ=");
}

#[test]
fn no_bit_of_a_call_can_be_flipped() {
    let (seal, at) = (ours(), identity().at);
    let headers = signed();
    let flips = |text: &[u8]| {
        let text = text.to_vec();
        (0..text.len() * 8).map(move |bit| {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        })
    };
    let mut tried = 0;
    for (n, (name, value)) in headers.iter().enumerate() {
        for flipped in flips(value.as_bytes()) {
            // A value that no header can hold cannot arrive.
            let Ok(flipped) = HeaderValue::from_bytes(&flipped) else { continue };
            let mut altered = map(&headers);
            altered.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), flipped);
            assert!(seal.verify(&altered, "POST", TARGET, BODY, at).is_err(), "{name} {n}");
            tried += 1;
        }
    }
    let refused = |method: &[u8], target: &[u8], body: &[u8]| {
        let (method, target) = (String::from_utf8_lossy(method), String::from_utf8_lossy(target));
        assert!(seal.verify(&map(&headers), &method, &target, body, at).is_err(), "{method} {target} {body:?}");
    };
    flips(b"POST").for_each(|method| refused(&method, TARGET.as_bytes(), BODY));
    flips(TARGET.as_bytes()).for_each(|target| refused(b"POST", &target, BODY));
    flips(BODY).for_each(|body| refused(b"POST", TARGET.as_bytes(), &body));
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn a_call_needs_our_secret_and_each_header_exactly_once() {
    let at = identity().at;
    let other = seal("fedcba9876543210fedcba9876543210");
    assert!(other.verify(&map(&signed()), "POST", TARGET, BODY, at).is_err());
    for n in 0..9 {
        let mut without = signed();
        let (name, value) = without.remove(n);
        assert_eq!(verified(&without), None, "without {name}");
        let mut twice = signed();
        twice.push((name.clone(), value));
        assert_eq!(verified(&twice), None, "{name} twice");
    }
}

#[test]
fn a_call_may_be_five_minutes_off_either_way() {
    let at = identity().at;
    let taken = |now| ours().verify(&map(&signed()), "POST", TARGET, BODY, now).is_ok();
    let (fine, late) = (Duration::from_mins(5), Duration::from_secs(301));
    assert_eq!([taken(at.plus(fine)), taken(at.minus(fine))], [true, true]);
    assert_eq!([taken(at.plus(late)), taken(at.minus(late))], [false, false]);
}

proptest! {
    #[test]
    fn no_line_of_the_signed_text_can_pass_as_another(
        method in "[A-Z]{3,6}", target in "/[a-z/?=]{0,12}", request in "[ -~]{0,12}", body in any::<Vec<u8>>()
    ) {
        let identity = Identity { request: request.clone(), ..identity() };
        let headers = map(&ours().sign(&identity, &method, &target, &body_digest(&body)));
        let verify = |method: &str, target: &str| ours().verify(&headers, method, target, &body, identity.at).ok();
        prop_assert_eq!(verify(&method, &target), Some(identity.clone()));
        prop_assert_eq!(verify(&format!("{method}\n{target}"), ""), None);
        prop_assert_eq!(verify("", &format!("{method}\n{target}")), None);
    }
}
