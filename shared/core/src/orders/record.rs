//! The record of an order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SUBMIT_WITHIN;
use crate::credits::PaymentId;
use crate::files::{FileName, MediaType, ObjectKey};
use crate::profiles::Language;
use crate::rates::Window;
use crate::{EmailAddress, FileId, OrderId, Timestamp, UserId};

/// The status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Paid, and nothing was submitted.
    Paid,
    /// Submitted, and a photo is missing.
    AwaitingFiles,
    /// Complete: an expert can read it.
    Submitted,
    /// A photo was still missing when the time was over. The photos that had arrived are deleted.
    Expired,
}

impl OrderStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Paid, Self::AwaitingFiles, Self::Submitted, Self::Expired];

    /// Returns the name used in the table, in answers and in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::AwaitingFiles => "awaiting_files",
            Self::Submitted => "submitted",
            Self::Expired => "expired",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// What a photo shows. An order has one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhotoKind {
    /// The customer's face.
    FacePhoto,
    /// The customer's palm.
    PalmPhoto,
}

impl PhotoKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::FacePhoto, Self::PalmPhoto];

    /// Returns the name used in the table, in requests and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FacePhoto => "face_photo",
            Self::PalmPhoto => "palm_photo",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The status of a photo, as its order keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhotoStatus {
    /// Its form was given, and it has not arrived.
    Pending,
    /// It has arrived, and waits for the malware scan.
    Processing,
    /// It was checked.
    Ready,
    /// It was of another type than declared, and was removed.
    Rejected,
    /// It contained malware, and was removed.
    Infected,
    /// It never came, or was deleted.
    Gone,
}

impl PhotoStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Ready, Self::Rejected, Self::Infected, Self::Gone];

    /// Returns the name used in the table and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Ready => "ready",
            Self::Rejected => "rejected",
            Self::Infected => "infected",
            Self::Gone => "gone",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A photo of a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// What it shows.
    pub kind: PhotoKind,
    /// The name its sender gave it.
    pub name: FileName,
    /// Its declared type, which S3 and the check enforce.
    pub media: &'static MediaType,
    /// The declared size in bytes. Another size up to the limit is accepted, too.
    pub declared: u64,
    /// Its key in the bucket. A form that is given anew may be for another one.
    pub key: ObjectKey,
    /// When its form was given.
    pub granted_at: Timestamp,
    /// When its form expires.
    pub expires_at: Timestamp,
    /// Its current status.
    pub status: PhotoStatus,
    /// Its measured size in bytes, once it has arrived.
    pub size: Option<u64>,
    /// When it was accepted.
    pub uploaded_at: Option<Timestamp>,
    /// Why its last upload was refused, as a sentence. It stays when the form is given anew.
    pub reason: Option<String>,
}

impl Photo {
    /// Returns the id of its file.
    pub fn file(&self) -> FileId {
        self.key.file()
    }
}

/// What a customer has submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Its number, from 1.
    pub number: u32,
    /// The language of the mails to the customer.
    pub language: Language,
    /// The customer's answers: a JSON object that only the application understands.
    pub answers: Map<String, Value>,
    /// Its photos, one of each kind.
    pub photos: Vec<Photo>,
    /// When it was first sent.
    pub asked_at: Timestamp,
    /// When its last photo was ready.
    pub submitted_at: Option<Timestamp>,
    /// Whether it was complete before. It stays so when a photo is lost and sent again.
    pub announced: bool,
}

/// The record of an order. The first submission decides whose order it is: its e-mail address.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Id of the order, derived from the payment.
    pub id: OrderId,
    /// The payment that it is for.
    pub payment: PaymentId,
    /// Its current status.
    pub status: OrderStatus,
    /// When the status last changed. Lists are in this order.
    pub status_since: Timestamp,
    /// When it was paid.
    pub paid_at: Timestamp,
    /// The customer's address, from the first submission on.
    pub email: Option<EmailAddress>,
    /// The latest submission, if there is one.
    pub current: Option<Submission>,
    /// Submissions that were replaced, the oldest first.
    pub earlier: Vec<Submission>,
    /// When the customer last asked for forms.
    pub asked_at: Option<Timestamp>,
    /// How often the customer has asked for forms in this minute.
    pub asked: Option<Window>,
    /// Number of writes of this record. Each write is conditional on the revision that was read.
    pub revision: u64,
}

impl Order {
    /// Creates the record of an order that was paid for.
    pub fn paid(payment: PaymentId, at: Timestamp) -> Self {
        Self {
            id: OrderId::of(&payment),
            payment,
            status: OrderStatus::Paid,
            status_since: at,
            paid_at: at,
            email: None,
            current: None,
            earlier: Vec::new(),
            asked_at: None,
            asked: None,
            revision: 1,
        }
    }

    /// Returns the owner of its photos.
    pub fn owner(&self) -> UserId {
        UserId::of_order(self.id)
    }

    /// Returns when `sweep` should end the order unless its photos come before; `None` if it waits for none.
    pub fn due_at(&self) -> Option<Timestamp> {
        (self.status == OrderStatus::AwaitingFiles).then_some(self.asked_at?.plus(SUBMIT_WITHIN))
    }

    /// Returns all photos, those of the latest submission first.
    pub fn photos(&self) -> impl Iterator<Item = &Photo> {
        self.current.iter().chain(self.earlier.iter().rev()).flat_map(|submission| &submission.photos)
    }

    /// Returns the photos whose files `sweep` deletes when the order expires: those of submissions that were never
    /// complete.
    pub fn incomplete_photos(&self) -> impl Iterator<Item = &Photo> {
        let all = self.current.iter().chain(&self.earlier);
        all.filter(|submission| submission.submitted_at.is_none()).flat_map(|submission| &submission.photos)
    }
}
