//! Everything between AWS Lambda and a handler.
//!
//! A function is a type: its dependencies, declared by [`function!`], and one of [`HttpFunction`], [`BatchFunction`] and
//! [`ScheduleFunction`], which say what it is called and what it does with an event.
//! This crate reads the settings, makes the clients, receives the events, calls the function's `handle`, shapes the answer
//! and writes one log line. It is the only crate that names `lambda_*`.

pub mod adapters;
pub mod aws;
pub mod batch;
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
mod run;
pub mod schedule;
pub mod settings;
pub mod start;
pub mod stream;
pub mod stripe;
pub mod uploads;
mod wire;

pub use adapters::Adapters;
pub use batch::BatchFunction;
pub use consigne_aws::budget::remaining;
pub use http::{Answer, HttpFunction, Operation, Paging, Request};
pub use schedule::ScheduleFunction;
pub use start::{Start, StartError};
pub use wire::{Named, Pending, Wire, Wiring};
