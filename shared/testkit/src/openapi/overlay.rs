//! Keeps the document small: the short descriptions of fields and parameters, and most examples of requests, stand in an
//! overlay.
//!
//! The overlay follows the [OpenAPI Overlay Specification](https://spec.openapis.org/overlay/v1.0.0.html). Applied to
//! the document, it gives the whole text, as the reference pages and the viewer of the laptop's stack show it.

use serde_json::{Value, json};

/// Path of the overlay, below the root of the checkout.
pub const PATH: &str = "docs/reference/descriptions.overlay.json";

/// Descriptions of fields and parameters that are shorter stand in the overlay. Longer ones state a rule, which a
/// program's author must not miss.
const SHORT: usize = 100;

/// Splits the whole document into the document for clients and the overlay.
pub fn split(mut document: Value) -> (Value, Value) {
    let mut actions = Vec::new();
    for (path, operations) in entries(&mut document["paths"]) {
        for (method, operation) in entries(operations) {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
            for (at, parameter) in parameters.enumerate() {
                let place = format!("$['paths']['{path}']['{method}']['parameters'][{at}]");
                take(parameter, &place, &mut actions);
            }
            take_example(operation, &format!("$['paths']['{path}']['{method}']"), &mut actions);
        }
    }
    for (name, schema) in entries(&mut document["components"]["schemas"]) {
        take_of_fields(schema, &format!("$['components']['schemas']['{name}']"), &mut actions);
    }
    let overlay = json!({
        "overlay": "1.0.0",
        "info": { "title": "Descriptions of fields and parameters, and examples of requests", "version": document["info"]["version"] },
        "actions": actions,
    });
    (document, overlay)
}

/// Returns the overlay as text, with one line for each description.
pub fn written(overlay: &Value) -> String {
    let actions: Vec<String> = overlay["actions"].as_array().into_iter().flatten().map(Value::to_string).collect();
    let (version, info) = (&overlay["overlay"], &overlay["info"]);
    format!("{{\n\"overlay\":{version},\n\"info\":{info},\n\"actions\":[\n{}\n]\n}}\n", actions.join(",\n"))
}

fn take_of_fields(schema: &mut Value, place: &str, actions: &mut Vec<Value>) {
    for (name, field) in schema.get_mut("properties").map(entries).into_iter().flatten() {
        let place = format!("{place}['properties']['{name}']");
        take(field, &place, actions);
        take_of_fields(field, &place, actions);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let alternatives = schema.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten();
        for (at, one) in alternatives.enumerate() {
            take_of_fields(one, &format!("{place}['{keyword}'][{at}]"), actions);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(keyword) {
            take_of_fields(inner, &format!("{place}['{keyword}']"), actions);
        }
    }
}

/// Moves the example of a request to the overlay, unless the answer has one too: then the two show a whole exchange.
fn take_example(operation: &mut Value, place: &str, actions: &mut Vec<Value>) {
    let mut answers = operation["responses"].as_object().into_iter().flatten();
    if answers.any(|(_, answer)| answer.pointer("/content/application~1json/example").is_some()) {
        return;
    }
    let content = operation.pointer_mut("/requestBody/content/application~1json").and_then(Value::as_object_mut);
    if let Some(example) = content.and_then(|content| content.remove("example")) {
        let target = format!("{place}['requestBody']['content']['application/json']");
        actions.push(json!({ "target": target, "update": { "example": example } }));
    }
}

/// Moves the description of a field or parameter to the overlay, if it is short.
fn take(described: &mut Value, place: &str, actions: &mut Vec<Value>) {
    let Some(fields) = described.as_object_mut() else { return };
    let is_short = |text: &str| text.chars().count() < SHORT;
    if fields.get("description").and_then(Value::as_str).is_some_and(is_short) {
        let description = fields.remove("description");
        actions.push(json!({ "target": place, "update": { "description": description } }));
    }
}

fn entries(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}
