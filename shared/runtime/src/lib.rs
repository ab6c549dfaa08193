//! Everything between AWS Lambda and a handler.
//!
//! A function is a struct of dependencies and a `handle`. This crate reads the settings, creates the clients, receives
//! the events, calls `handle`, builds the answer and writes one log line. No other crate uses `lambda_*`.

pub mod aws;
pub mod clock;
pub mod completions;
pub mod courier;
mod ending;
pub mod fanout;
pub mod http;
pub mod invocation;
pub mod log;
pub mod model;
pub mod outgoing;
pub mod queue;
pub mod schedule;
pub mod settings;
pub mod start;
pub mod stream;
pub mod stripe;
pub mod uploads;

pub use consigne_aws::budget::remaining;
pub use http::{Answer, Request};
pub use start::{Start, StartError};
