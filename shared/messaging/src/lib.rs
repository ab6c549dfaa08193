//! Outgoing messages: queues (SQS), the event bus (EventBridge), mail (SES), and what the CDN shall forget (CloudFront).

mod bus;
mod cdn;
pub mod mail;
mod queue;

pub use bus::Bus;
pub use cdn::Cdn;
pub use queue::Queue;
