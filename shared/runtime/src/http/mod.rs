//! HTTP: from an API Gateway event to a handler and back.

mod answer;
mod cdn;
mod edge;
mod json_body;
mod paging;
mod request;
mod schema;

pub use answer::{Answer, Body, fault_answer};
pub use cdn::{Cdn, SECRET_HEADER};
pub use edge::{HttpFunction, respond, respond_behind, run};
pub use paging::{LIMIT_MAX, Paging};
pub use request::{BODY_MAX, IDEMPOTENCY_KEY_MAX, Request};
pub use schema::{AuthScheme, Form, Operation, Parameter, RefusalOf, SchemaOf};
