//! Generates the OpenAPI document from the handlers' own types. `make openapi` writes it, and a test checks that the
//! committed file is up to date. Every answer in tests is validated with it ([`answers`]).

pub mod answers;
mod errors;
mod examples;
pub mod overlay;
mod tidy;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::Code;
use consigne_core::gateway::METHODS;
use consigne_runtime::http::{AuthScheme, Form, IDEMPOTENCY_KEY_MAX, Operation, is_file_route};
use schemars::generate::SchemaSettings;
use schemars::{SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::functions::functions;
use crate::template;

pub use written::written;

/// Path of the document, below the root of the checkout.
pub const PATH: &str = "openapi.json";

const SCHEMAS: &str = "#/components/schemas/";

/// Error codes that every route can answer.
const EVERYWHERE: [Code; 3] = [Code::InvalidRequest, Code::Internal, Code::Unavailable];

/// Lists the operations of every function.
pub fn operations() -> Vec<Operation> {
    functions().iter().flat_map(|function| (function.operations)()).collect()
}

/// Builds a document from operations.
struct Builder {
    /// Describes what callers send.
    requests: SchemaGenerator,
    /// Describes what they get: fields that are always sent are required.
    answers: SchemaGenerator,
    /// The shared responses, by name.
    responses: BTreeMap<String, Value>,
    /// The names of schemas that are the body of a request, or all of an answer.
    whole: BTreeSet<String>,
}

/// Returns the document for clients, without the descriptions that the [`overlay`] has.
pub fn document() -> Value {
    overlay::split(whole()).0
}

/// Returns the document with every description.
pub fn whole() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut builder = Builder {
        requests: settings.clone().for_deserialize().into_generator(),
        answers: settings.for_serialize().into_generator(),
        responses: errors::of_the_fallback(),
        whole: BTreeSet::new(),
    };
    let deployed = template::template();
    let mut paths: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    let mut desks: BTreeSet<String> = BTreeSet::new();
    for function in functions() {
        for operation in (function.operations)() {
            desks.insert(desk(&deployed, function.name));
            let (method, path) = operation.route.split_once(' ').expect("a route is a method and a path");
            // OpenAPI has no greedy parameters. Its clients escape the slashes, and API Gateway decodes them.
            let path = path.replace("+}", "}");
            // Nor does it have routes for any method. These are the methods that the gateway forwards.
            let methods = if method == "ANY" { &METHODS[..] } else { &[method] };
            for method in methods {
                let mut described = builder.operation(&operation, method, function.name);
                described["tags"] = json!([desk(&deployed, function.name)]);
                paths.entry(path.clone()).or_default().insert(method.to_lowercase(), described);
            }
        }
    }
    let tags: Vec<Value> =
        desks.into_iter().map(|desk| json!({ "name": desk, "description": what_a_desk_does(&desk) })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Consigne",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Private files per user, read through short-lived signed URLs; API keys whose calls are charged exactly once.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{
            "url": "{address}",
            "description": "The output `ApiUrl` of the installation's stack; `CONSIGNE_URL` on a laptop",
            "variables": { "address": { "default": "https://api.example.com" } },
        }],
        "tags": tags,
        "paths": paths,
        "components": {
            "headers": errors::headers(),
            "parameters": { "Idempotency-Key": {
                "name": "Idempotency-Key", "in": "header", "required": false,
                "schema": { "type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX },
                "description": "A retry with the same key within 24 hours has no second effect and gets the same result",
            }, "If-Match": {
                "name": "If-Match", "in": "header", "required": false, "schema": { "type": "string" },
                "description": "`ETag` of the revision to change; another one is a 412",
            } },
            "responses": builder.responses.clone(),
            "schemas": builder.schemas(),
            "securitySchemes": security_schemes(),
        },
    })
}

/// Returns the part of the system to which a function belongs: that of its log group.
fn desk(deployed: &Value, function: &str) -> String {
    template::log_group(deployed, "", function).rsplit('/').next().unwrap_or_default().to_owned()
}

/// Says what the routes of a desk are for.
fn what_a_desk_does(desk: &str) -> &'static str {
    match desk {
        "credits" => "Wallets, checkouts, holds",
        "deliveries" => "Webhooks to endpoints of organisations, mails",
        "files" => "Private files of a user",
        "gateway" => "Services behind API keys",
        "jobs" => "Generated texts, images and videos",
        "keys" => "API keys, their checks and usage",
        "operations" => "Health",
        "organisations" => "Members, invitations, audit logs",
        "schedules" => "Statistics",
        _ => panic!("what are the routes of {desk} for? Describe them here"),
    }
}

fn security_schemes() -> Value {
    json!({
        "key": { "type": "http", "scheme": "bearer", "description": "API key" },
        "keyHeader": { "type": "apiKey", "in": "header", "name": "x-api-key", "description": "API key" },
        "service": { "type": "http", "scheme": "bearer", "description": "Service token. Routes of files need X-Consigne-User, too" },
        "signature": {
            "type": "apiKey", "in": "header", "name": "webhook-signature",
            "description": "Standard Webhooks, together with webhook-id and webhook-timestamp. The names may begin with svix instead of webhook",
        },
        "stripe": {
            "type": "apiKey", "in": "header", "name": "stripe-signature",
            "description": "Stripe's signature: t=<time>,v1=<HMAC-SHA-256 of time and body>",
        },
        "session": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Clerk session token" },
    })
}

impl Builder {
    fn operation(&mut self, operation: &Operation, method: &str, function: &str) -> Value {
        let route = operation.route.replacen("ANY", method, 1);
        // Body and answer of a call through the gateway are the service's own.
        let relayed = operation.caller == AuthScheme::Key;
        let mut responses = self.successes(operation, &route);
        for (status, codes) in refusals(operation) {
            let (name, response) = errors::response(status, &codes);
            responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
            self.responses.insert(name, response);
        }
        // The answer to HEAD has no body, whatever its status.
        if method == "HEAD" {
            for response in responses.values_mut() {
                if let Some(name) = response["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
                    *response = self.responses[name].clone();
                }
                response.as_object_mut().and_then(|response| response.remove("content"));
            }
        }
        let mut described = json!({
            "summary": operation.summary,
            "operationId": operation_id(&route),
            "responses": responses,
            "security": security(operation),
        });
        let parameters = parameters(operation);
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if let Some(body) = operation.body {
            let schema = body(&mut self.requests).to_value();
            self.note_whole(&schema);
            let mut content = json!({ "schema": schema });
            if let Some(example) = examples::request(function, &route) {
                content["example"] = example;
            }
            described["requestBody"] = json!({ "required": true, "content": { "application/json": content } });
        }
        if relayed && !matches!(method, "GET" | "HEAD") {
            described["requestBody"] = json!({ "required": false, "content": { "*/*": { "schema": {} } } });
        }
        described
    }

    /// Describes the answer to a request that succeeds.
    fn successes(&mut self, operation: &Operation, route: &str) -> Map<String, Value> {
        let mut headers = json!({ "X-Request-Id": errors::header("X-Request-Id") });
        if operation.tagged {
            headers["ETag"] = errors::header("ETag");
        }
        if operation.caller == AuthScheme::Key {
            headers["X-Credits-Remaining"] = errors::header("X-Credits-Remaining");
            return Map::from_iter([(
                "default".to_owned(),
                json!({
                    "description": "The answer of the service, with any status below 500",
                    "headers": headers,
                    "content": { "*/*": { "schema": {} } },
                }),
            )]);
        }
        let answer = (operation.answer)(&mut self.answers).to_value();
        self.note_whole(if answer["type"] == "array" { &answer["items"] } else { &answer });
        let answer = match operation.form {
            Form::Envelope => enveloped(&answer, false),
            Form::List => enveloped(&answer, true),
            Form::Plain | Form::Page => answer,
        };
        let form = if operation.form == Form::Page { "text/html" } else { "application/json" };
        let mut content = json!({ "schema": answer });
        if let Some(example) = examples::answer(route) {
            content["example"] = example;
        }
        let described = json!({ "description": "Success", "headers": headers, "content": { form: content } });
        Map::from_iter([(operation.status.to_string(), described)])
    }

    /// Notes that a schema is the body of a request, or all of an answer.
    fn note_whole(&mut self, schema: &Value) {
        self.whole.extend(schema["$ref"].as_str().and_then(|name| name.strip_prefix(SCHEMAS)).map(str::to_owned));
    }

    /// Removes the description of such a schema: the summary of its operation says the same.
    fn leave_to_summary(&self, name: &str, schema: &mut Value) {
        if self.whole.contains(name) {
            schema.as_object_mut().and_then(|schema| schema.remove("description"));
        }
    }

    /// Returns all named schemas.
    ///
    /// # Panics
    /// If two types have the same name.
    fn schemas(&mut self) -> Map<String, Value> {
        let mut schemas = errors::schemas(&mut self.answers);
        for (name, schema) in self.answers.take_definitions(true) {
            let mut schema = tidy::answer(schema);
            self.leave_to_summary(&name, &mut schema);
            schemas.insert(name, schema);
        }
        for (name, schema) in self.requests.take_definitions(true) {
            let mut schema = tidy::request(schema);
            self.leave_to_summary(&name, &mut schema);
            let other = schemas.insert(name.clone(), schema.clone());
            let same = other.is_none_or(|other| other == schema);
            assert!(same, "{name} is two types; name one otherwise with #[schemars(rename = \"..\")]");
        }
        schemas
    }
}

/// Describes the parameters of an operation, with the header of its idempotency key.
fn parameters(operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    for parameter in &operation.parameters {
        let place = if operation.route.contains(&format!("{{{}", parameter.name)) { "path" } else { "query" };
        parameters.push(json!({
            "name": parameter.name, "in": place, "required": parameter.required,
            "description": parameter.description, "schema": parameter.schema,
        }));
    }
    if operation.idempotent {
        parameters.push(json!({ "$ref": "#/components/parameters/Idempotency-Key" }));
    }
    if operation.tagged && !operation.route.starts_with("GET ") {
        parameters.push(json!({ "$ref": "#/components/parameters/If-Match" }));
    }
    parameters
}

fn security(operation: &Operation) -> Value {
    match operation.caller {
        AuthScheme::Service => json!([{ "service": [] }]),
        AuthScheme::Sender => json!([{ "signature": [] }]),
        AuthScheme::Stripe => json!([{ "stripe": [] }]),
        AuthScheme::User if is_file_route(operation.route) => json!([{ "session": [] }, { "service": [] }]),
        AuthScheme::User => json!([{ "session": [] }]),
        AuthScheme::Key => json!([{ "key": [] }, { "keyHeader": [] }]),
        AuthScheme::Anyone => json!([]),
    }
}

/// Groups the error codes of an operation by their HTTP status. The statuses of errors that API Gateway answers itself
/// are there even if no code has them.
fn refusals(operation: &Operation) -> BTreeMap<u16, Vec<Code>> {
    let mut codes: Vec<Code> = EVERYWHERE.to_vec();
    if operation.caller == AuthScheme::User {
        codes.extend([Code::Unauthenticated, Code::TokenExpired, Code::ApiKeyNotAccepted, Code::RateLimited]);
        if !operation.route.starts_with("GET ") {
            codes.push(Code::OriginNotAllowed);
        }
        if is_file_route(operation.route) {
            codes.push(Code::InsufficientScope);
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
    let mut grouped: BTreeMap<u16, Vec<Code>> = BTreeMap::from([(errors::THROTTLED, Vec::new())]);
    // In the order of declaration, so that the same codes make the same response on every route.
    for code in Code::ALL.iter().filter(|code| codes.contains(code)) {
        grouped.entry(code.status()).or_default().push(*code);
    }
    grouped
}

/// Describes an answer in the envelope; `listed` adds the `metadata` of a list.
fn enveloped(data: &Value, listed: bool) -> Value {
    let envelope = if listed { "ListEnvelope" } else { "Envelope" };
    json!({ "allOf": [
        { "$ref": format!("{SCHEMAS}{envelope}") }, { "type": "object", "required": ["data"], "properties": { "data": data } },
    ] })
}

/// Derives an operation id from a route: `POST /api/files/uploads` becomes `postFilesUploads`.
fn operation_id(route: &str) -> String {
    // A path outside `/api` may end in the same words as one inside.
    let outside = !route.split_once(' ').is_some_and(|(_, path)| path.starts_with("/api"));
    let mut words = route.split([' ', '/', '-', '{', '}', '+']).filter(|word| !word.is_empty() && *word != "api");
    let first = words.next().unwrap_or_default().to_lowercase();
    let id = words.fold(first, |id, word| format!("{id}{}{}", word[..1].to_uppercase(), &word[1..]));
    if outside { format!("{id}AtRoot") } else { id }
}

/// Describes a point in time, as every answer has it.
fn date_time() -> Value {
    json_schema!({ "type": "string", "format": "date-time" }).to_value()
}
