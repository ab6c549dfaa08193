//! Outgoing messages: queues (SQS), the event bus (EventBridge) and mail (SES).

mod bus;
pub mod mail;
mod queue;

pub use bus::Bus;
pub use queue::Queue;
