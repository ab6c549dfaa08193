//! Compares the signature with the example of the documentation, and holds what a policy binds.

use aws_credential_types::Credentials;
use consigne_core::files::{FileName, Kind, MediaType, ObjectKey};
use consigne_core::orders::{PhotoKind, PhotoStatus};
use consigne_core::{FileId, OrderId, UserId};
use proptest::prelude::*;

use super::*;
use crate::{Endpoint, Lifetime};

/// The policy of the example. Source: Amazon S3 API reference, "Example: Browser-Based Upload using HTTP POST (Using AWS
/// Signature Version 4)".
const EXAMPLE: &str = concat!(
    "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NG",
    "V4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVh",
    "ZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2",
    "Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1t",
    "ZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWy",
    "JzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1Q",
    "TEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifS",
    "wNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9",
);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn the_signature_is_that_of_the_documented_example() {
    let at = Timestamp::parse("2015-12-29T00:00:00Z").unwrap();
    let signature = sign(SECRET, "us-east-1", at, EXAMPLE);
    assert_eq!(signature, "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
}

fn presigner(token: Option<&str>) -> Presigner {
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test");
    let lifetime = Lifetime { until: Timestamp::from_secs(4_000_000_000), when_over: || () };
    Presigner::new(credentials, lifetime, "eu-west-3", &Endpoint::Aws, "photos-bucket")
}

fn photo(name: &str, media: &str, at: Timestamp, valid: Duration) -> Photo {
    let (name, media) = (FileName::parse(name).unwrap(), MediaType::from_name(media).unwrap());
    let owner = UserId::of_order(OrderId::derive(&["order"]));
    Photo {
        kind: PhotoKind::FacePhoto,
        key: ObjectKey::mint(&owner, Kind::Image, FileId::mint_uuid(at), &name, media),
        name,
        media,
        declared: 9,
        granted_at: at,
        expires_at: at.plus(valid),
        status: PhotoStatus::Pending,
        size: None,
        uploaded_at: None,
        reason: None,
    }
}

fn policy(form: &UploadForm) -> Value {
    serde_json::from_slice(&STANDARD.decode(&form.fields["policy"]).unwrap()).unwrap()
}

#[test]
fn a_form_binds_bucket_key_type_size_and_time() {
    let at = Timestamp::parse("2026-11-21T10:30:00Z").unwrap();
    let photo = photo("Été.HEIC", "image/heic", at, Duration::from_mins(15));
    let form = presigner(Some("session")).photo_form(&photo).unwrap();
    assert_eq!(form.url, "https://photos-bucket.s3.eu-west-3.amazonaws.com");
    let mut fields = form.fields.clone();
    let signed = fields.remove("x-amz-signature").unwrap();
    assert_eq!(signed, sign(SECRET, "eu-west-3", at, &fields.remove("policy").unwrap()));
    let wanted = [
        ("Content-Type", "image/heic"),
        ("key", photo.key.as_str()),
        ("success_action_status", "201"),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", "AKIDEXAMPLE/20261121/eu-west-3/s3/aws4_request"),
        ("x-amz-date", "20261121T103000Z"),
        ("x-amz-security-token", "session"),
    ];
    assert_eq!(fields, wanted.map(|(name, value)| (name, value.to_owned())).into());
    let exact = wanted.map(|(name, value)| json!({ name: value }));
    let conditions: Vec<Value> = exact
        .into_iter()
        .chain([json!({ "bucket": "photos-bucket" }), json!(["content-length-range", 1, 10_485_760])])
        .collect();
    assert_eq!(policy(&form), json!({ "expiration": "2026-11-21T10:45:00Z", "conditions": conditions }));
    assert!(!presigner(None).photo_form(&photo).unwrap().fields.contains_key("x-amz-security-token"));
}

proptest! {
    /// S3 refuses a form with a field that no condition of its policy names, except `file`, `policy` and the signature.
    #[test]
    fn every_field_of_a_form_is_bound_by_exactly_its_value(
        name in "[a-zé' \"<>&]{1,40}", at in 0_i64..4_000_000_000, valid in 60_u64..900, token in proptest::option::of("\\PC{1,60}"),
    ) {
        prop_assume!(FileName::parse(&name).is_ok());
        let photo = photo(&name, "image/jpeg", Timestamp::from_secs(at), Duration::from_secs(valid));
        let form = presigner(token.as_deref()).photo_form(&photo).unwrap();
        let policy = policy(&form);
        let conditions = policy["conditions"].as_array().unwrap();
        for (field, value) in form.fields.iter().filter(|(name, _)| !matches!(**name, "policy" | "x-amz-signature")) {
            let bound: Vec<_> = conditions.iter().filter(|condition| condition.get(field).is_some()).collect();
            let wanted = json!({ *field: value });
            prop_assert_eq!(bound, vec![&wanted]);
        }
        let expiration = Timestamp::parse(policy["expiration"].as_str().unwrap()).unwrap();
        prop_assert_eq!(expiration, photo.expires_at);
        prop_assert_eq!(form, presigner(token.as_deref()).photo_form(&photo).unwrap());
    }
}
