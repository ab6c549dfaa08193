//! Published files: each has a permanent address that anybody can read, until it is withdrawn.
//!
//! The record is the only truth. The address leads to a function that reads the record at each call and answers with a
//! signed URL of the CDN, valid for some minutes. So nothing is copied, and whatever ends the file, such as its deletion
//! or malware, ends the address too.

use std::time::Duration;

use super::{File, Kind, Readable};
use crate::events::{Event, EventData, FileUnpublished};
use crate::{Code, Fault, PublicId, Timestamp};

/// How long the CDN keeps the answer of a published file's address.
pub const ADDRESS_CACHED: Duration = Duration::from_mins(1);
/// How long the signed URL is valid to which the address of a published file leads.
const VALID: Duration = Duration::from_mins(15);
/// The same for what is played, which a browser reads in parts for as long as it plays.
const VALID_PLAYED: Duration = Duration::from_hours(1);

/// The addresses of published files. Without a CDN there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddresses(Option<String>);

impl PublicAddresses {
    /// Creates them for a CDN's address, without a slash at its end, if there is one.
    pub const fn new(cdn: Option<String>) -> Self {
        Self(cdn)
    }

    /// Returns the address of an id.
    ///
    /// # Errors
    /// `CDN_REQUIRED` if there is no CDN.
    pub fn of(&self, id: PublicId) -> Result<String, Fault> {
        let none = || Fault::new(Code::CdnRequired, "files can be published only where the installation has a CDN");
        self.0.as_ref().map(|cdn| format!("{cdn}/public/{id}")).ok_or_else(none)
    }

    /// Returns the address of a file, if it is public now.
    pub fn of_file(&self, file: &File) -> Option<String> {
        file.public_id().and_then(|id| self.of(id).ok())
    }
}

/// A change of whether a file is public, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// The record after the change, with its new revision.
    pub file: File,
    /// The id of the address.
    pub id: PublicId,
    /// The event that announces the end of the address.
    pub event: Option<Event>,
}

impl Publication {
    /// Returns whether the file is public after the change.
    pub fn is_public(&self) -> bool {
        self.file.published == Some(self.id)
    }
}

impl File {
    /// Returns the id of the file's address, if it is public now: it was published, and can be read.
    pub fn public_id(&self) -> Option<PublicId> {
        self.published.filter(|_| self.readable().is_ok())
    }

    /// Returns what the signed URL reads to which the address `id` leads, if it leads to this file.
    pub fn readable_at(&self, id: PublicId) -> Option<Readable> {
        self.readable().ok().filter(|_| self.published == Some(id))
    }

    /// Returns how long the signed URL is valid to which the file's address leads.
    pub fn public_validity(&self) -> Duration {
        if matches!(self.kind(), Kind::Video | Kind::Audio) { VALID_PLAYED } else { VALID }
    }

    /// Returns for how long after the end of its address the file can still be read by whoever came by the address: the
    /// CDN may keep one more answer, and that leads to a URL which is valid for a while.
    pub fn readable_after_withdrawal(&self) -> Duration {
        ADDRESS_CACHED + self.public_validity()
    }

    /// Returns the change that publishes the file; `None` if it is public already.
    ///
    /// # Errors
    /// Those of [`Self::readable`]; `UNSUPPORTED_FILE_TYPE` for a type that could run a script.
    pub fn publish(&self, now: Timestamp) -> Result<Option<Publication>, Fault> {
        self.readable()?;
        if self.media.script_capable {
            let message = format!("{} cannot be published, because it can contain scripts", self.media.name);
            return Err(Fault::new(Code::UnsupportedFileType, message).detail("contentType", self.media.name));
        }
        if self.published.is_some() {
            return Ok(None);
        }
        let id = PublicId::mint(now);
        let file = Self { published: Some(id), revision: self.revision + 1, ..self.clone() };
        Ok(Some(Publication { file, id, event: None }))
    }

    /// Returns the change that ends the file's address; `None` if it has none.
    pub fn unpublish(&self, now: Timestamp) -> Option<Publication> {
        let id = self.published?;
        let event = Event::new(now, EventData::FileUnpublished(FileUnpublished { file: self.facts() }));
        let file = Self { published: None, revision: self.revision + 1, ..self.clone() };
        Some(Publication { file, id, event: Some(event) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::pending;
    use super::super::{Arrival, Measured, MediaType, Pinned, Removal, Status};
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(2_000);

    fn ready() -> File {
        let pinned = Pinned { version: "v1".to_owned(), etag: "e".to_owned(), sequencer: String::new() };
        pending().accept(Arrival { pinned, size: 9, measured: Measured::default() }, NOW).file
    }

    #[test]
    fn a_file_is_published_once_and_withdrawn_once() {
        let file = ready();
        let step = file.publish(NOW).unwrap().unwrap();
        assert!(step.is_public() && step.event.is_none());
        assert_eq!((step.file.public_id(), step.file.revision), (Some(step.id), file.revision + 1));
        assert_eq!(step.file.publish(NOW).unwrap(), None);
        let end = step.file.unpublish(NOW).unwrap();
        assert_eq!((end.id, end.is_public(), end.file.public_id()), (step.id, false, None));
        assert_eq!(end.event.unwrap().detail()["public_id"], step.id.to_string());
        assert_eq!(end.file.unpublish(NOW), None);
        let again = end.file.publish(NOW).unwrap().unwrap();
        assert_ne!(again.id, step.id, "an address that was withdrawn never works again");
    }

    #[test]
    fn what_cannot_be_read_is_not_public() {
        let public = ready().publish(NOW).unwrap().unwrap();
        assert!(public.file.readable_at(public.id).is_some());
        assert!(public.file.readable_at(PublicId::mint(NOW)).is_none());
        for status in Status::ALL.into_iter().filter(|status| *status != Status::Ready) {
            let ended = File { status, ..public.file.clone() };
            assert_eq!(ended.public_id(), None, "{status:?}");
            assert!(ended.readable_at(public.id).is_none() && ended.publish(NOW).is_err(), "{status:?}");
        }
        let removed = public.file.remove(Removal::Deleted, NOW);
        assert_eq!(removed.event.unwrap().detail()["public_id"], public.id.to_string());
    }

    #[test]
    fn types_that_can_run_scripts_are_not_published() {
        for name in ["image/svg+xml", "text/html"] {
            let file = File { media: MediaType::from_name(name).unwrap(), ..ready() };
            assert_eq!(file.publish(NOW).unwrap_err().code, Code::UnsupportedFileType, "{name}");
        }
    }

    #[test]
    fn an_address_needs_a_cdn_and_names_neither_owner_nor_file() {
        let public = ready().publish(NOW).unwrap().unwrap();
        let some = PublicAddresses::new(Some("https://cdn.example.com".to_owned()));
        assert_eq!(some.of_file(&public.file).unwrap(), format!("https://cdn.example.com/public/{}", public.id));
        assert_eq!(some.of_file(&ready()), None);
        let none = PublicAddresses::new(None);
        assert_eq!(none.of_file(&public.file), None);
        assert_eq!(none.of(public.id).unwrap_err().code, Code::CdnRequired);
        assert_eq!(public.file.readable_after_withdrawal(), Duration::from_mins(61), "it is a film");
    }
}
