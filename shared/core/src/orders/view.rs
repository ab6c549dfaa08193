//! Orders as the API shows them to experts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Order, OrderStatus, Photo, PhotoKind, PhotoStatus, Submission};

/// A photo of an order.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrderPhotoView {
    /// What it shows: `face_photo` or `palm_photo`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = PhotoKind::ALL.map(PhotoKind::name)))]
    pub kind: &'static str,
    /// Name as the customer's device wrote it, in NFC.
    pub name: String,
    /// Key of the original in the bucket.
    pub key: String,
    /// Media type.
    pub content_type: String,
    /// Size in bytes: measured once it has arrived, before as declared.
    pub size: u64,
    /// `pending`, `processing`, `ready`, `rejected`, `infected` or `gone`.
    #[schemars(extend("enum" = PhotoStatus::ALL.map(PhotoStatus::name)))]
    pub status: &'static str,
    /// Why its last upload was refused; null if none was.
    pub reason: Option<String>,
    /// When it arrived; null before.
    #[schemars(extend("format" = "date-time"))]
    pub uploaded_at: Option<String>,
    /// Signed URL of the clean copy: the same pixels, without what the photo says about camera and place. Null in lists, and
    /// until the copy is made.
    #[schemars(extend("format" = "uri"))]
    pub url: Option<String>,
    /// When `url` expires; null without one.
    #[schemars(extend("format" = "date-time"))]
    pub url_expires_at: Option<String>,
    /// Keys of the copies by name: `clean`, `256`, `1024`.
    pub thumbnails: BTreeMap<String, String>,
}

/// An order in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrderView {
    /// Id of the order, opaque.
    pub order_id: String,
    /// `paid`, `awaiting_files`, `submitted` or `expired`.
    #[schemars(extend("enum" = OrderStatus::ALL.map(OrderStatus::name)))]
    pub status: &'static str,
    /// Address of the customer; null before their first submission.
    pub email: Option<String>,
    /// When it was paid.
    #[schemars(extend("format" = "date-time"))]
    pub paid_at: String,
    /// When the last photo of the latest submission was ready; null before.
    #[schemars(extend("format" = "date-time"))]
    pub submitted_at: Option<String>,
    /// Number of submissions: more than one if the customer has replaced photos or answers.
    pub submissions: u32,
    /// Photos of the latest submission.
    pub files: Vec<OrderPhotoView>,
}

/// An order with everything that an expert needs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrderDetail {
    /// The order, with links to its photos.
    #[serde(flatten)]
    pub order: OrderView,
    /// Language of the customer: `en` or `fr`; null before their first submission.
    pub locale: Option<&'static str>,
    /// The customer's answers, as they sent them.
    pub answers: Map<String, Value>,
    /// Submissions that were replaced, the newest first.
    pub earlier: Vec<EarlierSubmission>,
}

/// A submission that the customer has replaced.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EarlierSubmission {
    /// Its number, from 1.
    pub number: u32,
    /// When it was first sent.
    #[schemars(extend("format" = "date-time"))]
    pub asked_at: String,
    /// When its last photo was ready; null if it was never complete.
    #[schemars(extend("format" = "date-time"))]
    pub submitted_at: Option<String>,
    /// The customer's answers.
    pub answers: Map<String, Value>,
    /// Its photos.
    pub files: Vec<OrderPhotoView>,
}

impl OrderPhotoView {
    /// Shows a photo without a link and without its copies.
    pub fn of(photo: &Photo) -> Self {
        Self {
            kind: photo.kind.name(),
            name: photo.name.as_str().to_owned(),
            key: photo.key.to_string(),
            content_type: photo.media.name.to_owned(),
            size: photo.size.unwrap_or(photo.declared),
            status: photo.status.name(),
            reason: photo.reason.clone(),
            uploaded_at: photo.uploaded_at.map(|at| at.to_string()),
            url: None,
            url_expires_at: None,
            thumbnails: BTreeMap::new(),
        }
    }
}

impl OrderView {
    /// Shows an order in a list, without links to its photos.
    pub fn of(order: &Order) -> Self {
        Self::with(order, &OrderPhotoView::of)
    }

    /// Shows an order. `show` converts each photo.
    fn with(order: &Order, show: &impl Fn(&Photo) -> OrderPhotoView) -> Self {
        let photos = order.current.iter().flat_map(|current| &current.photos);
        Self {
            order_id: order.id.to_string(),
            status: order.status.name(),
            email: order.email.as_ref().map(|email| email.as_str().to_owned()),
            paid_at: order.paid_at.to_string(),
            submitted_at: order.current.as_ref().and_then(|current| current.submitted_at).map(|at| at.to_string()),
            submissions: order.current.as_ref().map_or(0, |current| current.number),
            files: photos.map(show).collect(),
        }
    }
}

impl OrderDetail {
    /// Shows an order. `show` converts each photo, with its link.
    pub fn with(order: &Order, show: impl Fn(&Photo) -> OrderPhotoView) -> Self {
        let current = order.current.as_ref();
        let earlier = |one: &Submission| EarlierSubmission {
            number: one.number,
            asked_at: one.asked_at.to_string(),
            submitted_at: one.submitted_at.map(|at| at.to_string()),
            answers: one.answers.clone(),
            files: one.photos.iter().map(&show).collect(),
        };
        Self {
            order: OrderView::with(order, &show),
            locale: current.map(|current| current.language.name()),
            answers: current.map(|current| current.answers.clone()).unwrap_or_default(),
            earlier: order.earlier.iter().rev().map(earlier).collect(),
        }
    }
}
