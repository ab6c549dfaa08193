//! Events on their way to customers' endpoints and to mailboxes.

pub mod deliveries;
pub mod endpoints;
mod fairness;
pub mod mail;
mod mail_feedback;
mod mail_unsubscribe;
mod notices;
mod publish_events;
mod send_mail;
pub mod simulated;
