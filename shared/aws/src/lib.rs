//! Calls AWS with the SDK's operations over the connections of the execution environment. Every call is signed and ends
//! before the invocation's deadline. It is retried if another try may succeed.
//!
//! The SDK defines the operations: their inputs, serializers, outputs and errors. We replace only its client, which
//! sends them. At every start that client builds endpoint rules, partitions, plugins and interceptors. A function with one
//! region, one address and one set of credentials needs none of these. A test compares every request with the SDK's own,
//! byte for byte.
//!
//! The feature `sdk-client` sends every call through the SDK's client instead, in case ours fails somewhere. The same
//! tests run against both.

mod backoff;
pub mod budget;
mod client;
mod config;
pub mod connections;
mod jitter;
mod metered;
mod plain;
mod query;
#[cfg(test)]
mod requests_tests;
mod signing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;

pub use backoff::Backoff;
pub use client::{ATTEMPT, Client, Failure, Operation, Service, Transported, connector, parts};
pub use config::AwsConfig;
pub use jitter::jittered;
pub use plain::{PlainAnswer, PlainRequest, send, send_global};
pub use query::{post_xml, query};
