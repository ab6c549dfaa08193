//! Files: granted, uploaded, listed, read and deleted.

mod access;
mod delete;
pub mod derive_image;
pub mod erase_replica;
mod list;
mod metadata;
mod on_object_event;
pub mod on_scan_result;
mod presign;
pub mod publish;
mod ticket_batches;
mod upload_ends;
mod upload_grant;
pub mod upload_parts;
mod usage_and_health;
