//! Uploads in parts, in the bucket of user files.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadInput;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadInput;
use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadInput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsInput;
use aws_sdk_s3::operation::list_parts::ListPartsInput;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, Part};
use consigne_core::Fault;
use consigne_core::files::{File, NamedPart, OpenUpload, StoredPart};
use consigne_core::ports::{AbortUpload, CompleteUpload, Completion, ListParts, ListUploads, OpenUploadInParts};

use crate::objects::{Bucket, fault, status, unquoted};

impl OpenUploadInParts for Bucket {
    async fn open_upload(&self, file: &File, checked: bool) -> Result<String, Fault> {
        let create = CreateMultipartUploadInput::builder()
            .bucket(&self.name)
            .key(file.key.as_str())
            .content_type(file.media.name);
        // With SHA-256, S3 knows a checksum of the checksums only. Without an algorithm it takes one of its own.
        let create = if checked {
            create.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_type(ChecksumType::Composite)
        } else {
            create
        };
        let created = self.client.send(create).await.map_err(fault)?;
        created.upload_id.ok_or_else(|| Fault::unavailable("S3 opened an upload without an id"))
    }
}

impl ListParts for Bucket {
    async fn list_parts(&self, file: &File, upload: &OpenUpload) -> Result<Option<Vec<StoredPart>>, Fault> {
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            let list = ListPartsInput::builder()
                .bucket(&self.name)
                .key(file.key.as_str())
                .upload_id(&upload.id)
                .set_part_number_marker(after.take());
            let page = match self.client.send(list).await {
                Ok(page) => page,
                Err(error) if status(&error) == Some(404) => return Ok(None),
                Err(error) => return Err(fault(error)),
            };
            let more = page.is_truncated == Some(true);
            parts.extend(page.parts.unwrap_or_default().into_iter().map(stored));
            after = page.next_part_number_marker.filter(|_| more);
            if after.is_none() {
                return Ok(Some(parts));
            }
        }
    }
}

fn stored(part: Part) -> StoredPart {
    StoredPart {
        number: part.part_number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default(),
        etag: unquoted(part.e_tag),
        size: part.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        sha256: part.checksum_sha256,
    }
}

impl CompleteUpload for Bucket {
    async fn complete_upload(
        &self,
        file: &File,
        upload: &OpenUpload,
        parts: &[NamedPart],
    ) -> Result<Completion, Fault> {
        let parts = parts.iter().map(|part| {
            let number = i32::try_from(part.number).unwrap_or_default();
            let completed = CompletedPart::builder().part_number(number).e_tag(format!("\"{}\"", part.etag));
            completed.set_checksum_sha256(part.sha256.clone()).build()
        });
        let complete = CompleteMultipartUploadInput::builder()
            .bucket(&self.name)
            .key(file.key.as_str())
            .upload_id(&upload.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build())
            .mpu_object_size(i64::try_from(file.size).unwrap_or(i64::MAX))
            .if_none_match("*");
        // Without retries: while S3 is at work, a second try would only learn that the upload is gone.
        let Err(error) = self.client.clone().once().send(complete).await else {
            return Ok(Completion::Completed);
        };
        // An error may come with status 200, because S3 begins to answer before it has finished.
        match error.code() {
            Some("NoSuchUpload" | "PreconditionFailed") => Ok(Completion::Over),
            Some("ConditionalRequestConflict" | "OperationAborted") => Ok(Completion::Busy),
            Some(
                code @ ("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "BadDigest" | "InvalidRequest"
                | "MalformedXML"),
            ) => Ok(Completion::Refused { code: code.to_owned() }),
            _ => Err(fault(error)),
        }
    }
}

impl ListUploads for Bucket {
    async fn list_uploads(&self, key: &str) -> Result<Vec<String>, Fault> {
        // The keys of two files never begin alike: each has the id of its own file. So one page has all.
        let list = ListMultipartUploadsInput::builder().bucket(&self.name).prefix(key);
        let page = self.client.send(list).await.map_err(fault)?;
        let uploads = page.uploads.unwrap_or_default().into_iter().filter(|upload| upload.key.as_deref() == Some(key));
        Ok(uploads.filter_map(|upload| upload.upload_id).collect())
    }
}

impl AbortUpload for Bucket {
    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), Fault> {
        let abort = AbortMultipartUploadInput::builder().bucket(&self.name).key(key).upload_id(upload);
        match self.client.send(abort).await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }
}
