//! Lists of the whole bucket, page by page, for the reconciliation.

use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsInput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsInput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::EncodingType;
use consigne_core::ports::{ListUploadPage, ListVersionPage};
use consigne_core::reconcile::{ListedUpload, ListedVersion, Marker};
use consigne_core::{Fault, Timestamp};
use percent_encoding::percent_decode_str;

use crate::objects::{Bucket, fault};

/// Reads keys of an answer. A key may have characters that XML cannot hold, so S3 is asked to encode keys.
struct Keys {
    are_encoded: bool,
}

impl Keys {
    fn of(encoding: Option<&EncodingType>) -> Self {
        Self { are_encoded: encoding == Some(&EncodingType::Url) }
    }

    /// Returns a key as it is. S3 encodes a space as a plus sign.
    ///
    /// # Errors
    /// `INTERNAL` if it is not UTF-8, which every key of S3 is.
    fn read(&self, key: &str) -> Result<String, Fault> {
        if !self.are_encoded {
            return Ok(key.to_owned());
        }
        let key = key.replace('+', " ");
        percent_decode_str(&key).decode_utf8().map(std::borrow::Cow::into_owned).map_err(Fault::internal)
    }

    fn marker(&self, key: Option<&str>, within: Option<String>) -> Result<Option<Marker>, Fault> {
        key.map(|key| Ok(Marker { key: self.read(key)?, within })).transpose()
    }
}

fn time(at: Option<&DateTime>) -> Timestamp {
    Timestamp::from_millis(at.and_then(|at| at.to_millis().ok()).unwrap_or(i64::MAX))
}

impl ListVersionPage for Bucket {
    async fn list_version_page(
        &self,
        prefix: &str,
        after: Option<&Marker>,
        limit: u32,
    ) -> Result<(Vec<ListedVersion>, Option<Marker>), Fault> {
        let list = ListObjectVersionsInput::builder()
            .bucket(&self.name)
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
            .max_keys(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_key_marker(after.map(|after| after.key.clone()))
            .set_version_id_marker(after.and_then(|after| after.within.clone()));
        let page = self.client.send(list).await.map_err(fault)?;
        let keys = Keys::of(page.encoding_type());
        let mut found = Vec::with_capacity(page.versions().len() + page.delete_markers().len());
        for one in page.versions() {
            let size = one.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
            let (key, version) = (keys.read(one.key().unwrap_or_default())?, one.version_id().unwrap_or("null"));
            let at = time(one.last_modified());
            found.push(ListedVersion { key, version: version.to_owned(), size, is_marker: false, at });
        }
        for one in page.delete_markers() {
            let (key, version) = (keys.read(one.key().unwrap_or_default())?, one.version_id().unwrap_or("null"));
            let at = time(one.last_modified());
            found.push(ListedVersion { key, version: version.to_owned(), size: 0, is_marker: true, at });
        }
        // The answer has versions and markers in lists of their own.
        found.sort_by(|one, other| one.key.cmp(&other.key));
        if page.is_truncated != Some(true) {
            return Ok((found, None));
        }
        let next = keys.marker(page.next_key_marker.as_deref(), page.next_version_id_marker)?;
        Ok((found, Some(next.ok_or_else(|| Fault::unavailable("S3 cut a list without saying where it goes on"))?)))
    }
}

/// Open uploads of one page.
const UPLOADS_AT_ONCE: i32 = 250;

impl ListUploadPage for Bucket {
    async fn list_upload_page(&self, after: Option<&Marker>) -> Result<(Vec<ListedUpload>, Option<Marker>), Fault> {
        let list = ListMultipartUploadsInput::builder()
            .bucket(&self.name)
            .encoding_type(EncodingType::Url)
            // Each may become a finding in the item of the run, which has 400 kB at most.
            .max_uploads(UPLOADS_AT_ONCE)
            .set_key_marker(after.map(|after| after.key.clone()))
            .set_upload_id_marker(after.and_then(|after| after.within.clone()));
        let page = self.client.send(list).await.map_err(fault)?;
        let keys = Keys::of(page.encoding_type());
        let mut found = Vec::new();
        for one in page.uploads() {
            let (key, id) = (keys.read(one.key().unwrap_or_default())?, one.upload_id().unwrap_or_default().to_owned());
            found.push(ListedUpload { key, id, at: time(one.initiated()) });
        }
        if page.is_truncated != Some(true) {
            return Ok((found, None));
        }
        let next = keys.marker(page.next_key_marker.as_deref(), page.next_upload_id_marker)?;
        Ok((found, Some(next.ok_or_else(|| Fault::unavailable("S3 cut a list without saying where it goes on"))?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_only_if_the_answer_says_that_they_are_encoded() {
        let encoded = Keys::of(Some(&EncodingType::Url));
        assert_eq!(encoded.read("user_ann1/a+b%2Bc%01%C3%A9").unwrap(), "user_ann1/a b+c\u{1}é");
        assert_eq!(Keys::of(None).read("a+b%2B").unwrap(), "a+b%2B");
        assert!(encoded.read("%FF").is_err());
    }

    #[test]
    fn what_has_no_time_is_never_old() {
        assert!(time(None) > Timestamp::from_secs(1_000_000_000_000));
        assert_eq!(time(Some(&DateTime::from_millis(1_500))), Timestamp::from_millis(1_500));
    }
}
