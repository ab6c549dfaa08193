//! Telling others: queues (SQS) and the bus (EventBridge).

mod bus;
mod queue;

pub use bus::Bus;
pub use queue::Queue;
