//! Storage: the table (DynamoDB), the objects (S3), and signed URLs for the objects.

mod cdn;
mod listing;
mod multipart;
mod objects;
mod presign;
mod table;
mod upload_form;

pub use cdn::{CdnKeyError, CdnKeys, CdnSigner, CdnValidity, WINDOW, WINDOWED_FROM};
pub use objects::Bucket;
pub use presign::{Endpoint, Lifetime, PartToSign, Presigner, SignedUpload};
#[cfg(feature = "items")]
pub use table::items;
pub use table::{DueWalk, OrgWalk, Table, outbox_entry_of_image};
pub use upload_form::UploadForm;
