//! Everything between AWS Lambda and a handler.
//!
//! A function is a type. [`function!`] declares its dependencies, and it implements [`HttpFunction`], [`BatchFunction`] or
//! [`ScheduleFunction`], whose `handle` processes one event.
//!
//! This crate reads the settings, creates the clients, receives the events, calls `handle`, sends the answer and writes
//! one log line. It is the only crate that uses `lambda_*`.

pub mod adapters;
pub mod aws;
pub mod batch;
pub mod clock;
pub mod completions;
mod ending;
pub mod fanout;
pub mod http;
pub mod invocation;
pub mod log;
pub mod queue;
mod run;
pub mod schedule;
pub mod settings;
pub mod start;
pub mod stream;
pub mod tickets;
pub mod uploads;
mod wire;

pub use adapters::Adapters;
pub use batch::BatchFunction;
pub use consigne_aws::budget::remaining;
pub use http::{Answer, HttpFunction, Operation, Paging, Request};
pub use schedule::ScheduleFunction;
pub use start::{Start, StartError};
pub use tickets::Tickets;
pub use wire::{Named, Pending, Wire, Wiring};
