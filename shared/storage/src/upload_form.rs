//! Forms with which a browser uploads a photo of an order straight to the bucket: POST, with a policy that S3 enforces.
//!
//! Unlike a signed PUT, a form cannot be limited to one use: S3 has no such condition. So `on-object-event` keeps the first
//! version of the object and removes the others.
//!
//! Sources: Amazon S3 API reference, "POST Policy" and "Authenticating Requests: Browser-Based Uploads Using POST (AWS
//! Signature Version 4)".

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::orders::{PHOTO_MAX, Photo};
use consigne_core::{Fault, Timestamp};
use serde_json::{Value, json};

use crate::Presigner;

/// Status of S3's answer to a form. Its body names the object.
const CREATED: &str = "201";

/// A signed form: where to send it, and its fields. The file comes behind them, as the field `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadForm {
    /// The URL to `POST` to, as `multipart/form-data`.
    pub url: String,
    /// The fields to send unchanged.
    pub fields: BTreeMap<&'static str, String>,
}

impl Presigner {
    /// Signs the form of a photo. It is valid until `photo.expires_at`.
    ///
    /// S3 then refuses another key, another type, an empty file, and one of more than [`PHOTO_MAX`] bytes. It is signed with
    /// the time at which it was granted, so a retry gets the same form.
    ///
    /// # Errors
    /// `INTERNAL` if the signer has no credentials.
    pub fn photo_form(&self, photo: &Photo) -> Result<UploadForm, Fault> {
        let (at, until) = (photo.granted_at, photo.expires_at);
        let key = photo.key.as_str();
        let credentials = self.credentials().ok_or_else(|| Fault::internal("the signer has no credentials"))?;
        let stamp = compact(at);
        let scope = format!("{}/{}/s3/aws4_request", &stamp[..8], self.region());
        let mut fields = BTreeMap::from([
            ("key", key.to_owned()),
            ("Content-Type", photo.media.name.to_owned()),
            ("success_action_status", CREATED.to_owned()),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", format!("{}/{scope}", credentials.access_key_id())),
            ("x-amz-date", stamp),
        ]);
        if let Some(token) = credentials.session_token() {
            fields.insert("x-amz-security-token", token.to_owned());
        }
        let exact = fields.iter().map(|(name, value)| json!({ *name: value }));
        let bound = [json!({ "bucket": self.bucket() }), json!(["content-length-range", 1, PHOTO_MAX])];
        let conditions: Vec<Value> = exact.chain(bound).collect();
        let policy = json!({ "expiration": until.to_string(), "conditions": conditions }).to_string();
        let policy = STANDARD.encode(policy);
        fields.insert("x-amz-signature", sign(credentials.secret_access_key(), self.region(), at, &policy));
        fields.insert("policy", policy);
        Ok(UploadForm { url: self.base().to_owned(), fields })
    }
}

/// Signs a policy in base64.
fn sign(secret: &str, region: &str, at: Timestamp, policy: &str) -> String {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
    v4::calculate_signature(v4::generate_signing_key(secret, at, region, "s3"), policy.as_bytes())
}

/// Writes a time as `20261121T103000Z`.
fn compact(at: Timestamp) -> String {
    at.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

#[cfg(test)]
#[path = "upload_form_tests.rs"]
mod tests;
