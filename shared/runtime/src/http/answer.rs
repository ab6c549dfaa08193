//! Answers: JSON in the API's two formats, the HTML pages that mails link to, and the answers of services that the
//! gateway relays.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::{Code, Fault, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::aws_lambda_events::encodings;
use serde::Serialize;
use serde_json::{Value, json};

/// The answer of a handler.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// HTTP status of the answer.
    pub status: u16,
    /// Headers in addition to those of every answer.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which decides the content type.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug, PartialEq)]
pub enum Body {
    /// No body, as for a preflight.
    Empty,
    /// JSON for programs, in UTF-8.
    Json(Value),
    /// A complete HTML page for people, which loads nothing.
    Html(String),
    /// The answer of another server: its headers, and its body unchanged.
    Relayed(Vec<(String, String)>, Vec<u8>),
}

/// Content security policy of pages: they may use their own style, and send their form to their own origin.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl Answer {
    /// Creates an answer with the resource at top level, the format of `/api/files/*` and `/api/webhooks/*`.
    pub fn plain(status: u16, resource: &impl Serialize) -> Self {
        let body = Body::Json(serde_json::to_value(resource).unwrap_or(Value::Null));
        Self { status, headers: Vec::new(), body }
    }

    /// Creates an answer with the resource in an envelope, the format of all other routes.
    pub fn envelope(status: u16, message: &str, data: &impl Serialize, now: Timestamp) -> Self {
        let body = Body::Json(json!({ "success": true, "message": message, "data": data, "timestamp": now }));
        Self { status, headers: Vec::new(), body }
    }

    /// Creates the answer to a preflight request: 204 without a body.
    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Body::Empty }
    }

    /// Creates an answer with a page. Its URL may contain a token, so the page sends no referrer.
    pub fn html(status: u16, page: String) -> Self {
        let headers =
            [("content-security-policy", PAGE_POLICY), ("referrer-policy", "no-referrer"), ("x-robots-tag", "noindex")];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { status, headers, body: Body::Html(page) }
    }

    /// Creates an answer from that of another server.
    pub fn relayed(status: u16, headers: Vec<(String, String)>, bytes: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Relayed(headers, bytes) }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Adds the `metadata` of a list in an envelope.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &impl Serialize) -> Self {
        if let Body::Json(body) = &mut self.body {
            body["metadata"] = json!(metadata);
        }
        self
    }

    /// Converts the answer to what API Gateway expects, with the headers of every answer. The answer to a HEAD request
    /// (`head`) has no body. Its `Content-Length` is the handler's, for a relayed answer, or else that of the body it
    /// would have. Source: RFC 9110, section 9.3.2.
    pub(super) fn into_response(self, request_id: &str, head: bool) -> ApiGatewayV2httpResponse {
        let mut headers = HeaderMap::new();
        let mut put = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                // API Gateway accepts one value per header name, so several values are joined to a list. Source: RFC
                // 9110, section 5.3.
                let before = headers.get(&name).and_then(|value: &HeaderValue| value.to_str().ok());
                let joined = before.and_then(|before| format!("{before}, {}", value.to_str().ok()?).parse().ok());
                headers.insert(name, joined.unwrap_or(value));
            }
        };
        let relayed = matches!(self.body, Body::Relayed(..));
        let mut body = match self.body {
            Body::Empty => String::new(),
            Body::Json(body) => {
                put("content-type", "application/json; charset=utf-8");
                body.to_string()
            }
            Body::Html(page) => {
                put("content-type", "text/html; charset=utf-8");
                page
            }
            Body::Relayed(theirs, bytes) => {
                for (name, value) in &theirs {
                    put(name, value);
                }
                // In base64, so that any bytes arrive unchanged.
                STANDARD.encode(bytes)
            }
        };
        if !self.headers.iter().any(|(name, _)| *name == "cache-control") {
            put("cache-control", "no-store");
        }
        put("x-content-type-options", "nosniff");
        put("x-request-id", request_id);
        if head {
            if !relayed {
                put("content-length", &body.len().to_string());
            }
            body.clear();
        }
        for (name, value) in &self.headers {
            put(name, value);
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(self.status);
        response.headers = headers;
        response.body = Some(encodings::Body::Text(body));
        response.is_base64_encoded = relayed && !head;
        response
    }
}

/// Creates the answer to an error. All errors have this format. An `INTERNAL` shows no details. An `UNAVAILABLE` does,
/// because details are written for callers: they may name the part that does not answer.
pub fn fault_answer(fault: &Fault, request_id: &str, now: Timestamp) -> Answer {
    let mut error = json!({ "code": fault.code.as_str(), "message": fault.message });
    if !fault.details.is_empty() && fault.code != Code::Internal {
        error["details"] = Value::Object(fault.details.clone());
    }
    let body = json!({ "success": false, "error": error, "timestamp": now, "requestId": request_id });
    let mut headers = fault.headers.clone();
    if fault.code == Code::Unavailable {
        spread(&mut headers, request_id);
    }
    Answer { status: fault.code.status(), headers, body: Body::Json(body) }
}

/// Seconds by which `Retry-After` of different requests differs at most, while a part does not answer.
const SPREAD: u64 = 4;

/// Adds up to three seconds to `Retry-After`, so that callers who were refused together do not come back together.
///
/// They follow from the request's id, which is random, so no other source of randomness is needed.
fn spread(headers: &mut [(&'static str, String)], request_id: &str) {
    // FNV-1a.
    let hash = request_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    for (_, wait) in headers.iter_mut().filter(|(name, _)| *name == "retry-after") {
        if let Ok(seconds) = wait.parse::<u64>() {
            *wait = (seconds + (hash >> 32) % SPREAD).to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_page_is_html_and_loads_nothing() {
        let page = Answer::html(200, "<!DOCTYPE html>".to_owned()).into_response("r", false);
        let header = |name: &str| page.headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert!(header("content-security-policy").starts_with("default-src 'none';"));
        assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store", "no-referrer"));
        assert_eq!(page.body, Some(encodings::Body::Text("<!DOCTYPE html>".to_owned())));
    }

    #[test]
    fn the_answer_to_head_has_the_headers_of_get_and_no_body() {
        let answer = || Answer::plain(200, &json!({ "name": "été" })).header("x-a", 1);
        let (get, head) = (answer().into_response("r", false), answer().into_response("r", true));
        let Some(encodings::Body::Text(body)) = &get.body else { panic!("an answer is text") };
        let mut headers = head.headers.clone();
        assert_eq!(headers.remove("content-length").unwrap(), body.len().to_string().as_str());
        assert_eq!((head.status_code, &headers), (get.status_code, &get.headers));
        assert_eq!((head.body, head.is_base64_encoded), (Some(encodings::Body::Text(String::new())), false));

        let relayed = Answer::relayed(200, Vec::new(), Vec::new()).header("content-length", 17);
        let relayed = relayed.into_response("r", true);
        assert_eq!((relayed.headers["content-length"].to_str().unwrap(), relayed.is_base64_encoded), ("17", false));
        let unknown = Answer::relayed(200, Vec::new(), Vec::new()).into_response("r", true);
        assert!(!unknown.headers.contains_key("content-length"));
    }

    #[test]
    fn a_relayed_answer_keeps_its_bytes_and_gets_the_common_headers() {
        let theirs =
            [("content-type", "application/pdf"), ("link", "<a>"), ("link", "<b>"), ("bad name", "x"), ("x", "é")];
        let theirs = theirs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let relayed = Answer::relayed(201, theirs, vec![0, 255, b'a']).header("x-credits-remaining", -1);
        let relayed = relayed.into_response("r", false);
        assert_eq!((relayed.status_code, relayed.is_base64_encoded), (201, true));
        assert_eq!(relayed.body, Some(encodings::Body::Text("AP9h".to_owned())));
        let names =
            ["content-type", "link", "cache-control", "x-content-type-options", "x-request-id", "x-credits-remaining"];
        let values = names.map(|name| relayed.headers[name].to_str().unwrap());
        assert_eq!(values, ["application/pdf", "<a>, <b>", "no-store", "nosniff", "r", "-1"]);
        assert!(!relayed.headers.contains_key("bad name"));
        let json = Answer::plain(200, &1).into_response("r", false);
        assert!(!json.is_base64_encoded);
    }

    #[test]
    fn callers_refused_together_are_told_to_come_back_apart() {
        let waits = |fault: &Fault| -> BTreeMap<String, u32> {
            let mut waits = BTreeMap::new();
            for request in 0..1000 {
                let answer = fault_answer(fault, &format!("JKJaXmPLvHcESHA{request}="), Timestamp::from_secs(1));
                *waits.entry(answer.headers[0].1.clone()).or_default() += 1;
            }
            waits
        };
        let spread = waits(&Fault::unavailable("busy"));
        assert!(spread.keys().eq(["1", "2", "3", "4"]) && spread.values().all(|count| *count > 150), "{spread:?}");
        // A limit says when it resets, and a file when to look again.
        let limited = waits(&Fault::new(Code::RateLimited, "").retry_after(std::time::Duration::from_secs(7)));
        assert!(limited.keys().eq(["7"]), "{limited:?}");
    }

    #[test]
    fn an_internal_error_shows_no_details_and_an_unavailable_part_does() {
        let error = |fault: Fault| match fault_answer(&fault.detail("checks", "x"), "r", Timestamp::from_secs(1)).body {
            Body::Json(mut body) => body["error"].take(),
            other => panic!("an error is JSON: {other:?}"),
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
