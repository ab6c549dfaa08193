//! Describes errors: one shape for all of them, with the details of each code, and the errors that API Gateway answers
//! before a function is called.

use std::collections::BTreeMap;

use consigne_core::Code;
use consigne_core::keys::{Limiter, RefusalCode};
use http::StatusCode;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{SCHEMAS, date_time, tidy};

/// The status with which API Gateway refuses calls above its rate.
pub(super) const THROTTLED: u16 = 429;
/// The statuses that API Gateway answers itself, in its own shape. Source: API Gateway developer guide, "HTTP API
/// quotas", and AWS's knowledge base about throttled, failing and late integrations of HTTP APIs.
const OF_API_GATEWAY: [u16; 4] = [413, THROTTLED, 500, 503];

/// Returns the headers of answers.
pub(super) fn headers() -> Value {
    let seconds = json!({ "type": "integer", "minimum": 0 });
    json!({
        "ETag": { "description": "Revision of what the answer shows", "schema": { "type": "string" } },
        "Allow": { "description": "Methods that the path can be called with", "schema": { "type": "string" } },
        "RateLimit-Limit": { "description": "The limit that was reached", "schema": seconds },
        "RateLimit-Remaining": { "description": "What is left of the limit: 0", "schema": seconds },
        "RateLimit-Reset": { "description": "Seconds until the limit resets", "schema": seconds },
        "Retry-After": { "description": "Seconds to wait before the next try", "schema": seconds },
        "WWW-Authenticate": { "description": "The scheme by which to authenticate", "schema": { "type": "string" } },
        "X-Credits-Remaining": {
            "description": "Credits left in the wallet that pays for the call", "schema": { "type": "integer" },
        },
        "X-Request-Id": {
            "description": "Id of the request, to report with a problem", "schema": { "type": "string", "minLength": 1 },
        },
    })
}

/// Refers to one of the headers.
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Returns the responses of paths that no route has.
pub(super) fn of_the_fallback() -> BTreeMap<String, Value> {
    let known = [Code::NotFound, Code::MethodNotAllowed];
    known.into_iter().map(|code| response(code.status(), &[code])).collect()
}

/// Describes the response with a status and one of some codes. Its name is made of the codes.
pub(super) fn response(status: u16, codes: &[Code]) -> (String, Value) {
    let ours = around(codes);
    let theirs = json!({ "$ref": format!("{SCHEMAS}ApiGatewayError") });
    let by_api_gateway = OF_API_GATEWAY.contains(&status);
    let schema = match (codes.is_empty(), by_api_gateway) {
        (true, _) => theirs,
        (false, true) => json!({ "anyOf": [ours, theirs] }),
        (false, false) => ours,
    };
    // API Gateway sends none of these, so none is required.
    let mut sent = vec!["X-Request-Id"];
    match status {
        401 => sent.push("WWW-Authenticate"),
        405 => sent.push("Allow"),
        409 | 503 => sent.push("Retry-After"),
        429 => sent.extend(["Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]),
        _ => {}
    }
    let headers: Map<String, Value> = sent.into_iter().map(|name| (name.to_owned(), header(name))).collect();
    let variants: Vec<String> = codes.iter().map(|code| format!("{code:?}")).collect();
    let name = if variants.is_empty() { format!("ApiGateway{status}") } else { variants.join("Or") };
    let content = json!({ "application/json": { "schema": schema } });
    (name, json!({ "description": phrase(status), "headers": headers, "content": content }))
}

/// Describes an error with one of some codes. Generators of clients read such a union, but not an `allOf` that narrows the
/// codes of another schema.
fn around(codes: &[Code]) -> Value {
    let mut errors: Vec<Value> =
        codes.iter().map(|code| json!({ "$ref": format!("{SCHEMAS}{}", name_of(*code)) })).collect();
    let error = if errors.len() == 1 { errors.remove(0) } else { json!({ "oneOf": errors }) };
    json!({
        "type": "object",
        "required": ["success", "error", "timestamp", "requestId"],
        "properties": {
            "success": { "const": false },
            "error": error,
            "timestamp": date_time(),
            "requestId": { "type": "string" },
        },
    })
}

/// Returns the name of the schema of a code, such as `FileTooLarge`.
fn name_of(code: Code) -> String {
    format!("{code:?}")
}

/// Returns the phrase of a status, such as `Not Found`.
fn phrase(status: u16) -> &'static str {
    let status = StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).expect("every status of a code has a phrase")
}

/// Returns the schemas that all routes share: the error with the details of each code, and the envelopes.
pub(super) fn schemas(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut schemas = Map::new();
    for code in Code::ALL {
        let mut fields = json!({ "code": { "const": code.as_str() }, "message": { "type": "string" } });
        if let Some(details) = details(*code, generator) {
            fields["details"] = details;
        }
        let schema = json!({ "type": "object", "required": ["code", "message"], "properties": fields });
        schemas.insert(name_of(*code), schema);
    }
    let mut error = around(Code::ALL);
    error["description"] = "An error. Programs branch on `error.code`; messages are for people and may change.".into();
    schemas.insert("Error".to_owned(), error);
    schemas.insert(
        "ApiGatewayError".to_owned(),
        json!({
            "type": "object",
            "description": "An error of API Gateway itself, before or instead of a function's answer.",
            "required": ["message"],
            "properties": { "message": { "type": "string" } },
        }),
    );
    schemas.extend(envelopes());
    schemas
}

fn envelopes() -> [(String, Value); 2] {
    let fields = json!({ "success": { "const": true }, "message": { "type": "string" }, "timestamp": date_time() });
    let mut listed = fields.clone();
    listed["metadata"] = json!({
        "type": "object",
        "required": ["next_cursor", "total"],
        "properties": {
            "next_cursor": { "type": ["string", "null"], "description": "Cursor of the next page; null on the last page." },
            "total": { "type": ["integer", "null"], "minimum": 0, "description": "Entries on all pages; null if they were not counted." },
        },
    });
    let described = |text: &str, required: &[&str], properties: Value| json!({ "type": "object", "description": text, "required": required, "properties": properties });
    [
        ("Envelope", described("An answer around `data`.", &["success", "message", "timestamp"], fields)),
        (
            "ListEnvelope",
            described("An answer around a list.", &["success", "message", "timestamp", "metadata"], listed),
        ),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
}

/// Describes `details` of a code; `None` if it has none. Every field is optional, unless all errors of the code have it.
fn details(code: Code, generator: &mut SchemaGenerator) -> Option<Value> {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 0 });
    let texts = || json!({ "type": "array", "items": text() });
    let numbers = || json!({ "type": "array", "items": number() });
    let refusal = || json!({ "$ref": format!("{SCHEMAS}RefusalCode") });
    let mut always: &[&str] = &[];
    let mut fields: Vec<(&str, Value)> = match code {
        Code::InvalidRequest => vec![
            ("field", text()),
            ("line", number()),
            ("column", number()),
            ("limit", number()),
            ("supported", texts()),
            ("known", texts()),
            ("allowed", texts()),
            ("missing", numbers()),
        ],
        Code::InvalidCursor | Code::WebhookContentMismatch => vec![("field", text())],
        Code::InsufficientScope => vec![("required", text())],
        // The largest plan has none above it that would be required.
        Code::SubscriptionRequired => {
            vec![("required", json!({ "type": ["string", "null"] })), ("plan", text()), ("limit", number())]
        }
        Code::FeatureRequired => vec![("required", text()), ("plan", text())],
        Code::RoleRequired => {
            let required = json!({ "anyOf": [text(), texts()] });
            vec![("required", required), ("role", text())]
        }
        Code::SecondFactorRequired => {
            always = &["within_minutes"];
            vec![("within_minutes", number())]
        }
        Code::StorageQuotaExceeded => {
            always = &["field", "limit", "committed", "left"];
            vec![("field", text()), ("limit", number()), ("committed", number()), ("left", number())]
        }
        Code::NotReady | Code::HoldResolved => vec![("status", text())],
        Code::FileRejected => vec![("status", text()), ("reason", text())],
        Code::Conflict => vec![
            ("field", text()),
            ("status", text()),
            ("limit", number()),
            ("holds", texts()),
            ("missing", numbers()),
            ("previous_valid_until", date_time()),
        ],
        Code::AlreadyAnswered => vec![
            ("outcome", text()),
            ("credits", number()),
            ("receipt_id", json!({ "type": ["string", "null"] })),
            ("status_code", number()),
        ],
        Code::HoldExpired => vec![("expires_at", date_time())],
        Code::InvalidFilename | Code::HoldExceeded | Code::FileTooLarge => vec![("field", text()), ("limit", number())],
        Code::BodyTooLarge => vec![("limit", number()), ("size", number())],
        Code::UnsupportedFileType => {
            vec![("field", text()), ("contentType", text()), ("supported", texts()), ("extensions", texts())]
        }
        Code::RateLimited | Code::GenerationQuotaExceeded => vec![("limit", number()), ("resets_at", date_time())],
        Code::UpstreamFailed => {
            always = &["reason"];
            vec![("reason", text()), ("status", number())]
        }
        Code::Unavailable => {
            let checks = json!({ "type": "object", "additionalProperties": text() });
            vec![("checks", checks), ("degraded", texts())]
        }
        Code::ServiceUnavailable => vec![("service", text())],
        _ => Vec::new(),
    };
    // A refused key has its own code, what limits it, and until when.
    let names_a_key = [
        Code::InvalidRequest,
        Code::Unauthenticated,
        Code::InsufficientCredits,
        Code::InsufficientScope,
        Code::KeyRefused,
        Code::NotFound,
        Code::RateLimited,
    ];
    if names_a_key.contains(&code) {
        generator.subschema_for::<RefusalCode>();
        fields.push(("code", refusal()));
        if code != Code::Unauthenticated {
            let limiter = generator.subschema_for::<Limiter>().to_value();
            fields.extend([("limiter", tidy::answer(limiter)), ("resets_at", date_time())]);
        }
    }
    if fields.is_empty() {
        return None;
    }
    let properties: Map<String, Value> = fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let mut details = json!({ "type": "object", "properties": properties });
    if !always.is_empty() {
        details["required"] = json!(always);
    }
    Some(details)
}
