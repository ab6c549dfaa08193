//! Takes in an order: a customer's answers, and signed forms for the photos of face and palm.
//!
//! Nobody signs in. Whoever knows the payment's id may submit the order that it is for. A payment that is unknown and one of
//! something else get the same answer, so that nobody learns which ids exist.
//!
//! The same submission again gives the same forms, or new ones for photos that expired or were rejected. A form that has
//! nearly expired is signed anew for the same key, so a photo on its way still counts. Another submission replaces photos
//! and answers, and the replaced ones are kept.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::credits::PaymentId;
use consigne_core::email::ADDRESS_MAX;
use consigne_core::files::{FILE_NAME_MAX, File, UPLOAD_GRANT_VALID};
use consigne_core::orders::{
    Order, OrderPhoto, OrderRequest, OrderStatus, PHOTO_MAX, Photo, PhotoKind, PhotoStatus, order_not_found,
};
use consigne_core::ports::{ApplyOrderStep, GetFile, GetOrder};
use consigne_core::{Code, Fault, OrderId, Timestamp};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_storage::Presigner;
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A photo that the customer will upload.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderFile {
    /// What the photo shows.
    #[serde(rename = "type")]
    pub kind: PhotoKind,
    /// File name as the customer's device wrote it, without a path; at most 255 characters.
    #[schemars(length(min = 1, max = FILE_NAME_MAX))]
    pub filename: String,
    /// Media type: JPEG, PNG, WebP or HEIC. If it is empty or `application/octet-stream`, the extension decides.
    pub content_type: String,
    /// Size in bytes.
    #[schemars(range(min = 1, max = PHOTO_MAX))]
    pub size: u64,
}

/// What a customer submits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderSubmission {
    /// One photo of each type.
    #[schemars(length(equal = 2))]
    pub files: Vec<OrderFile>,
    /// Address of the customer. Mails about the order go to it. It must stay the same.
    #[schemars(extend("format" = "email"), length(max = ADDRESS_MAX))]
    pub email: String,
    /// The customer's answers: an object that only the application understands, at most 16,384 bytes.
    #[serde(default)]
    pub answers: Map<String, Value>,
    /// Language of the customer, as a BCP 47 tag. Mails are in French or English.
    pub locale: Option<String>,
}

/// A form that uploads one photo to the bucket: a POST of `fields` and then the file, as `multipart/form-data`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderUpload {
    /// What the photo shows.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = PhotoKind::ALL.map(PhotoKind::name)))]
    pub kind: &'static str,
    /// Key of the photo in the bucket.
    pub s3_key: String,
    /// `POST`.
    #[schemars(extend("enum" = ["POST"]))]
    pub method: &'static str,
    /// URL of the bucket.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Fields to send unchanged, before the file.
    pub fields: BTreeMap<&'static str, String>,
    /// When the form expires.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

/// How far a photo of the order has come.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderFileState {
    /// What the photo shows.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = PhotoKind::ALL.map(PhotoKind::name)))]
    pub kind: &'static str,
    /// `pending`, `processing`, `ready`, `rejected`, `infected` or `gone`.
    #[schemars(extend("enum" = PhotoStatus::ALL.map(PhotoStatus::name)))]
    pub status: &'static str,
    /// Why its last upload was refused; null if none was.
    pub reason: Option<String>,
}

/// The order, with a form for each photo that is missing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderForms {
    /// Id of the order, opaque.
    pub order_id: String,
    /// `awaiting_files`, or `submitted` once all photos are ready.
    #[schemars(extend("enum" = OrderStatus::ALL.map(OrderStatus::name)))]
    pub status: &'static str,
    /// Forms of the photos that are missing.
    pub uploads: Vec<OrderUpload>,
    /// All photos.
    pub files: Vec<OrderFileState>,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetOrder + GetFile + ApplyOrderStep>
}

function! {
    orders: A::Table = table(),
    tickets: Presigner = presigner(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let payment = PaymentId::parse(request.parameter("id")).ok_or_else(order_not_found)?;
        let id = OrderId::of(&payment);
        let known = self.orders.get_order(id).await?.ok_or_else(order_not_found)?;
        request.log.field("order.id", id);
        let ask = checked(&request.json()?)?;

        let order = self.submit(known, &ask, request).await?;
        let photos = order.current.as_ref().map_or(&[][..], |current| &current.photos);
        let missing = photos.iter().filter(|photo| photo.status == PhotoStatus::Pending);
        let forms = OrderForms {
            order_id: order.id.to_string(),
            status: order.status.name(),
            uploads: missing.map(|photo| self.form(photo)).collect::<Result<_, _>>()?,
            files: photos.iter().map(state).collect(),
        };
        Ok(Answer::envelope(201, "Order received", &forms, request.now))
    }

    fn operations() -> Vec<Operation> {
        let route = "POST /api/orders/by-payment-intent/{id}/client-submit";
        let operation = Operation::new::<OrderForms>(route, "Submit an order that was paid for").for_anyone();
        let operation = Operation { status: 201, ..operation.in_envelope().takes::<OrderSubmission>() };
        let refusals = [
            Code::NotFound,
            Code::Conflict,
            Code::InvalidFilename,
            Code::UnsupportedFileType,
            Code::FileTooLarge,
            Code::RateLimited,
        ];
        vec![operation.parameter("id", "Id of the payment intent", true).refuses(&refusals)]
    }
}

impl<A: Needs> Function<A> {
    /// Takes the submission into the order. Returns the order afterwards.
    async fn submit(&self, known: Order, ask: &OrderRequest, request: &Request) -> Result<Order, Fault> {
        let valid = self.tickets.validity(UPLOAD_GRANT_VALID, request.now)?;
        let (mut retry, mut order) = (ConflictRetry::of("the order"), known);
        loop {
            let files = self.lapsing(&order, ask, valid, request.now).await?;
            let step = order.submit(ask, &files, valid, request.now)?;
            if self.orders.apply_order_step(&step).await?.is_committed() {
                request.log.field("order.photos_granted", step.granted.len());
                return Ok(step.order);
            }
            retry.wait().await?;
            order = self.orders.get_order(order.id).await?.ok_or_else(order_not_found)?;
        }
    }

    /// Reads the records of the photos whose forms are nearly over.
    async fn lapsing(
        &self,
        order: &Order,
        ask: &OrderRequest,
        valid: Duration,
        now: Timestamp,
    ) -> Result<Vec<File>, Fault> {
        let (owner, mut files) = (order.owner(), Vec::new());
        for file in order.lapsing(ask, valid, now) {
            files.extend(self.orders.get_file(&owner, file).await?);
        }
        Ok(files)
    }

    fn form(&self, photo: &Photo) -> Result<OrderUpload, Fault> {
        let form = self.tickets.photo_form(photo)?;
        Ok(OrderUpload {
            kind: photo.kind.name(),
            s3_key: photo.key.to_string(),
            method: "POST",
            url: form.url,
            fields: form.fields,
            expires_at: photo.expires_at.to_string(),
        })
    }
}

fn state(photo: &Photo) -> OrderFileState {
    OrderFileState { kind: photo.kind.name(), status: photo.status.name(), reason: photo.reason.clone() }
}

fn photo(file: &OrderFile) -> OrderPhoto<'_> {
    let OrderFile { kind, filename, content_type, size } = file;
    OrderPhoto { kind: *kind, filename, content_type, size: *size }
}

fn checked(body: &OrderSubmission) -> Result<OrderRequest, Fault> {
    let files: Vec<_> = body.files.iter().map(photo).collect();
    OrderRequest::parse(&files, &body.email, body.answers.clone(), body.locale.as_deref())
}
