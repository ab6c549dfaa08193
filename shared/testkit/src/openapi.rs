//! Generates the OpenAPI document from the handlers' own types. `make openapi` writes it, and a test checks that the
//! committed file is up to date.

use std::collections::BTreeMap;

use consigne_core::Code;
use consigne_core::gateway::METHODS;
use consigne_runtime::http::{AuthScheme, Operation};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::functions::functions;

/// Path of the document, below the root of the checkout.
pub const PATH: &str = "openapi.json";

/// Error codes that every route can answer.
const EVERYWHERE: [Code; 3] = [Code::InvalidRequest, Code::Internal, Code::Unavailable];

/// Lists the operations of every function.
pub fn operations() -> Vec<Operation> {
    functions().iter().flat_map(|function| (function.operations)()).collect()
}

/// Returns the whole document.
pub fn document() -> Value {
    let mut generator =
        SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into()).into_generator();
    let mut paths: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for operation in operations() {
        let (method, path) = operation.route.split_once(' ').expect("a route is a method and a path");
        // OpenAPI has no greedy parameters. Its clients escape the slashes, and API Gateway decodes them.
        let path = path.replace("+}", "}");
        // Nor does it have routes for any method. These are the methods that the gateway forwards.
        let methods = if method == "ANY" { &METHODS[..] } else { &[method] };
        for method in methods {
            let described = describe(&operation, method, &mut generator);
            paths.entry(path.clone()).or_default().insert(method.to_lowercase(), described);
        }
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Consigne",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Private files per user, read through short-lived signed URLs; API keys whose calls are charged exactly once.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "API key" },
                "keyHeader": { "type": "apiKey", "in": "header", "name": "x-api-key", "description": "API key" },
                "service": { "type": "http", "scheme": "bearer", "description": "Service token" },
                "signature": {
                    "type": "apiKey", "in": "header", "name": "webhook-signature",
                    "description": "Standard Webhooks, together with webhook-id and webhook-timestamp. The names may begin with svix instead of webhook",
                },
                "stripe": {
                    "type": "apiKey", "in": "header", "name": "stripe-signature",
                    "description": "Stripe's signature: t=<time>,v1=<HMAC-SHA-256 of time and body>",
                },
                "session": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Clerk session token" },
            },
        },
    })
}

fn describe(operation: &Operation, method: &str, generator: &mut schemars::SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = operation
        .parameters
        .iter()
        .map(|parameter| {
            let place = if operation.route.contains(&format!("{{{}", parameter.name)) { "path" } else { "query" };
            json!({
                "name": parameter.name, "in": place, "required": parameter.required,
                "description": parameter.description, "schema": { "type": "string" },
            })
        })
        .collect();
    if operation.idempotent {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "schema": { "type": "string", "maxLength": 255 },
            "description": "A retry with the same key within 24 hours has no second effect and gets the same result",
        }));
    }
    // Body and answer of a call through the gateway are the service's own.
    let relayed = operation.caller == AuthScheme::Key;
    let answer = (operation.answer)(generator).to_value();
    let answer = if operation.envelope { enveloped(&answer) } else { answer };
    let form = if operation.page { "text/html" } else { "application/json" };
    let mut responses = json!({
        operation.status.to_string(): { "description": "Success", "content": { form: { "schema": answer } } },
    });
    if relayed {
        responses = json!({ "default": {
            "description": "The answer of the service, with any status below 500", "content": { "*/*": { "schema": {} } },
            "headers": { "X-Credits-Remaining": {
                "description": "Credits left in the wallet that pays for the call", "schema": { "type": "integer" },
            } },
        } });
    }
    for (status, codes) in refusals(operation) {
        responses[status.to_string()] = json!({
            "description": codes.join(", "), "content": { "application/json": { "schema": error_schema(&codes) } },
        });
    }
    // The answer to HEAD has no body, whatever its status.
    if method == "HEAD" {
        for response in responses.as_object_mut().into_iter().flat_map(|responses| responses.values_mut()) {
            if let Some(response) = response.as_object_mut() {
                response.remove("content");
            }
        }
    }
    let mut described = json!({
        "summary": operation.summary,
        "operationId": operation_id(&operation.route.replacen("ANY", method, 1)),
        "responses": responses,
    });
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        let schema = body(generator).to_value();
        described["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    if relayed && !matches!(method, "GET" | "HEAD") {
        described["requestBody"] = json!({ "required": false, "content": { "*/*": { "schema": {} } } });
    }
    described["security"] = match operation.caller {
        AuthScheme::Service => json!([{ "service": [] }]),
        AuthScheme::Sender => json!([{ "signature": [] }]),
        AuthScheme::Stripe => json!([{ "stripe": [] }]),
        AuthScheme::User => json!([{ "session": [] }]),
        AuthScheme::Key => json!([{ "key": [] }, { "keyHeader": [] }]),
        AuthScheme::Anyone => json!([]),
    };
    described
}

/// Groups the error codes of an operation by their HTTP status.
fn refusals(operation: &Operation) -> BTreeMap<u16, Vec<&'static str>> {
    let mut codes: Vec<Code> = EVERYWHERE.to_vec();
    if operation.caller == AuthScheme::User {
        codes.extend([Code::Unauthenticated, Code::TokenExpired, Code::ApiKeyNotAccepted, Code::RateLimited]);
        if !operation.route.starts_with("GET ") {
            codes.push(Code::OriginNotAllowed);
        }
    }
    if matches!(operation.caller, AuthScheme::Service | AuthScheme::Key) {
        codes.push(Code::Unauthenticated);
    }
    if matches!(operation.caller, AuthScheme::Sender | AuthScheme::Stripe) {
        codes.push(Code::InvalidSignature);
    }
    if operation.body.is_some() {
        codes.extend([Code::UnsupportedMediaType, Code::BodyTooLarge]);
    }
    codes.extend(&operation.refusals);
    let mut grouped: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for code in codes {
        grouped.entry(code.status()).or_default().push(code.as_str());
    }
    grouped
}

fn enveloped(data: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["success", "message", "data", "timestamp"],
        "properties": {
            "success": { "type": "boolean" },
            "message": { "type": "string" },
            "data": data,
            "timestamp": { "type": "string", "format": "date-time" },
            "metadata": { "type": "object", "properties": {
                "next_cursor": { "type": ["string", "null"] }, "total": { "type": "integer" },
            } },
        },
    })
}

fn error_schema(codes: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": ["success", "error", "timestamp", "requestId"],
        "properties": {
            "success": { "const": false },
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": { "enum": codes }, "message": { "type": "string" }, "details": { "type": "object" },
                },
            },
            "timestamp": { "type": "string", "format": "date-time" },
            "requestId": { "type": "string" },
        },
    })
}

/// Derives an operation id from a route: `POST /api/files/uploads` becomes `postFilesUploads`.
fn operation_id(route: &str) -> String {
    let mut words = route.split([' ', '/', '-', '{', '}', '+']).filter(|word| !word.is_empty() && *word != "api");
    let first = words.next().unwrap_or_default().to_lowercase();
    words.fold(first, |id, word| format!("{id}{}{}", word[..1].to_uppercase(), &word[1..]))
}
