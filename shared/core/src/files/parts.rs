//! Uploads in parts: how a large file is divided, the session in its record, and what callers say about parts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::grant::parse_sha256;
use super::{File, Status};
use crate::{Code, Fault, Timestamp};

/// Largest file that is uploaded by one request, in bytes. Larger ones of their owners are uploaded in parts.
pub const ONE_PUT_MAX: u64 = 104_857_600;
/// Bytes of every part but the last. S3 takes 5 MiB to 5 GiB, and at most 10,000 parts. Source: Amazon S3 user guide,
/// "Amazon S3 multipart upload limits".
pub const PART_SIZE: u64 = 16 << 20;
/// Parts of the largest file that a plan allows, which has 5 GiB.
pub const PARTS_MAX: u32 = 320;
/// How long the parts of a file may be uploaded, from the grant to the completion.
///
/// The bucket aborts open uploads by itself after three days, which is longer. So `sweep` ends the session first, together
/// with its bytes in the ledger.
pub const SESSION_VALID: Duration = Duration::from_hours(24);
/// How long the signed URL of a part can be used. Only the start of its upload must be within it.
pub const PART_URL_VALID: Duration = Duration::from_hours(1);
/// How long S3 may be at work on a completion whose answer was lost.
pub const COMPLETION_MAX: Duration = Duration::from_mins(2);
/// Longest entity tag of a part that is accepted, in characters. Those of S3 have 32.
const ETAG_MAX: usize = 64;

/// The session of an upload in parts. It is in the record of its file, so it has the same owner and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSession {
    /// Bytes of every part but the last.
    pub part_size: u64,
    /// Number of parts. They are numbered from 1.
    pub part_count: u32,
    /// The upload at S3. It is created when the first parts are signed.
    pub upload: Option<OpenUpload>,
    /// When its owner first asked to complete it.
    pub completing: Option<Timestamp>,
}

/// An upload in parts at S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    /// S3's id of the upload. It is never shown.
    pub id: String,
    /// Whether each part has a SHA-256. S3 wants one for every part of such an upload, and for no part of another.
    pub checked: bool,
}

/// A part of an upload, as S3 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    /// Its number, from 1.
    pub number: u32,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in base64, if the upload has checksums.
    pub sha256: Option<String>,
}

/// A part as its owner names it, to complete the upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPart {
    /// Its number, from 1.
    pub number: u32,
    /// The entity tag with which S3 answered, without quotes.
    pub etag: String,
    /// Its SHA-256 in base64.
    pub sha256: Option<String>,
}

impl PartSession {
    /// Divides a file of `size` bytes.
    fn of(size: u64) -> Self {
        let part_count = u32::try_from(size.div_ceil(PART_SIZE)).unwrap_or(u32::MAX);
        Self { part_size: PART_SIZE, part_count, upload: None, completing: None }
    }

    /// Checks the numbers of parts to sign, and their checksums by number. Returns the parts in the order of the numbers.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `partNumbers` if there is none, or one is repeated or not of the session; naming `sha256` if
    /// a checksum is malformed or of no asked part, or if some parts have one and others none.
    pub fn asked(
        &self,
        numbers: &[u32],
        checksums: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<u32, Option<String>>, Fault> {
        if numbers.is_empty() {
            return Err(Fault::field("partNumbers", "partNumbers must have at least one number"));
        }
        let mut parts = BTreeMap::new();
        for number in numbers {
            self.check_number("partNumbers", *number)?;
            if parts.insert(*number, None).is_some() {
                return Err(Fault::field("partNumbers", format!("partNumbers has {number} twice")));
            }
        }
        for (name, sha256) in checksums {
            let part = name.parse().ok().and_then(|number: u32| parts.get_mut(&number));
            let part = part
                .ok_or_else(|| Fault::field("sha256", format!("sha256 has `{name}`, which is none of partNumbers")))?;
            *part = Some(parse_sha256("sha256", sha256)?);
        }
        self.check_checksums(&parts)?;
        Ok(parts)
    }

    /// Checks that all parts have a checksum or none, like the parts before.
    fn check_checksums(&self, parts: &BTreeMap<u32, Option<String>>) -> Result<(), Fault> {
        let without: Vec<u32> =
            parts.iter().filter(|(_, sha256)| sha256.is_none()).map(|(number, _)| *number).collect();
        let fault = |message: &'static str| Err(Fault::field("sha256", message));
        match &self.upload {
            Some(upload) if upload.checked && !without.is_empty() => {
                fault("sha256 must have every part: the first parts of this upload had one").map_err(missing(&without))
            }
            Some(upload) if !upload.checked && without.len() < parts.len() => {
                fault("sha256 must be absent: the first parts of this upload had none")
            }
            None if !without.is_empty() && without.len() < parts.len() => {
                fault("sha256 must have every part or none").map_err(missing(&without))
            }
            _ => Ok(()),
        }
    }

    /// Checks the parts with which to complete the upload. Returns them by number.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `parts` if one is repeated, malformed or not of the session; or, with the numbers in
    /// `missing`, if some are not named.
    pub fn named(&self, parts: Vec<NamedPart>) -> Result<Vec<NamedPart>, Fault> {
        let mut named = BTreeMap::new();
        for part in parts {
            let number = part.number;
            self.check_number("parts", number)?;
            let etag = part.etag.trim_matches('"').to_owned();
            let is_tag =
                (1..=ETAG_MAX).contains(&etag.len()) && etag.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
            if !is_tag {
                return Err(Fault::field("parts", format!("parts: etag of part {number} is not one of S3")));
            }
            let sha256 = part.sha256.as_deref().map(|text| parse_sha256("parts", text)).transpose()?;
            if named.insert(number, NamedPart { number, etag, sha256 }).is_some() {
                return Err(Fault::field("parts", format!("parts has part {number} twice")));
            }
        }
        let absent: Vec<u32> = (1..=self.part_count).filter(|number| !named.contains_key(number)).collect();
        if !absent.is_empty() {
            let message = format!("parts must have all {} parts; `missing` lists the others", self.part_count);
            return Err(missing(&absent)(Fault::field("parts", message)));
        }
        let unchecked = self.upload.as_ref().is_some_and(|upload| !upload.checked);
        if unchecked && named.values().any(|part| part.sha256.is_some()) {
            return Err(Fault::field("parts", "parts must have no sha256: this upload has no checksums"));
        }
        Ok(named.into_values().collect())
    }

    fn check_number(&self, field: &str, number: u32) -> Result<(), Fault> {
        if (1..=self.part_count).contains(&number) {
            return Ok(());
        }
        let message = format!("{field} has {number}; this upload has parts 1 to {}", self.part_count);
        Err(Fault::field(field, message).detail("limit", self.part_count))
    }

    /// Returns the numbers of the parts that S3 lacks, or has otherwise than named.
    pub fn not_stored(named: &[NamedPart], stored: &[StoredPart]) -> Vec<u32> {
        let stored: BTreeMap<u32, &StoredPart> = stored.iter().map(|part| (part.number, part)).collect();
        let differs = |part: &&NamedPart| {
            stored
                .get(&part.number)
                .is_none_or(|known| known.etag != part.etag || part.sha256.is_some() && known.sha256 != part.sha256)
        };
        named.iter().filter(differs).map(|part| part.number).collect()
    }

    /// Returns the numbers of the parts that S3 lacks.
    pub fn not_arrived(&self, stored: &[StoredPart]) -> Vec<u32> {
        let stored: BTreeSet<u32> = stored.iter().map(|part| part.number).collect();
        (1..=self.part_count).filter(|number| !stored.contains(number)).collect()
    }
}

/// Adds the numbers of missing parts to a fault.
fn missing(numbers: &[u32]) -> impl FnOnce(Fault) -> Fault {
    let numbers = numbers.to_vec();
    move |fault| fault.detail("missing", numbers)
}

/// Returns the refusal of a completion for which S3 lacks parts.
pub fn parts_missing(numbers: &[u32]) -> Fault {
    missing(numbers)(Fault::new(
        Code::Conflict,
        "S3 lacks the parts in `missing`, or has them with another etag; upload them again",
    ))
}

impl File {
    /// Divides a granted file into parts if it is too large for one request. Its grant is then a session.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `sha256` if such a file has one: S3 checks those of parts only.
    pub fn divided(self) -> Result<Self, Fault> {
        if self.size <= ONE_PUT_MAX {
            return Ok(self);
        }
        if self.sha256.is_some() {
            let message =
                format!("sha256 must be absent above {ONE_PUT_MAX} bytes; send the sha256 of each part instead");
            return Err(Fault::field("sha256", message).detail("limit", ONE_PUT_MAX));
        }
        let parts = Some(PartSession::of(self.size));
        Ok(Self { parts, grant_expires_at: self.granted_at.plus(SESSION_VALID), ..self })
    }

    /// Returns the session of an upload in parts, whether it is still open or not.
    ///
    /// # Errors
    /// `NOT_FOUND` if the file was deleted; `CONFLICT` if it is uploaded by one request.
    pub fn part_session(&self) -> Result<&PartSession, Fault> {
        if !self.status.is_visible() {
            return Err(Fault::not_found("Upload"));
        }
        let one_put = || Fault::new(Code::Conflict, "file is not uploaded in parts; send it to the `url` of its grant");
        self.parts.as_ref().ok_or_else(one_put)
    }

    /// Returns the session of an upload in parts that is still open.
    ///
    /// # Errors
    /// Those of [`Self::part_session`]; `CONFLICT` if the file has arrived, or the session has expired.
    pub fn open_session(&self, now: Timestamp) -> Result<&PartSession, Fault> {
        let session = self.part_session()?;
        if self.status != Status::Pending {
            return Err(self.upload_over("has ended"));
        }
        if now >= self.grant_expires_at {
            return Err(self.upload_over("has expired; ask for a new one"));
        }
        Ok(session)
    }

    /// Returns the 409 of an upload that can no longer be changed. `how` says how it ended.
    pub fn upload_over(&self, how: &str) -> Fault {
        Fault::new(Code::Conflict, format!("upload {how}")).detail("status", self.status.name())
    }

    /// Returns the record with a change of its session, or `None` if it has no session.
    #[must_use]
    pub fn with_session(&self, change: impl FnOnce(&mut PartSession)) -> Option<Self> {
        let mut session = self.parts.clone()?;
        change(&mut session);
        Some(Self { parts: Some(session), revision: self.revision + 1, ..self.clone() })
    }

    /// Returns the bytes of a part: the part size, or for the last part what is left.
    pub fn part_length(&self, session: &PartSession, number: u32) -> u64 {
        let before = u64::from(number.saturating_sub(1)) * session.part_size;
        self.size.saturating_sub(before).min(session.part_size)
    }

    /// Returns the most bytes that one request uploads.
    pub(super) fn bytes_of_a_request(&self) -> u64 {
        self.parts.as_ref().map_or(self.size, |session| session.part_size)
    }
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
