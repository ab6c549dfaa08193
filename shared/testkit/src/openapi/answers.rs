//! Validates answers with the document: status, content type, headers and body of the operation that a route has.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{document, examples, operations};
use crate::json_schema::Validator;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
/// The paths whose last parameter stands for any number of segments.
static GREEDY: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let paths = operations().into_iter().filter_map(|operation| operation.route.split_once(' '));
    paths.filter(|(_, path)| path.ends_with("+}")).map(|(_, path)| path.replace("+}", "}")).collect()
});

/// An answer to a request, as its caller got it.
#[derive(Clone, Debug)]
pub struct Answered<'a> {
    /// HTTP status.
    pub status: u16,
    /// The header `Content-Type`; empty if there is none.
    pub content_type: &'a str,
    /// The body, unchanged.
    pub body: &'a [u8],
}

/// Returns how the answer to a request differs from the document. Empty if the document describes it.
///
/// `path` is the path of the request, still escaped, or the route as template.yaml writes it.
pub fn faults(method: &str, path: &str, answered: &Answered<'_>) -> Vec<String> {
    // Browsers ask this before a request; API Gateway answers it.
    if method == "OPTIONS" && answered.body.is_empty() {
        return Vec::new();
    }
    let Some((template, operation)) = operation(method, path) else {
        return faults_of_the_fallback(method, path, answered);
    };
    let place = format!("{method} {template} {}", answered.status);
    let responses = &operation["responses"];
    let described = responses.get(answered.status.to_string());
    let mut faults = described.map(|response| in_response(response, method, answered, &place));
    // Another server's answer may have any status below 500.
    if let Some(relayed) = responses.get("default").filter(|_| answered.status < 500)
        && faults.as_ref().is_none_or(|faults| !faults.is_empty())
    {
        faults = Some(in_response(relayed, method, answered, &place));
    }
    faults.unwrap_or_else(|| vec![format!("{place}: the status is not documented: {}", in_words(answered.body))])
}

/// Asserts that the document describes the answer to a request.
///
/// # Panics
/// If it does not, with the route, the status and the place in the body.
pub fn assert_documented(method: &str, path: &str, answered: &Answered<'_>) {
    let faults = faults(method, path, answered);
    assert!(faults.is_empty(), "openapi.json describes another answer: {faults:#?}");
}

/// Returns how a request that was accepted differs from the document: the document must not forbid what the code takes.
///
/// `query` is the query of the request, and `body` its JSON.
pub fn faults_of_accepted(method: &str, path: &str, query: &str, body: Option<&Value>) -> Vec<String> {
    let Some((template, operation)) = operation(method, path) else { return Vec::new() };
    let validator = Validator::new(&DOCUMENT);
    let place = format!("{method} {template}");
    let mut faults = Vec::new();
    let content = &operation["requestBody"]["content"]["application/json"];
    if let (Some(body), Some(schema)) = (body, content.get("schema")) {
        faults.extend(validator.faults(schema, body, &format!("{place}: request")));
    }
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        // An empty parameter counts as absent. An escaped one would have to be decoded first.
        let Some(parameter) =
            parameters.filter(|_| !value.is_empty() && !value.contains(['%', '+'])).find(|it| it["name"] == name)
        else {
            continue;
        };
        let schema = &parameter["schema"];
        let value = if schema["type"] == "integer" { serde_json::from_str(value).ok() } else { Some(value.into()) };
        faults.extend(validator.faults(schema, &value.unwrap_or_default(), &format!("{place}: {name}")));
    }
    faults
}

/// Returns how the examples of the document differ from their schemas. Empty if all are valid.
pub fn faults_of_examples() -> Vec<String> {
    let mut faults = Vec::new();
    let validator = Validator::new(&DOCUMENT);
    let mut shown = Vec::new();
    let whole = super::whole();
    for (path, operations) in whole["paths"].as_object().expect("paths are an object") {
        for (method, operation) in operations.as_object().expect("a path has operations") {
            let contents = operation["responses"].as_object().into_iter().flatten().map(|(_, response)| response);
            for content in contents.chain([&operation["requestBody"]]).filter_map(|one| one["content"].as_object()) {
                for one in content.values().filter(|one| one.get("example").is_some()) {
                    let place = format!("{} {path}", method.to_uppercase());
                    faults.extend(validator.faults_of_all_fields(&one["schema"], &one["example"], &place));
                    shown.push(one["example"].clone());
                }
            }
        }
    }
    let lost = examples::answered().filter(|route| !examples::answer(route).is_some_and(|it| shown.contains(&it)));
    faults.extend(lost.map(|route| format!("{route} has an example and is no operation")));
    faults
}

/// Finds the operation of a route or of a path. Returns it with its path in the document.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths are an object");
    let asked: Vec<&str> = path.split('?').next().unwrap_or_default().split('/').collect();
    // The path with the fewest parameters is the one that API Gateway routes to.
    let fitting = paths.iter().filter(|(template, _)| fits(template, &asked));
    let (template, operations) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    operations.get(method.to_lowercase()).map(|operation| (template.as_str(), operation))
}

/// Returns whether a path, in segments, is one of a template.
fn fits(template: &str, asked: &[&str]) -> bool {
    let segments: Vec<&str> = template.split('/').collect();
    let is_long_enough = segments.len() == asked.len() || (segments.len() < asked.len() && GREEDY.contains(template));
    let is_it = |(segment, given): (&&str, &&str)| segment == given || (segment.starts_with('{') && !given.is_empty());
    is_long_enough && segments.iter().zip(asked).all(is_it)
}

fn faults_of_the_fallback(method: &str, path: &str, answered: &Answered<'_>) -> Vec<String> {
    let place = format!("{method} {path} {}", answered.status);
    let name = match answered.status {
        404 => "NotFound",
        405 => "MethodNotAllowed",
        _ => return vec![format!("{place}: no such route is documented: {}", in_words(answered.body))],
    };
    in_response(&DOCUMENT["components"]["responses"][name], method, answered, &place)
}

/// Returns how an answer differs from a response of the document.
fn in_response(response: &'static Value, method: &str, answered: &Answered<'_>, place: &str) -> Vec<String> {
    let validator = Validator::new(&DOCUMENT);
    let response = response["$ref"].as_str().map_or(response, |reference| validator.resolve(reference));
    if method == "HEAD" {
        let body = (!answered.body.is_empty()).then(|| format!("{place}: an answer to HEAD has a body"));
        return body.into_iter().collect();
    }
    let essence = answered.content_type.split(';').next().unwrap_or_default().trim();
    let content = response["content"].as_object().expect("a response has content");
    let Some(media) = content.get(essence).or_else(|| content.get("*/*")) else {
        return vec![format!("{place}: the content type `{essence}` is not documented")];
    };
    let schema = &media["schema"];
    // Any body fits.
    if *schema == json!({}) {
        return Vec::new();
    }
    let body = match essence {
        "application/json" => serde_json::from_slice(answered.body).unwrap_or(Value::Null),
        _ => String::from_utf8_lossy(answered.body).into_owned().into(),
    };
    let faults = validator.faults_of_all_fields(schema, &body, "body");
    faults.into_iter().map(|fault| format!("{place}: {fault}")).collect()
}

/// Returns the start of a body, for a message.
fn in_words(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(route: &str, status: u16, body: &Value) -> Vec<String> {
        let (method, path) = route.split_once(' ').unwrap();
        let body = body.to_string();
        faults(
            method,
            path,
            &Answered { status, content_type: "application/json; charset=utf-8", body: body.as_bytes() },
        )
    }

    fn ticket() -> Value {
        json!({ "url": "https://a.example/b", "expiresIn": 60, "expiresAt": "2026-11-21T10:30:00Z" })
    }

    fn error(code: &str, details: &Value) -> Value {
        json!({
            "success": false, "error": { "code": code, "message": "m", "details": details },
            "timestamp": "2026-11-21T10:30:00Z", "requestId": "r",
        })
    }

    #[test]
    fn a_described_answer_has_no_faults() {
        let route = "POST /api/files/presigned-url";
        assert_eq!(faults_of(route, 200, &ticket()), [""; 0]);
        assert_eq!(faults_of(route, 400, &error("INVALID_REQUEST", &json!({ "field": "s3Key" }))), [""; 0]);
        assert_eq!(faults_of(route, 503, &json!({ "message": "Service Unavailable" })), [""; 0]);
        assert_eq!(faults_of("GET /nowhere", 404, &error("NOT_FOUND", &json!({}))), [""; 0]);
        let relayed = "GET /api/v1/pdf/a/b";
        assert_eq!(faults_of(relayed, 418, &json!({ "any": "thing" })), [""; 0]);
    }

    #[test]
    fn a_fault_names_route_status_and_place() {
        let route = "POST /api/files/presigned-url";
        let mut undocumented = ticket();
        undocumented["extra"] = json!(1);
        let mut misspelt = ticket();
        misspelt["expiresIn"] = json!("60");
        for (status, body, fault) in [
            (200, undocumented, "POST /api/files/presigned-url 200: body.extra is not documented"),
            // The answer is one ticket or several.
            (200, misspelt, "body fits no alternative; the closest: body.expiresIn is \"60\", type \"integer\""),
            (418, ticket(), "POST /api/files/presigned-url 418: the status is not documented"),
            (400, error("CONFLICT", &json!({})), "body.error.code is \"CONFLICT\", const"),
            (400, error("INVALID_REQUEST", &json!({ "shoe": 1 })), "body.error.details.shoe is not documented"),
            (400, error("INVALID_REQUEST", &json!({ "field": 1 })), "body.error.details.field is 1"),
        ] {
            let found = faults_of(route, status, &body).join("; ");
            assert!(found.contains(fault), "{found}");
        }
        let page = Answered { status: 200, content_type: "text/html", body: b"<p>" };
        let found = faults("POST", "/api/files/presigned-url", &page);
        assert_eq!(found, ["POST /api/files/presigned-url 200: the content type `text/html` is not documented"]);
        assert!(faults_of("GET /nowhere", 200, &ticket())[0].contains("no such route"));
    }

    #[test]
    fn limits_of_requests_are_those_of_the_code() {
        for (route, query, body, fault) in [
            ("PATCH /api/orgs/o/keys/k", "", json!({ "name": null }), "request.name is null, type \"string\""),
            ("PATCH /api/orgs/o/keys/k", "", json!({ "scopes": null }), "request.scopes is null, type \"array\""),
            ("PATCH /api/orgs/o/keys/k", "", json!({ "daily_quota": 0 }), "request.daily_quota is 0, minimum 1"),
            ("POST /api/orgs", "", json!({ "name": "" }), "request.name is \"\", minLength 1"),
            ("POST /api/orgs", "", json!({ "name": "a", "nom": "b" }), "request.nom is not a field"),
            (
                "POST /api/secure/images/generate",
                "",
                json!({ "prompt": "a", "count": 5 }),
                "request.count is 5, maximum 4",
            ),
            ("GET /api/orgs", "limit=0", json!(null), "limit is 0, minimum 1"),
            ("GET /api/orgs", "limit=x", json!(null), "limit is null, type \"integer\""),
            ("GET /api/secure/jobs", "status=done", json!(null), "status is \"done\", enum"),
            ("GET /api/orgs/o/stats", "from=today", json!(null), "from is \"today\", format \"date\""),
        ] {
            let (method, path) = route.split_once(' ').unwrap();
            let found = faults_of_accepted(method, path, query, Some(&body)).join("; ");
            assert!(found.contains(fault), "{route}: {found}");
        }
        let null_quota = json!({ "daily_quota": null });
        assert_eq!(faults_of_accepted("PATCH", "/api/orgs/o/keys/k", "", Some(&null_quota)), [""; 0]);
        assert_eq!(faults_of_accepted("GET", "/api/orgs", "limit=1000&cursor=", None), [""; 0]);
    }
}
