//! Answers, in the two dialects of the contract; and the pages that mails lead to.

use consigne_core::{Code, Fault, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::aws_lambda_events::encodings;
use serde::Serialize;
use serde_json::{Value, json};

/// What a handler answers.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond those every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// What stands in it.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug, PartialEq)]
pub enum Body {
    /// What programs read.
    Json(Value),
    /// A page for people, whole, which needs nothing from anywhere.
    Html(String),
}

/// What a page may do: show itself, in its own style, and send its form back to where it came from.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl Answer {
    /// Answers with the resource at top level: the dialect of `/api/files/*` and `/api/webhooks/*`.
    pub fn plain(status: u16, resource: &impl Serialize) -> Self {
        let body = Body::Json(serde_json::to_value(resource).unwrap_or(Value::Null));
        Self { status, headers: Vec::new(), body }
    }

    /// Answers with the resource in an envelope: the dialect of everything else.
    pub fn envelope(status: u16, message: &str, data: &impl Serialize, now: Timestamp) -> Self {
        let body = Body::Json(json!({ "success": true, "message": message, "data": data, "timestamp": now }));
        Self { status, headers: Vec::new(), body }
    }

    /// Answers with a page. Its address may hold a token, which it tells to nobody.
    pub fn html(status: u16, page: String) -> Self {
        let headers =
            [("content-security-policy", PAGE_POLICY), ("referrer-policy", "no-referrer"), ("x-robots-tag", "noindex")];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { status, headers, body: Body::Html(page) }
    }

    /// Adds the `metadata` of a list in an envelope.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &impl Serialize) -> Self {
        if let Body::Json(body) = &mut self.body {
            body["metadata"] = json!(metadata);
        }
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
        let (content_type, body) = match self.body {
            Body::Json(body) => ("application/json; charset=utf-8", body.to_string()),
            Body::Html(page) => ("text/html; charset=utf-8", page),
        };
        put("content-type", content_type);
        put("cache-control", "no-store");
        put("x-content-type-options", "nosniff");
        put("x-request-id", request_id);
        for (name, value) in &self.headers {
            put(name, value);
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(self.status);
        response.headers = headers;
        response.body = Some(encodings::Body::Text(body));
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
    Answer { status: fault.code.status(), headers: fault.headers.clone(), body: Body::Json(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_apart_from_data_and_fetches_nothing() {
        let page = Answer::html(200, "<!DOCTYPE html>".to_owned()).into_response("r");
        let header = |name: &str| page.headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert!(header("content-security-policy").starts_with("default-src 'none';"));
        assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store", "no-referrer"));
        assert_eq!(page.body, Some(encodings::Body::Text("<!DOCTYPE html>".to_owned())));
    }

    #[test]
    fn an_internal_error_shows_no_details_and_an_unavailable_part_does() {
        let error = |fault: Fault| match fault_answer(&fault.detail("checks", "x"), "r", Timestamp::from_secs(1)).body {
            Body::Json(mut body) => body["error"].take(),
            Body::Html(page) => panic!("an error is no page: {page}"),
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
