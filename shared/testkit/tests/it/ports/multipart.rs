//! Contract of the ports for uploads in parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::files::{File, NamedPart, OpenUpload, StoredPart};
use consigne_core::ports::{
    AbortUpload, CompleteUpload, Completion, ListParts, ListUploads, OpenUploadInParts, ReadHead, RemoveVersion,
};
use consigne_storage::Bucket;
use consigne_testkit::fakes::World;
use consigne_testkit::stack::Stack;
use sha2::{Digest as _, Sha256};

use super::{file_of, now, on_both, owner};

/// Size of a whole part in bytes: the smallest that S3 takes.
const WHOLE: u64 = 5 << 20;
/// Size of the last part in bytes.
const REST: u64 = 10;

/// The ports under test.
trait Uploads:
    OpenUploadInParts + ListParts + CompleteUpload + ListUploads + AbortUpload + ReadHead + RemoveVersion
{
    /// Uploads a part of zeros. Returns its entity tag, or S3's refusal.
    async fn put_zeros(&self, key: &str, upload: &str, number: u32, part: &Part) -> Result<String, String>;
}

/// A part to upload.
struct Part {
    size: u64,
    sha256: Option<String>,
}

impl Part {
    fn new(size: u64, checked: bool) -> Self {
        let bytes = vec![0; usize::try_from(size).unwrap()];
        Self { size, sha256: checked.then(|| STANDARD.encode(Sha256::digest(&bytes))) }
    }
}

impl Uploads for World {
    async fn put_zeros(&self, key: &str, _: &str, number: u32, part: &Part) -> Result<String, String> {
        self.put_part(key, number, (b"", part.size), part.sha256.as_deref()).map_err(str::to_owned)
    }
}

/// The bucket, and a client that uploads parts to it.
struct Client {
    bucket: Bucket,
    s3: aws_sdk_s3::Client,
    name: String,
}

fn client(stack: &Stack) -> Client {
    let config = stack.aws().sdk_config();
    let config = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    let name = stack.name("BUCKET_NAME").to_owned();
    Client { bucket: stack.bucket(), s3: aws_sdk_s3::Client::from_conf(config), name }
}

impl Uploads for Client {
    async fn put_zeros(&self, key: &str, upload: &str, number: u32, part: &Part) -> Result<String, String> {
        use aws_sdk_s3::error::ProvideErrorMetadata as _;

        let bytes = vec![0; usize::try_from(part.size).unwrap()];
        let put = self.s3.upload_part().bucket(&self.name).key(key).upload_id(upload);
        let put = put.part_number(i32::try_from(number).unwrap()).set_checksum_sha256(part.sha256.clone());
        let answer = put.body(bytes.into()).send().await;
        answer
            .map(|output| output.e_tag.unwrap().trim_matches('"').to_owned())
            .map_err(|error| error.code().unwrap_or_default().to_owned())
    }
}

impl OpenUploadInParts for Client {
    async fn open_upload(&self, file: &File, checked: bool) -> Result<String, consigne_core::Fault> {
        self.bucket.open_upload(file, checked).await
    }
}

impl ListParts for Client {
    async fn list_parts(
        &self,
        file: &File,
        upload: &OpenUpload,
    ) -> Result<Option<Vec<StoredPart>>, consigne_core::Fault> {
        self.bucket.list_parts(file, upload).await
    }
}

impl CompleteUpload for Client {
    async fn complete_upload(
        &self,
        file: &File,
        upload: &OpenUpload,
        parts: &[NamedPart],
    ) -> Result<Completion, consigne_core::Fault> {
        self.bucket.complete_upload(file, upload, parts).await
    }
}

impl ListUploads for Client {
    async fn list_uploads(&self, key: &str) -> Result<Vec<String>, consigne_core::Fault> {
        self.bucket.list_uploads(key).await
    }
}

impl AbortUpload for Client {
    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), consigne_core::Fault> {
        self.bucket.abort_upload(key, upload).await
    }
}

impl ReadHead for Client {
    async fn read_head(
        &self,
        key: &str,
        version: Option<&str>,
        length: u64,
    ) -> Result<Option<consigne_core::ports::ObjectHead>, consigne_core::Fault> {
        self.bucket.read_head(key, version, length).await
    }
}

impl RemoveVersion for Client {
    async fn remove_version(&self, key: &str, version: &str) -> Result<(), consigne_core::Fault> {
        self.bucket.remove_version(key, version).await
    }
}

on_both!(
    super::client,
    parts_are_listed_with_their_sizes_and_become_one_object,
    an_upload_with_checksums_wants_one_of_every_part,
    an_upload_without_checksums_takes_none,
    parts_that_are_not_stored_as_named_are_refused,
    an_upload_completes_once_and_never_over_an_object,
    an_aborted_upload_is_gone,
);

async fn opened(uploads: &impl Uploads, checked: bool) -> (File, OpenUpload) {
    let file = file_of(&owner(), "film.png", WHOLE + REST, now());
    let id = uploads.open_upload(&file, checked).await.unwrap();
    (file, OpenUpload { id, checked })
}

/// Uploads both parts. Returns them as their owner names them.
async fn filled(uploads: &impl Uploads, file: &File, upload: &OpenUpload) -> Vec<NamedPart> {
    let mut named = Vec::new();
    for (number, size) in [(1, WHOLE), (2, REST)] {
        let part = Part::new(size, upload.checked);
        let etag = uploads.put_zeros(file.key.as_str(), &upload.id, number, &part).await.unwrap();
        named.push(NamedPart { number, etag, sha256: part.sha256 });
    }
    named
}

async fn parts_are_listed_with_their_sizes_and_become_one_object(uploads: &impl Uploads) {
    for checked in [false, true] {
        let (file, upload) = opened(uploads, checked).await;
        assert_eq!(uploads.list_parts(&file, &upload).await.unwrap(), Some(Vec::new()));
        let named = filled(uploads, &file, &upload).await;
        let stored = uploads.list_parts(&file, &upload).await.unwrap().unwrap();
        let known: Vec<_> = stored.iter().map(|part| (part.number, part.etag.clone(), part.size)).collect();
        assert_eq!(known, [(1, named[0].etag.clone(), WHOLE), (2, named[1].etag.clone(), REST)]);
        if checked {
            assert!(stored.iter().zip(&named).all(|(known, named)| known.sha256 == named.sha256));
        }
        assert_eq!(uploads.complete_upload(&file, &upload, &named).await.unwrap(), Completion::Completed);
        let head = uploads.read_head(file.key.as_str(), None, 1).await.unwrap().unwrap();
        assert_eq!(head.size, WHOLE + REST);
        uploads.remove_version(file.key.as_str(), &head.version).await.unwrap();
    }
}

async fn an_upload_with_checksums_wants_one_of_every_part(uploads: &impl Uploads) {
    let (file, upload) = opened(uploads, true).await;
    let bare = Part::new(WHOLE, false);
    let refused = uploads.put_zeros(file.key.as_str(), &upload.id, 1, &bare).await;
    assert_eq!(refused, Err("InvalidRequest".to_owned()));
    let mut named = filled(uploads, &file, &upload).await;
    named[1].sha256 = None;
    let refused = uploads.complete_upload(&file, &upload, &named).await.unwrap();
    assert_eq!(refused, Completion::Refused { code: "InvalidRequest".to_owned() });
    uploads.abort_upload(file.key.as_str(), &upload.id).await.unwrap();
}

async fn an_upload_without_checksums_takes_none(uploads: &impl Uploads) {
    let (file, upload) = opened(uploads, false).await;
    let checked = Part::new(WHOLE, true);
    let refused = uploads.put_zeros(file.key.as_str(), &upload.id, 1, &checked).await;
    assert_eq!(refused, Err("InvalidRequest".to_owned()));
    uploads.abort_upload(file.key.as_str(), &upload.id).await.unwrap();
}

async fn parts_that_are_not_stored_as_named_are_refused(uploads: &impl Uploads) {
    let (file, upload) = opened(uploads, false).await;
    let named = filled(uploads, &file, &upload).await;
    let complete = async |parts: &[NamedPart]| match uploads.complete_upload(&file, &upload, parts).await.unwrap() {
        Completion::Refused { code } => code,
        other => format!("{other:?}"),
    };
    let other = NamedPart { etag: "0".repeat(32), ..named[1].clone() };
    assert_eq!(complete(&[named[0].clone(), other]).await, "InvalidPart");
    let third = NamedPart { number: 3, ..named[1].clone() };
    assert_eq!(complete(&[named[0].clone(), third]).await, "InvalidPart");
    assert_eq!(complete(&[named[1].clone(), named[0].clone()]).await, "InvalidPartOrder");
    assert_eq!(complete(&[]).await, "MalformedXML");
    // The size of the whole is not that of the file.
    assert_eq!(complete(&named[..1]).await, "InvalidRequest");
    let small = Part::new(REST, false);
    let etag = uploads.put_zeros(file.key.as_str(), &upload.id, 1, &small).await.unwrap();
    let first = NamedPart { number: 1, etag, sha256: None };
    assert_eq!(complete(&[first, named[1].clone()]).await, "EntityTooSmall");
    uploads.abort_upload(file.key.as_str(), &upload.id).await.unwrap();
}

async fn an_upload_completes_once_and_never_over_an_object(uploads: &impl Uploads) {
    let (file, upload) = opened(uploads, false).await;
    let named = filled(uploads, &file, &upload).await;
    assert_eq!(uploads.complete_upload(&file, &upload, &named).await.unwrap(), Completion::Completed);
    assert_eq!(uploads.complete_upload(&file, &upload, &named).await.unwrap(), Completion::Over);
    assert_eq!(uploads.list_parts(&file, &upload).await.unwrap(), None);
    // Aborting it changes nothing.
    uploads.abort_upload(file.key.as_str(), &upload.id).await.unwrap();
    let second = OpenUpload { id: uploads.open_upload(&file, false).await.unwrap(), checked: false };
    let named = filled(uploads, &file, &second).await;
    assert_eq!(uploads.complete_upload(&file, &second, &named).await.unwrap(), Completion::Over);
    assert_eq!(uploads.list_uploads(file.key.as_str()).await.unwrap(), std::slice::from_ref(&second.id));
    uploads.abort_upload(file.key.as_str(), &second.id).await.unwrap();
    let head = uploads.read_head(file.key.as_str(), None, 1).await.unwrap().unwrap();
    uploads.remove_version(file.key.as_str(), &head.version).await.unwrap();
}

async fn an_aborted_upload_is_gone(uploads: &impl Uploads) {
    let (file, upload) = opened(uploads, false).await;
    let key = file.key.as_str();
    let second = uploads.open_upload(&file, true).await.unwrap();
    let mut open = uploads.list_uploads(key).await.unwrap();
    open.sort();
    let mut wanted = [upload.id.clone(), second.clone()];
    wanted.sort();
    assert_eq!(open, wanted);
    for id in wanted {
        uploads.abort_upload(key, &id).await.unwrap();
        uploads.abort_upload(key, &id).await.unwrap();
    }
    assert!(uploads.list_uploads(key).await.unwrap().is_empty());
    assert_eq!(uploads.list_parts(&file, &upload).await.unwrap(), None);
    let part = NamedPart { number: 1, etag: "0".repeat(32), sha256: None };
    assert_eq!(uploads.complete_upload(&file, &upload, &[part]).await.unwrap(), Completion::Over);
}
