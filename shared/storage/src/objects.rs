//! The bucket of user files, on S3.

use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::delete_object::DeleteObjectInput;
use aws_sdk_s3::operation::get_object::{GetObjectInput, GetObjectOutput};
use aws_sdk_s3::operation::head_bucket::HeadBucketInput;
use aws_sdk_s3::operation::head_object::HeadObjectInput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsInput;
use aws_sdk_s3::operation::put_object::PutObjectInput;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use consigne_aws::{AwsConfig, Client, Service as _, budget};
use consigne_core::Fault;
use consigne_core::exports::ExportKey;
use consigne_core::files::{DerivedKey, File, MediaType};
use consigne_core::ports::{
    ListDerived, ListVersions, ObjectHead, Probe, PutDerived, PutExport, PutObject, ReadHead, ReadRange, RemoveVersion,
    StoredVersion,
};
use consigne_core::{FileId, UserId};

consigne_aws::service! {
    /// Amazon S3, with the operations used here.
    pub(crate) struct S3: "s3" at "s3";
    aws_sdk_s3::abort_multipart_upload, AbortMultipartUpload, AbortMultipartUploadInputBuilder, AbortMultipartUploadInput, AbortMultipartUploadOutput, AbortMultipartUploadError;
    aws_sdk_s3::complete_multipart_upload, CompleteMultipartUpload, CompleteMultipartUploadInputBuilder, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompleteMultipartUploadError;
    aws_sdk_s3::create_multipart_upload, CreateMultipartUpload, CreateMultipartUploadInputBuilder, CreateMultipartUploadInput, CreateMultipartUploadOutput, CreateMultipartUploadError;
    aws_sdk_s3::delete_object, DeleteObject, DeleteObjectInputBuilder, DeleteObjectInput, DeleteObjectOutput, DeleteObjectError;
    aws_sdk_s3::get_object, GetObject, GetObjectInputBuilder, GetObjectInput, GetObjectOutput, GetObjectError;
    aws_sdk_s3::head_bucket, HeadBucket, HeadBucketInputBuilder, HeadBucketInput, HeadBucketOutput, HeadBucketError;
    aws_sdk_s3::head_object, HeadObject, HeadObjectInputBuilder, HeadObjectInput, HeadObjectOutput, HeadObjectError;
    aws_sdk_s3::list_multipart_uploads, ListMultipartUploads, ListMultipartUploadsInputBuilder, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListMultipartUploadsError;
    aws_sdk_s3::list_parts, ListParts, ListPartsInputBuilder, ListPartsInput, ListPartsOutput, ListPartsError;
    aws_sdk_s3::list_object_versions, ListObjectVersions, ListObjectVersionsInputBuilder, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectVersionsError;
    aws_sdk_s3::put_object, PutObject, PutObjectInputBuilder, PutObjectInput, PutObjectOutput, PutObjectError;
}

/// Longest time to read the requested start of an object after S3 has begun to answer, beside what its length takes. The
/// invocation's deadline can shorten it.
const BEGINNING: Duration = Duration::from_secs(3);
/// The slowest transfer that is waited for, in bytes a second.
const SLOWEST: u64 = 4_000_000;

/// The bucket of user files. Failed calls to S3 become `UNAVAILABLE`.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(crate) client: Client<S3>,
    pub(crate) name: String,
}

impl Bucket {
    /// Creates an adapter for the bucket `name`.
    pub fn new(config: &AwsConfig, name: impl Into<String>) -> Self {
        let name = name.into();
        // At an address other than that of AWS, the bucket is part of the path: there, a host name with the bucket in
        // it may not resolve.
        let client = match &config.address {
            Some(address) => Client::based(config, format!("{address}/{name}")),
            None => Client::hosted(config, &format!("{name}.{}", S3::HOST)),
        };
        Self { client, name }
    }

    /// Reads the head of an empty object. S3 refuses every range of an empty object with 416, so this requests no
    /// range.
    async fn read_empty(&self, key: &str, version: Option<&str>) -> Result<Option<ObjectHead>, Fault> {
        let head = HeadObjectInput::builder().bucket(&self.name).key(key).set_version_id(version.map(str::to_owned));
        let head = match self.client.send(head).await {
            Ok(head) => head,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        Ok(Some(ObjectHead {
            version: head.version_id.unwrap_or_else(|| "null".to_owned()),
            etag: unquoted(head.e_tag),
            size: u64::try_from(head.content_length.unwrap_or(0)).unwrap_or(0),
            bytes: Vec::new(),
        }))
    }
}

impl ReadHead for Bucket {
    async fn read_head(&self, key: &str, version: Option<&str>, length: u64) -> Result<Option<ObjectHead>, Fault> {
        let request = GetObjectInput::builder()
            .bucket(&self.name)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .range(format!("bytes=0-{}", length.saturating_sub(1)));
        match self.client.send(request).await {
            Ok(output) => {
                let patience = BEGINNING + Duration::from_secs(length / SLOWEST);
                let reading = tokio::time::timeout(patience.min(budget::remaining()), object_head(output, length));
                reading.await.map_err(Fault::unavailable)?.map(Some)
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) if status(&error) == Some(416) => self.read_empty(key, version).await,
            Err(error) => Err(fault(error)),
        }
    }
}

impl ReadRange for Bucket {
    async fn read_range(&self, key: &str, version: &str, from: u64, length: u64) -> Result<Option<Vec<u8>>, Fault> {
        let last = from.saturating_add(length).saturating_sub(1);
        let request = GetObjectInput::builder().bucket(&self.name).key(key).version_id(version);
        match self.client.send(request.range(format!("bytes={from}-{last}"))).await {
            Ok(output) => {
                // A server that ignores the range, or cannot satisfy it, sends other bytes.
                let begins = |range: &str| {
                    range.strip_prefix("bytes ").is_some_and(|range| range.starts_with(&format!("{from}-")))
                };
                if !output.content_range.as_deref().is_some_and(begins) {
                    return Ok(None);
                }
                let reading = tokio::time::timeout(BEGINNING.min(budget::remaining()), object_head(output, length));
                Ok(Some(reading.await.map_err(Fault::unavailable)??.bytes))
            }
            // 416: it ends before.
            Err(error) if is_absent(&error) || status(&error) == Some(416) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }
}

impl RemoveVersion for Bucket {
    async fn remove_version(&self, key: &str, version: &str) -> Result<(), Fault> {
        let delete = DeleteObjectInput::builder().bucket(&self.name).key(key).version_id(version);
        match self.client.send(delete).await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }
}

impl ListVersions for Bucket {
    async fn list_versions(&self, key: &str) -> Result<Vec<String>, Fault> {
        // Keys are listed in order, and a key comes before those that it begins.
        let found = self.versions_below(key, |next| next == key).await?;
        Ok(found.into_iter().filter(|one| one.key == key).map(|one| one.version).collect())
    }
}

impl PutObject for Bucket {
    async fn put_object(&self, file: &File, bytes: &[u8]) -> Result<bool, Fault> {
        self.create(file.key.as_str(), file.media, bytes.to_vec()).await.map(|created| created.is_some())
    }
}

impl PutDerived for Bucket {
    async fn put_derived(&self, key: &DerivedKey, media: &MediaType, bytes: Vec<u8>) -> Result<Option<String>, Fault> {
        self.create(key.as_str(), media, bytes).await
    }
}

impl PutExport for Bucket {
    async fn put_export(&self, key: &ExportKey, text: String) -> Result<String, Fault> {
        let put = PutObjectInput::builder().bucket(&self.name).key(key.as_str()).content_type("application/json");
        let put = self.client.send(put.body(text.into_bytes().into())).await.map_err(fault)?;
        Ok(put.version_id.unwrap_or_else(|| "null".to_owned()))
    }
}

impl ListDerived for Bucket {
    async fn list_derived(&self, owner: &UserId, file: FileId) -> Result<Vec<StoredVersion>, Fault> {
        self.versions_below(&DerivedKey::prefix(owner, file), |_| true).await
    }
}

impl Bucket {
    /// Creates an object. Returns its version, or `None` if the key has an object already, which stays as it is.
    async fn create(&self, key: &str, media: &MediaType, bytes: Vec<u8>) -> Result<Option<String>, Fault> {
        let put = PutObjectInput::builder().bucket(&self.name).key(key).content_type(media.name);
        match self.client.send(put.if_none_match("*").body(bytes.into())).await {
            Ok(put) => Ok(Some(put.version_id.unwrap_or_else(|| "null".to_owned()))),
            Err(error) if status(&error) == Some(412) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// Lists the versions and the deletion markers of all keys that begin with `prefix`, page by page, as long as
    /// `goes_on` accepts the key at which the next page begins.
    async fn versions_below(&self, prefix: &str, goes_on: impl Fn(&str) -> bool) -> Result<Vec<StoredVersion>, Fault> {
        let (mut found, mut after) = (Vec::new(), (None, None));
        loop {
            let list = ListObjectVersionsInput::builder().bucket(&self.name).prefix(prefix);
            let list = list.set_key_marker(after.0).set_version_id_marker(after.1);
            let page = self.client.send(list).await.map_err(fault)?;
            let versions = page.versions().iter().map(|one| (one.key(), one.version_id()));
            let markers = page.delete_markers().iter().map(|one| (one.key(), one.version_id()));
            found.extend(versions.chain(markers).filter_map(|(key, version)| {
                Some(StoredVersion { key: key?.to_owned(), version: version.unwrap_or("null").to_owned() })
            }));
            let goes_on = page.next_key_marker.as_deref().is_some_and(&goes_on);
            if page.is_truncated != Some(true) || !goes_on {
                return Ok(found);
            }
            after = (page.next_key_marker, page.next_version_id_marker);
        }
    }
}

impl Probe for Bucket {
    async fn probe(&self) -> Result<(), Fault> {
        self.client.send(HeadBucketInput::builder().bucket(&self.name)).await.map(drop).map_err(fault)
    }
}

/// Reads the start of an answer: at most `length` bytes, even from a server that ignores ranges.
async fn object_head(output: GetObjectOutput, length: u64) -> Result<ObjectHead, Fault> {
    // `bytes 0-999/5000`: the number after the slash is the size of the whole object.
    let whole = output.content_range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
    let sent = output.content_length.and_then(|length| u64::try_from(length).ok());
    let (version, etag) = (output.version_id.unwrap_or_else(|| "null".to_owned()), unquoted(output.e_tag));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // A large object is read whole, so room is made for it once.
    let room = sent.and_then(|sent| usize::try_from(sent).ok()).unwrap_or(0).min(length);
    let (mut body, mut bytes) = (output.body, Vec::with_capacity(room));
    while bytes.len() < length {
        match body.try_next().await.map_err(Fault::unavailable)? {
            Some(chunk) => bytes.extend_from_slice(&chunk),
            None => break,
        }
    }
    bytes.truncate(length);
    let size = whole.or(sent).unwrap_or(bytes.len() as u64);
    Ok(ObjectHead { version, etag, size, bytes })
}

pub(crate) fn unquoted(etag: Option<String>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns whether S3 answered that the key or version does not exist. It answers 405 if the version is a delete
/// marker.
fn is_absent<E>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(status(error), Some(404 | 405))
}

pub(crate) fn fault<E>(error: SdkError<E, HttpResponse>) -> Fault
where
    E: std::error::Error + Send + Sync + 'static,
{
    Fault::unavailable(error)
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
