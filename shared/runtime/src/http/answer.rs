//! Answers, in the two dialects of the contract.

use consigne_core::{Code, Fault, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::aws_lambda_events::encodings::Body;
use serde::Serialize;
use serde_json::{Value, json};

/// What a handler answers.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond those every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// JSON body.
    pub body: Value,
}

impl Answer {
    /// Answers with the resource at top level: the dialect of `/api/files/*` and `/api/webhooks/*`.
    pub fn plain(status: u16, resource: &impl Serialize) -> Self {
        let body = serde_json::to_value(resource).unwrap_or(Value::Null);
        Self { status, headers: Vec::new(), body }
    }

    /// Answers with the resource in an envelope: the dialect of everything else.
    pub fn envelope(status: u16, message: &str, data: &impl Serialize, now: Timestamp) -> Self {
        let body = json!({ "success": true, "message": message, "data": data, "timestamp": now });
        Self { status, headers: Vec::new(), body }
    }

    /// Adds the `metadata` of a list in an envelope.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &impl Serialize) -> Self {
        self.body["metadata"] = json!(metadata);
        self
    }

    /// Makes the event API Gateway expects, with the headers every answer has.
    pub(super) fn into_response(self, request_id: &str) -> ApiGatewayV2httpResponse {
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        };
        put("content-type", "application/json; charset=utf-8");
        put("cache-control", "no-store");
        put("x-content-type-options", "nosniff");
        put("x-request-id", request_id);
        for (name, value) in &self.headers {
            put(name, value);
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(self.status);
        response.headers = headers;
        response.body = Some(Body::Text(self.body.to_string()));
        response
    }
}

/// Answers with an error, in the one shape errors have. An `INTERNAL` shows nothing but that it happened; an `UNAVAILABLE`
/// may say in `details`, which are only ever written for the caller, what of the stack does not answer.
pub fn fault_answer(fault: &Fault, request_id: &str, now: Timestamp) -> Answer {
    let mut error = json!({ "code": fault.code.as_str(), "message": fault.message });
    if !fault.details.is_empty() && fault.code != Code::Internal {
        error["details"] = Value::Object(fault.details.clone());
    }
    let body = json!({ "success": false, "error": error, "timestamp": now, "requestId": request_id });
    Answer { status: fault.code.status(), headers: fault.headers.clone(), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_error_shows_no_details_and_an_unavailable_part_does() {
        let error = |fault: Fault| {
            fault_answer(&fault.detail("checks", "x"), "r", Timestamp::from_secs(1)).body["error"].take()
        };
        assert_eq!(
            error(Fault::internal("disk on fire")),
            json!({"code": "INTERNAL", "message": "Something went wrong on our side"})
        );
        let shown = error(Fault::unavailable("disk on fire"));
        assert_eq!((&shown["code"], &shown["details"]), (&json!("UNAVAILABLE"), &json!({"checks": "x"})));
        assert!(!shown.to_string().contains("fire"));
    }
}
