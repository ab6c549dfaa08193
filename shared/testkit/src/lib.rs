//! Support for tests: fakes of the ports, tokens, payloads, the deployed stack. Also writes the OpenAPI
//! document and pages of docs/reference.

// A test that cannot be set up must fail with a reason. Every `expect` here states one.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::missing_panics_doc)]

pub mod accounts;
pub mod busy_day;
pub mod drill;
pub mod fakes;
pub mod functions;
pub mod generator;
pub mod hooks;
pub mod http;
pub mod json_schema;
pub mod model;
pub mod openapi;
pub mod org_fixture;
pub mod payload;
pub mod pictures;
pub mod planted;
pub mod reference;
pub mod schemas;
pub mod stack;
pub mod stripe;
pub mod template;
pub mod tokens;
pub mod webhooks;
