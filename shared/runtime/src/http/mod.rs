//! HTTP: from an API Gateway event to a handler and back.

mod access;
mod answer;
mod cdn;
mod edge;
mod json_body;
mod paging;
mod request;
mod schema;

pub use access::{is_audited_route, is_file_route};
pub use answer::{Answer, Body, fault_answer};
pub use cdn::{Cdn, SECRET_HEADER};
pub use edge::{Answered, HttpFunction, Unstarted, answered_behind, respond, respond_behind, run};
pub use paging::{LIMIT_MAX, Paging};
pub use request::{BODY_MAX, IDEMPOTENCY_KEY_MAX, Request};
pub use schema::{AuthScheme, Form, Operation, Parameter, RefusalOf, SchemaOf};
