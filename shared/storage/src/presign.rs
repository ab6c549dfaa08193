//! Presigned URLs. Anyone who has such a URL can read or write one object for a while.
//!
//! They are signed with `aws-sigv4` directly. A function that only signs needs no S3 client, which would add two
//! megabytes and most of the function's start time. A test compares every URL byte for byte with the SDK's own.
//!
//! Source: Amazon S3 API reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use consigne_core::files::{File, Readable};
use consigne_core::{Fault, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters to encode in a query: all but RFC 3986's unreserved characters.
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Characters to encode in a path: the same, except the slashes of a key.
pub(crate) const PATH: &AsciiSet = &QUERY.remove(b'/');

/// The address of the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// On AWS: the bucket is part of the host name.
    Aws,
    /// At another address, without a slash at the end: the bucket is the first part of the path.
    At(String),
}

/// A signed upload: where to send the bytes, and the headers to send with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUpload {
    /// The URL to `PUT` to.
    pub url: String,
    /// Headers that must be sent exactly as given. `content-length` is signed too, but every client sets it by itself.
    pub headers: Vec<(&'static str, String)>,
}

/// A part of a file whose upload is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct PartToSign<'a> {
    /// S3's id of the upload.
    pub upload: &'a str,
    /// Number of the part, from 1.
    pub number: u32,
    /// Exact size of the part in bytes.
    pub length: u64,
    /// SHA-256 of the part in base64, if the upload has checksums.
    pub sha256: Option<&'a str>,
}

/// The validity of the credentials that sign URLs. A signed URL stops working when they expire, even before its own
/// expiry.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// When the credentials expire.
    pub until: Timestamp,
    /// Called when the credentials expire too soon to sign with them. It must end this execution environment, so that a
    /// new one with fresh credentials takes over.
    pub when_over: fn(),
}

/// The shortest remaining validity for which a URL is signed.
const VALID_MIN: Duration = Duration::from_mins(1);

/// Signs URLs for one bucket with the credentials of this execution environment.
#[derive(Debug)]
pub struct Presigner {
    lifetime: Lifetime,
    bucket: String,
    base: String,
    host: String,
    region: String,
    identity: Identity,
}

impl Presigner {
    /// Creates a presigner for `bucket` in `region`.
    pub fn new(credentials: Credentials, lifetime: Lifetime, region: &str, endpoint: &Endpoint, bucket: &str) -> Self {
        let base = match endpoint {
            Endpoint::Aws => format!("https://{bucket}.s3.{region}.amazonaws.com"),
            Endpoint::At(address) => format!("{address}/{bucket}"),
        };
        let host = base.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default().to_owned();
        let (bucket, region) = (bucket.to_owned(), region.to_owned());
        Self { lifetime, bucket, base, host, region, identity: credentials.into() }
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.identity.data()
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the URL of the bucket, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Returns how long a URL that is signed now is valid: `asked`, or less if the credentials expire before.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the credentials expire in less than a minute. The next execution environment has fresh ones.
    pub fn validity(&self, asked: Duration, now: Timestamp) -> Result<Duration, Fault> {
        let left = self.lifetime.until.since(now);
        if left < VALID_MIN {
            (self.lifetime.when_over)();
            return Err(Fault::unavailable("the credentials of this environment expire too soon to sign with"));
        }
        Ok(asked.min(left))
    }

    /// Signs a URL that reads one version of a file.
    ///
    /// The URL sets name, type, disposition and caching of the answer, independently of the object's metadata. A browser
    /// may keep the answer for as long as the URL is valid, and a shared cache not at all.
    ///
    /// # Errors
    /// `INTERNAL` if signing fails.
    pub fn read(&self, file: &Readable, valid: Duration, now: Timestamp) -> Result<String, Fault> {
        let query = query_of(file, valid);
        let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
        let url = self.url(&file.key, "GetObject", &query);
        self.sign("GET", &url, &[], valid, now)
    }

    /// Signs a URL that uploads a pending file, once.
    ///
    /// S3 then refuses another length, another type, bytes that do not match the given SHA-256, and a second upload.
    ///
    /// # Errors
    /// `INTERNAL` if signing fails.
    pub fn upload(&self, file: &File, valid: Duration, now: Timestamp) -> Result<SignedUpload, Fault> {
        let mut headers = vec![("content-type", file.media.name.to_owned()), ("if-none-match", "*".to_owned())];
        if let Some(sha256) = &file.sha256 {
            headers.push(("x-amz-checksum-sha256", sha256.clone()));
        }
        let length = file.size.to_string();
        let mut signed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        signed.push(("content-length", &length));
        let url = self.url(file.key.as_str(), "PutObject", &[]);
        Ok(SignedUpload { url: self.sign("PUT", &url, &signed, valid, now)?, headers })
    }

    /// Signs a URL that uploads one part of a file.
    ///
    /// S3 then refuses another length, and bytes that do not match the given SHA-256.
    ///
    /// # Errors
    /// `INTERNAL` if signing fails.
    pub fn upload_part(
        &self,
        file: &File,
        part: &PartToSign<'_>,
        valid: Duration,
        now: Timestamp,
    ) -> Result<SignedUpload, Fault> {
        let headers: Vec<(&'static str, String)> =
            part.sha256.iter().map(|sha256| ("x-amz-checksum-sha256", (*sha256).to_owned())).collect();
        let (length, number) = (part.length.to_string(), part.number.to_string());
        let mut signed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        signed.push(("content-length", &length));
        let url = self.url(file.key.as_str(), "UploadPart", &[("partNumber", &number), ("uploadId", part.upload)]);
        Ok(SignedUpload { url: self.sign("PUT", &url, &signed, valid, now)?, headers })
    }

    /// Builds the URL to sign. `x-id` names the operation, as in the SDK's own URLs.
    fn url(&self, key: &str, operation: &str, query: &[(&str, &str)]) -> String {
        let mut url = format!("{}/{}?x-id={operation}", self.base, utf8_percent_encode(key, PATH));
        for (name, value) in query {
            // Writing to a String cannot fail.
            let _ = write!(url, "&{name}={}", utf8_percent_encode(value, QUERY));
        }
        url
    }

    fn sign(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        valid: Duration,
        now: Timestamp,
    ) -> Result<String, Fault> {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.expires_in = Some(valid);
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0));
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name("s3")
            .time(at)
            .settings(settings)
            .build()
            .map_err(Fault::internal)?;
        let headers = headers.iter().copied().chain([("host", self.host.as_str())]);
        let request =
            SignableRequest::new(method, url, headers, SignableBody::UnsignedPayload).map_err(Fault::internal)?;
        let (instructions, _) = sign(request, &params.into()).map_err(Fault::internal)?.into_parts();
        let mut signed = url.to_owned();
        for (name, value) in instructions.params() {
            let _ = write!(signed, "&{name}={}", utf8_percent_encode(value, QUERY));
        }
        Ok(signed)
    }
}

/// Returns the parameters with which S3 reads one version of a file, and answers with the file's name, its type and
/// `Cache-Control`: a browser may keep the answer for `cached`.
pub(crate) fn query_of(file: &Readable, cached: Duration) -> [(&'static str, String); 4] {
    [
        ("response-cache-control", format!("private, max-age={}", cached.as_secs())),
        ("response-content-disposition", content_disposition(file)),
        ("response-content-type", file.media.served_as().to_string()),
        ("versionId", file.version.clone()),
    ]
}

/// Builds `Content-Disposition` with the name as the person wrote it, and with an ASCII name for clients that do not
/// support the extended form.
///
/// Source: RFC 6266, with RFC 8187 for the extended form.
fn content_disposition(file: &Readable) -> String {
    let how = file.disposition().word();
    let (name, plain) = (file.name.as_str(), file.name.safe(file.media));
    if plain == name {
        return format!("{how}; filename=\"{plain}\"");
    }
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, QUERY))
}

#[cfg(test)]
#[path = "presign_tests.rs"]
mod tests;
