//! Files: granted, uploaded, listed, read and deleted.

mod access;
mod delete;
mod list;
mod metadata;
mod on_object_event;
pub mod on_scan_result;
mod presign;
mod ticket_batches;
mod upload_grant;
mod usage_and_health;
