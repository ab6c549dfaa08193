//! All integration tests in one binary: handlers on fakes, contracts of ports, rules of the repository, the deployed
//! stack.

// A test may panic, because that is how it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod concurrent;
mod conventions;
mod crash;
mod deployed;
mod drill;
mod events;
mod handlers;
mod laptop;
mod ledger;
mod openapi;
mod ports;
mod reference;
mod year;
