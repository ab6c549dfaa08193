//! Orders: a customer pays, describes what they want, and sends photos of face and palm. An expert then reads the order.
//!
//! Nobody signs in to submit an order. The payment is the capability: whoever knows the id of its payment intent may submit
//! the order that it is for, and nobody can guess one.
//!
//! The photos are files whose owner is the order. Steps of a photo and of its order are one transaction, so an order is
//! submitted as soon as its last photo is ready.

mod erasure;
mod record;
mod request;
mod step;
mod view;

pub use erasure::{OldOrder, OrderErasure};
pub use record::{Order, OrderStatus, Photo, PhotoKind, PhotoStatus, Submission};
pub use request::{ANSWERS_DEPTH_MAX, ANSWERS_MAX, OrderPhoto, OrderRequest, PHOTO_MAX, PHOTO_TYPES};
pub use step::{OrderStep, SUBMISSIONS_MAX, SUBMIT_WITHIN, SUBMITS_PER_MINUTE};
pub use view::{EarlierSubmission, OrderDetail, OrderPhotoView, OrderView};

use crate::Fault;

/// Returns the 404 of an order. It is the same for a payment that is unknown, and for one of something else.
pub fn order_not_found() -> Fault {
    Fault::not_found("Order")
}
