//! How AWS is called: the SDK's own operations, on the connections of the environment, signed, tried again, and never
//! beyond the deadline.
//!
//! What an operation says and how its answer is read are the SDK's: its inputs, serializers, outputs and errors. What
//! carries it there is not: of the SDK's client a start pays for rules about endpoints, partitions, plugins and
//! interceptors that a function with one region, one address and one set of credentials has no use for. A test holds every
//! request against the SDK's own, byte for byte.
//!
//! The feature `sdk-client` sends everything by the SDK's client after all, should ours ever fail at something. The same
//! tests hold for both.

mod backoff;
pub mod budget;
mod client;
mod config;
pub mod connections;
mod jitter;
mod metered;
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
pub use query::query;
