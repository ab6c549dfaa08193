//! Upload grants: a checked request becomes the record of a file with reserved bytes.

use std::time::Duration;

use super::media::is_undecided;
use super::{File, FileName, Kind, MediaType, Metadata, ObjectKey, Status, in_words};
use crate::idempotency::{IdempotentRequest, KeyOwner};
use crate::jobs::JobStep;
use crate::profiles::Sighting;
use crate::rates::{OverRate, Rate};
use crate::webhooks::Source;
use crate::{Code, Fault, FileId, IdempotencyKey, Plan, Timestamp, UserId};

/// How long an upload grant can be used. It is short, because only the start of the upload must be within it.
pub const UPLOAD_GRANT_VALID: Duration = Duration::from_mins(15);

/// A caller's checked description of a file to upload.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    name: FileName,
    media: &'static MediaType,
    kind: Kind,
    size: u64,
    sha256: Option<String>,
    metadata: Metadata,
}

impl GrantRequest {
    /// Parses the fields of a request.
    ///
    /// # Errors
    /// `INVALID_FILENAME` as in [`FileName::parse`]; `UNSUPPORTED_FILE_TYPE` if neither the declared type nor the
    /// extension names a supported type, or if the type contradicts the extension or cannot be of the requested kind;
    /// `INVALID_REQUEST` naming `size` if it is 0, or `sha256` if it is malformed.
    pub fn parse(
        filename: &str,
        content_type: &str,
        size: u64,
        sha256: Option<&str>,
        kind: Option<Kind>,
    ) -> Result<Self, Fault> {
        let name = FileName::parse(filename)?;
        let media = MediaType::of_file(content_type, &name).ok_or_else(|| unsupported_type(content_type))?;
        name.check_extension(media)?;
        let kind = kind.unwrap_or(media.kinds[0]);
        if !media.kinds.contains(&kind) {
            return Err(Fault::new(
                Code::UnsupportedFileType,
                format!("kind cannot be {} for {}", kind.name(), media.name),
            )
            .detail("field", "kind"));
        }
        if size == 0 {
            return Err(Fault::field("size", "size must be at least 1"));
        }
        let sha256 = sha256.map(|text| parse_sha256("sha256", text)).transpose()?;
        Ok(Self { name, media, kind, size, sha256, metadata: Metadata::default() })
    }

    /// Adds what the record shall say about the file.
    #[must_use]
    pub fn with_metadata(self, metadata: Metadata) -> Self {
        Self { metadata, ..self }
    }

    /// Returns the declared size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the type that the request names.
    pub fn media(&self) -> &'static MediaType {
        self.media
    }

    /// Returns the name of the file.
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// Checks the request against the owner's plan. Returns the record to create, with a grant that is valid for
    /// `valid`.
    ///
    /// # Errors
    /// `FILE_TOO_LARGE` if it exceeds the plan's limit for the kind, with that limit.
    pub fn admit(self, owner: &UserId, plan: Plan, valid: Duration, now: Timestamp) -> Result<File, Fault> {
        let limit = plan.largest(self.kind);
        if self.size > limit {
            let name = self.name.as_str();
            let kind = if self.kind == Kind::Audio { "audio file" } else { self.kind.name() };
            let (size, allowed) = (in_words(self.size), in_words(limit));
            return Err(Fault::new(
                Code::FileTooLarge,
                format!("{name} is {size}; your plan allows {allowed} per {kind}"),
            )
            .detail("field", "size")
            .detail("limit", limit));
        }
        let id = if owner.as_order().is_some() { FileId::mint_uuid(now) } else { FileId::mint(now) };
        let key = ObjectKey::mint(owner, self.kind, id, &self.name, self.media);
        Ok(File {
            metadata: self.metadata,
            sha256: self.sha256,
            ..File::granted(key, self.name, self.media, self.size, valid, now)
        })
    }
}

fn unsupported_type(content_type: &str) -> Fault {
    let message = if is_undecided(content_type) {
        "contentType names no type, and filename has no extension of one; `supported` lists the supported types"
    } else {
        "contentType is not supported; `supported` lists the supported types"
    };
    Fault::new(Code::UnsupportedFileType, message)
        .detail("field", "contentType")
        .detail("supported", MediaType::names().collect::<Vec<_>>())
}

/// Checks the form of a SHA-256 in padded base64: 44 characters that encode 32 bytes. A refusal names `field`.
pub(super) fn parse_sha256(field: &str, text: &str) -> Result<String, Fault> {
    let digits = text.strip_suffix('=').unwrap_or_default();
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    // 32 bytes do not use the last two bits of the last digit, so that digit is one of every fourth character.
    let exact = digits.as_bytes().last().is_some_and(|last| b"AEIMQUYcgkosw048".contains(last));
    if digits.len() == 43 && digits.bytes().all(alphabet) && exact {
        Ok(text.to_owned())
    } else {
        Err(Fault::field(field, "sha256 must be 32 bytes in padded base64 (44 characters)"))
    }
}

/// A grant to be written.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The record to create.
    pub file: File,
    /// The plan whose storage and rate limits apply.
    pub plan: Plan,
    /// The step of the job for which the file is delivered, if it is for one.
    pub job: Option<Box<JobStep>>,
    /// The owner's contact details from their token, if they ask themselves.
    pub seen: Option<Sighting>,
    /// The caller's idempotency key, if any.
    pub idempotency: Option<IdempotencyKey>,
    /// The time of the grant.
    pub now: Timestamp,
}

/// Operation name under which owners' idempotency records are stored.
const OF_OWNER: &str = "upload-grant";
/// Operation name under which generators' idempotency records are stored. It is the same for all jobs, so a captured
/// message cannot be replayed for another job.
pub const OF_JOB: &str = "job-upload-grant";

impl Grant {
    /// Returns the rates at which the grant counts. A job bounds its own files. They do not count against its owner's
    /// grants of a day, because an owner could otherwise keep a finished job's files out and get the allowance back.
    pub fn rates(&self) -> &'static [Rate] {
        if self.job.is_some() { &[Rate::Writes] } else { &[Rate::Writes, Rate::Grants] }
    }

    /// Returns the idempotent request of the grant. A retry finds the file by its object key. Owners and generators
    /// have separate idempotency keys.
    pub fn idempotent(&self) -> Option<IdempotentRequest> {
        let (operation, caller) = match self.job {
            Some(_) => (OF_JOB, KeyOwner::Sender(Source::Generator)),
            None => (OF_OWNER, self.file.owner().clone().into()),
        };
        let key = self.idempotency.clone()?;
        Some(IdempotentRequest { key, owner: caller, operation, result: self.file.key.to_string() })
    }
}

/// Returns a file that was granted before, if its grant can still be used. `repeated` and `renew` are names for the
/// error message: what the caller has repeated, and what it must renew to get another grant.
///
/// # Errors
/// `CONFLICT` if the grant was used or has expired, or if its file was deleted.
pub fn still_usable(file: File, (repeated, renew): (&str, &str), now: Timestamp) -> Result<File, Fault> {
    let over = |how: &str| format!("upload granted for this {repeated} {how}; ask again with a new {renew}");
    if file.status != Status::Pending {
        return Err(Fault::new(Code::Conflict, over("has ended")).detail("status", file.status.name()));
    }
    if now >= file.grant_expires_at {
        return Err(Fault::new(Code::Conflict, over("has expired")));
    }
    Ok(file)
}

/// The outcome of a grant. Only `Granted` means that something was written.
#[derive(Debug, PartialEq)]
pub enum GrantOutcome {
    /// The bytes are reserved and the file is recorded.
    Granted,
    /// The same request was granted before, for this file.
    Replayed(Box<File>),
    /// The idempotency key was used with a different request.
    KeyReused,
    /// The file does not fit the plan's storage.
    OverQuota {
        /// Bytes committed without this file.
        committed: u64,
    },
    /// The plan allows no more writes in this minute, or no more grants in this day.
    OverRate(OverRate),
    /// The job has changed since it was read.
    Conflict,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(filename: &str, content_type: &str, kind: Option<Kind>) -> Result<Kind, Code> {
        GrantRequest::parse(filename, content_type, 1, None, kind)
            .map(|request| request.kind)
            .map_err(|fault| fault.code)
    }

    #[test]
    fn the_kind_follows_the_type_unless_requested() {
        assert_eq!(parse("a.png", "image/png", None), Ok(Kind::Image));
        assert_eq!(parse("a.pdf", "application/pdf", None), Ok(Kind::Book));
        assert_eq!(parse("a.md", "text/markdown; charset=utf-8", None), Ok(Kind::Blog));
        assert_eq!(parse("a.md", "text/markdown", Some(Kind::Book)), Ok(Kind::Book));
        assert_eq!(parse("a.png", "image/png", Some(Kind::Video)), Err(Code::UnsupportedFileType));
    }

    #[test]
    fn extension_and_type_must_agree_but_a_name_may_have_none() {
        assert_eq!(parse("a.JPEG", "image/jpeg", None), Ok(Kind::Image));
        assert_eq!(parse("photo", "image/jpeg", None), Ok(Kind::Image));
        assert_eq!(parse("a.exe", "image/png", None), Err(Code::UnsupportedFileType));
        assert_eq!(parse("a.png", "application/x-msdownload", None), Err(Code::UnsupportedFileType));
        assert_eq!(parse("a.jpg", "image/png", None), Err(Code::UnsupportedFileType));
        assert_eq!(parse("a.png ", "image/png", None), Ok(Kind::Image));
    }

    #[test]
    fn a_dot_in_a_sentence_is_not_an_extension() {
        for name in ["v1.2 release notes", "Meeting 10.30", "Version 2.0", "at 5.30pm", "J.R.R. Tolkien", "v1.2b"] {
            assert_eq!(parse(name, "text/plain", None), Ok(Kind::Blog), "{name}");
        }
        // Windows ignores dots and spaces at the end of a name.
        for name in ["v1.2 release.exe", "photo.jpg.exe", "a.exe.", "a.exe . .", "Answers.DOCX"] {
            assert_eq!(parse(name, "text/plain", None), Err(Code::UnsupportedFileType), "{name}");
        }
    }

    #[test]
    fn a_type_that_says_nothing_is_taken_from_the_name() {
        let media = |filename, declared| {
            GrantRequest::parse(filename, declared, 1, None, None).map(|request| request.media.name)
        };
        assert_eq!(media("IMG_0001.HEIC", "").ok(), Some("image/heic"));
        assert_eq!(media("photo.jfif", "application/octet-stream").ok(), Some("image/jpeg"));
        let fault = media("photo", "application/octet-stream").unwrap_err();
        assert_eq!((fault.code, &fault.details["field"]), (Code::UnsupportedFileType, &"contentType".into()));
    }

    #[test]
    fn a_sha256_is_44_characters_that_encode_32_bytes() {
        assert!(parse_sha256("sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").is_ok());
        for bad in [
            "",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert!(parse_sha256("sha256", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_plan_limits_the_size_of_the_kind() {
        let owner = UserId::parse("user_ann1").unwrap_or_else(|| panic!("is a user id"));
        let now = Timestamp::from_secs(0);
        let admit = |size, plan| {
            GrantRequest::parse("a.png", "image/png", size, None, None)
                .and_then(|request| request.admit(&owner, plan, UPLOAD_GRANT_VALID, now))
        };
        assert!(admit(10 << 20, Plan::Free).is_ok());
        let fault = admit((10 << 20) + 1, Plan::Free).err();
        assert_eq!(fault.as_ref().map(|fault| fault.code), Some(Code::FileTooLarge));
        assert_eq!(fault.map(|fault| fault.details["limit"].clone()), Some(serde_json::json!(10 << 20)));
        assert!(admit((10 << 20) + 1, Plan::Basic).is_ok());
    }
}
