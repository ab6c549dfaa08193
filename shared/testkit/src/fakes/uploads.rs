//! Uploads in parts, with the rules by which S3 refuses parts and completions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use consigne_core::Fault;
use consigne_core::files::{File, NamedPart, OpenUpload, StoredPart};
use consigne_core::ports::{AbortUpload, CompleteUpload, Completion, ListParts, ListUploads, OpenUploadInParts};

use super::World;

/// Smallest part but the last, in bytes. Source: Amazon S3 user guide, "Amazon S3 multipart upload limits".
const PART_MIN: u64 = 5 << 20;

/// One version of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Number of zeros behind the bytes, in a file that is too large for a test's memory.
    pub zeros: u64,
}

/// An open upload in parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartedUpload {
    /// The key of its object.
    pub key: String,
    /// The media type of its object.
    pub media: String,
    /// Whether each part has a SHA-256.
    pub checked: bool,
    /// The parts by number, each with its first bytes. The others are zeros, which are not stored.
    pub parts: BTreeMap<u32, (StoredPart, Vec<u8>)>,
}

impl World {
    /// Returns how many uploads in parts were ever opened.
    pub fn uploads_opened(&self) -> u32 {
        self.uploads_opened.load(Ordering::Relaxed)
    }

    /// Uploads a part of `size` bytes to the open upload of a key, as a client does. The part starts with `bytes`. Returns
    /// its entity tag, or S3's refusal.
    pub fn put_part(
        &self,
        key: &str,
        number: u32,
        (bytes, size): (&[u8], u64),
        sha256: Option<&str>,
    ) -> Result<String, &'static str> {
        let mut state = self.lock();
        let upload = state.uploads.values_mut().find(|upload| upload.key == key).ok_or("NoSuchUpload")?;
        if upload.checked != sha256.is_some() {
            return Err("InvalidRequest");
        }
        let etag = format!("etag-{number}-{size}-{}", bytes.len());
        let part = StoredPart { number, etag: etag.clone(), size, sha256: sha256.map(str::to_owned) };
        upload.parts.insert(number, (part, bytes.to_vec()));
        Ok(etag)
    }
}

impl OpenUploadInParts for World {
    async fn open_upload(&self, file: &File, checked: bool) -> Result<String, Fault> {
        self.effect(|state| {
            let id = format!("upload-{}", self.uploads_opened.fetch_add(1, Ordering::Relaxed) + 1);
            let (key, media) = (file.key.to_string(), file.media.name.to_owned());
            state.uploads.insert(id.clone(), PartedUpload { key, media, checked, parts: BTreeMap::new() });
            id
        })
    }
}

impl ListParts for World {
    async fn list_parts(&self, file: &File, upload: &OpenUpload) -> Result<Option<Vec<StoredPart>>, Fault> {
        self.effect(|state| {
            let open = state.uploads.get(&upload.id).filter(|open| open.key == file.key.as_str())?;
            Some(open.parts.values().map(|(part, _)| part.clone()).collect())
        })
    }
}

impl CompleteUpload for World {
    async fn complete_upload(
        &self,
        file: &File,
        upload: &OpenUpload,
        parts: &[NamedPart],
    ) -> Result<Completion, Fault> {
        self.effect(|state| {
            let key = file.key.as_str();
            let open = state.uploads.get(&upload.id).filter(|open| open.key == key);
            let Some(open) = open.filter(|_| !state.objects.contains_key(key)) else { return Completion::Over };
            if let Some(code) = refusal(open, parts, file.size) {
                return Completion::Refused { code: code.to_owned() };
            }
            let bytes = open.parts.get(&1).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
            let version = Version { id: "v1".to_owned(), zeros: file.size - bytes.len() as u64, bytes };
            state.objects.insert(key.to_owned(), vec![version]);
            state.uploads.remove(&upload.id);
            Completion::Completed
        })
    }
}

/// Returns the code with which S3 refuses to complete an upload.
fn refusal(open: &PartedUpload, named: &[NamedPart], size: u64) -> Option<&'static str> {
    if named.is_empty() {
        return Some("MalformedXML");
    }
    if !named.is_sorted_by(|one, next| one.number < next.number) {
        return Some("InvalidPartOrder");
    }
    if open.checked && named.iter().any(|part| part.sha256.is_none()) {
        return Some("InvalidRequest");
    }
    let mut stored = Vec::new();
    for part in named {
        let found = open.parts.get(&part.number).map(|(stored, _)| stored);
        let same = |known: &&StoredPart| known.etag == part.etag && known.sha256 == part.sha256;
        match found.filter(same) {
            Some(found) => stored.push(found.size),
            None => return Some("InvalidPart"),
        }
    }
    if stored.iter().rev().skip(1).any(|size| *size < PART_MIN) {
        return Some("EntityTooSmall");
    }
    (stored.iter().sum::<u64>() != size).then_some("InvalidRequest")
}

impl ListUploads for World {
    async fn list_uploads(&self, key: &str) -> Result<Vec<String>, Fault> {
        self.effect(|state| {
            let open = state.uploads.iter().filter(|(_, upload)| upload.key == key);
            open.map(|(id, _)| id.clone()).collect()
        })
    }
}

impl AbortUpload for World {
    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), Fault> {
        self.effect(|state| {
            if state.uploads.get(upload).is_some_and(|open| open.key == key) {
                state.uploads.remove(upload);
            }
        })
    }
}
