//! Calls servers that are not AWS's: services behind the gateway, customers' endpoints, a language model, Stripe, and the
//! issuer of session tokens.
//!
//! The clients read neither settings nor the clock. `shared/runtime` creates them from the settings and passes them a
//! function that returns the time.

mod client;
mod connector;
mod key_set;
pub mod language_model;
pub mod stripe;
mod webhook;

pub use client::Outgoing;
pub use key_set::fetched_keys;
